"""The forms that are read: each a generator of rows, and of what is none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from spacy_finegrained_ner.annotate.rows import BadRow, Row
from spacy_finegrained_ner.annotate.texts import Tokens
from spacy_finegrained_ner.errors import UserError

LONGEST = 2**24
"""Bytes of a line or a field. A longer one is not held in memory."""
COLUMNS = "columns"
"""In `doc.user_data` of a .spacy file that annotate wrote: the other columns of the row."""

Found = tuple[Row | BadRow, bytes | None]
"""And the schema of its columns, where the file has one."""
Reader = Callable[[str, Any, str], Iterator[Found]]


def read_lines(path: str, stream: BinaryIO, column: str) -> Iterator[Found]:
    """A text on each line. An empty line is an empty text, so that rows and lines correspond."""
    for number, line in _lines(stream):
        if line is None:
            yield _too_long(path, number), None
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            yield BadRow(path, number, f"not UTF-8: {error}", _shown(line)), None
            continue
        yield Row(path, number, text, {column: text}, len(line)), None


def read_jsonl(path: str, stream: BinaryIO, column: str) -> Iterator[Found]:
    """A JSON object on each line that has anything."""
    for number, line in _lines(stream):
        if line is None:
            yield _too_long(path, number), None
        elif line.strip():
            try:
                found = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                kind = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "not JSON"
                yield BadRow(path, number, f"{kind}: {error}", _shown(line)), None
                continue
            if isinstance(found, dict):
                yield _row(path, number, found, column, len(line)), None
            else:
                reason = f"a JSON {type(found).__name__}, expected an object"
                yield BadRow(path, number, reason, _shown(line)), None


def read_csv(path: str, stream: BinaryIO, column: str, delimiter: str = ",") -> Iterator[Found]:
    """Rows below a header, with quotes as spreadsheets and pandas write them. A row may have more
    than one line: numbers are those of rows, the header not counted."""
    too_long = False

    def decoded() -> Iterator[str]:
        nonlocal too_long
        for _, line in _lines(stream, keep=True):
            too_long |= line is None
            # What is not UTF-8 spoils its own row only
            yield "\n" if line is None else line.decode("utf-8", "surrogateescape")

    csv.field_size_limit(LONGEST)  # of the process; there is no other
    reader = csv.reader(decoded(), delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise UserError(f"{path}: the header can't be read as CSV: {error}.") from None
    if column not in header:
        raise UserError(
            f"{path}: the header has no column {column!r} with the texts. It has: {header}. Give "
            "--text-column one of them."
        )
    if len(set(header)) < len(header):
        raise UserError(f"{path}: two columns of the header have one name: {header}.")
    number = 0
    while True:
        line = reader.line_num
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number, too_long = number + 1, False
            where = f"lines {line + 1:,} to {reader.line_num:,}: a quote that is not closed?"
            yield BadRow(path, number, f"not CSV: {error} ({where})", ""), None
            continue
        if too_long:
            number, too_long = number + 1, False
            yield _too_long(path, number), None
        elif fields:
            number += 1
            yield _csv_row(path, number, header, fields, column), None


def _csv_row(
    path: str, number: int, header: list[str], fields: list[str], column: str
) -> Row | BadRow:
    shown = " | ".join(fields)[:200]
    if len(fields) != len(header):
        reason = f"{len(fields)} fields, expected {len(header)} as in the header"
        return BadRow(path, number, reason, shown.encode("utf-8", "replace").decode())
    try:
        "".join(fields).encode("utf-8")
    except UnicodeEncodeError:
        return BadRow(path, number, "not UTF-8", shown.encode("utf-8", "replace").decode())
    columns = dict(zip(header, fields, strict=True))
    return _row(path, number, columns, column, sum(map(len, fields)))


def read_tsv(path: str, stream: BinaryIO, column: str) -> Iterator[Found]:
    """As CSV, with tabs."""
    yield from read_csv(path, stream, column, "\t")


def read_parquet(path: str, stream: None, column: str) -> Iterator[Found]:
    """A row group at a time."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise UserError(
            f"Parquet needs pyarrow ({error}). Install it: "
            'python -m pip install "spacy-finegrained-ner[annotate]"'
        ) from None
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            if column not in schema.names:
                raise UserError(
                    f"{path}: there is no column {column!r} with the texts. There are: "
                    f"{schema.names}. Give --text-column one of them."
                )
            if len(set(schema.names)) < len(schema.names):
                raise UserError(f"{path}: two columns have one name: {schema.names}.")
            known = schema.serialize().to_pybytes()
            numbers = count(1)
            for batch in file.iter_batches(batch_size=256):
                size = batch.nbytes // max(1, len(batch))
                for columns in batch.to_pylist():
                    yield _row(path, next(numbers), columns, column, size), known
    except (pa.ArrowException, OSError, OverflowError) as error:  # the last one of odd dates
        raise UserError(f"{path}: can't be read as Parquet: {error}") from None


def read_spacy(path: str, stream: None, column: str) -> Iterator[Found]:
    """The tokens of Docs, without what is annotated in them. The file is held in memory, as there
    is no other way to read one; the Docs are not."""
    from spacy.vocab import Vocab

    from spacy_finegrained_ner.data.files import iter_docs

    for number, doc in enumerate(iter_docs(Vocab(), Path(path)), start=1):
        words = [token.text for token in doc]
        spaces = None if doc.has_unknown_spaces else [bool(token.whitespace_) for token in doc]
        tokens: Tokens = (words, spaces)
        others = doc.user_data.get(COLUMNS)
        columns = {**(others if isinstance(others, dict) else {}), column: doc.text}
        yield Row(path, number, tokens, columns, len(doc.text)), None


READERS: dict[str, Reader] = {
    "jsonl": read_jsonl,
    "csv": read_csv,
    "tsv": read_tsv,
    "text": read_lines,
    "parquet": read_parquet,
    "spacy": read_spacy,
}
WHOLE_FILES = ("parquet", "spacy")
"""Those that are opened by their names, and compressed in themselves."""


def _row(path: str, number: int, columns: dict[str, Any], column: str, size: int) -> Row | BadRow:
    text = columns.get(column)
    if isinstance(text, str):
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return BadRow(path, number, f"{column!r} has half a character (a lone surrogate)", "")
        return Row(path, number, text, columns, size)
    if column not in columns:
        reason = f"no {column!r} (see --text-column), only {list(columns)[:20]}"
    else:
        reason = f"{column!r} is {text!r:.100}, expected a text"
    return BadRow(path, number, reason, repr(columns)[:200].encode("utf-8", "replace").decode())


def _lines(stream: BinaryIO, keep: bool = False) -> Iterator[tuple[int, bytes | None]]:
    """With their numbers; None for one that is too long. Without a byte order mark and, unless they
    are to be kept, the ends (\\n or \\r\\n)."""
    for number in count(1):
        line = stream.readline(LONGEST)
        if not line:
            return
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif keep:
            yield number, line
        else:
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")


def _too_long(path: str, number: int) -> BadRow:
    return BadRow(path, number, f"more than {LONGEST:,} bytes", "")


def _shown(line: bytes) -> str:
    return line[:200].decode("utf-8", "replace")
