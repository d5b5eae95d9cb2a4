"""Output that is no JSON: Parquet, and spaCy's own format."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, DocBin

from spacy_finegrained_ner.annotate.forms import with_column
from spacy_finegrained_ner.annotate.kinds import entities_type
from spacy_finegrained_ner.annotate.readers import COLUMNS
from spacy_finegrained_ner.annotate.records import entity_records
from spacy_finegrained_ner.annotate.rows import Row
from spacy_finegrained_ner.errors import UserError


class Parquet:
    """All columns and the entities, a list of structs. Columns of a Parquet file keep their types;
    those of JSON get one that holds all of their values, text (of JSON) at last."""

    take = staticmethod(entity_records)

    def __init__(self, text_column: str, entities_column: str) -> None:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise UserError(
                f"Parquet needs pyarrow ({error}). Install it: "
                'python -m pip install "spacy-finegrained-ner[annotate]"'
            ) from None
        self.entities_column = entities_column

    def part(self, rows: Sequence[tuple[Row, Any]], schema: bytes | None) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for row, _ in rows[:1] if schema else rows:
            with_column(row, row.columns, self.entities_column, None)
        if schema is None:
            names = list(dict.fromkeys(name for row, _ in rows for name in row.columns))
            columns = {name: _array([row.columns.get(name) for row, _ in rows]) for name in names}
            table = pa.table(columns)
        else:
            known = pa.ipc.read_schema(pa.py_buffer(schema))
            table = pa.Table.from_pylist([row.columns for row, _ in rows], schema=known)
        entities = pa.array([records for _, records in rows], type=entities_type())
        sink = io.BytesIO()
        pq.write_table(table.append_column(self.entities_column, entities), sink)
        return sink.getvalue()

    def join(self, parts: Sequence[Path], output: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([])
        for path in parts:
            schema = _unified(schema, pq.read_schema(path))
        for i, field in enumerate(schema):
            if not all(_fits(path, field) for path in parts):
                schema = schema.set(i, pa.field(field.name, pa.string()))
        with pq.ParquetWriter(output, schema) as whole:
            for path in parts:
                whole.write_table(_as(pq.ParquetFile(path).read(), schema))


def _array(values: list[Any]) -> Any:
    """In Arrow; as JSON where the values have more than one type."""
    import pyarrow as pa

    try:
        array = pa.array(values)
        if not _has_empty_struct(array.type):
            return array
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError):
        pass
    return pa.array([_json(value) for value in values])


def _has_empty_struct(kind: Any) -> bool:
    """Which Parquet has not."""
    import pyarrow as pa

    if pa.types.is_struct(kind) and not kind.num_fields:
        return True
    return any(_has_empty_struct(kind.field(i).type) for i in range(kind.num_fields))


def _json(value: Any) -> str | None:
    if isinstance(value, str):  # perhaps with half characters, which only an escape can be
        return value.encode("utf-8", "backslashreplace").decode()
    return None if value is None else json.dumps(value, default=str)


def _unified(one: Any, other: Any) -> Any:
    """A schema that holds the columns of both."""
    import pyarrow as pa

    fields = {field.name: field for field in one}
    for field in other:
        known = fields.get(field.name, field)
        try:
            pair = [pa.schema([known]), pa.schema([field])]
            fields[field.name] = pa.unify_schemas(pair, promote_options="permissive").field(0)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            fields[field.name] = pa.field(field.name, pa.string())
    return pa.schema(list(fields.values()))


def _fits(path: Path, field: Any) -> bool:
    """Whether all values are there in a column of this type: whole numbers beyond 2**53 are not in
    one of doubles, also within lists and structs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = pq.read_schema(path)
    if field.name not in known.names or known.field(field.name).type == field.type:
        return True
    if pa.types.is_string(field.type):  # made by `_as`
        return True
    try:
        for batch in pq.ParquetFile(path).iter_batches(columns=[field.name]):
            batch.column(0).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return False
    return True


def _as(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name not in table.schema.names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table.column(field.name)
        if pa.types.is_string(field.type) and not pa.types.is_string(column.type):
            columns.append(pa.array([_json(value) for value in column.to_pylist()], pa.string()))
        else:
            columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)


class SpacyFile:
    """A DocBin of the annotated Docs. The other columns of a row are in `doc.user_data`. It is
    held in memory when the parts are joined, as there is no other way to write one."""

    def __init__(self, text_column: str, entities_column: str) -> None:
        self.text_column = text_column

    def take(self, doc: Doc, component: Any) -> DocBin:
        # Vectors of an encoder: they are large, and msgpack does not take them
        data: dict[Any, Any] = doc.user_data
        data.pop(("._.", "trf_data", None, None), None)
        return DocBin(docs=[doc], store_user_data=True)

    def part(self, rows: Sequence[tuple[Row, Any]], schema: bytes | None) -> bytes:
        import srsly

        whole = DocBin(store_user_data=True)
        for row, one in rows:
            others = {key: v for key, v in row.columns.items() if key != self.text_column}
            if others:
                plain = json.loads(json.dumps(others, default=str))
                try:
                    srsly.msgpack_dumps(plain)
                except (OverflowError, UnicodeEncodeError):  # JSON has more than msgpack takes
                    plain = {_json(name): _json(value) for name, value in plain.items()}
                data = srsly.msgpack_loads(one.user_data[0], use_list=False)
                one.user_data[0] = srsly.msgpack_dumps({**data, COLUMNS: plain})
            whole.merge(one)
        return whole.to_bytes()

    def join(self, parts: Sequence[Path], output: Path) -> None:
        whole = DocBin(store_user_data=True)
        for path in parts:
            whole.merge(DocBin(store_user_data=True).from_bytes(path.read_bytes()))
        whole.to_disk(output)
