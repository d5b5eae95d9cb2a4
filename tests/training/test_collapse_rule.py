"""Which evaluations without an entity say that a training has collapsed, and what is told then."""

import math

import pytest

from spacy_finegrained_ner.training.collapse import EmptyEvaluations, message
from spacy_finegrained_ner.training.rates import LearnRates

WARMUP = {"@schedules": "spacy-finegrained-ner.warmup_linear.v1", "rate": 0.1, "warmup": 0.1}


def told(*evaluations: dict, in_a_row: int = 2) -> int | None:
    """The step at which it is told. Each ten steps, with ten entities in the gold."""
    rule = EmptyEvaluations(in_a_row)
    for number, evaluation in enumerate(evaluations):
        step = evaluation.get("step", 10 * number)
        if rule.add(**{"step": step, "predicted": 0, "gold": 10, **evaluation}):
            return step
    return None


START = {"predicted": 500, "loss": 5.0}
EMPTY = {}
SOME = {"predicted": 1}


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([START, EMPTY], None),
        ([START, EMPTY, EMPTY], 20),
        ([EMPTY, EMPTY], None),  # step 0 does not count
        ([EMPTY, EMPTY, EMPTY], 20),
        ([EMPTY, EMPTY, SOME, EMPTY, SOME, EMPTY], None),
        ([START, SOME, SOME, EMPTY, EMPTY], 40),
        # Where the gold has none either, it says nothing.
        ([START, *[{"gold": 0}] * 4], None),
        ([START, EMPTY, {"gold": 0}, EMPTY], 30),
    ],
)
def test_two_empty_evaluations_in_a_row_are_told(evaluations, expected):
    assert told(*evaluations) == expected


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([5.0, 5.0, 5.0], 20),  # learns nothing
        ([5.0, 40.0, 12.0], 20),  # a rate that is too high: far above the start, and falling
        ([5.0, math.nan, math.nan], 20),
        ([math.nan, math.nan], None),
        ([5.0, 4.0, 3.0, 2.4, 2.0, 1.6], None),
        # By a little each time, and over more evaluations by more
        ([5.0, 4.4, 4.2, 3.9, 3.7, 3.5, 3.4, 3.3], None),
        ([5.0, 2.0, 1.5, 1.5, 1.5, 1.5, 1.5], 50),  # the half of 40 steps is at 1.5
        ([5.0, 2.0, 1.5, 3.0, 3.0], 40),  # unlearned
    ],
)
def test_at_first_it_is_slow_and_not_lost_while_the_loss_falls(losses, expected):
    assert told(*({"loss": loss} for loss in losses)) == expected


def test_a_hundred_steps_after_the_warm_up_falling_is_not_enough():
    slow = [{"loss": 5.0 * 0.8**i} for i in range(10)]
    assert told(*slow) is None
    late = [{"step": 100 + 10 * i, "loss": 0.1 * 0.8**i} for i in range(2)]
    assert told(*slow, *late) == 110
    assert told(*slow, *({**one, "settled": 40} for one in late)) is None


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([5.0, 5.0, 4.9], None),
        ([5.0, 8.0, 9.0], 20),
        ([5.0, math.nan, math.nan], 20),
        ([None, None, None], None),
    ],
)
def test_while_the_rate_rises_only_a_loss_that_soars_counts(losses, expected):
    assert told(*({"loss": loss, "settled": 0} for loss in losses)) == expected


def test_a_task_without_weight_has_not_been_learned():
    idle = {"idle": True}
    assert told(START, idle, idle, idle, EMPTY) is None
    assert told(START, EMPTY, idle, EMPTY, EMPTY) == 40


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"learn_rate": 0.1}, [0, 1, 2, 3, 4, 5]),
        ({"learn_rate": [0.1, 0.2, 0.1]}, [0, 0, 1, 2, 3, 4]),
        ({"learn_rate": {**WARMUP, "warmup": 0.3, "total_steps": 9}}, [0, 0, 0, 1, 2, 3]),
        (
            {
                "learn_rate": {
                    "@schedules": "warmup_linear.v1",
                    **{"initial_rate": 0.1, "warmup_steps": 3, "total_steps": 9},
                }
            },
            [0, 0, 0, 0, 1, 2],
        ),
        (
            {
                "learn_rate": {
                    "@schedules": "cyclic_triangular.v1",
                    **{"min_lr": 0.0, "max_lr": 0.1, "period": 1},
                }
            },
            [0, 1, 2, 3, 4, 5],
        ),
        # A group with a schedule of its own
        (
            {
                "learn_rate": 0.1,
                "groups": {
                    "head": {"pattern": "^head", "schedule": {**WARMUP, "total_steps": 39}},
                    "rest": {"pattern": ".", "factor": 2.0},
                },
            },
            [0, 0, 0, 0, 1, 2],
        ),
    ],
)
def test_the_warm_up_lasts_until_no_rate_rises(optimizer, expected):
    rates = LearnRates(optimizer)
    assert [rates.settled(step) for step in range(6)] == expected
    assert LearnRates(optimizer).settled(5) == expected[5]  # not each step is looked at


@pytest.mark.parametrize(
    ("optimizer", "batcher", "expected"),
    [
        (
            {
                "@optimizers": "spacy-finegrained-ner.AdamW.v1",
                **{"clip": "parameter", "grad_clip": 1.0},
                "learn_rate": {**WARMUP, "total_steps": 700},
            },
            {"size": 64, "max_padded": 320},
            [
                "[training.optimizer.learn_rate] rate = 0.1:",
                "[training.optimizer.learn_rate] warmup = 0.1 (70 of 700 steps):",
                '[training.optimizer] clip = "module" and a smaller grad_clip '
                '(now clip = "parameter" and grad_clip = 1.0)',
                "[training.batcher] max_padded = 320:",
            ],
        ),
        (
            {"@optimizers": "Adam.v1", "learn_rate": 0.1},
            {"size": {"@schedules": "compounding.v1"}, "max_padded": 0},
            [
                "[training.optimizer] learn_rate = 0.1:",
                '[training.optimizer.learn_rate] @schedules = "spacy-finegrained-ner.warmup_linear',
                'clip = "module" of spacy-finegrained-ner.AdamW.v1 and a grad_clip of 1.0 or less '
                "(now not set)",
                "[training.batcher] size:",
            ],
        ),
        (
            {
                "learn_rate": {
                    "@schedules": "warmup_linear.v1",
                    **{"initial_rate": 0.1, "warmup_steps": 3},
                }
            },
            {},
            [
                "[training.optimizer.learn_rate] initial_rate = 0.1:",
                "[training.optimizer.learn_rate] warmup_steps = 3:",
                "[training.batcher] size:",
            ],
        ),
    ],
)
def test_the_settings_are_named_as_the_config_has_them(optimizer, batcher, expected):
    text = message("ner", [10, 20], 9, {"training": {"optimizer": optimizer, "batcher": batcher}})
    assert text.startswith("'ner' predicted no entity when evaluated at steps 10 and 20, where")
    assert [part for part in expected if part not in text] == []
