"""The screening design: it tells all effects apart, and about as well as can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from study.plan.design import d_optimal, model_matrix, terms, variance_inflation
from study.plan.factors import DEFAULT, FACTORS, Factor

TWO = tuple(Factor(name, ("no", "yes"), name) for name in "abc")


def test_of_two_level_factors_it_finds_the_orthogonal_array():
    """Four runs for three factors: the half fraction, the best there is (Plackett and Burman)."""
    x = model_matrix(d_optimal(TWO, 4), TWO)
    signs = np.where(x[:, 1:] > 0, 1, -1)
    assert_allclose(signs.T @ signs, 4 * np.eye(3))
    assert_allclose(list(variance_inflation(d_optimal(TWO, 4), TWO).values()), 1.0)


def test_the_same_arguments_give_the_same_points():
    assert d_optimal(TWO, 6, seed=3) == d_optimal(TWO, 6, seed=3)


def test_the_design_of_the_study_has_each_level_and_tells_all_effects_apart():
    points = d_optimal(FACTORS, 36)
    assert len(points) == 36
    x = model_matrix(points, FACTORS)
    assert np.linalg.matrix_rank(x) == x.shape[1] == 1 + len(terms(FACTORS))
    for factor in FACTORS:
        seen = [p[factor.key] for p in points if factor.matters(p)]
        fewest = min(seen.count(level) for level in factor.levels)
        assert fewest >= 3, factor.name
    # Random points are far worse: the exchange is worth its time
    rng = np.random.default_rng(0)
    random = [{f.key: str(rng.choice(f.levels)) for f in FACTORS} for _ in points]
    worst = max(variance_inflation(random, FACTORS).values())
    assert max(variance_inflation(points, FACTORS).values()) < 6 < worst


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="25 points cannot tell 26 effects apart"):
        d_optimal(FACTORS, 25)


LEVELS = st.fixed_dictionaries({f.key: st.sampled_from(f.levels) for f in FACTORS})


@given(LEVELS)
def test_what_does_not_matter_changes_no_column(levels):
    """Nested factors: without blending, window and place are the same whatever they say."""
    before = model_matrix([levels], FACTORS)
    for factor in FACTORS:
        if not any(f.matters(levels) for f in FACTORS if f.key == factor.key):
            for level in factor.levels:
                after = model_matrix([levels | {factor.key: level}], FACTORS)
                assert_allclose(after, before)


def test_the_effect_of_blending_is_its_mean_over_places_and_windows():
    """Least squares on scores without noise gives back what was put in."""
    points = d_optimal(FACTORS, 36)
    x = model_matrix(points, FACTORS)

    placed = next(factor for factor in FACTORS if factor.name == "place").matters

    def score(p):
        blended = p["blending"] != "none"
        window = 0.04 * (p["window"] == "2")
        # Around its mean, as not all kinds of blending have two places
        place = 0.02 * ((p["place"] == "emissions") - 0.5) * placed(p)
        return 0.5 + blended * (0.1 + window + place)

    beta = np.linalg.lstsq(x, np.array([score(p) for p in points]), rcond=None)[0]
    found = dict(zip([("", ""), *terms(FACTORS)], beta, strict=True))
    assert_allclose(found["blending", "concatenate"], 0.1 + 0.02, atol=1e-9)
    assert_allclose(found["blending", "average"], 0.1 + 0.02, atol=1e-9)
    assert_allclose(found["window", "2"], 0.04, atol=1e-9)
    assert_allclose(found["place", "emissions"], 0.02, atol=1e-9)
    assert_allclose(found["auxiliary", "coarse"], 0.0, atol=1e-9)


def test_the_default_is_a_point_of_the_factors():
    assert set(DEFAULT) == {f.key for f in FACTORS}
    assert all(DEFAULT[f.key] in f.levels for f in FACTORS)
