"""An annotated Doc as plain values: what JSON, Arrow and other processes take."""

from __future__ import annotations

from typing import Any

from spacy.tokens import Doc

from spacy_finegrained_ner.labels.confidence import (
    ALTERNATIVES,
    COARSE_CONFIDENCE,
    CONFIDENCE,
    EVIDENCE,
    SPAN_CONFIDENCE,
)

Record = dict[str, Any]
"""Of an entity, see `entity_records`."""


def entity_records(doc: Doc, component: Any) -> list[Record]:
    """The entities that a component of this package has in an annotated Doc, wherever it writes
    them, in their order.

    RETURNS: of each "start" and "end" (in code points of the text, the end exclusive), "text",
    "label", "coarse_label", "confidence", "coarse_confidence", "span_confidence" and
    "alternatives" ([{"label", "confidence"}, ...], the best first). What is not known is None, or
    an empty list. Of a component that knows names also "evidence": the names that were found in
    the entity, or overlap with it, each with "start", "end", "text", "topics", "types", "sources".
    """
    found = component.read(doc)
    records = []
    for entity in found.entities:
        start, end, label = entity
        span = doc[start:end]
        facts = found.facts.get(entity, {})
        records.append(
            {
                "start": span.start_char,
                "end": span.end_char,
                "text": span.text,
                "label": label,
                "coarse_label": component.names.coarse_of[label],
                **{key: facts.get(key) for key in (CONFIDENCE, COARSE_CONFIDENCE, SPAN_CONFIDENCE)},
                ALTERNATIVES: [
                    {"label": other, "confidence": p} for other, p in facts.get(ALTERNATIVES, ())
                ],
            }
        )
        if EVIDENCE in facts:
            names = [_name(doc, start, name) for name in facts[EVIDENCE]]
            records[-1][EVIDENCE] = names
    return records


def _name(doc: Doc, start: int, name: Record) -> Record:
    """start: of the entity, from where those of names count."""
    span = doc[start + name["start"] : start + name["end"]]
    place = {"start": span.start_char, "end": span.end_char, "text": span.text}
    return {**name, **place}
