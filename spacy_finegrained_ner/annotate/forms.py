"""The forms that are written: a part of each block, and all parts as one file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from spacy.tokens import Doc

from spacy_finegrained_ner.annotate.records import Record, entity_records
from spacy_finegrained_ner.annotate.rows import Row
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.confidence import CONFIDENCE

BAD = ".bad"
"""Behind the name of the output: the rows that were set aside."""


class Form(Protocol):
    """How output is written. It can be pickled."""

    def take(self, doc: Doc, component: Any) -> Any:
        """What `part` needs of an annotated Doc."""
        ...

    def part(self, rows: Sequence[tuple[Row, Any]], schema: bytes | None) -> bytes:
        """A part of the output: rows, each with what `take` gave for it. schema: of the columns
        of the input, if it has one. Raises a `UserError` for a column that would be written over.
        """
        ...

    def join(self, parts: Sequence[Path], output: Path) -> None:
        """All parts as one file."""
        ...


class JsonLines:
    """A JSON object on each line, of all columns and the entities."""

    take = staticmethod(entity_records)
    begin, between, end = b"", b"", b""

    def __init__(self, text_column: str, entities_column: str) -> None:
        self.text_column = text_column
        self.entities_column = entities_column

    def part(self, rows: Sequence[tuple[Row, Any]], schema: bytes | None) -> bytes:
        return b"".join(_line(self.written(row, records)) for row, records in rows)

    def join(self, parts: Sequence[Path], output: Path) -> None:
        with output.open("wb") as whole:
            whole.write(self.begin)
            written = False
            for path in parts:
                with path.open("rb") as part:
                    written = _append(part, whole, self.between if written else b"") or written
            whole.write(self.end)

    def written(self, row: Row, records: list[Record]) -> dict[str, Any]:
        return with_column(row, row.columns, self.entities_column, records)

    def others(self, row: Row) -> dict[str, Any]:
        return {name: value for name, value in row.columns.items() if name != self.text_column}


class Prodigy(JsonLines):
    """ "text" and "spans", as Prodigy takes them."""

    def written(self, row: Row, records: list[Record]) -> dict[str, Any]:
        keys = ("start", "end", "label", CONFIDENCE)
        spans = [{key: record[key] for key in keys} for record in records]
        others = with_column(row, self.others(row), "text", row.columns[self.text_column])
        return with_column(row, others, "spans", spans)


class Doccano(JsonLines):
    """ "text" and "label", as doccano takes them for sequence labeling."""

    def written(self, row: Row, records: list[Record]) -> dict[str, Any]:
        spans = [[record[key] for key in ("start", "end", "label")] for record in records]
        others = with_column(row, self.others(row), "text", row.columns[self.text_column])
        return with_column(row, others, "label", spans)


class LabelStudio(JsonLines):
    """One JSON list of tasks with predictions, as Label Studio takes them, for a configuration
    with `<Labels name="label" toName="text">` and `<Text name="text" value="$text">` (the name of
    the column of texts)."""

    begin, between, end = b"[\n", b",\n", b"\n]\n"

    def part(self, rows: Sequence[tuple[Row, Any]], schema: bytes | None) -> bytes:
        return b",\n".join(_line(self.written(*row)).rstrip(b"\n") for row in rows)

    def written(self, row: Row, records: list[Record]) -> dict[str, Any]:
        result = []
        for record in records:
            value = {key: record[key] for key in ("start", "end", "text")}
            one: dict[str, Any] = {"from_name": "label", "to_name": "text", "type": "labels"}
            one["value"] = {**value, "labels": [record["label"]]}
            if record[CONFIDENCE] is not None:
                one["score"] = record[CONFIDENCE]
            result.append(one)
        return {"data": row.columns, "predictions": [{"result": result}]}


def with_column(row: Row, columns: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """One more. Raises a `UserError` where it is there already."""
    if name in columns:
        raise UserError(
            f"{row.file}, row {row.number}: there is a column {name!r} already, where the entities "
            "or the text would go. Rename it, or give --entities-column another name (jsonl and "
            "parquet)."
        )
    return {**columns, name: value}


def _line(value: dict[str, Any]) -> bytes:
    """JSON has neither NaN nor half characters, and no dates: null, an escape, and text."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(_without_nan(value), default=str).encode() + b"\n"
    except ValueError:
        return _line(_without_nan(value))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


def _append(part: BinaryIO, whole: BinaryIO, between: bytes) -> bool:
    """RETURNS: whether there was anything."""
    start = part.read(1)
    if start:
        whole.write(between + start)
        shutil.copyfileobj(part, whole)
    return bool(start)


def make_form(name: str | None, output: Path, text_column: str, entities_column: str) -> Form:
    """The form of that name; None for what the suffix of the output says. Raises a `UserError`
    for another, and where a package is missing."""
    from spacy_finegrained_ner.annotate.tables import Parquet, SpacyFile

    forms: dict[str, Any] = {
        "jsonl": JsonLines,
        "prodigy": Prodigy,
        "doccano": Doccano,
        "label-studio": LabelStudio,
        "parquet": Parquet,
        "spacy": SpacyFile,
    }
    suffixes = {".jsonl": "jsonl", ".parquet": "parquet", ".spacy": "spacy"}
    found = name or suffixes.get(output.suffix.lower())
    if found not in forms:
        what = f"--to {name}" if name else f"{output}: the name does not tell the form. Give --to"
        raise UserError(f"{what}: expected one of {', '.join(forms)}.")
    form: Form = forms[found](text_column, entities_column)
    return form


def check_names(paths: Iterable[str], output: Path) -> None:
    """Raises a `UserError` where the output, or the file beside it of rows that are set aside, is
    one of the files that are read."""
    for written in (output, output.with_name(output.name + BAD)):
        if any(Path(p).exists() and written.exists() and written.samefile(p) for p in paths):
            raise UserError(f"{written} is one of the files to read. Give another --output.")
