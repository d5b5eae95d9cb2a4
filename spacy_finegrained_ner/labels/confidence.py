"""How sure a component is of its entities: posteriors of spans as facts of the entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.labels.prediction import Facts
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

Floats = npt.NDArray[np.float64]

CONFIDENCE = "confidence"
"""Fact of an entity: the probability of exactly this span with this label."""
COARSE_CONFIDENCE = "coarse_confidence"
"""Of exactly this span with any label of this coarse type."""
SPAN_CONFIDENCE = "span_confidence"
"""Of an entity of any label exactly here."""
ALTERNATIVES = "alternatives"
"""The most probable labels of exactly this span with their probabilities: [[label, p], ...]."""

EVIDENCE = "evidence"
"""The names that were found in the entity, or overlap with it, of a component that knows names.
`start` and `end` are counted from the first token of the entity, so they stay right elsewhere."""
FINE_LABEL = "fine_label"
"""Its fine label, where it is written under another name."""

NAMES = {
    name: name
    for name in (
        *("coarse_label", CONFIDENCE, COARSE_CONFIDENCE, SPAN_CONFIDENCE, ALTERNATIVES),
        *("label_at", EVIDENCE),
    )
}
"""The attributes of a span (`data.extensions`), by the names that they have unless a pipeline gives
them others."""
WITHOUT_CONFIDENCE = {name: None for name in NAMES if name not in ("coarse_label", EVIDENCE)}
"""The names of a component that knows no probabilities."""

CANDIDATES = {"spans_key": None, "at_least": 0.1}
BACK_OFF = {"spans_key": None, "fine": 0.5, "coarse": 0.5}
"""Settings of the span groups in `data.views`, as they are where a config says nothing."""
WRITTEN: dict[str, Any] = {"labels": None, "mapping": {}}
"""Setting of `data.written`: all labels, as they are."""


def tempered(log_posteriors: Floats, temperature: float) -> Floats:
    """The labels of each span made more even (a temperature above 1) or less; the probability that
    there is an entity stays.

    log_posteriors: of spans by label. *Shape:* (spans, labels), as is what it gives.
    """
    if temperature == 1.0:
        return log_posteriors
    # What float64 can't tell from 0 stays so: -inf must not meet -inf
    even = np.maximum(log_posteriors, -1e30) / temperature
    total = np.logaddexp.reduce(log_posteriors, axis=1, keepdims=True)
    return even - np.logaddexp.reduce(even, axis=1, keepdims=True) + total


def coarse_matrix(labels: Sequence[str], taxonomy: Taxonomy) -> Floats:
    """1 where two labels have the same coarse type. *Shape:* (labels, labels)."""
    coarse = np.array([taxonomy.coarse_of[label] for label in labels])
    return (coarse[:, None] == coarse).astype(np.float64)


def facts_of_entities(
    log_posteriors: Floats,
    chosen: npt.NDArray[np.int64],
    labels: Sequence[str],
    same_coarse: Floats,
    alternatives: int,
) -> list[Facts]:
    """The facts of each entity, as plain numbers.

    log_posteriors: of the spans of the entities by label. *Shape:* (entities, labels). chosen: the
    number of the label of each. *Shape:* (entities,). same_coarse: see `coarse_matrix`.
    alternatives: how many to give at most.
    """
    rows = np.arange(len(chosen))
    posteriors = np.minimum(np.exp(log_posteriors), 1.0)
    coarse = np.minimum((posteriors * same_coarse[chosen]).sum(axis=1), 1.0).tolist()
    span = np.minimum(posteriors.sum(axis=1), 1.0).tolist()
    own = posteriors[rows, chosen].tolist()
    best = np.argsort(-log_posteriors, axis=1, kind="stable")[:, :alternatives]
    values = posteriors[rows[:, None], best].tolist()
    found: list[Facts] = []
    for row, numbers in enumerate(best.tolist()):
        facts: dict[str, Any] = {
            CONFIDENCE: own[row],
            COARSE_CONFIDENCE: coarse[row],
            SPAN_CONFIDENCE: span[row],
        }
        if alternatives:
            facts[ALTERNATIVES] = [
                [labels[number], p] for number, p in zip(numbers, values[row], strict=True)
            ]
        found.append(facts)
    return found


def label_at(
    label: str, coarse_label: str | None, facts: Facts, fine: float, coarse: float
) -> str | None:
    """The label where it is sure enough, else its coarse type where that is, else None.

    An entity without a confidence keeps its label: somebody else gave it, such as a rule. Where
    labels are flat, and a coarse type is the label again, only `fine` counts.
    """
    if CONFIDENCE not in facts or facts[CONFIDENCE] >= fine:
        return label
    if coarse_label == label:
        return None
    return coarse_label if facts[COARSE_CONFIDENCE] >= coarse else None
