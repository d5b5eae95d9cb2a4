"""Rows of the input, and blocks of them: what is annotated, kept and, after a stop, done again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from spacy_finegrained_ner.annotate.texts import Text
from spacy_finegrained_ner.errors import UserError

BLOCK_ROWS = 1000
BLOCK_SIZE = 500_000
"""A block ends with the row that reaches one of them; the size in bytes of the input, about. A run
that is stopped loses the blocks that it is at."""


@dataclass(frozen=True)
class Row:
    """file, number: its place; numbers begin at 1. columns: all of them, that of the text too.
    size: of the row in the input, in bytes, about."""

    file: str
    number: int
    text: Text
    columns: dict[str, Any]
    size: int


@dataclass(frozen=True)
class BadRow:
    """One that can't be annotated. reason: one line, for people. found: how it begins."""

    file: str
    number: int
    reason: str
    found: str
    size: int = 0


@dataclass
class Block:
    """number: from 0, without gaps. position: bytes of the input that are read with it. schema: of
    the columns, as Arrow writes it, where the input has one."""

    number: int
    rows: list[Row | BadRow] = field(default_factory=list)
    position: int = 0
    schema: bytes | None = None

    def digest(self) -> str:
        """Of all that was read."""
        found = hashlib.blake2b(digest_size=16)
        for row in self.rows:
            known = (row.text, row.columns) if isinstance(row, Row) else (row.reason, row.found)
            found.update(repr((row.file, row.number, *known)).encode("utf-8", "surrogatepass"))
        return found.hexdigest()


def left_to_do(blocks: Iterable[Block], finished: dict[int, str]) -> Iterator[Block]:
    """Without those that are finished.

    finished: the digests of blocks by their numbers. Raises a `UserError` where one of them was
    another then.
    """
    count = 0
    for block in blocks:
        count += 1
        if block.number not in finished:
            yield block
        elif block.digest() != finished[block.number]:
            row = block.rows[0]
            raise UserError(
                f"{row.file}: the rows from {row.number} on are not those that an earlier run has "
                "annotated. Give --restart to annotate all of them anew, or the input as it was."
            )
    if beyond := [number for number in finished if number >= count]:
        raise UserError(
            f"The input has less than when an earlier run was stopped: {count} blocks, and "
            f"{max(beyond) + 1} then. Give --restart to annotate it anew, or the input as it was."
        )
