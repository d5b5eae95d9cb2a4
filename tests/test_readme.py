"""The README says what is so: its code runs, its names and numbers are right."""

import re
from pathlib import Path

import spacy
from pipelines import examples, make_nlp, train
from test_entry_points import PUBLIC

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return [re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in found]


def test_there_are_two_lines_to_copy():
    lines = [line for line in README.splitlines() if line.startswith("python -m pip install ")]
    assert len(lines) == 2
    assert lines[0].endswith("&& python -m spacy project run all")
    assert lines[1].endswith("&& python -m pytest")


def test_the_python_runs(monkeypatch, capsys):
    nlp = make_nlp()
    text = "is/O carlo/B-SportsManager ancelotti/I-SportsManager still/O coaching/O"
    train(nlp, examples(nlp, [f"{text} real/B-SportsGRP madrid/I-SportsGRP"]), 60)
    monkeypatch.setattr(spacy, "load", lambda name: {"en_finegrained_ner": nlp}[name])
    assert blocks("python")
    for block in blocks("python"):
        exec(block, {})
    printed = capsys.readouterr().out
    assert "carlo ancelotti SportsManager Person\nreal madrid SportsGRP Group" in printed


def test_the_taxonomy_can_be_read(tmp_path):
    (block,) = blocks("toml")
    (tmp_path / "taxonomy.toml").write_text(block)
    assert read_taxonomy(tmp_path / "taxonomy.toml").coarse_label("error/code") == "Problem"


def test_the_verbs_and_the_registered_names_exist():
    verbs = {command.name for command in app.registered_commands}
    assert set(re.findall(r"finegrained-ner ([a-z-]+) ", README)) <= verbs
    named = set(re.findall(r"spacy-finegrained-ner\.\w+\.v\d", README))
    assert named == {name for _, name in PUBLIC if name.startswith("spacy-")} - {
        "spacy-finegrained-ner.multiconer2.v1"
    }


def test_links_within_the_repository_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_numbers_on_the_corpus():
    train_part, valid = (
        list(read_conll(EMBEDDED / f"{part}.conll")) for part in ("train", "valid")
    )
    assert f"{len(train_part):,} + {len(valid):,} short sentences" in README
    cased = sum(any(w != w.lower() for w in s.words) for s in train_part) / len(train_part)
    assert 0.145 < cased < 0.165

    def names(sentences):
        nlp = spacy.blank("en")
        return [e.text.casefold() for s in sentences for e in sentence_to_doc(nlp.vocab, s).ents]

    seen = set(names(train_part))
    held_out = names(valid)
    assert round(100 * sum(name not in seen for name in held_out) / len(held_out)) == 87
