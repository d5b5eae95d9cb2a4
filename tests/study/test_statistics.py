"""Effects and intervals: against formulas, simulation and the scorer."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import ttest_ind

from study.analysis.statistics import effects, holm

ARMS = np.repeat(np.eye(2), 3, axis=0)
DIFFERENCE = np.array([[1.0, -1.0]])
SCORES = np.array([0.60, 0.61, 0.63, 0.55, 0.58, 0.57])


def certain(scores, draws=4000):
    """As if the sentences were beyond doubt: each draw gives the same scores."""
    return np.repeat(scores[:, None], 1 + draws, axis=1)


def drawn(scores, noise):
    return np.column_stack([scores, scores[:, None] + noise])


def test_a_difference_of_arms_is_that_of_their_means():
    (found,) = effects(certain(SCORES), ARMS, DIFFERENCE)
    assert_allclose(found.value, SCORES[:3].mean() - SCORES[3:].mean())
    assert found.low < found.value < found.high


def test_over_runs_the_interval_is_about_students():
    """Only seeds differ: the t-interval of two means with a common variance."""
    (found,) = effects(certain(SCORES), ARMS, DIFFERENCE)
    interval = ttest_ind(SCORES[:3], SCORES[3:]).confidence_interval()
    assert_allclose((found.low, found.high), interval, rtol=0.12)


def test_over_sentences_the_interval_is_that_of_the_paired_draws():
    """Runs of an arm are the same: what is left is the spread over draws. What both arms share in
    a draw cancels, as the draws are the same for both."""
    rng = np.random.default_rng(0)
    scores = np.repeat([0.6, 0.5], 3)
    common = rng.normal(0, 0.05, 4000)
    own = np.repeat(rng.normal(0, 0.01, (2, 4000)), 3, axis=0)
    (found,) = effects(drawn(scores, common + own), ARMS, DIFFERENCE)
    assert_allclose(found.value, 0.1)
    assert_allclose(found.high - found.low, 2 * 1.96 * 0.01 * math.sqrt(2), rtol=0.05)


def test_intervals_hold_what_they_promise():
    """Of simulated studies without any effect, about 5% find one."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        truth = rng.normal(0, 0.01, (2, 1)).repeat(3, axis=0)  # of the sentences at hand
        scores = (truth + rng.normal(0, 0.01, (6, 1)))[:, 0]
        draws = rng.normal(0, 0.01, (2, 300)).repeat(3, axis=0)
        (found,) = effects(drawn(scores, draws), ARMS, DIFFERENCE)
        wrong += not found.low <= 0 <= found.high
    assert 0.01 <= wrong / 400 <= 0.08


def test_p_values_and_intervals_agree():
    (clear,) = effects(certain(SCORES + np.repeat([1.0, 0.0], 3)), ARMS, DIFFERENCE)
    assert clear.p < 1e-6
    (none,) = effects(certain(SCORES[[0, 1, 2] * 2]), ARMS, DIFFERENCE)
    assert none.p == pytest.approx(1.0)


def test_what_can_not_be_told_is_refused():
    with pytest.raises(ValueError, match="2 runs are too few for 2 coefficients"):
        effects(certain(SCORES[:2]), np.eye(2), DIFFERENCE)
    same = np.ones((6, 2))  # two columns that are one
    with pytest.raises(ValueError, match="can't tell some effect"):
        effects(certain(SCORES), same, DIFFERENCE)


def test_holm_by_hand():
    """Holm 1979: 3 x .01, then 2 x .02, then 1 x .04, never less than the one before."""
    assert_allclose(holm([0.02, 0.01, 0.04]), [0.04, 0.03, 0.04])
    assert_allclose(holm([0.03, 0.01, 0.03]), [0.06, 0.03, 0.06])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_between_the_p_value_and_bonferronis(p_values):
    for p, corrected in zip(p_values, holm(p_values), strict=True):
        assert p <= corrected <= 1
        # Holm rejects whatever Bonferroni rejects
        assert corrected <= max(min(1.0, len(p_values) * q) for q in p_values if q <= p)
