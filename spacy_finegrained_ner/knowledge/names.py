"""The file of names: a trie of their keys, and what each stands for; memory-mapped.

A file is eight bytes of magic, the length of the header (8 bytes, little-endian), the header as
JSON, and the arrays that it lists, each at a multiple of 64 bytes.
"""

from __future__ import annotations

import json
import mmap
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import marisa_trie
import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.knowledge.form import Form

MAGIC = b"FGNAMES1"
_ALIGNMENT = 64

Ints = npt.NDArray[Any]


class Names:
    """Names with their topics and sources. Nothing in it ever changes.

    A name has entries, a topic and a source each: those of the name i are the rows
    `starts[i]:starts[i + 1]` of `topic_of` and `source_of`, which are places in `topics` and
    `sources`.
    """

    def __init__(self, data: Any, where: str, path: Path | None = None) -> None:
        """data: a buffer, kept as it is. where: it comes from, for messages. path: of the file
        that it is a view of.

        Raises a ValueError for what is no file of names, or only a part of one.
        """
        view = memoryview(data)
        size = int.from_bytes(view[8:16], "little")
        if bytes(view[:8]) != MAGIC or len(view) < 16 + size:
            raise ValueError(
                f"{where} is no file of names (it begins with {bytes(view[:8])!r}), expected what "
                "the command `knowledge build` writes."
            )
        try:
            self.header: dict[str, Any] = json.loads(bytes(view[16 : 16 + size]))
            self._read(view, where, _aligned(16 + size))
        except (KeyError, TypeError, UnicodeError, RuntimeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{where} is damaged ({error!r:.200}). Build it again, or copy it again."
            ) from None
        self.path = path
        self._data = data

    def _read(self, view: memoryview, where: str, start: int) -> None:
        """start: where the arrays begin."""
        if len(view) != self.header["size"]:
            raise ValueError(
                f"{where} has {len(view):,} bytes, expected {self.header['size']:,}: it was cut or "
                "is damaged. Build it again, or copy it again."
            )
        parts: dict[str, memoryview] = {}
        for name, dtype, length in self.header["parts"]:
            parts[name] = view[start : start + length]
            start += _aligned(length)
            if name != "trie":
                setattr(self, name, np.frombuffer(parts[name], dtype=dtype))
        self.trie = marisa_trie.Trie().map(parts["trie"])
        self.form = Form.of_plain(self.header["form"])
        self.topics: list[str] = [topic for topic, _ in self.header["topics"]]
        self.types: list[list[str]] = [types for _, types in self.header["topics"]]
        self.sources: list[dict[str, str]] = self.header["sources"]
        self.longest: int = self.header["longest"]

    starts: Ints
    topic_of: Ints
    source_of: Ints

    @staticmethod
    def open(path: str | Path) -> Names:
        """Map a file into memory. An OSError where it can't be read."""
        path = Path(path).absolute()  # what is pickled may be opened elsewhere
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ValueError(f"{path} is empty, expected what `knowledge build` writes.")
            return Names(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), str(path), path)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        """By the path where these names are still there, so that a process of its own maps the file
        again; else as a whole."""
        path = self.path if self._is_there() else None
        return _unpickled, (path, self.digest, None if path else bytes(self._data))

    def _is_there(self) -> bool:
        try:
            return self.path is not None and Names.open(self.path).digest == self.digest
        except (OSError, ValueError):
            return False

    @property
    def digest(self) -> str:
        return cast(str, self.header["digest"])

    def to_bytes(self) -> bytes:
        return bytes(self._data)

    def ids(self, keys: Iterable[str]) -> list[int]:
        """The number of each key, -1 where there is no such name."""
        return [self.trie.get(key, -1) for key in keys]

    def key(self, number: int) -> str:
        return cast(str, self.trie.restore_key(number))

    def entries(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Of names: for each of their entries the place of its name among them, and its row."""
        counts = (self.starts[numbers + 1] - self.starts[numbers]).astype(np.int64)
        whose = np.repeat(np.arange(len(numbers)), counts)
        first = np.repeat(self.starts[numbers].astype(np.int64), counts)
        within = np.arange(len(whose)) - np.repeat(np.cumsum(counts) - counts, counts)
        return whose, first + within

    def by_topic(self) -> list[tuple[str, int]]:
        """How many entries each topic has, the most first."""
        return _counted(self.topic_of, self.topics)

    def by_source(self) -> list[tuple[str, int]]:
        """How many entries each source has, the most first."""
        return _counted(self.source_of, [source["id"] for source in self.sources])

    def entries_of(self, number: int) -> list[tuple[int, int]]:
        """The entries of one name: places in `topics` and in `sources`."""
        rows = slice(*self.starts[number : number + 2].tolist())
        pairs = zip(self.topic_of[rows].tolist(), self.source_of[rows].tolist(), strict=True)
        return list(pairs)

    def described(self, number: int) -> dict[str, list[str]]:
        """The topics, types and sources of a name; those that most sources say come first."""
        entries = self.entries_of(number)
        topics = Counter(topic for topic, _ in entries)
        types: dict[str, float] = defaultdict(float)
        for topic, sources in topics.items():
            for rank, name in enumerate(self.types[topic], 1):
                types[name] += sources / rank
        return {
            "topics": [self.topics[topic] for topic, _ in topics.most_common()],
            "types": sorted(types, key=types.__getitem__, reverse=True),
            "sources": [self.sources[i]["id"] for i in sorted({source for _, source in entries})],
        }


def _counted(places: Ints, names: Sequence[str]) -> list[tuple[str, int]]:
    counts = np.bincount(places, minlength=len(names))
    return [(names[i], int(counts[i])) for i in np.argsort(-counts, kind="stable").tolist()]


def _unpickled(path: Path | None, digest: str, data: bytes | None) -> Names:
    if data is not None:
        return Names(data, "a pickled pipeline")
    names = Names.open(cast(Path, path))
    if names.digest != digest:
        raise ValueError(
            f"{path} holds other names than the pipeline that was pickled. Pickle it again."
        )
    return names


def pack(
    trie: Any,
    starts: Ints,
    topic_of: Ints,
    source_of: Ints,
    *,
    form: Form,
    topics: Sequence[tuple[str, Sequence[str]]],
    sources: Sequence[Mapping[str, str]],
    longest: int,
    digest: str,
) -> list[bytes]:
    """The pieces of a file, one after the other. longest: characters of a key, at most."""
    parts = {
        "starts": starts.astype("<u4").tobytes(),
        "topic_of": topic_of.astype(np.min_scalar_type(len(topics))).tobytes(),
        "source_of": source_of.astype(np.min_scalar_type(len(sources))).tobytes(),
        "trie": trie.tobytes(),
    }
    dtypes = {
        "starts": "<u4",
        "topic_of": np.min_scalar_type(len(topics)).str,
        "source_of": np.min_scalar_type(len(sources)).str,
        "trie": "",
    }
    header: dict[str, Any] = {
        "form": asdict(form),
        "topics": [[topic, list(types)] for topic, types in topics],
        "sources": [dict(source) for source in sources],
        "longest": longest,
        "digest": digest,
        "parts": [[name, dtypes[name], len(data)] for name, data in parts.items()],
        "size": 10**15,  # as long as the number that takes its place
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    body = sum(_aligned(len(data)) for data in parts.values())
    total = _aligned(16 + len(text)) + body
    text = text.replace(str(10**15).encode(), f"{total:>16}".encode())
    pieces = [MAGIC + len(text).to_bytes(8, "little") + text, *parts.values()]
    return [piece + b"\0" * (_aligned(len(piece)) - len(piece)) for piece in pieces]


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
