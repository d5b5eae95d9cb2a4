"""How far a run is, while it trains."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EVERY = 60.0
"""Seconds between two lines: runs of an hour are read in a log."""


@contextmanager
def telling(nlp: Any, name: str, updates: int, every: float = EVERY) -> Iterator[None]:
    """Inside of it, a line on stderr tells of a training now and then.

    name: of the run. updates: calls of `nlp.update` that the training has. every: seconds.
    """
    update = nlp.update
    began = last = time.perf_counter()
    done = 0

    def told(*args: Any, **kwargs: Any) -> Any:
        nonlocal last, done
        losses = update(*args, **kwargs)
        done += 1
        now = time.perf_counter()
        if now - last >= every:
            last = now
            left = max(0.0, (now - began) / done * (updates - done) / 60)
            print(
                f"    {name}: {done:,} of {updates:,} batches, about {left:.0f} min left",
                file=sys.stderr,
                flush=True,
            )
        return losses

    nlp.update = told
    try:
        yield
    finally:
        del nlp.update
