"""The entities of a Doc as this package counts them, gold and predicted alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from spacy.tokens import Doc, Span

from spacy_finegrained_ner.data.soft_targets import labels_of_soft_targets
from spacy_finegrained_ner.labels.bio import Entity


def trimmed(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """The bounds without whitespace tokens at either end; equal where nothing else is left."""
    while start < end and doc[start].is_space:
        start += 1
    while start < end and doc[end - 1].is_space:
        end -= 1
    return start, end


def trimmed_entity(doc: Doc, entity: Entity) -> Entity:
    """The entity without whitespace tokens at either end; an empty one where that is all it has."""
    return *trimmed(doc, *entity[:2]), entity[2]


def entity_of(span: Span, label: str) -> Entity | None:
    """The span under this label, without whitespace at its ends; None where that is all it has."""
    start, end = trimmed(span.doc, span.start, span.end)
    return (start, end, label) if start < end else None


def entities_of(spans: Iterable[Span], spelled: Callable[[Span], str]) -> list[Entity]:
    """The entities of all spans. spelled: the label of a span, as the pipeline spells it."""
    found = (entity_of(span, spelled(span)) for span in spans)
    return [entity for entity in found if entity is not None]


def labels_of(docs: Iterable[Doc]) -> dict[str, str]:
    """The labels of the entities, and of soft targets, each with the beginning of the first text
    that has it, to name the place in messages."""
    places: dict[str, str] = {}
    for doc in docs:
        for label in (*(span.label_ for span in doc.ents), *labels_of_soft_targets(doc)):
            if label not in places:
                places[label] = f"text {doc.text[:60].strip()!r}"
    return places
