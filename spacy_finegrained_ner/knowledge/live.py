"""Names at work: those of a file, and what was added and removed since, also while others read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

import numpy as np

from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.knowledge.form import Form
from spacy_finegrained_ner.knowledge.forms import Forms, Tokens
from spacy_finegrained_ner.knowledge.found import ADDED, Found, Ints
from spacy_finegrained_ner.knowledge.given import check_topic, check_words, keys_of, several
from spacy_finegrained_ner.knowledge.matcher import find
from spacy_finegrained_ner.knowledge.names import Names

SOURCE = "added"
"""Of the names that are added to a pipeline, where none is said."""


@dataclass(frozen=True)
class State:
    """What a reader takes hold of once: a writer puts another in its place.

    added: as `Names`; entries: the same as what was given, topics and sources by key. types: of
    the topics of what was added. removed, common: keys that are not found, or not in prediction.
    """

    file: Names
    forms: Forms
    added: Names | None
    entries: Mapping[str, Sequence[tuple[str, str]]]
    types: Mapping[str, Sequence[str]]
    removed: frozenset[str]
    common: frozenset[str]
    hidden: Ints
    hidden_in_training: Ints

    @property
    def parts(self) -> tuple[Names, Names | None]:
        return self.file, self.added

    def described(self, part: int, number: int) -> dict[str, list[str]]:
        """The topics, types and sources of a name of the file, or of what was added."""
        names = self.parts[part]
        assert names is not None
        return names.described(number)


def _state(
    file: Names,
    entries: Mapping[str, Sequence[tuple[str, str]]],
    types: Mapping[str, Sequence[str]],
    removed: frozenset[str],
    common: frozenset[str],
    before: State | None = None,
) -> State:
    if before is not None and before.entries is entries and before.file is file:
        added = before.added
    elif entries:
        known = dict(zip(file.topics, file.types, strict=True)) | dict(types)
        sources = {source["id"]: source for source in file.sources}
        builder = Builder(file.form, known, sources)
        for key, some in entries.items():
            for topic, source in [*_entries_of(file, key), *some]:
                builder.add_key(key, topic, [source])
        added = builder.names("names added to a pipeline")
    else:
        added = None
    # What is in both is found once, as what was added: it has the entries of the file, too
    gone = _numbers(file, [*removed, *entries])
    hidden = np.union1d(gone, _numbers(file, common - entries.keys()))
    forms = before.forms if before is not None and before.file is file else Forms(file.form)
    return State(file, forms, added, entries, types, removed, common, hidden, gone)


def _check_form(file: Names, expected: Form) -> None:
    if file.form != expected:
        raise ValueError(
            f"The names were built with {file.form}, expected {expected}, as those that they take "
            "the place of. Build them with the same options."
        )


def _numbers(file: Names, keys: Iterable[str]) -> Ints:
    found = [number for number in file.ids(keys) if number >= 0]
    return np.unique(np.array(found, dtype=np.int64))


def _entries_of(file: Names, key: str) -> list[tuple[str, str]]:
    (number,) = file.ids([key])
    if number < 0:
        return []
    return [(file.topics[t], file.sources[s]["id"]) for t, s in file.entries_of(number)]


class LiveNames:
    """The names that a pipeline knows now. Any number of threads may read; `add` and `remove` are
    seen by whatever is found after they return."""

    def __init__(self, file: Names) -> None:
        self._now = _state(file, {}, {}, frozenset(), frozenset())
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file, "changes": self.changes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._lock = Lock()
        self._now = _state(state["file"], {}, {}, frozenset(), frozenset())
        self.change(state["changes"])

    @property
    def now(self) -> State:
        """For readers: what it holds does not change."""
        return self._now

    @property
    def file(self) -> Names:
        return self._now.file

    @property
    def common(self) -> frozenset[str]:
        """Keys that are words rather than names: they are not found in prediction, unless they
        were added."""
        return self._now.common

    @common.setter
    def common(self, keys: Iterable[str]) -> None:
        with self._lock:
            now = self._now
            self._now = _state(now.file, now.entries, now.types, now.removed, frozenset(keys), now)

    def use(self, file: Names) -> None:
        """Other names in place of those of the file. What was added and removed stays so. A
        ValueError for names of another form: keys would not be found."""
        with self._lock:
            now = self._now
            _check_form(file, now.file.form)
            self._now = _state(file, now.entries, now.types, now.removed, now.common)

    def add(
        self,
        names: str | Iterable[str],
        topic: str,
        types: Sequence[str] | None = None,
        source: str = SOURCE,
    ) -> int:
        """Names of one topic, from now on.

        topic: of the file, or another one. types: of such; None for a topic of the file, or one
            that is a type itself.
        RETURNS: how many are new. A ValueError for what is no name (one that `knowledge build`
            would leave out) or no topic, before any is added.
        """
        check_topic(topic, types, source)
        given = several(names)
        with self._lock:
            now = self._now
            if types is not None and topic in now.file.topics:
                raise ValueError(
                    f"The topic {topic!r} has types in the file of names already "
                    f"({now.file.types[now.file.topics.index(topic)]}). Name another topic."
                )
            entries = {key: list(some) for key, some in now.entries.items()}
            back: set[str] = set()
            new = 0
            for name in given:
                keys = keys_of(name, now.file.form)
                back.update(keys)
                pair = (topic, source)
                fresh = [key for key in keys if pair not in entries.get(key, ())]
                new += bool(fresh)
                for key in fresh:
                    entries.setdefault(key, []).append(pair)
            known = {**now.types, topic: list(types)} if types is not None else now.types
            self._now = _state(now.file, entries, known, now.removed - back, now.common)
        return new

    def remove(self, names: str | Iterable[str]) -> int:
        """Names that are not to be found from now on, whether added or of the file. RETURNS: how
        many of them were known."""
        given = several(names)
        with self._lock:
            now = self._now
            keys = [keys_of(name, now.file.form, added=False) for name in given]
            flat = [key for some in keys for key in some]
            known = {key for key, i in zip(flat, now.file.ids(flat), strict=True) if i >= 0}
            known |= now.entries.keys()
            count = sum(any(key in known - now.removed for key in some) for some in keys)
            entries = {key: some for key, some in now.entries.items() if key not in {*flat}}
            removed = now.removed | {*flat}
            self._now = _state(now.file, entries, now.types, removed, now.common)
        return count

    def saved_sources(self, file: bool) -> list[dict[str, str]]:
        """What is known of the sources of the names that are saved with a pipeline: those that were
        added, with a source, and if `file` says so those of the file."""
        now = self._now
        known = {source["id"]: source for source in now.file.sources}
        added = {source for some in now.entries.values() for _, source in some} - {SOURCE}
        saved = dict.fromkeys([*(known if file else ()), *sorted(added)])
        return [known.get(source, {"id": source}) for source in saved]

    def changes(self) -> dict[str, Any]:
        """What was added and removed, as plain values, and the form of their keys."""
        now = self._now
        return {
            "form": asdict(now.file.form),
            "added": [[key, *pair] for key, some in now.entries.items() for pair in some],
            "types": {topic: list(types) for topic, types in now.types.items()},
            "removed": sorted(now.removed),
            "common": sorted(now.common),
        }

    def change(self, changes: Mapping[str, Any]) -> None:
        """The way back. A ValueError where the names of the file have another form."""
        if "form" in changes:
            _check_form(self.file, Form.of_plain(changes["form"]))
        entries: dict[str, list[tuple[str, str]]] = {}
        for key, topic, source in changes["added"]:
            entries.setdefault(key, []).append((topic, source))
        with self._lock:
            self._now = _state(
                self._now.file,
                entries,
                dict(changes["types"]),
                frozenset(changes["removed"]),
                frozenset(changes["common"]),
            )

    def listed(self, words: Sequence[str]) -> list[dict[str, Any]]:
        """The names in a text, from left to right: `start` and `end` (exclusive) among its words,
        `topics`, `types` and `sources`."""
        check_words(words)
        now = self._now
        found = self.find([words], now)
        rows = np.stack([found.start, found.end, found.part, found.number], axis=1).tolist()
        return [
            {"start": start, "end": end, **now.described(part, number)}
            for start, end, part, number in rows
        ]

    def find(
        self, texts: Sequence[Tokens], now: State | None = None, training: bool = False
    ) -> Found:
        """All names in texts, see `forms.Tokens`. now: `self.now`, where
        more is asked of it. training: also words that are hardly ever names."""
        now = now or self._now
        hidden = now.hidden_in_training if training else now.hidden
        rows: list[tuple[int, int, int, int, int]] = []
        for text, words in enumerate(texts):
            forms, joined = now.forms.of(words)
            for part, names in enumerate(now.parts):
                if names is not None:
                    rows += [
                        (text, start, end, part, number)
                        for start, end, number in find(names.trie, forms, names.longest, joined)
                    ]
        if not rows:
            return Found()
        if now.added is not None:
            rows.sort()
        found = Found(*np.array(rows, dtype=np.int64).T)
        if not len(hidden):
            return found
        at = np.minimum(np.searchsorted(hidden, found.number), len(hidden) - 1)
        return found.only((found.part == ADDED) | (hidden[at] != found.number))
