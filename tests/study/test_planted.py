"""Planted labels are counted among those that are found."""

import csv
from collections import Counter

import pytest
import spacy
import srsly
from encoders import tiny_bert
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.doctor.suspects import Suspect
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.runs.planted import counted, measure, plant

TREE = read_taxonomy()


def docs(times=10):
    vocab = spacy.blank("en").vocab
    texts = [f"{text} w{i}/O" for i in range(times) for text in SENTENCES]
    texts[0] = texts[0].replace("met/O", "met/-")
    return [sentence_to_doc(vocab, sentence(text)) for text in texts]


def test_as_many_as_asked_are_of_another_type_of_the_same_coarse_type():
    gold = docs()
    changed, planted = plant(gold, TREE, 20)
    assert len(planted) == 20
    assert plant(gold, TREE, 20)[1] == planted
    assert plant(gold, TREE, 20, seed=1)[1] != planted
    for number, (before, after) in enumerate(zip(gold, changed, strict=True)):
        assert [(e.start, e.end) for e in before.ents] == [(e.start, e.end) for e in after.ents]
        unknown = [[not token.ent_iob_ for token in doc] for doc in (before, after)]
        assert unknown[0] == unknown[1]
        for old, new in zip(before.ents, after.ents, strict=True):
            if (number, old.start) in planted:
                assert planted[number, old.start] == old.label_ != new.label_
                assert TREE.coarse_label(old.label_) == TREE.coarse_label(new.label_)
            else:
                assert old.label_ == new.label_


def test_the_count_is_that_of_the_first_hundred():
    planted = {(n, 0): "Drink" for n in range(0, 400, 2)}
    suspects = [Suspect(n, 0, 1, "Food", "Drink" if n % 4 else "Car", 0.0, 1.0) for n in range(400)]
    found = counted(suspects, planted, 2000)
    assert found["planted_in_top"] == 50
    assert found["expected_by_chance"] == pytest.approx(10.0)
    assert found["times_chance"] == pytest.approx(5.0)
    assert found["right"] == 25
    assert counted([], planted, 2000)["times_chance"] is None


def test_all_of_it_runs(tmp_path):
    gold = docs()
    DocBin(docs=gold).to_disk(tmp_path / "train.spacy")
    encoder = tiny_bert(tmp_path / "bert")
    found = measure(
        tmp_path / "train.spacy", tmp_path / "out", str(encoder), "multiconer2", 5, 2, steps=4
    )
    assert srsly.read_json(tmp_path / "out" / "planted.json") == found
    assert found["planted"] == 5
    assert found["entities"] == sum(len(doc.ents) for doc in gold)
    assert len(list((tmp_path / "out" / "folds").iterdir())) == 2
    with (tmp_path / "out" / "judge.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    key = srsly.read_json(tmp_path / "out" / "judge-key.json")
    assert set(key) == {row["number"] for row in rows}
    counts = Counter(key.values())
    assert 0 < counts[True] <= found["top"] - found["planted_in_top"]
    assert 0 < counts[False] <= counts[True]  # there are no more entities
    assert "O" not in {row["label"] for row in rows}  # it would not be blind
    assert set(rows[0]) == {"number", "entity", "label", "sentence", "right"}  # no prediction
