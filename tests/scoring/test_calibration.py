"""Calibration errors and back-off against what can be counted by hand or by trying all."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.back_off import (
    NEVER,
    Thresholds,
    best_thresholds,
    compare,
    worth,
)
from spacy_finegrained_ner.scoring.calibration import (
    calibration_report,
    chance_errors,
    expected_calibration_error,
    reliability,
)
from spacy_finegrained_ner.scoring.judgements import Judgements


def test_error_of_two_bins_by_hand():
    p = np.array([0.9, 0.1, 0.7, 0.3])
    right = np.array([True, False, False, True])
    # bins (0.1, 0.3) and (0.7, 0.9): |0.2 - 0.5| and |0.8 - 0.5|
    assert expected_calibration_error(p, right, bins=2) == pytest.approx(0.3)
    assert reliability(p, right, bins=2) == [
        {"entities": 2, "probability": pytest.approx(0.2), "right": 0.5},
        {"entities": 2, "probability": pytest.approx(0.8), "right": 0.5},
    ]
    assert np.isnan(expected_calibration_error(p[:0], right[:0]))


def test_of_a_calibrated_model_the_error_is_about_the_floor():
    rng = np.random.default_rng(0)
    p = rng.random(1200)
    errors = [expected_calibration_error(p, rng.random(1200) < p) for _ in range(40)]
    assert np.mean(errors) == pytest.approx(chance_errors(p).mean(), rel=0.15)
    assert 0.02 < chance_errors(p).mean() < 0.04
    assert expected_calibration_error(p, rng.random(1200) < p**3) > 0.15


def drawn(seed: int, entities: int, texts: int = 30) -> Judgements:
    """Calibrated at all levels."""
    rng = np.random.default_rng(seed)
    p = np.sort(rng.random((entities, 3)), axis=1)
    right = rng.random((entities, 1)) < p
    sentence = np.sort(rng.integers(texts, size=entities))
    return Judgements(sentence, p, right, np.bincount(sentence, minlength=texts) + 1)


def test_report_of_each_level():
    report = calibration_report(drawn(0, 2000), samples=50)
    assert (report["entities"], report["texts"]) == (2000, 30)
    for level in ("fine", "coarse", "span"):
        found = report[level]
        assert found["ece"] < 0.04
        low, high = found["interval"]
        assert low < found["ece"] < high < 0.08
        assert found["ece"] < found["by_chance"]
        assert found["right"] == pytest.approx(found["probability"], abs=0.03)
    none = drawn(0, 0)
    assert calibration_report(none, samples=3)["fine"]["interval"] is None


probabilities = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8, 0.9])
entity = st.tuples(probabilities, probabilities, st.sampled_from([(1, 1, 1), (0, 1, 1), (0, 0, 1)]))


@given(
    st.lists(entity, min_size=1, max_size=9),
    st.sampled_from([0.3, 0.6, 0.8]),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_the_best_thresholds_are_those_of_all(entities, precision, credit):
    found = Judgements(
        np.zeros(len(entities), dtype=np.int64),
        np.array([[min(a, b), max(a, b), 1.0] for a, b, _ in entities]),
        np.array([right for *_, right in entities], dtype=bool),
        np.array([len(entities)]),
    )
    values = [0.0, 0.15, 0.25, 0.4, 0.65, 0.85, NEVER]
    all_of_them = [worth(found, Thresholds(f, c), credit) for f, c in product(values, values)]
    right = [w["credit"] for w in all_of_them if w["precision"] >= precision and w["coverage"]]
    if not right or max(right) == 0.0:
        with pytest.raises(UserError, match="No thresholds give a precision"):
            best_thresholds(found, precision, credit)
        return
    ours = worth(found, best_thresholds(found, precision, credit), credit)
    assert ours["precision"] >= precision
    assert ours["credit"] == pytest.approx(max(right))


def test_both_levels_are_worth_more_than_one():
    tuned, checked = drawn(0, 3000), drawn(1, 3000)
    report = compare(tuned, checked, 0.8, 0.5, samples=100)
    for name in ("fine alone", "coarse alone"):
        assert report[name]["precision"] == pytest.approx(0.8, abs=0.04)
        low, high = report[name]["gain_of_both"]["interval"]
        assert 0.0 < low < report[name]["gain_of_both"]["credit_per_gold"] < high
    assert report["fine alone"]["coarse"] == report["coarse alone"]["fine"] == 0
    both = report["both"]
    assert both["fine"] + both["coarse"] + both["none"] == 3000


def test_thresholds_ask_for_no_more_than_they_must():
    sure = Judgements(
        np.arange(4), np.full((4, 3), 0.9), np.ones((4, 3), dtype=bool), np.ones(4, dtype=np.int64)
    )
    assert best_thresholds(sure, 0.8, 0.5) == Thresholds(0.0, 0.0)
    half = Judgements(
        np.arange(4),
        np.array([[0.9, 0.95, 1.0], [0.8, 0.85, 1.0], [0.4, 0.9, 1.0], [0.3, 0.5, 1.0]]),
        np.array([[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 1]], dtype=bool),
        np.ones(4, dtype=np.int64),
    )
    assert best_thresholds(half, 1.0, 0.5) == Thresholds(
        pytest.approx((0.8 + 0.4) / 2), pytest.approx((0.9 + 0.5) / 2)
    )
    with pytest.raises(UserError, match="Nothing is found"):
        best_thresholds(drawn(0, 0), 0.8, 0.5)


def test_on_the_texts_of_the_tuning_nothing_is_said_of_a_gain():
    found = drawn(0, 400)
    report = compare(found, found, 0.8, 0.5, samples=5)
    assert not any("gain_of_both" in way for way in report.values())
    assert list(compare(found, found, 0.8, 0.5, coarse=False)) == ["fine alone"]
