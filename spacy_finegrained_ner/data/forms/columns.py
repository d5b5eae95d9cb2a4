"""CoNLL and its kin: a token and its tag a line, blank lines between sentences."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from spacy_finegrained_ner.data.conll import MAX_LINE, MAX_TOKENS, NUMBERED
from spacy_finegrained_ner.data.forms.record import MARKS, Account, FormError, Options, Record
from spacy_finegrained_ner.data.forms.tags import (
    IGNORED,
    are_numbers,
    check_outside,
    check_visible,
    names_of,
    number_of,
)
from spacy_finegrained_ner.data.forms.text import lines_of
from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK

_GAP = re.compile(" +")
_BETWEEN = re.compile(r"-DOCSTART-(\s|$)|# id(\s|$)|#(begin|end) document")
_SKIPPED = re.compile(r"-DOCSTART-|\ufeff?#")
_KEY = re.compile(r"# [\w.:-]+ = ")
"""As CoNLL-U has them: `# sent_id = 1`."""
_NUMBER = re.compile(r"\d+([-.]\d+)?")

Row = tuple[int, list[str]]
"""The line and its fields."""


def read_columns(path: Path, text: str, options: Options, account: Account) -> list[Record]:
    """The sentences of a file. The word is in the first column, or in the second where the first
    counts the tokens; the tag in the last one, unless options say another.

    Between sentences, lines are comments that begin with `#` and have another number of columns
    than the first line that does not, or no tab where that has one, or are like `# key = value`.

    Raises a `FormError` for lines without a tag, or with another number of columns than the first;
    for lines and sentences that are far too long; and where the column can't be one of tags.
    """
    sentences = _sentences(path, text, account)
    if not sentences:
        raise FormError(f"{path}: the file holds no sentences.")
    columns = len(sentences[0][0][1])
    word = int(columns > 2 and _are_numbered(sentences))
    tag = _tag_column(path, options, columns)
    records = []
    for rows in sentences:
        number = rows[0][0]
        words = [fields[word] for _, fields in rows]
        tags = [fields[tag] for _, fields in rows]
        if "" in words:
            raise FormError(f"{path}:{rows[words.index('')][0]}: the word is empty.")
        records.append(Record(f"{path}:{number}", words=words, tags=tags, line=number))
    said = [tag for record in records for tag in record.tags or ()]
    if are_numbers(said) and options.scheme != "labels":
        numbers = [found for tag in said if (found := number_of(tag)) is not None]
        names: list[str] = []
        more = f", or say which of the {columns} columns has the tags (--tag-column)"
        if {*numbers} != {IGNORED}:
            names = names_of(numbers, options.tag_names, "tags", path, more)
        records = [replace(r, tags=[_named(tag, names) for tag in r.tags or ()]) for r in records]
    which = f"Say which of the {columns} columns it is (--tag-column)."
    check_visible(records)
    check_outside(str(path), records, options.scheme, which)
    return records


def _named(tag: str, names: list[str]) -> str:
    number = number_of(tag)
    return "-" if number is None or number == IGNORED else names[number]


def _sentences(path: Path, text: str, account: Account) -> list[list[Row]]:
    sentences: list[list[Row]] = []
    rows: list[Row] = []
    columns = first = 0
    plain = next((x for x in lines_of(text) if x.strip() and not _SKIPPED.match(x)), None)
    width = 0 if plain is None else len(_fields(plain.rstrip()))
    tabs = plain is not None and "\t" in plain
    for number, line in enumerate(lines_of(text), 1):
        if len(line) > MAX_LINE:
            raise FormError(f"{path}:{number}: the line is longer than {MAX_LINE} characters.")
        if line.startswith(BYTE_ORDER_MARK) and rows:  # another file began there
            sentences.append(rows)
            rows = []
        for _ in range(line.count(BYTE_ORDER_MARK)):
            account.add(MARKS, f"{path}:{number}")
        line = line.replace(BYTE_ORDER_MARK, "").rstrip(" \t")
        if "\r" in line:
            raise FormError(
                f"{path}:{number}: found a carriage return inside of the line, expected lines that "
                "end in a line feed. Convert the line ends of the file."
            )
        fields = _fields(line)
        # A word may begin with it, too
        other = (bool(width) and len(fields) != width) or (tabs and "\t" not in line)
        begins = not rows and line.startswith("#") and (other or bool(_KEY.match(line)))
        if not line or begins or _BETWEEN.match(line):
            if rows:
                sentences.append(rows)
                rows = []
            continue
        if not columns:
            columns, first = len(fields), number
        if len(fields) < 2 or len(fields) != columns:
            as_before = f" as on line {first}" if first < number else ""
            raise FormError(
                f"{path}:{number}: found {len(fields)} column(s) in {line[:80]!r}, expected "
                f"{max(2, columns)}{as_before}: a word and its tag, separated by spaces or a tab."
            )
        rows.append((number, fields))
        if len(rows) > MAX_TOKENS:
            raise FormError(
                f"{path}:{rows[0][0]}: the sentence that begins here has more than {MAX_TOKENS} "
                "tokens. Expected a blank line after each sentence."
            )
    return [*sentences, rows] if rows else sentences


def _fields(line: str) -> list[str]:
    return [x.strip(" ") for x in line.split("\t")] if "\t" in line else _GAP.split(line)


def _are_numbered(sentences: list[list[Row]]) -> bool:
    """Whether the first column counts the tokens of each sentence. One or two might be an
    accident."""
    for rows in sentences[: 10 * NUMBERED]:
        words = [fields[0] for _, fields in rows]
        plain = [word for word in words if word.isdecimal()]
        start = 0 if plain[:1] == ["0"] else 1
        counted = [str(number) for number in range(start, start + len(plain))]
        if not all(map(_NUMBER.fullmatch, words)) or plain != counted:
            return False
    return len(sentences) >= NUMBERED or len(sentences[0]) >= NUMBERED


def _tag_column(path: Path, options: Options, columns: int) -> int:
    if options.tag_column is None:
        return columns - 1
    try:
        given = int(options.tag_column)
    except ValueError:
        given = 0
    if not 1 <= abs(given) <= columns:
        raise FormError(
            f"{path}: there is no column {options.tag_column!r}, expected a number from 1 to "
            f"{columns}, or from -1 for the last one."
        )
    return given - 1 if given > 0 else columns + given
