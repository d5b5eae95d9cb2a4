import math
import pickle
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy import registry

from spacy_finegrained_ner.training.decay import (
    build_constant_v1,
    build_cosine_decay_v1,
    build_exponential_decay_v1,
    build_linear_decay_v1,
    build_paper_decay_v1,
    build_step_decay_v1,
)

THE_PAPER = [1, 0.917, 0.833, 0.75, 0.667, 0.583, 0.5, 0.417, 0.333, 0.25, 0.167, 0.083] + 4 * [0.1]

SMOOTH = [build_linear_decay_v1, build_exponential_decay_v1, build_cosine_decay_v1]
ALL = [*SMOOTH, build_step_decay_v1]


def by_epoch(schedule, epochs: int, steps: int) -> list[list[float]]:
    """The weights of each epoch, of `steps` steps each."""
    total = epochs * steps
    weights = [schedule(step / total) for step in range(total)]
    return [weights[first : first + steps] for first in range(0, total, steps)]


def test_the_sixteen_values_of_the_paper():
    epochs = by_epoch(build_paper_decay_v1(), 16, 7)
    assert [round(weights[0], 3) for weights in epochs] == THE_PAPER
    assert all(len(set(weights)) == 1 for weights in epochs)


@settings(deadline=None)
@given(st.integers(6, 60), st.integers(1, 10**6), st.floats(0.0, 1.0))
def test_epochs_begin_at_their_first_step_and_the_last_four_are_the_residual(
    epochs, steps, residual
):
    schedule = build_paper_decay_v1(epochs, residual)
    expected = 1.0
    for epoch in range(epochs):
        w = residual if epoch >= epochs - 4 else expected
        first, last = epoch * steps, (epoch + 1) * steps - 1
        assert schedule(first / (epochs * steps)) == pytest.approx(w)
        assert schedule(last / (epochs * steps)) == pytest.approx(w)
        expected -= 1 / (epochs - 4)


@pytest.mark.parametrize(
    ("epochs", "weights"),
    [
        (1, [1]),
        (2, [1, 0.1]),
        (4, [1, 0.1, 0.1, 0.1]),
        (5, [1, 0.1, 0.1, 0.1, 0.1]),
        (6, [1, 0.5, 0.1, 0.1, 0.1, 0.1]),
    ],
)
def test_few_epochs(epochs, weights):
    assert by_epoch(build_paper_decay_v1(epochs), epochs, 3) == [[w] * 3 for w in weights]


def test_the_end_of_the_only_epoch():
    assert build_paper_decay_v1(epochs=1)(1.0) == 1.0


def test_the_epoch_is_found_where_the_quotient_is_a_little_too_small():
    assert 29 / 100 * 100 < 29, "a case that would go wrong otherwise"
    assert build_paper_decay_v1(epochs=100)(29 / 100) == pytest.approx(1 - 29 / 96)


@pytest.mark.parametrize(
    ("build", "settings", "progress", "weight"),
    [
        (build_linear_decay_v1, {}, 0.375, 0.55),
        (build_linear_decay_v1, {"start": 0.8, "residual": 0.0, "until": 1.0}, 0.25, 0.6),
        (build_exponential_decay_v1, {"residual": 0.01}, 0.375, 0.1),
        (build_exponential_decay_v1, {"start": 0.8, "residual": 0.1, "until": 0.3}, 0.1, 0.4),
        (build_cosine_decay_v1, {}, 0.375, 0.55),
        (build_cosine_decay_v1, {"residual": 0.0, "until": 1.0}, 1 / 3, 0.75),
        (build_step_decay_v1, {}, 0.0, 1.0),
        (build_step_decay_v1, {}, 0.249, 1.0),
        (build_step_decay_v1, {}, 0.25, 0.7),
        (build_step_decay_v1, {}, 0.5, 0.4),
        (build_step_decay_v1, {}, 0.749, 0.4),
        (build_step_decay_v1, {"steps": 1, "until": 0.5}, 0.499, 1.0),
        (build_step_decay_v1, {"steps": 10, "until": 1.0, "residual": 0.0}, 0.29, 0.8),
        (build_constant_v1, {"weight": 0.3}, 0.6, 0.3),
    ],
)
def test_values_by_hand(build, settings, progress, weight):
    assert build(**settings)(progress) == pytest.approx(weight)


