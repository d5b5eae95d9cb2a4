"""Which names are words of the language: as counted in gold data, where they are hardly ever
entities."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.knowledge.found import OF_FILE, Bools, Found, Ints
from spacy_finegrained_ner.knowledge.names import Names

Spans = Sequence[tuple[int, int]]

ENTITY, NONE, UNKNOWN = 1, 0, -1


class Gold:
    """What is known of the entities of a text: their bounds, and which tokens are not known."""

    def __init__(self, text: str, spans: Iterable[tuple[int, int]], known: Bools) -> None:
        """text: or its words, to tell whether it was counted. spans: none overlaps with another.
        known: *Shape:* (tokens,)."""
        data = text.casefold().encode("utf-8", "surrogatepass")
        self.digest = blake2b(data, digest_size=8).digest()
        self.known = known
        self._ends = dict(spans)
        self._starts = sorted(self._ends)

    def is_entity(self, start: int, end: int) -> int:
        """Whether a name is one: UNKNOWN also for one that lies within a longer entity."""
        if self._ends.get(start) == end:
            return ENTITY
        if not self.known[start:end].all():
            return UNKNOWN
        before = bisect_right(self._starts, start)
        within = before and end <= self._ends[self._starts[before - 1]]
        return UNKNOWN if within else NONE


class Counts:
    """How often each name of a file was met in gold data, and how often as an entity.

    least: the share of its places at which a name has to be one, to be a name; counted as if there
    were two more, one of each kind.

    Texts are told apart by their words alone: of two with the same words and other entities, the
    first is counted.
    """

    def __init__(self, names: Names, least: float) -> None:
        self.file = names
        self.least = least
        self._met = np.zeros(len(names), np.int32)
        self._entity = np.zeros(len(names), np.int32)
        self._texts: set[bytes] = set()

    def add(self, found: Found, gold: Sequence[Gold]) -> None:
        """Count texts. One that was counted already is not counted again."""
        new = np.zeros(len(gold), np.bool_)
        for i, one in enumerate(gold):
            new[i] = one.digest not in self._texts
            self._texts.add(one.digest)
        counted = found.only(new[found.text])
        kinds = _kinds(counted, gold)
        np.add.at(self._met, counted.number[kinds != UNKNOWN], 1)
        np.add.at(self._entity, counted.number[kinds == ENTITY], 1)

    def common(self) -> Ints:
        """The numbers of the names that are words."""
        met = np.flatnonzero(self._met)
        return met[self._is_common(self._met[met], self._entity[met])]

    def names(self, found: Found, gold: Sequence[Gold]) -> Bools:
        """Which are names, as counted in all other texts: nothing is made of a text's own gold.
        *Shape:* (names,)."""
        counted = np.array([one.digest in self._texts for one in gold], np.bool_)
        own = counted[found.text] & (found.part == OF_FILE)
        number = np.where(found.part == OF_FILE, found.number, 0)
        met, entity = self._met[number].astype(np.int64), self._entity[number].astype(np.int64)
        if own.any():
            mine = found.only(own)
            kinds = _kinds(mine, gold)
            _, which = np.unique(mine.text << 32 | mine.number, return_inverse=True)
            met[own] -= np.bincount(which, kinds != UNKNOWN)[which].astype(np.int64)
            entity[own] -= np.bincount(which, kinds == ENTITY)[which].astype(np.int64)
        return (found.part != OF_FILE) | ~self._is_common(met, entity)

    def _is_common(self, met: npt.NDArray, entity: npt.NDArray) -> Bools:
        return (met > 0) & ((entity + 1) / (met + 2) < self.least)


def _kinds(found: Found, gold: Sequence[Gold]) -> Ints:
    rows = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), strict=True)
    return np.array([gold[text].is_entity(start, end) for text, start, end in rows], np.int64)
