"""From names with topics and sources to a file of them. Keys wait on disk until all are there."""

from __future__ import annotations

import json
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any
from unicodedata import category

import marisa_trie
import numpy as np

from spacy_finegrained_ner.knowledge.form import SEPARATOR, Form
from spacy_finegrained_ner.knowledge.names import Names, pack
from spacy_finegrained_ner.whole import in_place_of

LONGEST_UNITS, LONGEST_CHARACTERS = 32, 512
"""Of a key. What is longer is no name, and each token of a text is compared with so much."""
_IN_MEMORY = 1 << 24
"""Bytes of keys that do not go to disk."""
_MOST = 1 << 16
"""Topics, and sources."""

REASONS = {
    "no_topic": "have no topic",
    "no_word": "have no letter, digit or symbol",
    "too_short": "are a single letter, digit or symbol",
    "too_long": f"are longer than {LONGEST_UNITS} words or {LONGEST_CHARACTERS} characters",
    "other_source": "come only from lists that are left out",
}
"""Why a name is left out."""


class Builder:
    """Takes names one by one, and makes a file of them.

    form: what counts as the same name. topics: the types of each topic, the likeliest first; a
    topic that is not there may be a type itself. sources: what is known of each, such as its
    `license`. allowed: whether names of a source are taken.

    left_out: how many names were, by the keys of REASONS.
    """

    def __init__(
        self,
        form: Form = Form(),  # noqa: B008 (it never changes)
        topics: Mapping[str, Sequence[str]] | None = None,
        sources: Mapping[str, Mapping[str, str]] | None = None,
        allowed: Callable[[str], bool] = lambda source: True,
    ) -> None:
        self.form = form
        self.left_out: Counter[str] = Counter()
        self.lines = 0
        self._types = dict(topics or {})
        self._known = dict(sources or {})
        self._allowed = allowed
        self._topics: dict[str, int] = {}
        self._sources: dict[str, int] = {}
        self._keys: Any = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._entries = array("Q")  # of each key: its topic and its source
        self._longest = 0

    def add(self, name: str, topic: str, sources: Sequence[str]) -> bool:
        """RETURNS: whether it was taken."""
        self.lines += 1
        if not topic:
            return self._leave("no_topic")
        some = [source for source in sources if self._allowed(source)]
        if not some:
            return self._leave("other_source")
        keys = form_keys(self.form, name)
        if reason := why_no_name(keys):
            return self._leave(reason)
        for key in keys:
            self.add_key(key, topic, some)
        return True

    def add_key(self, key: str, topic: str, sources: Sequence[str]) -> None:
        """A name in its form."""
        place = self._place(self._topics, topic, "topics") << 16
        for source in sources:
            self._keys.write(key.encode() + b"\n")
            self._entries.append(place | self._place(self._sources, source, "sources"))
        self._longest = max(self._longest, len(key))

    @property
    def untyped(self) -> list[str]:
        """The topics that nothing was said of."""
        return [topic for topic in self._topics if topic not in self._types]

    def _leave(self, reason: str) -> bool:
        self.left_out[reason] += 1
        return False

    def _place(self, places: dict[str, int], name: str, what: str) -> int:
        if name not in places and not is_text(name):
            raise ValueError(f"One of the {what} is {name[:60]!r}, half a character: mend it.")
        place = places.setdefault(name, len(places))
        if place >= _MOST:
            raise ValueError(
                f"There are more than {_MOST:,} {what} (the last is {name[:60]!r}), expected a "
                "few hundred: is this the right column?"
            )
        return place

    def _written(self) -> Iterator[str]:
        self._keys.seek(0)
        for line in self._keys:
            yield line[:-1].decode()

    def pieces(self) -> list[bytes]:
        """Of the file, one after the other."""
        trie = marisa_trie.Trie(self._written())
        numbers = np.fromiter((trie[key] for key in self._written()), np.uint64, len(self._entries))
        rows = np.frombuffer(self._entries, dtype=np.uint64) if self._entries else numbers
        rows = np.unique((numbers << np.uint64(32)) | rows)
        counts = np.bincount((rows >> np.uint64(32)).astype(np.int64), minlength=len(trie))
        topic_of = (rows >> np.uint64(16)) & np.uint64(_MOST - 1)
        topics = [(topic, self._types.get(topic, [topic])) for topic in self._topics]
        sources = [{"id": source, **self._known.get(source, {})} for source in self._sources]
        told = json.dumps([asdict(self.form), topics, sources], sort_keys=True)
        digest = blake2b(rows.tobytes() + told.encode(), digest_size=16)
        for key in self._written():
            digest.update(key.encode())
        return pack(
            trie,
            np.concatenate([[0], np.cumsum(counts)]),
            topic_of,
            rows & np.uint64(_MOST - 1),
            form=self.form,
            topics=topics,
            sources=sources,
            longest=self._longest,
            digest=digest.hexdigest(),
        )

    def names(self, where: str = "names in memory") -> Names:
        return Names(b"".join(self.pieces()), where)

    def write(self, path: Path) -> Names:
        """In place of the file that is there, at once: who has that mapped keeps it."""
        write_pieces(path, self.pieces())
        return Names.open(path)


def form_keys(form: Form, name: str) -> list[str]:
    """The keys of a name. Nothing is gained by taking the form of what is too long in any case."""
    return form.keys(name) if len(name) <= 8 * LONGEST_CHARACTERS else [name]


def why_no_name(keys: Sequence[str]) -> str | None:
    """One of REASONS why these can't be the keys of a name; None where they can."""
    if not keys:
        return "no_word"
    for key in keys:
        if key.count(SEPARATOR) > LONGEST_UNITS or len(key) > LONGEST_CHARACTERS:
            return "too_long"
        if len(key) == 2 and category(key[0]) != "Lo":  # such as 茶
            return "too_short"
    return None


def is_text(value: object) -> bool:
    """Whether it can be written: half a character, as JSON may have it, can't."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def write_pieces(path: Path, pieces: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with in_place_of(path) as new, new.open("wb") as file:
        file.writelines(pieces)
