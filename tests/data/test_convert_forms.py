"""`convert` from other forms than CoNLL, at the command line."""

import json

import exporters
import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.convert import convert_folder
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.schemes import spans_of_tags
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy


def gold(part: str):
    sentences = read_conll(EMBEDDED / f"{part}.conll")
    return [(list(s.words), spans_of_tags(s.tags, "IOB2").entities) for s in sentences][:400]


def entities(path):
    docs = DocBin().from_disk(path).get_docs(spacy.blank("en").vocab)
    return [
        ("".join(d.text.split()), [("".join(e.text.split()), e.label_) for e in d.ents])
        for d in docs
    ]


@pytest.mark.parametrize(
    ("names", "write"),
    [
        (("train.jsonl", "dev.jsonl"), exporters.prodigy),
        (("my-training.json", "my-validation.json"), exporters.label_studio),
        (("train/all.csv", "val/all.csv"), exporters.table),
        (("en.train.iob", "en.valid.iob"), lambda some: exporters.conll(some, "IOBES")),
    ],
)
def test_the_embedded_corpus_in_other_forms(tmp_path, names, write):
    """Texts and entities are those of the CoNLL files."""
    for name, part in zip(names, ("train", "valid"), strict=True):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write(gold(part)), encoding="utf-8")
    done = convert_folder(tmp_path / "data", tmp_path, lang="en", taxonomy=read_taxonomy())
    assert done.account.found == {}
    assert [part.path.name for part in done.parts] == ["train.spacy", "valid.spacy"]
    vocab = spacy.blank("en").vocab
    for part in ("train", "valid"):
        expected = [
            ("".join(d.text.split()), [("".join(e.text.split()), e.label_) for e in d.ents])
            for d in (sentence_to_doc(vocab, s) for s in read_conll(EMBEDDED / f"{part}.conll"))
        ][:400]
        assert entities(tmp_path / f"{part}.spacy") == expected


def test_what_does_not_fit_is_printed_and_listed(tmp_path):
    lines = [
        {"text": "green tea", "label": [[0, 9, "Drink"]]},
        {"text": "green tea!", "label": [[0, 8, "Drink"], [0, 10, "Drink"]]},
        {"text": "more", "label": []},
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "valid.jsonl").write_text(json.dumps(lines[0]))
    run = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    printed = " ".join(run.output.split())
    assert "train.jsonl: texts with character spans, JSONL, 3 texts." in printed
    assert "what ┃ done ┃ first ┃ times" in printed
    row = next(line for line in run.output.splitlines() if "off token" in line)
    cells = [cell.strip() for cell in row.strip(" │").split("│")]
    assert (cells[0][:9], cells[-1]) == ("off token", "1")
    listed = (tmp_path / "out" / "losses.tsv").read_text().splitlines()
    place = f"{tmp_path / 'train.jsonl'}:2"
    assert listed == [
        "what\twhere\tfound",
        f"off token boundaries\t{place}\t'green te' (Drink) at 0:8",
    ]
    (tmp_path / "train.jsonl").write_text(json.dumps(lines[0]))
    CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "out")])
    assert not (tmp_path / "out" / "losses.tsv").exists()


def test_a_single_file_is_split(tmp_path):
    lines = [{"text": f"tea {i}", "label": [[0, 3, "Drink"]]} for i in range(20)]
    path = tmp_path / "annotations.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    done = convert_folder(path, tmp_path / "out", lang="en", taxonomy=None)
    assert [part.sentences for part in done.parts] == [18, 2]
    assert done.notes[0].startswith(f"Found no valid.jsonl: 2 of the 20 sentences of {path} are")


def test_names_of_tags_at_the_command_line(tmp_path):
    lines = [{"tokens": ["tea", str(i)], "ner_tags": [1, 0]} for i in range(3)]
    path = tmp_path / "train.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    command = ["convert", str(path), str(tmp_path), "--tag-names", "O,B-Drink"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert {label for _, ents in entities(tmp_path / "train.spacy") for _, label in ents} == {
        "Drink"
    }
