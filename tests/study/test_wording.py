"""What is said of an effect and its interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.page import wording


@given(
    st.floats(-0.2, 0.2),
    st.floats(0, 0.1),
    st.floats(0, 0.1),
    st.floats(0, 1),
)
def test_no_difference_is_claimed_that_the_interval_does_not_have(effect, below, above, holm):
    row = {"effect": effect, "low": effect - below, "high": effect + above, "holm": holm}
    row["value"] = "here"
    texts = (
        wording.verdict(row),
        wording.corrected(row),
        wording.clause(row, "micro F1"),
        wording.both(row, row),
        wording.by_verdict([row], "value"),
    )
    if row["low"] <= 0:
        assert not any("adds" in text for text in texts)
        assert "above 0" not in wording.of_the_claim(row)
    if row["high"] >= 0:
        assert not any("costs" in text for text in texts)
        assert "below 0" not in wording.of_the_claim(row)
    if holm >= 0.05:
        assert wording.corrected(row) not in ("adds", "costs")


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
    assert wording.of_the_claim({"low": low, "high": high}) == expected


def test_an_effect_has_a_sign_and_points():
    assert wording.effect({"effect": 0.0123, "low": 0.003, "high": 0.021}) == "+1.2 (0.3 to 2.1)"
    row = {"effect": -0.0004, "low": -0.011, "high": 0.0004}
    assert wording.effect(row) == "0.0 (\N{MINUS SIGN}1.1 to 0.0)"
