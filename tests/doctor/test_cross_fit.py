"""Wrong labels are ranked first by models that have not seen them."""

import csv

import numpy as np
import pytest
from patients import healthy, small, write

from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor import cross_fit as trained
from spacy_finegrained_ner.doctor.cross_fit import as_rows, cross_fit, fold_of
from spacy_finegrained_ner.doctor.data import read_data
from spacy_finegrained_ner.doctor.run import read_run
from spacy_finegrained_ner.doctor.suspects import OUTSIDE, _suspects, write_suspects
from spacy_finegrained_ner.doctor.texts import normalized
from spacy_finegrained_ner.errors import UserError

PLANTED = (5, 40, 90, 130)
MISSED = 60


@pytest.fixture
def case(tmp_path):
    """Data with wrong labels, and a run that learns it in seconds."""
    parts = healthy()
    for number in PLANTED:
        for token in parts["train"][number]:
            token[1] = token[1].replace("Station", "Drink")
    for token in parts["train"][MISSED]:
        token[1] = "O" if token[1].endswith("Station") else token[1]
    data, _ = read_data(write(tmp_path / "data", parts), "en", Options())
    small(training__max_steps=60).to_disk(tmp_path / "my.cfg")
    run, found = read_run(tmp_path / "my.cfg", {}, None)
    assert found == []
    return run, data


def test_planted_labels_come_first_and_folds_are_not_done_twice(case, tmp_path, monkeypatch):
    run, data = case
    said = []
    found = cross_fit(run, data, 2, tmp_path / "folds", say=said.append)
    first = {(one.text, one.gold, one.suggested) for one in found[: len(PLANTED) + 1]}
    wrong = {(number, "Drink", "Station") for number in PLANTED}
    assert first == wrong | {(MISSED, OUTSIDE, "Station")}
    assert len(list((tmp_path / "folds").iterdir())) == 2
    # Broken off after the first fold, it goes on with the second
    (tmp_path / "folds").joinpath(
        next(path.name for path in (tmp_path / "folds").iterdir() if "fold-2" in path.name)
    ).unlink()
    calls = []
    whole = trained._train
    monkeypatch.setattr(trained, "_train", lambda *args: calls.append(args) or whole(*args))
    assert cross_fit(run, data, 2, tmp_path / "folds") == found
    assert len(calls) == 1
    # What it depends on has changed: nothing that is there counts
    doc = data.train[0]
    outside = next(token.i for token in doc if token.ent_iob_ == "O")
    doc.set_ents(doc.ents, missing=[doc[outside : outside + 1]], default="outside")
    monkeypatch.setattr(trained, "_train", lambda *args: (_ for _ in ()).throw(KeyError))
    with pytest.raises(KeyError):
        cross_fit(run, data, 2, tmp_path / "folds")


def test_a_file_of_the_config_that_was_edited_makes_other_folds(case, tmp_path, monkeypatch):
    run, data = case
    path = tmp_path / "taxonomy.toml"
    path.write_text("[Product]\nfine = ['Drink']\n")
    run.config["initialize"]["components"]["finegrained_ner"]["taxonomy"]["path"] = str(path)
    monkeypatch.setattr(trained, "_train", lambda *args: None)
    monkeypatch.setattr(trained, "find_suspects", lambda *args: [])

    def folds():
        cross_fit(run, data, 2, tmp_path / "folds")
        return {one.name for one in (tmp_path / "folds").iterdir()}

    first = folds()
    assert folds() == first
    path.write_text("[Place]\nfine = ['Drink']\n")
    assert len(folds() - first) == 2


def test_a_text_is_judged_by_a_training_that_has_not_seen_it(case, tmp_path, monkeypatch):
    run, data = case
    data.parts["train"].docs = [*data.train[:20], data.train[0].copy()]
    seen = []

    class Stop(Exception):
        pass

    def train(run, docs, labels, use_gpu):
        seen.append({normalized(doc) for doc in docs})
        raise Stop

    monkeypatch.setattr(trained, "_train", train)
    with pytest.raises(Stop):
        cross_fit(run, data, 3, tmp_path / "folds")
    folds = fold_of(data.train, 3)
    held_out = {normalized(doc) for doc, fold in zip(data.train, folds, strict=True) if fold == 0}
    assert held_out
    assert not held_out & seen[0]
    assert held_out | seen[0] == {normalized(doc) for doc in data.train}
    assert folds[0] == folds[-1]  # the copy
    assert max(np.bincount(folds)) - min(np.bincount(folds)) <= 2


def test_too_few_texts_and_no_component_are_errors(case, tmp_path):
    run, data = case
    data.parts["train"].docs = data.train[:2]
    with pytest.raises(UserError, match="2 different texts"):
        cross_fit(run, data, 3, tmp_path / "folds")
    run.config["training"]["frozen_components"] = ["finegrained_ner"]
    with pytest.raises(UserError, match="no component"):
        cross_fit(run, data, 2, tmp_path / "folds")


def test_the_score_is_that_of_the_posteriors():
    p = np.array([[0.2, 0.7, 0.05], [0.6, 0.3, 0.0], [0.1, 0.0, 0.6]])
    asked = [(0, 0, 2, "a", True), (0, 3, 4, "a", True), (1, 1, 2, "c", False)]
    with np.errstate(divide="ignore"):
        found = _suspects(np.log(p), ("a", "b", "c"), asked)
    assert [(one.gold, one.suggested) for one in found] == [("a", "b"), ("a", "b"), ("O", "c")]
    expected = [0.7 * 0.7 / 0.2, 0.3 * 0.3 / 0.6, 0.6 * 0.6 / 0.3]
    np.testing.assert_allclose(np.exp([one.score for one in found]), expected)
    np.testing.assert_allclose(np.exp([one.ratio for one in found]), [0.7 / 0.2, 0.5, 0.6 / 0.3])


def test_suspects_are_written(case, tmp_path):
    _, data = case
    doc = data.train[0]
    start, end, label = doc.ents[0].start, doc.ents[0].end, doc.ents[0].label_
    one = trained.Suspect(0, start, end, label, "Drink", 1.23456, 0.5)
    rows = as_rows([one], data)
    write_suspects(rows, tmp_path / "a" / "s.tsv")
    with (tmp_path / "a" / "s.tsv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["where"].endswith("train.conll:1")
    assert (row["score"], row["entity"]) == ("1.235", doc.ents[0].text)
    assert row["sentence"] == doc.text.strip()
