"""How far scores depend on the sentences that happened to be in the test set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import Read, Spans, entity_spans


def bootstrap(
    examples: Iterable[Example],
    samples: int,
    seed: int = 0,
    level: float = 0.95,
    *,
    taxonomy: Taxonomy,
    read: Read | None = None,
) -> dict[str, tuple[float, float] | None]:
    """Percentile intervals of micro and macro F1 over fine types (Efron and Tibshirani 1993).

    Each sample draws as many sentences as there are, with replacement. That is the spread over
    sentences only: another seed of the training adds its own. A sample in which there is no entity,
    neither in gold nor in prediction, has no score, and is left out.

    examples: with the predictions in `predicted`. samples: how often it is drawn.
    taxonomy, read: as for `scorer.score_entities`; the intervals are those of its scores.
    RETURNS: lower and upper bound of `ents_f` and `ents_macro_f`; None where no sample has a score.
    Raises a ValueError if samples is below 1.
    """
    if samples < 1:
        raise ValueError(f"The bootstrap has {samples} samples, expected at least 1.")
    return intervals(sentence_counts(examples, taxonomy, read), samples, seed, level)


def intervals(
    counts: npt.NDArray[np.int64], samples: int, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float] | None]:
    """The same of counts. counts: see `counts_of`."""
    rng = np.random.default_rng(seed)
    sentences = len(counts)
    scores = []
    for _ in range(samples):
        drawn = rng.integers(max(sentences, 1), size=sentences)
        times = np.bincount(drawn, minlength=sentences)
        sample = np.tensordot(times, counts, axes=1)
        if sample.any():
            scores.append(f_scores(sample))
    if not scores:
        return {"ents_f": None, "ents_macro_f": None}
    edges = [(1 - level) / 2, (1 + level) / 2]
    micro, macro = np.quantile(np.array(scores), edges, axis=0).T.tolist()
    return {"ents_f": (micro[0], micro[1]), "ents_macro_f": (macro[0], macro[1])}


def sentence_counts(
    examples: Iterable[Example], taxonomy: Taxonomy, read: Read | None = None
) -> npt.NDArray[np.int64]:
    """Of the sentences that are annotated, see `counts_of`."""
    return counts_of(
        [
            entity_spans(example, taxonomy, read)
            for example in examples
            if example.reference.has_annotation("ENT_IOB")
        ]
    )


def counts_of(found: Sequence[tuple[Spans, Spans]]) -> npt.NDArray[np.int64]:
    """True positives, false positives, false negatives.

    found: the predicted and the gold entities of each sentence.
    RETURNS: *Shape:* (sentences, types, 3).
    """
    rows: list[tuple[int, str, int]] = []
    for sentence, (predicted, gold) in enumerate(found):
        for kind, spans in enumerate((predicted & gold, predicted - gold, gold - predicted)):
            rows += [(sentence, label, kind) for _, _, label in spans]
    types = {label: i for i, label in enumerate(sorted({label for _, label, _ in rows}))}
    counts = np.zeros((len(found), len(types), 3), dtype=np.int64)
    for sentence, label, kind in rows:
        counts[sentence, types[label], kind] += 1
    return counts


def f_scores(counts: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Micro and macro F1, 0 where there is nothing. Types without any count are left out.

    counts: *Shape:* (..., types, 3) to two of (...).
    """

    def f1(counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        tp, fp, fn = np.moveaxis(counts.astype(np.float64), -1, 0)
        result: npt.NDArray[np.float64] = 2 * tp / np.maximum(2 * tp + fp + fn, 1)
        return result

    types = np.maximum(counts.any(axis=-1).sum(axis=-1), 1)
    return f1(counts.sum(axis=-2)), f1(counts).sum(axis=-1) / types


def type_intervals(
    counts: npt.NDArray[np.int64], samples: int, seed: int = 0, level: float = 0.95
) -> list[tuple[float, float] | None]:
    """The same intervals of the F1 of each type, over the samples that have an entity of it; None
    where no sample has.

    counts: *Shape:* (sentences, types, 3), see `sentence_counts`.
    """
    rng = np.random.default_rng(seed)
    n = len(counts)
    times = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(samples))
    drawn = np.stack([np.tensordot(t, counts, axes=1) for t in times])
    edges = [(1 - level) / 2, (1 + level) / 2]
    found: list[tuple[float, float] | None] = []
    for of_type in np.moveaxis(drawn, 1, 0):
        tp, fp, fn = of_type[of_type.any(axis=1)].T
        ends = np.quantile(2 * tp / (2 * tp + fp + fn), edges).tolist() if len(tp) else None
        found.append(None if ends is None else (ends[0], ends[1]))
    return found
