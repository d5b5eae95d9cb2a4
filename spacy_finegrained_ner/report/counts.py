"""What a report counts: by type, by kind of error, by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from spacy.scorer import PRFScore

from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.report.outcomes import (
    INVENTED,
    RIGHT,
    WRONG_COARSE,
    WRONG_FINE,
    Mark,
    Text,
    Training,
)
from spacy_finegrained_ner.scoring.bootstrap import counts_of, intervals
from spacy_finegrained_ner.scoring.judgements import Bools, Floats
from spacy_finegrained_ner.scoring.scorer import MENTION, EntityCounts, Spans

FLAT, FINE, COARSE, MENTIONS = "types", "fine types", "coarse types", "mentions"
"""Levels of scores."""

LENGTHS = (5, 10, 20, 40)
FREQUENCIES = (0, 9, 49, 199, 499, 999)
SEEN, UNSEEN = "seen", "not seen"


@dataclass
class Tally:
    """Outcomes of the gold and of the predicted entities of a group."""

    gold: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)

    @property
    def score(self) -> PRFScore:
        right = self.gold[RIGHT]
        return PRFScore(
            tp=right,
            fp=self.predicted.total() - self.predicted[RIGHT],
            fn=self.gold.total() - right,
        )

    def cell(self, kind: str) -> int:
        """An entity of the gold is counted once, under what became of it."""
        return (self.predicted if kind == INVENTED else self.gold)[kind]

    def gain(self, kind: str) -> float:
        """How much higher micro F1 would be if all of this kind were right and nothing else
        changed (as TIDE has it for detection, Bolya et al. 2020)."""
        gold, predicted = self.gold.total(), self.predicted.total()
        right = self.gold[RIGHT] + self.gold[kind]
        found = predicted - self.predicted[kind] + self.gold[kind]
        return 2 * right / max(1, gold + found) - 2 * self.gold[RIGHT] / max(1, gold + predicted)


Group = Callable[[Text, Mark], str]


def tally(texts: Iterable[Text], group: Group = lambda *_: "") -> dict[str, Tally]:
    """By group, in the order in which they occur."""
    found: dict[str, Tally] = {}
    for text in texts:
        for mark in text.gold:
            found.setdefault(group(text, mark), Tally()).gold[mark.outcome] += 1
        for mark in text.predicted:
            found.setdefault(group(text, mark), Tally()).predicted[mark.outcome] += 1
    return found


def by_length(text: Text, _: Mark) -> str:
    return band(len(text.words), LENGTHS)


def by_seen(training: Training) -> Group:
    """Whether the training data has an entity of this surface, of whichever type."""
    return lambda _, mark: SEEN if mark.surface in training.surfaces else UNSEEN


def by_frequency(types: Counter[str]) -> Group:
    """How many entities of its type there are in some data."""
    return lambda _, mark: band(types[mark.label], FREQUENCIES)


def band(number: int, ends: Sequence[int]) -> str:
    """Which of the ranges up to and with these ends the number is in, as "6 to 10"."""
    low = 0 if ends[0] == 0 else 1
    for end in ends:
        if number <= end:
            return f"{low:,} to {end:,}" if low < end else f"{end:,}"
        low = end + 1
    return f"{low:,} or more"


def bands(ends: Sequence[int]) -> list[str]:
    """All of them, in their order."""
    return [band(number, ends) for number in (*ends, ends[-1] + 1)]


def confusion(texts: Iterable[Text]) -> dict[str, Counter[tuple[str, str]]]:
    """For each gold type the types that its exact spans were given, with whether the coarse type
    was right (`WRONG_FINE`) or not (`WRONG_COARSE`)."""
    found: dict[str, Counter[tuple[str, str]]] = {}
    for text in texts:
        for mark in text.gold:
            cell = found.setdefault(mark.label, Counter())
            if mark.outcome in (WRONG_FINE, WRONG_COARSE):
                cell[str(mark.other), mark.outcome] += 1
    return found


@dataclass(frozen=True)
class Score:
    """level: FLAT or FINE, COARSE, MENTIONS. mean: "micro" or "macro". f: F1."""

    level: str
    mean: str
    p: float
    r: float
    f: Interval


def headline(texts: Sequence[Text], flat: bool, samples: int, seed: int = 0) -> list[Score]:
    """The scores of the scorer, F1 with 95% intervals. Where labels are flat there are no coarse
    types; and no macro mean of mentions, which have no types."""
    levels: dict[str, Callable[[Mark], str]] = {FLAT if flat else FINE: lambda m: m.label}
    if not flat:
        levels[COARSE] = lambda m: m.coarse
    levels[MENTIONS] = lambda _: MENTION
    rows = []
    for level, label in levels.items():
        spans = [_spans(text, label) for text in texts]
        total = EntityCounts()
        for one in spans:
            total.add(*one)
        scores = total.scores("ents")
        ranges = intervals(counts_of(spans), samples, seed)
        for mean, infix in (("micro", ""), ("macro", "_macro")):
            p, r, f = (scores[f"ents{infix}_{key}"] for key in "prf")
            low, high = ranges[f"ents{infix}_f"] or (f, f)
            if (level, mean) != (MENTIONS, "macro"):
                rows.append(Score(level, mean, p, r, Interval(f, low, high)))
    return rows


def _spans(text: Text, label: Callable[[Mark], str]) -> tuple[Spans, Spans]:
    """Predicted and gold entities under other labels."""
    names = {mark.label: label(mark) for mark in text.marks}
    predicted, gold = ({(start, end, names[x]) for start, end, x in side} for side in text.spans)
    return predicted, gold


def precision_by_coverage(probability: Floats, right: Bools) -> tuple[Floats, Floats]:
    """The share of the entities that is given, from the most probable on, and the share of those
    that is right. Those that are equally probable are given together."""
    order = np.argsort(-probability, kind="stable")
    sorted_ = probability[order]
    cut = np.append(sorted_[1:] != sorted_[:-1], True)
    given = np.arange(1, len(order) + 1)
    return (given / len(order))[cut], (np.cumsum(right[order]) / given)[cut]
