"""Which tokens of the two sides of an Example hold the same characters."""

from __future__ import annotations

from collections.abc import Callable

from spacy.tokens import Doc
from spacy.training import Example


def same_characters(example: Example) -> Callable[[int, int, int, int], bool]:
    """Whether tokens of the predicted Doc and tokens of the reference hold the same characters:
    given start and end (exclusive) of the one and of the other.

    They are counted as spaCy aligns the two: lower-cased, which may make a character two, and
    without whitespace.
    """
    x, y = _offsets(example.predicted), _offsets(example.reference)

    def same(x_start: int, x_end: int, y_start: int, y_end: int) -> bool:
        return x[x_start] == y[y_start] and x[x_end] == y[y_end]

    return same


def _offsets(doc: Doc) -> list[int]:
    bounds = [0]
    for token in doc:
        bounds.append(bounds[-1] + len("".join(token.text.lower().split())))
    return bounds
