"""The entities of a Doc as this package counts them, gold and predicted alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from spacy.tokens import Doc, Span

from spacy_finegrained_ner.labels.bio import Entity


def trimmed(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """The bounds without whitespace tokens at either end; equal where nothing else is left."""
    while start < end and doc[start].is_space:
        start += 1
    while start < end and doc[end - 1].is_space:
        end -= 1
    return start, end


def entities_of(spans: Iterable[Span], spelled: Callable[[Span], str | None]) -> list[Entity]:
    """The entities without whitespace at their ends. What is nothing but whitespace is none.

    spelled: the label of a span, as the pipeline spells it; None for a span that is left out.
    """
    entities: list[Entity] = []
    for span in spans:
        label = spelled(span)
        start, end = trimmed(span.doc, span.start, span.end)
        if label is not None and start < end:
            entities.append((start, end, label))
    return entities
