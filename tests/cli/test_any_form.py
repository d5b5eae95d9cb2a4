"""Verbs that take gold data take it in any form that `convert` reads."""

import exporters
import pytest
import spacy
import srsly
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin
from test_commands import run

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.schemes import spans_of_tags

GOLD = [(list(s.words), spans_of_tags(s.tags, "IOB2").entities) for s in map(sentence, SENTENCES)]


def scores(model, data, folder):
    code, said = run("evaluate", model, data, "--output", folder / "scores.json")
    assert code == 0, said
    report = srsly.read_json(folder / "scores.json")
    return report["sentences"], report["gold_tokens"], said


@pytest.fixture
def expected(model, tmp_path):
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]
    DocBin(docs=docs).to_disk(tmp_path / "gold.spacy")
    found = scores(model, tmp_path / "gold.spacy", tmp_path)
    assert found[1]["ents_f"] > 0.5
    return found[:2]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("gold.iob", lambda some: exporters.conll(some, "IOBES")),
        ("gold.jsonl", exporters.prodigy),
        ("gold.json", exporters.label_studio),
        ("gold.csv", exporters.table),
        ("some/folder/gold.txt", lambda some: exporters.conll(some, "BILUO")),
    ],
)
def test_the_same_gold_in_another_form_has_the_same_scores(model, tmp_path, expected, name, write):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write(GOLD), encoding="utf-8")
    given = tmp_path / name.split("/")[0]
    assert scores(model, given, tmp_path)[:2] == expected


def test_what_is_lost_is_told(model, tmp_path):
    (tmp_path / "gold.conll").write_text("pelé I-Athlete\nin O\nlyon B-Drink\n\n" * 2)
    with pytest.warns(UserWarning, match=r"gold\.conll: .*the first at .*gold\.conll:1"):
        scores(model, tmp_path / "gold.conll", tmp_path)


def test_a_pipeline_is_tuned_on_any_form(model, tmp_path):
    (tmp_path / "gold.jsonl").write_text(exporters.prodigy(GOLD), encoding="utf-8")
    code, said = run("tune", model, tmp_path / "gold.jsonl", tmp_path / "tuned", "--steps", "1")
    assert code == 0, said
    assert spacy.load(tmp_path / "tuned").get_pipe("finegrained_ner").labels
