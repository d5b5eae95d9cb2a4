"""What the allocator keeps of what has been freed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache


def give_back() -> bool:
    """Give freed memory back to the system. glibc keeps it, in more and more pieces the longer a
    pipeline works on batches of many shapes: a process grows that holds no more than before. Where
    there is another allocator, nothing is done. RETURNS: whether there was any."""
    return bool(_trim()(0))


def resident() -> int:
    """Bytes of memory that this process has now; 0 where there is no /proc to tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


@cache
def _trim() -> Callable[[int], int]:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # macOS and musl; Windows
        return lambda pad: 0
    return trim
