"""Matrix products in TF32, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

_LOCK = Lock()
_inside = 0
_before = "highest"


@contextmanager
def tf32() -> Iterator[None]:
    """float32 matrix products of a GPU round their factors to 10 bits in here (10 and not 23 of
    mantissa), and are faster. torch has one setting for the whole process: it is as before when the
    last of those who are in here at once has left.
    """
    global _inside, _before
    with _LOCK:
        if not _inside:
            _before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("high")
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if not _inside:
                torch.set_float32_matmul_precision(_before)
