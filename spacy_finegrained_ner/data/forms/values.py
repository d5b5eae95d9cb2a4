"""Values out of files: JSON, JSON lines, Parquet and Arrow. One value is one text, mostly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spacy_finegrained_ner.data.forms.record import FormError
from spacy_finegrained_ner.data.forms.text import lines_of

Value = tuple[str, Any]
"""Its place, and what it is."""


def read_json(path: Path, text: str) -> tuple[str, list[Value]]:
    """The kind of file ("JSON" or "JSONL") and its values: the lines, the elements of a list, or
    those of the only list that an object has. A `FormError` with the line for what is no JSON."""
    lines = [(number, line) for number, line in enumerate(lines_of(text), 1) if line.strip()]
    if len(lines) > 1 or lines[0][1].lstrip().startswith("{"):
        first = _complete(lines[0][1])
        lists = (
            [x for x in first.values() if isinstance(x, list)] if isinstance(first, dict) else []
        )
        whole = (
            len(lines) == 1 and len(lists) == 1 and set(first) <= {"annotations", "data", "classes"}
        )
        if first is not None and not whole:
            return "JSONL", [
                (f"{path}:{number}", _loads(path, line, number)) for number, line in lines
            ]
    value = _loads(path, text, 1)
    if isinstance(value, dict):
        lists = [x for x in value.values() if isinstance(x, list) and x and not _plain(x)]
        value = lists[0] if len(lists) == 1 and "text" not in value else [value]
    if not isinstance(value, list):
        raise FormError(f"{path}: found {str(value)[:40]!r}, expected a list of labelled texts.")
    return "JSON", [(f"{path}, text {i}", one) for i, one in enumerate(value, 1)]


def _plain(values: list[Any]) -> bool:
    return not isinstance(values[0], dict | list)


def _complete(line: str) -> Any:
    """The object or list that a line is; None for a part of one, as in JSON over several lines."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        # A line that is broken, of lines, is told as such
        return {} if line.lstrip().startswith("{") and line.rstrip().endswith("}") else None
    return found if isinstance(found, dict | list) else None


def _loads(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = line + error.lineno - 1
        shown = text.split("\n")[error.lineno - 1].strip()[:60]
        raise FormError(
            f"{path}:{at}: this is no JSON: {error.msg} (column {error.colno} of {shown!r}). "
            "JSON has no comma behind the last element, and its quotes are double."
        ) from None
    except ValueError:
        raise FormError(f"{path}:{line}: found a number with thousands of digits.") from None
    except RecursionError:
        raise FormError(f"{path}:{line}: this is JSON that is nested too deeply.") from None


def read_arrow(path: Path) -> tuple[str, list[Value], dict[str, Any]]:
    """The kind of file ("Parquet" or "Arrow"), its rows, and the features that Hugging Face's
    `datasets` has written beside its columns."""
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError:
        raise FormError(
            f"{path}: to read Parquet and Arrow, install pyarrow: "
            'pip install "spacy-finegrained-ner[parquet]"'
        ) from None
    kind = "Parquet"
    try:
        with path.open("rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PAR1"):
                table = parquet.read_table(file)
            else:
                kind = "Arrow"
                opened = ipc.open_file if magic == b"ARROW1" else ipc.open_stream
                table = opened(file).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise FormError(f"{path}: can't be read as {kind}: {error}.") from None
    written = (table.schema.metadata or {}).get(b"huggingface", b"{}")
    features = json.loads(written).get("info", {}).get("features", {})
    rows = [(f"{path}, row {i}", row) for i, row in enumerate(table.to_pylist(), 1)]
    return kind, rows, features


def features_beside(path: Path) -> dict[str, Any]:
    """Those that `datasets` has written into `dataset_info.json` or `dataset_infos.json`, beside
    the file or in one of the two folders above."""
    for folder in list(path.absolute().parents)[:3]:
        for name in ("dataset_info.json", "dataset_infos.json"):
            try:
                found = json.loads((folder / name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            infos = [found, *(x for x in found.values() if isinstance(x, dict))]
            for info in infos if isinstance(found, dict) else ():
                if isinstance(info.get("features"), dict):
                    features: dict[str, Any] = info["features"]
                    return features
    return {}
