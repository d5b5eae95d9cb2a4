"""Span groups beside the entities: other spans that may be some, and the labels that are sure
enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from spacy_finegrained_ner.data.extensions import facts_of
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.confidence import (
    COARSE_CONFIDENCE,
    CONFIDENCE,
    FINE_LABEL,
    label_at,
)

SCORES = "scores"
"""Of the attrs of a span group: the probability of each of its spans, as spancat has it."""


@dataclass(frozen=True)
class View:
    """A span group beside the entities. spans_key: its key in doc.spans, None for no group."""

    spans_key: str | None

    @classmethod
    def of(cls, block: Any, setting: str, owner: str) -> Self:
        """From a block of the config. A ValueError for what it may not say."""
        names = [field.name for field in fields(cls)]
        if not isinstance(block, Mapping) or set(block) != set(names):
            found = sorted(block) if isinstance(block, Mapping) else repr(block)
            raise ValueError(f"{setting} of '{owner}' has {found}, expected {names}.")
        for key, value in block.items():
            if key == "spans_key":
                right = value is None or (isinstance(value, str) and value)
                expected = "a key of doc.spans, or null"
            else:
                right = isinstance(value, int | float) and not isinstance(value, bool)
                right = right and (value > 0.0 if key == "at_least" else value >= 0.0)
                expected = f"a probability{' above 0' * (key == 'at_least')} (one above 1: never)"
            if not right:
                raise ValueError(f"{setting}.{key} of '{owner}' is {value!r}, expected {expected}.")
        return cls(**block)


@dataclass(frozen=True)
class Candidates(View):
    """at_least: the lowest posterior of a span that may be an entity."""

    at_least: float


@dataclass(frozen=True)
class BackOff(View):
    """fine, coarse: how sure the fine label, or else the coarse type, of an entity has to be."""

    fine: float
    coarse: float


def write_candidates(
    doc: Doc,
    settings: Candidates,
    candidates: Sequence[tuple[Entity, float]],
    coarse_of: Mapping[str, str],
) -> None:
    """The candidates, the most probable first."""
    if settings.spans_key is None:
        return
    ordered = sorted(candidates, key=lambda candidate: -candidate[1])
    spans = [Span(doc, *entity) for entity, _ in ordered]
    coarse = [coarse_of[span.label_] for span in spans]
    _write(doc, settings.spans_key, spans, [p for _, p in ordered], coarse)


def write_back_off(
    doc: Doc, settings: BackOff, spans: Sequence[Span], coarse_of: Mapping[str, str]
) -> None:
    """The entities under the fine labels or coarse types that are sure enough, without those of
    which none is."""
    if settings.spans_key is None:
        return
    views: list[tuple[Span, float, str]] = []
    for span in spans:
        facts = facts_of(span)
        own = facts.get(FINE_LABEL, span.label_)
        coarse = coarse_of[own]
        if CONFIDENCE not in facts:  # of a decoder that gives none
            continue
        label = label_at(own, coarse, facts, settings.fine, settings.coarse)
        if label is not None:
            fine = facts[CONFIDENCE] >= settings.fine
            p = facts[CONFIDENCE if fine else COARSE_CONFIDENCE]
            views.append((Span(doc, span.start, span.end, label), p, coarse))
    _write(doc, settings.spans_key, *([view[i] for view in views] for i in range(3)))


def _write(doc: Doc, key: str, spans: Any, scores: Any, coarse: Any) -> None:
    attrs = {"coarse_labels": coarse, SCORES: np.array(scores, dtype="float32")}
    doc.spans[key] = SpanGroup(doc, name=key, spans=spans, attrs=attrs)
