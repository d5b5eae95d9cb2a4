"""Batches of texts of about equal length, in random order."""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from spacy.util import minibatch

Item = TypeVar("Item")


def batch_by_length(
    items: Iterable[Item], size: int, buffer: int, get_length: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Batches of `size` items (the last of each buffer may be smaller), with little padding.

    Each `buffer` of items is sorted by length, cut into batches, and the batches are shuffled. So
    a step sees as many texts as with random batches, and neither short nor long texts come first.
    Uses `random`, which spaCy seeds with `[training] seed`.
    """
    for part in minibatch(items, buffer):
        # Sorted is stable, and the items come shuffled: texts of one length meet at random.
        by_length = sorted(part, key=get_length)
        batches = list(minibatch(by_length, size))
        random.shuffle(batches)
        yield from batches


def build_batch_by_length_v1(
    size: int, buffer: int = 1024, get_length: Callable[[Any], int] | None = None
) -> Callable[[Iterable[Any]], Iterator[list[Any]]]:
    """Registered as `spacy-finegrained-ner.batch_by_length.v1` (batchers).

    size: texts in a batch. buffer: texts that are sorted together; the larger, the less padding
    and the more equal the lengths in a batch. get_length: len, if not given.
    Raises a ValueError unless 1 <= size <= buffer.
    """
    whole = isinstance(size, int) and isinstance(buffer, int)  # confection 1.x lets "16" through
    if not (whole and 1 <= size <= buffer):
        raise ValueError(
            f"size of spacy-finegrained-ner.batch_by_length.v1 is {size!r} and buffer is "
            f"{buffer!r}, expected whole numbers, 1 <= size <= buffer."
        )
    length: Callable[[Any], int] = get_length or len
    return partial(batch_by_length, size=size, buffer=buffer, get_length=length)
