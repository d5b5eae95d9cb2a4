"""Files by name, by pattern or from standard input, compressed or not, as blocks of rows."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from spacy_finegrained_ner.annotate.readers import READERS, WHOLE_FILES
from spacy_finegrained_ner.annotate.rows import BLOCK_ROWS, BLOCK_SIZE, Block
from spacy_finegrained_ner.errors import UserError

STDIN = "-"
SUFFIXES = {
    **{".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv"},
    **{".txt": "text", ".parquet": "parquet", ".pq": "parquet", ".spacy": "spacy"},
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
BROKEN = (EOFError, zlib.error, lzma.LZMAError)


class Inputs:
    """Some files. It can be pickled, and read more than once.

    given: names, patterns (`texts/**/*.jsonl`; the files of one are sorted by name), or "-" for
    standard input. form: of `readers.READERS`; None for what the suffix of each file says.
    column: that of the texts. block_rows: of a block, at most.

    Raises a `UserError` for a file that is not there, or whose form can't be told.
    """

    def __init__(
        self,
        given: Sequence[str],
        form: str | None = None,
        column: str = "text",
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        if form is not None and form not in READERS:
            raise UserError(f"--from {form}: expected one of {', '.join(READERS)}.")
        self.column = column
        self.block_rows = block_rows
        self.files = [path for one in given for path in _expanded(one)]
        self.forms = [form or _form_of(path) for path in self.files]
        self.size: int | None = None
        if STDIN not in self.files:
            self.size = sum(Path(path).stat().st_size for path in self.files)

    def blocks(self) -> Iterator[Block]:
        """In the order of the rows. Raises a `UserError` for what can't be read at all."""
        block = Block(0)
        before = size = 0
        for path, form in zip(self.files, self.forms, strict=True):
            with _opened(path, form) as (raw, stream):
                for row, schema in READERS[form](path, stream, self.column):
                    full = len(block.rows) >= self.block_rows or size >= BLOCK_SIZE
                    if block.rows and (full or block.schema != schema):
                        block.position = before + _position(raw)
                        yield block
                        block, size = Block(block.number + 1), 0
                    block.schema = schema
                    block.rows.append(row)
                    size += row.size
            before += 0 if path == STDIN else Path(path).stat().st_size
        block.position = before
        if block.rows:
            yield block


def _expanded(given: str) -> list[str]:
    if given == STDIN or Path(given).is_file():
        return [given]
    if Path(given).is_dir():
        raise UserError(
            f"{given} is a folder. Give its files, such as '{given.rstrip('/')}/*.jsonl'."
        )
    if glob.has_magic(given):
        if found := sorted(p for p in glob.glob(given, recursive=True) if Path(p).is_file()):
            return found
        raise UserError(f"{given}: no file has a name like that.")
    if not Path(given).exists():
        raise UserError(f"{given}: there is no such file.")
    return [given]  # a named pipe


def _form_of(path: str) -> str:
    name = Path(path)
    if name.suffix.lower() in COMPRESSED:
        name = name.with_suffix("")
    if path == STDIN or name.suffix.lower() not in SUFFIXES:
        what = "Standard input" if path == STDIN else path
        raise UserError(
            f"{what}: the name does not tell the form. Give --from, one of {', '.join(READERS)}."
        )
    return SUFFIXES[name.suffix.lower()]


@contextmanager
def _opened(path: str, form: str) -> Iterator[tuple[Any, Any]]:
    """The file, by which one sees how much is read, and what is in it, decompressed."""
    if form in WHOLE_FILES:
        if path == STDIN:
            raise UserError(f"Standard input can't be {form}: that is read from a file only.")
        yield None, None
        return
    raw: Any
    try:
        with nullcontext(sys.stdin.buffer) if path == STDIN else open(path, "rb") as raw:
            yield raw, _plain(path, raw)
    except BROKEN as error:
        raise UserError(_damaged(path, error)) from None
    except OSError as error:
        if error.errno is not None:  # not what bz2, gzip and Arrow say of their data
            raise
        raise UserError(_damaged(path, error)) from None


def _damaged(path: str, error: Exception) -> str:
    return (
        f"{path}: what is compressed in it is damaged or cut off ({error}). Whole blocks of rows "
        "before that are annotated and kept."
    )


def _plain(path: str, raw: Any) -> BinaryIO:
    """By content, whatever the name. Raises a `UserError` for what can't be text."""
    start = raw.peek(8192)
    stream: Any = raw
    if start.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=raw)
    elif start.startswith(b"BZh"):
        stream = bz2.BZ2File(raw)
    elif start.startswith(b"\xfd7zXZ\x00"):
        stream = lzma.open(raw)  # noqa: SIM115
    elif start.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            import pyarrow as pa
        except ImportError:
            raise UserError(
                f"{path} is compressed with zstd, which needs pyarrow. Install it: python -m pip "
                'install "spacy-finegrained-ner[annotate]"'
            ) from None
        stream = pa.CompressedInputStream(raw, "zstd")
    if stream is not raw:
        stream = io.BufferedReader(stream)
        start = stream.peek(8192)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UserError(
            f"{path} is in UTF-16, expected UTF-8. Convert it: iconv -f utf-16 -t utf-8"
        )
    if b"\0" in start:
        raise UserError(
            f"{path} is binary (it has a NUL byte), expected text in UTF-8. If it has another "
            "form, say so with --from."
        )
    return stream


def _position(raw: Any) -> int:
    try:
        return 0 if raw is None else int(raw.tell())
    except OSError:  # a pipe
        return 0
