"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_place_of(path: Path) -> Iterator[Path]:
    """A file to write, which then takes the place of `path` at once: an interruption, or a power
    cut, leaves what was there. Who has that mapped keeps it."""
    new = path.with_name(f"{path.name}.new")
    try:
        yield new
        sync(new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Once this returns, the file is on disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
