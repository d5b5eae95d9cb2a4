"""What is said of an effect and its interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.analysis.rows import Effect
from study.analysis.scores import Part
from study.page.tables import of_the_claim
from study.page.titles import verdict

WHOLE = Part("all", "all", 9)


def row(value, low, high, holm=0.0) -> Effect:
    return Effect(value, low, high, holm, "a", "b", WHOLE, "macro", holm=holm)


@given(st.floats(-0.2, 0.2), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 1))
def test_no_difference_is_claimed_that_the_interval_does_not_have(effect, below, above, holm):
    found = row(effect, effect - below, effect + above, holm)
    if found.low <= 0:
        assert "adds" not in verdict(found)
        assert "above 0" not in of_the_claim(found)
    if found.high >= 0:
        assert "costs" not in verdict(found)
        assert "below 0" not in of_the_claim(found)
    if holm >= 0.05:
        assert verdict(found) not in ("adds", "costs")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.029, "above 0, less than the paper's 3 to 5"),
        (0.01, 0.03, "above 0, compatible with the paper's 3 to 5"),
        (-0.01, 0.06, "not told from 0, compatible with the paper's 3 to 5"),
        (-0.01, 0.02, "not told from 0, less than the paper's 3 to 5"),
        (-0.04, -0.02, "below 0, less than the paper's 3 to 5"),
        (0.06, 0.09, "above 0, more than the paper's 3 to 5"),
    ],
)
def test_the_papers_claim(low, high, expected):
    assert of_the_claim(row(0.0, low, high)) == expected


def test_an_effect_has_a_sign_and_points():
    assert row(0.0123, 0.003, 0.021).signed == "+1.2 (0.3 to 2.1)"
    assert row(-0.0004, -0.011, 0.0004).signed == "0.0 (\N{MINUS SIGN}1.1 to 0.0)"
