"""Tables of all kinds: the texts out of them, and the entities as a column more."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_finegrained_ner.annotate.records import Record
from spacy_finegrained_ner.labels.confidence import (
    ALTERNATIVES,
    COARSE_CONFIDENCE,
    CONFIDENCE,
    EVIDENCE,
    SPAN_CONFIDENCE,
)

if TYPE_CHECKING:
    import pyarrow

EXPECTED = (
    "expected a list of texts, a pandas DataFrame, a pyarrow Table or RecordBatch, a mapping from "
    "columns to values, or an iterator of those"
)
Found = list[list[Record] | None]
"""The entities of each text, None for a text that is missing."""


def entities_type() -> pyarrow.DataType:
    """Of the column of entities, in Arrow: a list of structs, see `records.entity_records`."""
    import pyarrow as pa

    text, number = pa.string(), pa.float64()
    other = pa.struct([("label", text), ("confidence", number)])
    place = [("start", pa.int64()), ("end", pa.int64()), ("text", text)]
    fields = [*place, ("label", text), ("coarse_label", text)]
    fields += [(name, number) for name in (CONFIDENCE, COARSE_CONFIDENCE, SPAN_CONFIDENCE)]
    # None of a component that knows no names: the type is asked for before a pipeline is there
    several = [(name, pa.list_(text)) for name in ("topics", "types", "sources")]
    known = pa.list_(pa.struct([*place, *several]))
    return pa.list_(pa.struct([*fields, (ALTERNATIVES, pa.list_(other)), (EVIDENCE, known)]))


def texts_of(data: Any, column: str) -> list[Any]:
    """The texts of a table, or of a list of them.

    Raises a TypeError for another kind, and a ValueError where there is no such column.
    """
    if _is_frame(data) or _is_arrow(data) or isinstance(data, Mapping):
        columns = list(data.schema.names if _is_arrow(data) else data)
        if column not in columns:
            raise ValueError(
                f"There is no column {column!r} with the texts. There are: {columns}. Set "
                "text_column to one of them."
            )
        if columns.count(column) > 1:
            raise ValueError(f"There are two columns {column!r}, and the texts are in one.")
        values = data[column]
        if _is_arrow(data):
            return list(values.to_pylist())
        return list(values.tolist() if hasattr(values, "tolist") else values)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return list(data)
    raise TypeError(f"Found {type(data).__name__}, {EXPECTED}.")


def with_entities(data: Any, texts: list[Any], found: Found, text: str, column: str) -> Any:
    """The same kind again, with the entities as a column more; of a list of texts a list of rows.

    text, column: the names of the columns of texts and entities.
    """
    if _is_frame(data):
        made = data.copy(deep=False)
        made[column] = sys.modules["pandas"].Series(found, index=data.index, dtype=object)
        return made
    if _is_arrow(data):
        array = sys.modules["pyarrow"].array(found, type=entities_type())
        if column in data.schema.names:
            return data.set_column(data.schema.names.index(column), column, array)
        return data.append_column(column, array)
    if isinstance(data, Mapping):
        return {**data, column: found}
    return [{text: one, column: entities} for one, entities in zip(texts, found, strict=True)]


def is_missing(text: Any) -> bool:
    """None, NaN or pandas' NA."""
    return text is None or (isinstance(text, float) and text != text) or _is_na(text)


def _is_na(text: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and text is pandas.NA


# What is of a library has imported it
def _is_frame(data: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def _is_arrow(data: Any) -> bool:
    pa = sys.modules.get("pyarrow")
    return pa is not None and isinstance(data, pa.Table | pa.RecordBatch)