@pytest.mark.parametrize("build", ALL)
@settings(deadline=None)
@given(
    start=st.floats(0.01, 1.0),
    residual=st.floats(0.01, 1.0),
    until=st.floats(0.01, 1.0),
    times=st.lists(st.floats(0.0, 1.0), max_size=30),
)
def test_monotone_from_start_to_residual(build, start, residual, until, times):
    schedule = build(start, residual, until)
    assert schedule(0.0) == pytest.approx(start)
    for end in (until, (until + 1) / 2, 1.0):
        assert schedule(end) == pytest.approx(residual)
    weights = [schedule(time) for time in sorted(times)]
    for before, after in pairwise(weights):
        assert after <= before + 1e-12 if start >= residual else after >= before - 1e-12


@pytest.mark.parametrize("build", ALL)
def test_the_residual_may_be_the_end_of_the_range_exactly(build):
    # No rounding beyond 0 or 1, which the component would refuse.
    assert build(start=1.0, residual=1.0)(0.3) == 1.0
    if build is not build_exponential_decay_v1:
        assert build(residual=0.0)(0.75) == 0.0


@pytest.mark.parametrize("build", [build_paper_decay_v1, *ALL])
def test_beyond_the_training_it_stays_where_it_is(build):
    schedule = build()
    assert (schedule(-3.0), schedule(7.0)) == (schedule(0.0), schedule(1.0)) == (1.0, 0.1)


@pytest.mark.parametrize("build", [build_paper_decay_v1, *ALL, lambda: build_constant_v1(0.4)])
def test_pickled(build):
    schedule = build()
    again = pickle.loads(pickle.dumps(schedule))
    times = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert [again(time) for time in times] == [schedule(time) for time in times]


@pytest.mark.parametrize(
    ("name", "settings", "at_half"),
    [
        ("paper_decay", {"epochs": 16, "residual": 0.1}, 1 - 8 / 12),
        ("linear_decay", {"start": 1.0, "residual": 0.0, "until": 1.0}, 0.5),
        ("exponential_decay", {"start": 1, "residual": 0.25, "until": 1}, 0.5),
        ("cosine_decay", {"start": 1.0, "residual": 0.0, "until": 1.0}, 0.5),
        ("step_decay", {"start": 1.0, "residual": 0.0, "until": 1.0, "steps": 5}, 0.6),
        ("constant", {"weight": 0.2}, 0.2),
    ],
)
def test_from_a_config(name, settings, at_half):
    block = {"@misc": f"spacy-finegrained-ner.{name}.v1", **settings}
    schedule = registry.resolve({"schedule": block})["schedule"]
    assert schedule(0.5) == pytest.approx(at_half)


@pytest.mark.parametrize(
    ("build", "settings", "message"),
    [
        (
            build_paper_decay_v1,
            {"epochs": 0},
            r"epochs of .*\.paper_decay\.v1 is 0, expected a whole n",
        ),
        (build_paper_decay_v1, {"residual": 1.1}, r"residual of .* is 1.1, expected a number from"),
        (
            build_linear_decay_v1,
            {"start": 2.0},
            r"start of .*\.linear_decay\.v1 is 2.0, expected a number from",
        ),
        (build_linear_decay_v1, {"start": math.nan}, r"start of .* is nan"),
        (build_linear_decay_v1, {"until": 0.0}, r"until of .* is 0.0, expected a number > 0, at"),
        (build_cosine_decay_v1, {"until": 1.5}, r"until of .*\.cosine_decay\.v1 is 1.5"),
        (build_cosine_decay_v1, {"residual": -0.1}, r"residual of .* is -0.1"),
        (
            build_exponential_decay_v1,
            {"residual": 0.0},
            r"l_decay\.v1 is 0.0, expected a number > 0",
        ),
        (
            build_exponential_decay_v1,
            {"start": 0.0},
            r"start of .* expected a number > 0, at most 1",
        ),
        (build_exponential_decay_v1, {"until": -1.0}, r"until of .* is -1.0"),
        (
            build_step_decay_v1,
            {"steps": 0},
            r"steps of .*\.step_decay\.v1 is 0, expected a whole number >= 1",
        ),
        (build_step_decay_v1, {"residual": 3}, r"residual of .*\.step_decay\.v1 is 3"),
        (
            build_constant_v1,
            {"weight": 1.5},
            r"weight of .*\.constant\.v1 is 1.5, expected a number from 0 to 1",
        ),
    ],
)
def test_bad_settings_are_named_at_once(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)
