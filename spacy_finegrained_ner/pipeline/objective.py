"""The losses of a batch, and their gradient."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from spacy.training import Example
from thinc.api import get_array_module

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.decoder import Decoder
from spacy_finegrained_ner.ml.tagger import Emissions, Scores


@lru_cache
def decoder_of(tag_set: TagSet) -> Decoder:
    return Decoder(tag_set)


def task_losses(
    emissions: Emissions,
    tasks: Mapping[str, tuple[TagSet, list[Gold]]],
    weights: Mapping[str, float],
    divisor: int = 0,
) -> tuple[dict[str, tuple[float, float]], Emissions, int]:
    """Weight and loss of each task that has a weight, the gradient of their sum (None for a task
    without a weight, and for one of which nothing is known), and the divisor of both.

    tasks: tags and gold of each, in the order of the emissions. divisor: of the losses; if 0 the
    number of tokens of which something is known, in any task that has a weight.
    Raises a FloatingPointError if the emissions or a loss are NaN or infinite.
    """
    parts: dict[str, tuple[float, float]] = {}
    gradients: list[Scores | None] = []
    for task, (tags, gold) in tasks.items():
        if weights[task]:
            _check_gold(task, tags, gold, emissions.lengths)
    divisor = divisor or _known([gold for task, (_, gold) in tasks.items() if weights[task]])
    for (task, (tags, gold)), scores in zip(tasks.items(), emissions.tasks, strict=True):
        if not weights[task]:
            gradients.append(None)
            continue
        assert scores is not None
        try:
            loss, gradient = decoder_of(tags).loss(
                scores, emissions.lengths, gold, weights[task], divisor
            )
        except ValueError:  # of gold that allows nothing; or the scores are infinite
            if all(get_array_module(array).isfinite(array).all() for array in scores):
                raise
            raise FloatingPointError from None
        if not np.isfinite(loss):
            raise FloatingPointError
        parts[task] = (weights[task], loss)
        gradients.append(gradient)
    return parts, Emissions(gradients, emissions.lengths, emissions.rows), divisor


def _check_gold(task: str, tags: TagSet, gold: list[Gold], lengths: list[int]) -> None:
    if not isinstance(gold, list) or not all(isinstance(one, Gold) for one in gold):
        raise TypeError(
            f"The gold of the {task} task is {str(gold)[:80]}, expected a list with a Gold "
            "(spacy_finegrained_ner.labels.gold) for each text, such as Gold.of_tags(ids, "
            f"{len(tags)})."
        )
    if len(gold) != len(lengths):
        raise ValueError(
            f"The gold of the {task} task is that of {len(gold)} texts, expected {len(lengths)}."
        )
    decoder_of(tags).check_shapes(lengths, gold)


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
