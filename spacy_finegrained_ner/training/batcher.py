"""Batches of texts of about equal length, in random order."""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from spacy.util import minibatch

from spacy_finegrained_ner.settings import Count, CountOrZero, checked

_NAME = "spacy-finegrained-ner.batch_by_length.v1"

Item = TypeVar("Item")


def batch_by_length(
    items: Iterable[Item],
    size: int,
    buffer: int,
    max_padded: int,
    get_length: Callable[[Item], int],
) -> Iterator[list[Item]]:
    """Batches of `size` items (the last of each buffer may be smaller), with little padding.

    Each `buffer` of items is sorted by length, cut into batches, and the batches are shuffled. So
    a step sees as many texts as with random batches, and neither short nor long texts come first.
    Uses `random`, which spaCy seeds with `[training] seed`.
    """
    for part in minibatch(items, buffer):
        # Sorted is stable, and the items come shuffled: texts of one length meet at random.
        by_length = sorted(((get_length(item), item) for item in part), key=lambda pair: pair[0])
        batches = list(_cut(by_length, size, max_padded))
        random.shuffle(batches)
        yield from batches


def _cut(by_length: Iterable[tuple[int, Item]], size: int, max_padded: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for length, item in by_length:
        padded = length * (len(batch) + 1)
        if len(batch) == size or (batch and max_padded and padded > max_padded):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


@checked(_NAME)
def build_batch_by_length_v1(
    size: Count,
    buffer: Count = 1024,
    max_padded: CountOrZero = 0,
    get_length: Callable[[Any], int] | None = None,
) -> Callable[[Iterable[Any]], Iterator[list[Any]]]:
    """Registered as `spacy-finegrained-ner.batch_by_length.v1` (batchers).

    size: texts in a batch. buffer: texts that are sorted together; the larger, the less padding
    and the more equal the lengths in a batch. max_padded: a bound on memory: there are fewer texts
    in a batch where the length of the longest, times their number, would be more; 0 for none.
    get_length: `spacy-finegrained-ner.wordpieces.v1` for an encoder; len, if not given.
    Raises a ValueError unless 1 <= size <= buffer and max_padded >= 0.
    """
    if size > buffer:
        raise ValueError(
            f"size of {_NAME} is {size} and buffer is {buffer}, expected size <= buffer."
        )
    length: Callable[[Any], int] = get_length or len
    return partial(
        batch_by_length, size=size, buffer=buffer, max_padded=max_padded, get_length=length
    )
