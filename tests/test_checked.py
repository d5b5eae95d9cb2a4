"""Settings are what their annotations say; an error names what was found and what was expected."""

import pickle
from inspect import signature

import numpy as np
import pytest

from spacy_finegrained_ner.settings import (
    Count,
    NotNegative,
    Part,
    RateSchedule,
    Reference,
    Regex,
    Steps,
    checked,
)


@checked("some.function.v1")
def build(
    count: Count = 1,
    part: Part | None = None,
    rate: NotNegative | RateSchedule = 0.0,
    steps: Steps | Reference = 1,
    pattern: Regex | None = None,
    other: int = 0,
) -> tuple:
    return count, part, rate, steps, pattern, other


@pytest.mark.parametrize(
    "settings",
    [
        {"count": 10**30},
        {"part": 1},
        {"part": np.float64(0.5)},
        {"rate": iter([0.1])},
        {"steps": "${training.max_steps}"},
        {"pattern": "^head"},
        {"other": "nobody has said what it may be"},
    ],
)
def test_what_is_right_comes_through_as_it_is(settings):
    (name,) = settings
    found = dict(zip(signature(build).parameters, build(**settings), strict=True))
    assert found[name] is settings[name]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"count": "3"}, "count of some.function.v1 is '3', expected a whole number >= 1."),
        ({"count": True}, "count of some.function.v1 is True, expected a whole number >= 1."),
        ({"count": 1.0}, "count of some.function.v1 is 1.0, expected a whole number >= 1."),
        ({"part": "0"}, "part of some.function.v1 is '0', expected a number from 0 to 1 or null."),
        ({"rate": float("inf")}, "rate of .* is inf, expected a number >= 0 or a schedule."),
        ({"rate": [0.1]}, r"rate of .* is \[0.1\], expected a number >= 0 or a schedule."),
        ({"steps": "9"}, "steps of .* is '9', expected a whole number >= 1. It follows"),
        ({"pattern": "("}, r"pattern of .* is '\(', expected a regular expression or null."),
    ],
)
def test_what_is_wrong_is_named(settings, expected):
    with pytest.raises(ValueError, match=expected):
        build(**settings)


def test_the_function_is_found_under_its_name():
    assert pickle.loads(pickle.dumps(build)) is build
