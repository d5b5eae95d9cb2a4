"""The text of a file: its encoding, and lines."""

from __future__ import annotations

import codecs
from pathlib import Path

from spacy_finegrained_ner.data.forms.record import FormError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, which begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def known_encoding(name: str) -> str:
    """The same name. A `FormError` for one that Python has no encoding of."""
    try:
        # base64 and the like are codecs, of bytes to bytes, and `undefined` is one of nothing
        "".encode(name)
    except (LookupError, ValueError):  # the latter for a NUL in it
        raise FormError(f"{name!r} is no encoding. Expected one such as cp1252.") from None
    return name


def read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormError(f"{path}: can't be read: {error.strerror}.") from None


def decoded(path: Path, content: bytes, encoding: str | None = None) -> tuple[str, str]:
    """The text and its encoding: that of the byte order mark, UTF-16 where every other byte is
    NUL, or else UTF-8. A `FormError` that names the line for bytes that are something else."""
    found = encoding or next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if found is None:
        head = content[:4096]
        found = "utf-8"
        if head.count(0) * 3 > len(head):  # of text in Latin letters
            found = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    try:
        text = content.decode(known_encoding(found))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormError(
            f"{path}:{line}: can't be read as {found}: {error.reason} at byte {error.start} of the "
            "file. Give its encoding (in Western Europe, what is no UTF-8 mostly is cp1252), or "
            "convert the file to UTF-8."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FormError(f"{path}:{line}: found a NUL character: this is no text file.")
    return text.removeprefix("\ufeff"), found


def lines_of(text: str) -> list[str]:
    """Split at \\n only (texts hold other line separators), without a carriage return before."""
    return [line.removesuffix("\r") for line in text.split("\n")]
