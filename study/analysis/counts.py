"""From the records of runs to counts by sentence, and from counts to F1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float32]
"""*Shape:* (..., types, 3): true positives, false positives, false negatives."""

Floats = npt.NDArray[np.float64]

UNSEEN, SEEN = 0, 1


def sentence_counts(found: Mapping[str, Any], gold: Mapping[str, Any]) -> Counts:
    """Counts of one run on one set.

    found: `hits` and `false` of a record. gold: the table of that set.
    RETURNS: *Shape:* (2, sentences, types, 3); first the entities whose text is no entity of the
    training part, then those whose text is one.
    Raises a ValueError if the two do not belong together.
    """
    if len(found["hits"]) != len(gold["entities"]):
        raise ValueError(
            f"A run has scored {len(found['hits'])} entities and the gold table has "
            f"{len(gold['entities'])}: they are of different data."
        )
    counts = np.zeros((2, len(gold["words"]), len(gold["types"]), 3), dtype=np.float32)
    for hit, (sentence, label, _, seen) in zip(found["hits"], gold["entities"], strict=True):
        counts[seen, sentence, label, 0 if hit == "1" else 2] += 1
    for sentence, label, seen in found["false"]:
        counts[seen, sentence, label, 1] += 1
    return counts


def micro_f1(counts: Counts) -> Floats:
    """Over all types. *Shape:* (..., types, 3) to (...). 0 where there is nothing."""
    return _f1(counts.sum(axis=-2, dtype=np.float64))


def type_f1(counts: Counts) -> Floats:
    """Of each type. *Shape:* (..., types, 3) to (..., types). NaN where there is nothing."""
    scores = _f1(counts)
    scores[~counts.any(axis=-1)] = np.nan
    return scores


def macro_f1(counts: Counts) -> Floats:
    """The mean over types that occur in gold or prediction, as the scorer has it.
    *Shape:* (..., types, 3) to (...). 0 where there is nothing."""
    some = counts.any(axis=-1)
    scores = np.where(some, _f1(counts), 0.0)
    mean: Floats = scores.sum(axis=-1) / np.maximum(some.sum(axis=-1), 1)
    return mean


METRICS = {"micro": micro_f1, "macro": macro_f1}


def resampled(counts: Counts, times: npt.NDArray[np.float32]) -> Counts:
    """Sums over sentences that are drawn so many times.

    counts: *Shape:* (sentences, types, 3). times: *Shape:* (draws, sentences).
    RETURNS: *Shape:* (draws, types, 3).
    """
    sentences, types, kinds = counts.shape
    sums: Counts = times @ counts.reshape(sentences, types * kinds)
    return sums.reshape(len(times), types, kinds)


def draw_sentences(sentences: int, draws: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """How often each sentence is drawn, with replacement. *Shape:* (draws, sentences)."""
    rng = np.random.default_rng(seed)
    even = np.full(sentences, 1.0 / sentences)
    return rng.multinomial(sentences, even, size=draws).astype(np.float32)


def _f1(counts: Counts) -> Floats:
    tp, fp, fn = np.moveaxis(counts.astype(np.float64), -1, 0)
    scores: Floats = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
    return scores
