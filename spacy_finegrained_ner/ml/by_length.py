"""Batches of rows of about the same length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt


def by_length(
    lengths: Sequence[int] | npt.NDArray[np.int_], most: int
) -> Iterator[tuple[npt.NDArray[np.intp], int]]:
    """The rows (their places in `lengths`) of each batch, and the longest of their lengths.

    A batch has at most `most` places, padding included, unless it is a single longer row. The
    longest rows come first, so that what does not fit in memory fails early.
    """
    ordered = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(ordered):
        longest = int(lengths[ordered[start]])
        rows = ordered[start : start + max(1, most // max(1, longest))]
        start += len(rows)
        yield rows, longest
