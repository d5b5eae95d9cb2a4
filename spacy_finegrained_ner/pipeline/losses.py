"""The losses of a batch, and their gradient."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from spacy.training import Example
from thinc.api import get_array_module

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.decoder import check_gold
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch, TaskScores

Losses = dict[str, float]
"""Of each task, by name."""


class Goal(NamedTuple):
    """What a task is to learn of a batch. decoder: as `ml.decoder.Decoder`."""

    decoder: Any
    tags: TagSet
    gold: list[Gold]


def task_losses(
    batch: ScoreBatch,
    goals: Mapping[str, Goal],
    weights: Mapping[str, float] | Callable[[Losses], Mapping[str, float]],
    divisor: int = 0,
) -> tuple[dict[str, tuple[float, float]], ScoreBatch, int]:
    """Weight and loss of each task that has a weight, the gradient of their sum (None for a task
    without a weight, and for one of which nothing is known), and the divisor of both.

    goals: of each task, in the order of the batch's. weights: by task; or what makes them of the
    losses. divisor: of the losses; if 0 the number of tokens of which something is known, in any
    task that has a weight.
    Raises a FloatingPointError if the scores or a loss are NaN or infinite.
    """
    given = dict.fromkeys(goals, 1.0) if callable(weights) else weights
    learned = {task: goal for task, goal in goals.items() if given[task]}
    for task, goal in learned.items():
        check_gold_of(task, goal, batch.lengths)
    divisor = divisor or _known([goal.gold for goal in learned.values()])
    losses: Losses = {}
    gradients: dict[str, TaskScores | None] = dict.fromkeys(goals)
    for (task, goal), scores in zip(goals.items(), batch.tasks, strict=True):
        if task not in learned:
            continue
        assert scores is not None
        try:
            losses[task], gradients[task] = goal.decoder.loss(
                scores, batch.lengths, goal.gold, given[task], divisor
            )
        except ValueError:  # of gold that allows nothing; or the scores are infinite
            if all(get_array_module(array).isfinite(array).all() for array in scores):
                raise
            raise FloatingPointError from None
        if not np.isfinite(losses[task]):
            raise FloatingPointError
    if callable(weights):
        given = weights(losses)
        gradients = {task: _times(gradient, given[task]) for task, gradient in gradients.items()}
    parts = {task: (given[task], loss) for task, loss in losses.items()}
    gradient = ScoreBatch(list(gradients.values()), batch.lengths, batch.rows)
    return parts, gradient, divisor


def _times(gradient: TaskScores | None, factor: float) -> TaskScores | None:
    if gradient is None or not factor:
        return None
    arrays: Any = tuple(None if array is None else array * factor for array in gradient)
    return arrays


def check_gold_of(task: str, goal: Goal, lengths: list[int]) -> None:
    """A TypeError or a ValueError for what is not the gold of these texts."""
    gold, size = goal.gold, len(goal.tags)
    if not isinstance(gold, list) or not all(isinstance(one, Gold) for one in gold):
        raise TypeError(
            f"The gold of the {task} task is {str(gold)[:80]}, expected a list with a Gold "
            "(spacy_finegrained_ner.labels.gold) for each text, such as Gold.of_tags(ids, "
            f"{size})."
        )
    if len(gold) != len(lengths):
        raise ValueError(
            f"The gold of the {task} task is that of {len(gold)} texts, expected {len(lengths)}."
        )
    try:
        check_gold(goal.tags, lengths, gold)
    except ValueError as error:
        raise ValueError(f"The {task} task: {error}") from None


def _known(golds: list[list[Gold]]) -> int:
    """Of how many tokens something is known in any task."""
    return sum(
        int(np.logical_or.reduce([one.known for one in text]).sum())
        for text in zip(*golds, strict=True)
    )


def not_finite(name: str, examples: list[Example]) -> str:
    """What to say of a batch whose loss is not finite. name: of the component."""
    texts = [example.text[:60] for example in examples]
    more = f" and {len(texts) - 8} more" if len(texts) > 8 else ""
    return (
        f"The loss of '{name}' is not finite (NaN or infinite): the weights broke at or before "
        f"the batch {texts[:8]}{more}. Load an earlier checkpoint; then train with a lower "
        "learning rate, a longer warmup or a smaller grad_clip, and see whether these texts are "
        "what they should be."
    )
