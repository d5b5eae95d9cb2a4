"""CSV and TSV: an entity a row with its text and offsets, or a text a row with a list of them."""

from __future__ import annotations

import ast
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy_finegrained_ner.data.forms.record import (
    NO_TEXT,
    NOT_ANNOTATED,
    Account,
    CharSpan,
    FormError,
    Record,
)
from spacy_finegrained_ner.data.forms.spans import (
    ENDS,
    LABELS,
    SPANS,
    STARTS,
    TEXTS,
    offset,
    spans_of,
)

_GROUPS = ("doc_id", "document_id", "text_id", "sentence_id")
_SURFACES = ("surface", "span", "mention", "entity_text", "span_text")
_DELIMITERS = ",\t;|"


def header_of(text: str) -> tuple[str, dict[str, int]] | None:
    """The delimiter of a table with the columns that are needed, and where each of its names
    stands; None for what is no such table."""
    first = text[: text.find("\n")] if "\n" in text else text
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([first.rstrip("\r")], delimiter=delimiter), [])
        except csv.Error:
            return None
        columns = {name.strip().casefold(): i for i, name in enumerate(names)}
        listed = _column(columns, SPANS) is not None
        bounds = None not in (_column(columns, STARTS), _column(columns, ENDS))
        if _column(columns, TEXTS) is not None and (bounds or listed):
            return delimiter, columns
    return None


def read_table(path: Path, text: str, account: Account) -> list[Record]:
    """The records of a table, see `header_of`. Rows of the same text are of one record, wherever
    they stand; a row without start, end and label has none of its entities."""
    found = header_of(text)
    assert found is not None
    delimiter, columns = found
    width = len(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    at = {
        name: _column(columns, names)
        for name, names in (
            *(("text", TEXTS), ("start", STARTS), ("end", ENDS), ("label", LABELS)),
            *(("spans", SPANS), ("group", _GROUPS), ("surface", _SURFACES)),
        )
    }
    texts: dict[tuple[str, str], tuple[str, list[CharSpan]]] = {}
    why = "it has no rows"
    for place, row in _rows(path, text, delimiter):
        cells = {n: "" if i is None or i >= len(row) else row[i] for n, i in at.items()}
        if len(row) != width:
            why = f"{len(row)} fields, expected {width} as in the header"
            account.add(NO_TEXT, place, why)
            continue
        if not cells["text"].strip():
            why = "its rows have no text"
            account.add(NO_TEXT, place)
            continue
        if at["start"] is not None:
            spans = _span(cells)
        else:
            listed = _listed(cells["spans"])
            if listed is None:
                name = next(name for name in SPANS if name in columns)
                why = (
                    f"column {name!r}: found {cells['spans'][:40]!r}, expected a list of entities "
                    "in JSON, or columns start, end and label with an entity in each row"
                )
                account.add(NOT_ANNOTATED, place, f"found {cells['spans'][:40]!r}")
                continue
            spans = spans_of(listed)
        texts.setdefault((cells["group"], cells["text"]), (place, []))[1].extend(spans)
    if not texts:
        raise FormError(f"{path}: the table holds no texts that can be read: {why}.")
    return [Record(place, text=key[1], spans=spans) for key, (place, spans) in texts.items()]


def _rows(path: Path, text: str, delimiter: str) -> Iterator[tuple[str, list[str]]]:
    csv.field_size_limit(sys.maxsize)
    # Or a quote that is not closed would be one text with all that follows
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        next(reader)
        line = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                yield f"{path}:{line}", row
            line = reader.line_num + 1
    except csv.Error as error:
        raise FormError(
            f"{path}:{line}: can't be read as a table: {error} (the row ends on line "
            f"{reader.line_num}). Perhaps a quote is not closed."
        ) from None


def _span(cells: dict[str, str]) -> list[CharSpan]:
    if not any(cells[name].strip() for name in ("start", "end", "label")):
        return []
    start, end = offset(cells["start"]), offset(cells["end"])
    return [CharSpan(start, end, cells["label"].strip(), cells["surface"] or None)]


def _listed(cell: str) -> Any:
    """A list as JSON or as Python writes it; None for what is none."""
    if not cell.strip():
        return []
    for loads in (json.loads, ast.literal_eval):
        try:
            found = loads(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):  # {"entities": [...]}
            found = next((x for x in found.values() if isinstance(x, list)), None)
        if isinstance(found, list | tuple):
            return found
    return None


def _column(columns: dict[str, int], names: tuple[str, ...]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)
