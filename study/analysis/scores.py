"""F1 of runs, as they are and on drawn sentences, on all entities and on parts of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.scoring.bootstrap import f_scores
from study.runs.records import Found, Gold, Record

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float32]
"""*Shape:* (..., 3): true positives, false positives, false negatives."""

LENGTHS = ((1, 10), (11, 15), (16, 21), (22, 10_000))
"""Words of a sentence, from and to: groups of MultiCoNER II, .14 to .36 of its sentences each."""

LENGTH_NAMES = tuple(f"{a} to {b}" if b < 10_000 else f"{a} and more" for a, b in LENGTHS)

OF_LIKE_LENGTH = LENGTHS[1]
"""By how many words are in no entity only these are told apart: over all lengths that number is
little else than the length (on MultiCoNER II they correlate by .92)."""

CONTEXTS = (0, 8, 11)
"""From how many words that are in no entity: on MultiCoNER II a quarter to a half of the entities
of these sentences each."""

CONTEXT_NAMES = (
    *(f"{a} to {b - 1} around" for a, b in pairwise(CONTEXTS)),
    f"{CONTEXTS[-1]} and more around",
)
RARITY = ("rarest third", "middle third", "commonest third")
DIFFERENCES = {
    "short less long": (LENGTH_NAMES[0], LENGTH_NAMES[-1]),
    "unseen less seen": ("unseen", "seen"),
    "little less much": (CONTEXT_NAMES[0], CONTEXT_NAMES[-1]),
}
"""Pairs of parts: an effect on the difference of their F1 is by how much the effect on the first
exceeds that on the second."""

METRICS = ("micro", "macro")


@dataclass(frozen=True)
class Part:
    """A part of what is scored.

    kind: "all", "length" (of the sentence), "context" (its words outside of entities, in those
    `OF_LIKE_LENGTH`), "seen" (whether the entity's text is an entity of the training part), "type",
    "rarity" (of the types), "difference" (of two parts), "group" (of types) or "entities" (of a
    group of them). value: which.
    support: entities of the gold.
    """

    kind: str
    value: str
    support: int


Scores = dict[tuple[Part, str], Floats]
"""F1 by part and metric, of each run as it is and then on drawn sentences, the same for all runs.
*Shape:* (runs, 1 + draws)."""


def score_parts(records: Sequence[Record], name: str, gold: Gold, draws: int) -> Scores:
    """All parts that have entities, the whole first, and differences of parts last.

    records: of runs that were trained on the same data. name: of what is scored. draws: of the
    bootstrap over sentences.
    """
    length = np.searchsorted([low for low, _ in LENGTHS], gold.words, side="right") - 1
    support = np.zeros((len(LENGTHS), 2, len(gold.types)), dtype=int)
    for sentence, label, _, seen in gold.entities:
        support[length[sentence], seen, label] += 1
    times = _times(len(length), draws)
    inside = [np.flatnonzero(length == n) for n in range(len(LENGTHS))]
    chosen = {
        Part(kind, value, int(support[place].sum())): place
        for kind, value, place in _places(gold.types, support.sum(axis=(0, 1)))
    }
    rows: dict[tuple[Part, str], list[Floats]] = defaultdict(list)
    for record in records:
        counts = sentence_counts(record.sets[name], gold)
        # *Shape:* (1 + draws, lengths, 2, types, 3)
        sums = np.stack([resampled(counts[at], times[:, at]) for at in inside], axis=1)
        for part, place in chosen.items():
            micro, macro = f_scores(sums[(slice(None), *place)].sum(axis=(1, 2)))
            if part.support:
                rows[part, "micro"].append(micro)
            if part.kind == "all":
                # That of a small part is one of types with one or two entities
                rows[part, "macro"].append(macro)
    return _with_differences(rows)


def _with_differences(rows: Mapping[tuple[Part, str], list[Floats]]) -> Scores:
    found = {key: np.array(some) for key, some in rows.items()}
    named = {part.value: part for part, _ in found}
    for difference, pair in DIFFERENCES.items():
        if all(value in named for value in pair):
            first, second = (named[value] for value in pair)
            part = Part("difference", difference, min(first.support, second.support))
            found[part, "micro"] = found[first, "micro"] - found[second, "micro"]
    return found


def _places(
    types: Sequence[str], frequency: npt.NDArray[np.int64]
) -> Iterator[tuple[str, str, Any]]:
    """Kind, value and index into (lengths, 2, types) of each part."""
    every = slice(None)
    yield "all", "all", (every, every, every)
    for n, name in enumerate(LENGTH_NAMES):
        yield "length", name, ([n], every, every)
    for n, name in ((1, "seen"), (0, "unseen")):
        yield "seen", name, (every, [n], every)
    for n, name in enumerate(types):
        yield "type", name, (every, every, [n])
    order = sorted(np.flatnonzero(frequency).tolist(), key=lambda n: (frequency[n], n))
    # Of one rare type alone there are too few to tell much
    thirds = np.array_split(np.array(order, dtype=int), len(RARITY))
    for name, third in zip(RARITY, thirds, strict=True):
        yield "rarity", name, (every, every, third)


def score_sentences(records: Sequence[Record], name: str, gold: Gold, draws: int) -> Scores:
    """Micro F1 by the length of the sentence, and in those of like length by how many of its words
    are in no entity. Parameters are those of `score_parts`."""
    words = np.array(gold.words)
    sentence = [at for at, *_ in gold.entities]
    inside = np.bincount(sentence, [many for _, _, many, _ in gold.entities], len(words))
    entities = np.bincount(sentence, minlength=len(words))
    times = _times(len(words), draws)
    shortest, longest = OF_LIKE_LENGTH
    alike = (words >= shortest) & (words <= longest)
    places = {}
    for kind, size, edges, names, among in (
        ("length", words, [low for low, _ in LENGTHS], LENGTH_NAMES, words > 0),
        ("context", words - inside, CONTEXTS, CONTEXT_NAMES, alike),
    ):
        bins = np.searchsorted(edges, size, side="right") - 1
        for n, value in enumerate(names):
            at = np.flatnonzero(among & (bins == n))
            places[Part(kind, value, int(entities[at].sum()))] = at
    rows: dict[tuple[Part, str], list[Floats]] = defaultdict(list)
    for record in records:
        counts = sentence_counts(record.sets[name], gold).sum(axis=1)
        for part, at in places.items():
            if part.support:
                micro, _ = f_scores(resampled(counts[at], times[:, at]))
                rows[part, "micro"].append(micro)
    return _with_differences(rows)


def score_groups(
    records: Sequence[Record],
    name: str,
    gold: Gold,
    draws: int,
    groups: Mapping[str, Sequence[str]],
) -> Scores:
    """All entities, and those of groups of types. Parameters are those of `score_parts`; the
    records may be of other training data, as long as all have this gold."""
    times = _times(len(gold.words), draws)
    own = {"": gold.types, **groups}
    places = {
        group: [n for n, label in enumerate(gold.types) if label in set(types)]
        for group, types in own.items()
    }
    support = np.bincount([label for _, label, *_ in gold.entities], minlength=len(gold.types))
    found: dict[tuple[Part, str], list[Floats]] = defaultdict(list)
    for record in records:
        sums = resampled(sentence_counts(record.sets[name], gold).sum(axis=1), times)
        for group, place in places.items():
            part = Part("group" if group else "all", group or "all", int(support[place].sum()))
            for metric, f1 in zip(METRICS, f_scores(sums[:, place]), strict=True):
                found[part, metric].append(f1)
    return {key: np.array(some) for key, some in found.items()}


def score_recall(
    records: Sequence[Record],
    name: str,
    gold: Gold,
    draws: int,
    groups: Mapping[str, Sequence[int]],
) -> Scores:
    """Recall of groups of entities, without those that are empty. groups: of each, places in the
    gold table. Other parameters are those of `score_groups`."""
    sentences = len(gold.words)
    times = _times(sentences, draws)
    sentence = np.array([row[0] for row in gold.entities])
    hits = [np.array([*_hits(record.sets[name], gold)]) == "1" for record in records]
    found: Scores = {}
    for group, places in groups.items():
        if len(places):
            where = sentence[[*places]]
            # A draw may have none of them
            entities = np.maximum(times @ np.bincount(where, minlength=sentences), 1)
            counts = [np.bincount(where, own[[*places]], sentences) for own in hits]
            part = Part("entities", group, len(places))
            found[part, "recall"] = np.array([times @ own / entities for own in counts])
    return found


def _hits(found: Found, gold: Gold) -> str:
    """Raises a ValueError if the two do not belong together."""
    hits = found.hits or ""
    if len(hits) != len(gold.entities):
        raise ValueError(
            f"A run has scored {len(hits)} entities and the gold table has "
            f"{len(gold.entities)}: they are of different data."
        )
    return hits


def sentence_counts(found: Found, gold: Gold) -> Counts:
    """Counts of one run on one set. *Shape:* (sentences, 2, types, 3); first the entities whose
    text is no entity of the training part, then those whose text is one.

    Raises a ValueError if the two do not belong together.
    """
    hits = _hits(found, gold)
    counts = np.zeros((len(gold.words), 2, len(gold.types), 3), dtype=np.float32)
    for hit, (sentence, label, _, seen) in zip(hits, gold.entities, strict=True):
        counts[sentence, seen, label, 0 if hit == "1" else 2] += 1
    for sentence, label, seen in found.false:
        counts[sentence, seen, label, 1] += 1
    return counts


def pooled_scores(record: Record, name: str, gold: Gold) -> dict[str, float] | None:
    """F1 by metric with the counts of the batches of the last epoch of training added to those of
    the set, as the paper's code does; None for a run that has not counted them."""
    batches = record.trained[-1].on_batches if record.trained else None
    if batches is None:
        return None
    of_set = sentence_counts(record.sets[name], gold).sum(axis=(0, 1))
    counts = dict(zip(gold.types, of_set, strict=True))
    nothing = np.zeros(3)
    total = [
        counts.get(label, nothing) + np.array(batches.get(label, nothing))
        for label in {**counts, **batches}
    ]
    return {m: float(f1) for m, f1 in zip(METRICS, f_scores(np.array(total)), strict=True)}


def _times(sentences: int, draws: int) -> Counts:
    """Each sentence once, and then as `draw_sentences` has it. *Shape:* (1 + draws, sentences)."""
    as_they_are = np.ones((1, sentences), dtype=np.float32)
    return np.vstack([as_they_are, draw_sentences(sentences, draws)])


def draw_sentences(sentences: int, draws: int, seed: int = 0) -> Counts:
    """How often each sentence is drawn, with replacement. *Shape:* (draws, sentences)."""
    rng = np.random.default_rng(seed)
    even = np.full(sentences, 1.0 / sentences)
    return rng.multinomial(sentences, even, size=draws).astype(np.float32)


def resampled(counts: Counts, times: Counts) -> Counts:
    """Sums over sentences that are drawn so many times. *Shape:* (sentences, ...) and
    (draws, sentences) to (draws, ...)."""
    sums: Counts = np.tensordot(times, counts, axes=1)
    return sums
