from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy import registry

from spacy_finegrained_ner.training.schedules import build_warmup_linear_v1, warmup_linear


def take(count: int, **settings) -> list[float]:
    return list(islice(build_warmup_linear_v1(**settings), count))


@pytest.mark.parametrize(
    ("progress", "warmup", "factor"),
    [
        (0.0, 0.1, 0.0),
        (0.05, 0.1, 0.5),
        (0.1, 0.1, 1.0),
        (0.55, 0.1, 0.5),
        (1.0, 0.1, 0.0),
        (0.0, 0.0, 1.0),
        (0.25, 0.0, 0.75),
        (-3.0, 0.1, 0.0),
        (7.0, 0.1, 0.0),
    ],
)
def test_factor_by_hand(progress, warmup, factor):
    assert warmup_linear(progress, warmup) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({"rate": 2.0, "warmup": 0.5, "total_steps": 4}, [0.8, 1.6, 1.6, 0.8, 0.0, 0.0, 0.0]),
        ({"rate": 1.0, "warmup": 0.0, "total_steps": 3}, [0.75, 0.5, 0.25, 0.0, 0.0]),
        ({"rate": 1.0, "warmup": 0.0, "total_steps": 1}, [0.5, 0.0, 0.0]),
        ({"rate": 0.0, "warmup": 0.1, "total_steps": 2}, [0.0, 0.0, 0.0]),
    ],
)
def test_rates_by_hand(settings, rates):
    assert take(len(rates), **settings) == pytest.approx(rates)


@given(st.floats(0.0, 0.99), st.integers(1, 200))
def test_up_then_down_and_no_step_is_wasted(warmup, total):
    rates = take(total + 5, rate=3.0, warmup=warmup, total_steps=total)
    assert all(0 < rate <= 3.0 for rate in rates[:total])
    assert rates[total:] == [0.0] * 5
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    # Up where there is warm-up left, down behind it: the top lies within one step of it.
    assert abs((top + 1) / (total + 1) - warmup) <= 1 / (total + 1) + 1e-9


def test_from_a_config_each_time_from_the_start():
    config = {
        "learn_rate": {
            "@schedules": "spacy-finegrained-ner.warmup_linear.v1",
            "rate": 2.0,
            "warmup": 0.5,
            "total_steps": 4,
        }
    }
    # spacy train resolves [training] twice.
    first, second = (registry.resolve(config)["learn_rate"] for _ in range(2))
    assert [next(first), next(first), next(second)] == pytest.approx([0.8, 1.6, 0.8])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"rate": -1.0}, r"rate of .*warmup_linear\.v1 is -1.0, expected a number"),
        ({"warmup": -0.1}, r"warmup of .* is -0.1, expected a number >= 0 and < 1"),
        ({"warmup": 1.0}, r"warmup of .* is 1.0, expected a number >= 0 and < 1"),
        ({"warmup": float("nan")}, r"warmup of .* is nan"),
        ({"total_steps": 0}, r"total_steps of .* is 0, expected a whole number >= 1.*max_steps"),
        ({"total_steps": -5}, r"total_steps of .* is -5"),
    ],
)
def test_bad_settings_are_named_at_once(setting, message):
    with pytest.raises(ValueError, match=message):
        build_warmup_linear_v1(**({"rate": 1.0, "warmup": 0.1, "total_steps": 10} | setting))
