"""Schedules of the weight w of the auxiliary loss (arXiv 2401.00698), as pure functions of training
progress: the part of the training that is done. What lies outside of 0 to 1 is cut to that.
"""

import math
from functools import partial

from spacy_finegrained_ner.contracts import Schedule
from spacy_finegrained_ner.settings import Count, Part, PartAboveZero, checked


def paper_decay(progress: float, *, epochs: int, residual: float) -> float:
    """The schedule of arXiv 2401.00698, as the authors' code has it: 1 in the first epoch, less by
    1 / (epochs - 4) after each, and `residual` in the last four. In epoch `epochs - 5` it is
    1 / (epochs - 4), which may lie below the residual: for 16 epochs it is .083, then .1.

    With 5 epochs or fewer it is 1 in the first and `residual` after it (the authors' code: 0).
    """
    epoch = min(_floor(_clamp(progress) * epochs), epochs - 1)
    if epoch == 0:
        return 1.0
    return 1.0 - epoch / (epochs - 4) if epoch < epochs - 4 else residual


def linear_decay(progress: float, *, start: float, residual: float, until: float) -> float:
    """From `start` to `residual` on a straight line."""
    done = _done(progress, until)
    return (1.0 - done) * start + done * residual


def exponential_decay(progress: float, *, start: float, residual: float, until: float) -> float:
    """From `start` to `residual` by the same factor in equal times."""
    done = _done(progress, until)
    return start ** (1.0 - done) * residual**done


def cosine_decay(progress: float, *, start: float, residual: float, until: float) -> float:
    """From `start` to `residual` on half a period of a cosine: slow at both ends."""
    done = _done(progress, until)
    left = (1.0 + math.cos(math.pi * done)) / 2.0
    return left * start + (1.0 - left) * residual


def step_decay(
    progress: float, *, start: float, residual: float, until: float, steps: int
) -> float:
    """From `start` to `residual` in `steps` equal drops, the last of them at `until`."""
    done = _floor(_done(progress, until) * steps) / steps
    return (1.0 - done) * start + done * residual


def constant(progress: float, *, weight: float) -> float:
    """`weight` all the time."""
    return weight


@checked("spacy-finegrained-ner.paper_decay.v1")
def build_paper_decay_v1(epochs: Count = 16, residual: Part = 0.1) -> Schedule:
    """Registered as `spacy-finegrained-ner.paper_decay.v1` (misc): see `paper_decay`.

    epochs: the equal parts that the training is cut into, whatever passes over the data it makes.
    residual: w in the last four. Raises a ValueError that names a setting out of range.
    """
    return partial(paper_decay, epochs=epochs, residual=residual)


@checked("spacy-finegrained-ner.linear_decay.v1")
def build_linear_decay_v1(
    start: Part = 1.0, residual: Part = 0.1, until: PartAboveZero = 0.75
) -> Schedule:
    """Registered as `spacy-finegrained-ner.linear_decay.v1` (misc): see `linear_decay`.

    start: w at the beginning. residual: w at the end; above `start`, w rises. until: the part of
    the training after which w is the residual. Raises a ValueError that names a setting out of
    range.
    """
    return partial(linear_decay, start=start, residual=residual, until=until)


@checked("spacy-finegrained-ner.exponential_decay.v1")
def build_exponential_decay_v1(
    start: PartAboveZero = 1.0, residual: PartAboveZero = 0.1, until: PartAboveZero = 0.75
) -> Schedule:
    """Registered as `spacy-finegrained-ner.exponential_decay.v1` (misc): see `exponential_decay`.

    The settings of linear_decay, but neither `start` nor `residual` may be 0: no factor leads
    there. Raises a ValueError that names a setting out of range.
    """
    return partial(exponential_decay, start=start, residual=residual, until=until)


@checked("spacy-finegrained-ner.cosine_decay.v1")
def build_cosine_decay_v1(
    start: Part = 1.0, residual: Part = 0.1, until: PartAboveZero = 0.75
) -> Schedule:
    """Registered as `spacy-finegrained-ner.cosine_decay.v1` (misc): see `cosine_decay`.

    The settings and errors are those of linear_decay.
    """
    return partial(cosine_decay, start=start, residual=residual, until=until)


@checked("spacy-finegrained-ner.step_decay.v1")
def build_step_decay_v1(
    start: Part = 1.0, residual: Part = 0.1, until: PartAboveZero = 0.75, steps: Count = 3
) -> Schedule:
    """Registered as `spacy-finegrained-ner.step_decay.v1` (misc): see `step_decay`.

    The settings and errors are those of linear_decay; steps: the number of drops, at least 1. The
    defaults give 1, .7, .4 and .1, a quarter of the training each.
    """
    return partial(step_decay, start=start, residual=residual, until=until, steps=steps)


@checked("spacy-finegrained-ner.constant.v1")
def build_constant_v1(weight: Part) -> Schedule:
    """Registered as `spacy-finegrained-ner.constant.v1` (misc).

    weight: w, from 0 to 1 (a ValueError otherwise).
    """
    return partial(constant, weight=weight)


def _clamp(progress: float) -> float:
    return min(max(progress, 0.0), 1.0)


def _done(progress: float, until: float) -> float:
    """The part of the way to `until`, 0 to 1."""
    return _clamp(progress / until)


def _floor(value: float) -> int:
    # Progress is a quotient, so that 7 of 25 steps, times 25, is a little more than 7, and others
    # are a little less. No run has so many steps that one of them is a part of 1e-9.
    return math.floor(value + 1e-9)
