"""The weights in a saved encoder, read where they are: each copy is as large as the encoder."""

from __future__ import annotations

import io
from typing import Any

import srsly

_KEY, _NONE = b"\xa5state\xc6", b"\xc0"
"""Of MessagePack: a string of five characters and the mark of up to 4 GiB of bytes; and None."""


class BytesView(io.RawIOBase):
    """A file of bytes that stay where they are (io.BytesIO copies what is no `bytes` object)."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._at = view, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, len(self._view))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._view[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def split_off(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """The message that `data` is, without its "state", and the bytes of that."""
    at = data.find(_KEY)
    if at < 0:  # there is none, or it is too short to count
        message = srsly.msgpack_loads(data)
        return message, memoryview(message.pop("state", b""))
    start = at + len(_KEY) + 4
    end = start + int.from_bytes(data[start - 4 : start], "big")
    rest = data[: start - 5] + _NONE + data[end:]
    return srsly.msgpack_loads(rest), memoryview(data)[start:end]
