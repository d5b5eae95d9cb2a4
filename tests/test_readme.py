"""The two lines of the README; the box, the taxonomy and the numbers that moved from it to docs."""

import re
from pathlib import Path

import pytest
import spacy
from test_docs import blocks, write_own_data
from test_entry_points import PUBLIC
from typer.main import get_command

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DATA = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def test_there_are_two_lines_to_copy():
    lines = [line for line in README.splitlines() if line.startswith("python -m pip install ")]
    assert len(lines) == 2
    assert lines[0].endswith("&& python -m spacy project run all")
    assert lines[1].endswith("&& python -m pytest -n 2")


def test_the_example_of_data_and_its_taxonomy_can_be_read(tmp_path):
    for page in (ROOT / "README.md", ROOT / "docs" / "data.md"):
        (tmp_path / "taxonomy.toml").write_text(blocks(page, "toml")[0])
        (tmp_path / "train.conll").write_text(*blocks(page, "text"))
        taxonomy = read_taxonomy(tmp_path / "taxonomy.toml")
        assert taxonomy.coarse_label("error/code") == "Problem"
        (sentence,) = read_conll(tmp_path / "train.conll")
        assert {tag[2:] for tag in sentence.tags} - {""} <= {*taxonomy.fine}


@pytest.mark.parametrize("flat", [False, True])
def test_the_script_trains_a_pipeline(tmp_path, monkeypatch, flat):
    """With the taxonomy, and without: `"path": None` in its place."""
    (script,) = (block for block in blocks(ROOT / "README.md", "python") if "spacy.blank" in block)
    if flat:
        assert '"my_taxonomy.toml"' in script
        script = script.replace('"my_taxonomy.toml"', "None")
    write_own_data(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    nlp = spacy.load("tickets")
    assert nlp.pipe_names == ["transformer", "finegrained_ner"]
    taxonomy = nlp.get_pipe("finegrained_ner").taxonomy
    coarse = ("Crash", "Laptop") if flat else ("Hardware", "Problem")
    assert tuple(sorted(taxonomy.coarse)) == coarse
    assert len(nlp("my macbook pro freezes")) == 4


def test_the_box_has_all_registered_names():
    box = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"spacy-finegrained-ner\.\w+\.v\d", box))
    assert named == {name for _, name in PUBLIC if name.startswith("spacy-")} - {
        "spacy-finegrained-ner.multiconer2.v1"
    }
    (row,) = re.findall(r"^\| commands \|(.*)\|$", box, re.MULTILINE)
    verbs = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", row))
    assert verbs == set(get_command(app).commands)


def test_numbers_on_the_corpus():
    train_part, valid = (
        list(read_conll(EMBEDDED / f"{part}.conll")) for part in ("train", "valid")
    )
    assert f"{len(train_part):,} + {len(valid):,} short sentences" in DATA
    cased = sum(any(w != w.lower() for w in s.words) for s in train_part) / len(train_part)
    assert 0.145 < cased < 0.165

    def names(sentences):
        nlp = spacy.blank("en")
        return [e.text.casefold() for s in sentences for e in sentence_to_doc(nlp.vocab, s).ents]

    seen = set(names(train_part))
    held_out = names(valid)
    assert round(100 * sum(name not in seen for name in held_out) / len(held_out)) == 87
