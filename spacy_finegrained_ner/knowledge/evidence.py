"""From names in texts to the numbers that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.knowledge.found import Bools, Found, Ints
from spacy_finegrained_ner.knowledge.names import Names

Floats = npt.NDArray[np.float32]

LIKELIEST = (1.0, 0.5, 0.25)
"""What the types of a topic count, the likeliest first; in all 1."""
BUCKETS = 6
"""Of tokens, types and sources of a name: 1 to 5, and more."""
BEGIN, INSIDE, LAST, WHOLE = range(4)
"""The place of a token in a name."""


@dataclass(frozen=True)
class Evidence:
    """What a model is told of names in texts. Tokens are counted through all texts; `tokens`, how
    many there are, stands for none.

    of each name, *Shape:* (names,): length, ambiguity (types that it may have), sources (that have
    it), each a bucket from 0; before, after: the tokens around it.
    of its types: rows from 1 (0: a type that the model does not know), weights which add up to at
    most 1, *Shape:* (entries,); type_starts: where those of a name begin, *Shape:* (names,). So
    also of its topics.
    of each token within a name: token, name, place. *Shape:* (pairs,).
    """

    tokens: int
    length: Ints
    ambiguity: Ints
    sources: Ints
    before: Ints
    after: Ints
    type_rows: Ints
    type_weights: Floats
    type_starts: Ints
    topic_rows: Ints
    topic_weights: Floats
    topic_starts: Ints
    token: Ints
    name: Ints
    place: Ints


class Vocabulary:
    """The types and topics that a model knows, each a row of its own from 1 on."""

    def __init__(self, types: Sequence[str], topics: Sequence[str]) -> None:
        self.types, self.topics = list(types), list(topics)
        self._type_row = {name.casefold(): row for row, name in enumerate(self.types, 1)}
        self._topic_row = {name: row for row, name in enumerate(self.topics, 1)}
        self._tables: WeakKeyDictionary[Names, tuple[Ints, Floats, Ints]] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[Vocabulary], tuple[list[str], list[str]]]:
        return Vocabulary, (self.types, self.topics)

    def tables(self, names: Names) -> tuple[Ints, Floats, Ints]:
        """Of each topic of a file: the rows of its types, their weights, and its own row.
        *Shape:* (topics, types of a topic), the same, and (topics,)."""
        found = self._tables.get(names)
        if found is None:
            rows = np.zeros((len(names.topics), len(LIKELIEST)), np.int64)
            for topic, types in enumerate(names.types):
                known = [self._type_row.get(name.casefold(), 0) for name in types]
                known = [row for row in known if row][: len(LIKELIEST)]
                rows[topic, : len(known)] = known
            weights = np.where(rows > 0, np.asarray(LIKELIEST, np.float32), 0)
            total = np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-9))
            own = np.array([self._topic_row.get(topic, 0) for topic in names.topics], np.int64)
            found = self._tables[names] = rows, (weights / total).astype(np.float32), own
        return found


def evidence(
    found: Found,
    parts: Sequence[Names | None],
    vocabulary: Vocabulary,
    lengths: Sequence[int],
    topics_seen: Bools | None = None,
) -> Evidence:
    """parts: those that `Found.part` counts. lengths: tokens of each text. topics_seen: of each
    name whether its topics are; None for all."""
    whose, topic_rows, sources, type_rows, type_weights = _entries(found, parts, vocabulary)
    names = len(found)
    counts = np.bincount(whose, minlength=names)
    starts = np.cumsum(counts) - counts
    share = (1.0 / np.maximum(counts, 1)).astype(np.float32)[whose]
    if topics_seen is not None:
        topic_rows = np.where(topics_seen[whose], topic_rows, 0)
    pairs = np.unique((whose[:, None] << 32 | type_rows)[type_rows > 0])
    ambiguity = np.bincount(pairs >> 32, minlength=names)
    several = np.bincount(np.unique(whose << 32 | sources) >> 32, minlength=names)

    texts = np.asarray(lengths, dtype=np.int64)
    first = np.cumsum(texts) - texts
    total = int(texts.sum())
    size = found.end - found.start
    at = first[found.text] + found.start
    name = np.repeat(np.arange(names), size)
    within = np.arange(len(name)) - np.repeat(np.cumsum(size) - size, size)
    place = np.where(within == 0, BEGIN, INSIDE)
    place = np.where(within == size[name] - 1, np.where(within == 0, WHOLE, LAST), place)
    return Evidence(
        tokens=total,
        length=_bucket(size),
        ambiguity=_bucket(ambiguity),
        sources=_bucket(several),
        before=np.where(found.start > 0, at - 1, total),
        after=np.where(found.end < texts[found.text], at + size, total),
        type_rows=type_rows.reshape(-1),
        type_weights=(type_weights * share[:, None]).reshape(-1),
        type_starts=starts * len(LIKELIEST),
        topic_rows=topic_rows,
        topic_weights=share,
        topic_starts=starts,
        token=at[name] + within,
        name=name,
        place=place,
    )


def _entries(
    found: Found, parts: Sequence[Names | None], vocabulary: Vocabulary
) -> tuple[Ints, Ints, Ints, Ints, Floats]:
    """Of the entries of all names, in the order of the names: whose it is, the row of its topic,
    its source, and the rows and weights of its types."""
    columns = []
    for part, names in enumerate(parts):
        of_part = np.flatnonzero(found.part == part)
        if names is None or not len(of_part):
            continue
        rows, weights, own = vocabulary.tables(names)
        among, entry = names.entries(found.number[of_part])
        topic = names.topic_of[entry]
        # Sources of the two parts are not the same
        source = names.source_of[entry].astype(np.int64) + (part << 16)
        columns.append((of_part[among], own[topic], source, rows[topic], weights[topic]))
    if not columns:
        none = np.empty(0, np.int64)
        wide = np.empty((0, len(LIKELIEST)), np.int64)
        return none, none, none, wide, wide.astype(np.float32)
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    whose, topic, source, rows, weights = (column[order] for column in joined)
    return whose, topic, source, rows, weights


def _bucket(count: Ints) -> Ints:
    return np.clip(count, 1, BUCKETS) - 1
