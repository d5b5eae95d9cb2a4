"""Reader for the CoNLL files of MultiCoNER I and II, and for plain two-column IOB2.

A token a line, the word in the first column and its IOB2 tag in the last, separated by single
spaces or by tabs; sentences apart by blank lines; `# id ...` lines and `-DOCSTART-` are not tokens,
and end a sentence too. The tag `-` says that the gold tag is not known. A byte order mark (U+FEFF)
is no part of a text, wherever it stands; at the beginning of a line another file began there, and
so another sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.bio import illegal_bio
from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK, invisible

MAX_LINE = 10_000
"""Bytes. A longer line is no token of a text: the file is something else."""

MAX_TOKENS = 10_000
"""Of a sentence. In a file with more, the blank lines between sentences are missing."""

NUMBERED = 3
"""Sentences. So many that count 1, 2, 3 are no accident."""


class ConllError(UserError):
    """A file is not what the reader can read. The message says file and line."""


@dataclass(frozen=True)
class Sentence:
    """words and tags: as in the file, of equal length. line: of the first token, from 1.
    id: what follows `# id` up to the first blank, or None. marks: byte order marks that were left
    out of its lines."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    id: str | None = None
    marks: int = 0


def read_conll(path: str | Path) -> Iterator[Sentence]:
    """Read the sentences of a file, one at a time.

    Raises a `ConllError` with file and line for a missing, empty or binary file, wrong encoding,
    lines without a tag or with another number of columns than the first, a first column of numbers
    that count the tokens, lines and sentences that are far too long, tags with characters that
    can't be seen, and illegal IOB2.
    """
    path = Path(path)
    words: list[str] = []
    tags: list[str] = []
    sentence_id: str | None = None
    start = marks = columns = first = 0
    numbered: int | None = 0
    empty = True

    def sentence() -> Sentence:
        illegal = illegal_bio(tags)
        if illegal is not None:
            at, what = illegal
            raise ConllError(f"{path}:{start + at}: {what} (word {words[at]!r}).")
        return Sentence(tuple(words), tuple(tags), start, sentence_id, marks)

    def only_numbers() -> ConllError:
        return ConllError(
            f"{path}:{first}: the first column counts the tokens of each sentence (1, 2, 3), "
            "expected the word there, and its IOB2 tag in the last column. Remove the numbers."
        )

    for number, line in _lines(path):
        begins_file = line.startswith(BYTE_ORDER_MARK)
        found = line.count(BYTE_ORDER_MARK)
        line = line.replace(BYTE_ORDER_MARK, "").rstrip(" \t")
        fields = line.split("\t" if "\t" in line else " ")
        is_id = line.startswith("# id") and line[4:5] in ("", " ", "\t")
        between = is_id or not line or fields[0] == "-DOCSTART-"
        if words and (between or begins_file):
            yield sentence()
            # With two columns, words are all that can stand in the first
            numbered = _numbered(words, numbered) if columns > 2 else None
            if numbered == NUMBERED:
                raise only_numbers()
            words, tags, sentence_id, marks = [], [], None, 0
        marks += found
        if is_id:
            sentence_id = next(iter(line[4:].split()), None)
        if between:
            continue
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
        if hidden := invisible(fields[-1]):
            raise ConllError(
                f"{path}:{number}: the tag {fields[-1]!r} has {hidden} in it, which can't be seen. "
                "Remove it."
            )
        if len(words) == MAX_TOKENS:
            raise ConllError(
                f"{path}:{start}: the sentence that begins here has more than {MAX_TOKENS} "
                "tokens. Expected a blank line after each sentence."
            )
        if not words:
            start = number
        words.append(fields[0])
        tags.append(fields[-1])
        empty = False
    if words:
        yield sentence()
        numbered = _numbered(words, numbered) if columns > 2 else None
    if numbered:
        raise only_numbers()
    if empty:
        raise ConllError(f"{path}: the file holds no sentences.")


def _numbered(words: list[str], before: int | None) -> int | None:
    """How many sentences so far have nothing but the numbers of their tokens for words; None as
    soon as one has anything else. CoNLL-U also has `3-4` and `5.1`. One word alone says nothing."""
    if before is None or not all(re.fullmatch(r"\d+([-.]\d+)?", word) for word in words):
        return None
    plain = [word for word in words if word.isdecimal()]
    start = 0 if plain[:1] == ["0"] else 1
    if plain != [str(number) for number in range(start, start + len(plain))]:
        return None
    return before + (len(plain) > 1)


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
