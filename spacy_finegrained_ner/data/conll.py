"""Reader for the CoNLL files of MultiCoNER I and II, and for plain two-column IOB2.

A token a line, the word in the first column and its IOB2 tag in the last, separated by single
spaces or by tabs; sentences apart by blank lines; `# id ...` lines and `-DOCSTART-` are not tokens.
The tag `-` says that the gold tag is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy_finegrained_ner.labels.bio import illegal_bio

MAX_LINE = 10_000
"""Bytes. A longer line is no token of a text: the file is something else."""

MAX_TOKENS = 10_000
"""Of a sentence. In a file with more, the blank lines between sentences are missing."""


class ConllError(ValueError):
    """A file is not what the reader can read. The message says file and line."""


@dataclass(frozen=True)
class Sentence:
    """words and tags: as in the file, of equal length. line: of the first token, from 1.
    id: what follows `# id` up to the first blank, or None."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    id: str | None = None


def read_conll(path: str | Path) -> Iterator[Sentence]:
    """Read the sentences of a file, one at a time.

    Raises a `ConllError` with file and line for a missing, empty or binary file, wrong encoding,
    lines without a tag or with another number of columns than the first, lines and sentences that
    are far too long, and illegal IOB2.
    """
    path = Path(path)
    words: list[str] = []
    tags: list[str] = []
    lines: list[int] = []
    sentence_id: str | None = None
    columns = first = 0
    empty = True

    def sentence() -> Sentence:
        illegal = illegal_bio(tags)
        if illegal is not None:
            at, what = illegal
            raise ConllError(f"{path}:{lines[at]}: {what} (word {words[at]!r}).")
        return Sentence(tuple(words), tuple(tags), lines[0], sentence_id)

    for number, line in _lines(path):
        if line.startswith("# id"):
            if words:
                yield sentence()
                words, tags, lines = [], [], []
            rest = line[4:].split()
            sentence_id = rest[0] if rest else None
        elif not line.strip(" \t"):
            if words:
                yield sentence()
                words, tags, lines, sentence_id = [], [], [], None
        elif not line.startswith("-DOCSTART-"):
            fields = line.split("\t" if "\t" in line else " ")
            if not columns:
                columns, first = len(fields), number
            if len(fields) < 2 or len(fields) != columns:
                as_before = f" as on line {first}" if first < number else ""
                raise ConllError(
                    f"{path}:{number}: found {len(fields)} column(s) in {line[:80]!r}, expected "
                    f"{max(2, columns)}{as_before}: a word, then its IOB2 tag in the last column, "
                    "separated by one space or tab."
                )
            if not fields[0]:
                raise ConllError(f"{path}:{number}: the word of {line[:80]!r} is empty.")
            if len(words) == MAX_TOKENS:
                raise ConllError(
                    f"{path}:{lines[0]}: the sentence that begins here has more than {MAX_TOKENS} "
                    "tokens. Expected a blank line after each sentence."
                )
            words.append(fields[0])
            tags.append(fields[-1])
            lines.append(number)
            empty = False
    if words:
        yield sentence()
    if empty:
        raise ConllError(f"{path}: the file holds no sentences.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines split at \\n only (tokens of MultiCoNER hold other line separators), without their
    end, and with bounded memory."""
    try:
        if path.is_dir():
            raise ConllError(f"{path}: found a folder, expected a file.")
        if not path.is_file():
            raise ConllError(f"{path}: there is no such file.")
        opened = path.open("rb")
    except OSError as error:
        raise ConllError(f"{path}: can't be read: {error.strerror}.") from None
    with opened as file:
        number = 0
        while raw := file.readline(MAX_LINE + 1):
            number += 1
            if len(raw) > MAX_LINE:
                raise ConllError(f"{path}:{number}: the line is longer than {MAX_LINE} bytes.")
            if b"\0" in raw:
                raise ConllError(
                    f"{path}:{number}: found a NUL byte: this is no text file, or one in UTF-16. "
                    "Expected UTF-8."
                )
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ConllError(
                    f"{path}:{number}: can't be read as UTF-8: {error.reason} at byte "
                    f"{error.start} of the line. Convert the file to UTF-8."
                ) from None
            line = line.rstrip(" \t\r\n")
            if "\r" in line:
                raise ConllError(
                    f"{path}:{number}: found a carriage return inside of the line, expected lines "
                    "that end in a line feed. Convert the line ends of the file."
                )
            yield number, line
