"""F1 of runs, as they are and on drawn sentences, on all entities and on parts of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import srsly

from study.analysis import counts as c
from study.analysis.counts import Counts, Floats
from study.plan.stages import Records, StudyError

LENGTHS = ((1, 10), (11, 15), (16, 21), (22, 10_000))
"""Words of a sentence, from and to: about quarters of MultiCoNER II."""

LENGTH_NAMES = tuple(f"{a} to {b}" if b < 10_000 else f"{a} and more" for a, b in LENGTHS)

RARITY = ("rarest third", "middle third", "commonest third")

DIFFERENCES = {
    "short less long": (LENGTH_NAMES[0], LENGTH_NAMES[-1]),
    "unseen less seen": ("unseen", "seen"),
}
"""Pairs of parts: an effect on the difference of their F1 is by how much the effect on the first
exceeds that on the second."""


@dataclass(frozen=True)
class Part:
    """A part of what is scored.

    kind: "all", "length" (of the sentence), "seen" (whether the entity's text is an entity of the
    training part), "type", "rarity" (of the types) or "difference" (of two parts). value: which.
    support: entities of the gold.
    """

    kind: str
    value: str
    support: int


class Scores:
    """Scores of runs that were trained on the same data, on one set.

    records: of the runs. gold: the table of the set. draws: of the bootstrap over sentences, the
    same for all runs.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], name: str, gold: dict[str, Any], draws: int
    ) -> None:
        self.gold = gold
        self.lengths = np.array(gold["words"])
        self._counts = [c.sentence_counts(r["sets"][name], gold) for r in records]
        self._draws = draws
        self._replicates: dict[tuple[str, str, str], Floats] = {}

    @cached_property
    def parts(self) -> list[Part]:
        """All parts that have entities, the whole first."""
        entities = self.gold["entities"]
        words = [self.gold["words"][sentence] for sentence, *_ in entities]
        found = [Part("all", "all", len(entities))]
        for name, (low, high) in zip(LENGTH_NAMES, LENGTHS, strict=True):
            found.append(Part("length", name, sum(low <= n <= high for n in words)))
        for value, name in ((c.SEEN, "seen"), (c.UNSEEN, "unseen")):
            found.append(Part("seen", name, sum(entity[3] == value for entity in entities)))
        for number, name in enumerate(self.gold["types"]):
            found.append(Part("type", name, sum(entity[1] == number for entity in entities)))
        for name, types in self.thirds.items():
            found.append(Part("rarity", name, sum(entity[1] in types for entity in entities)))
        found = [part for part in found if part.support]
        values = {part.value: part for part in found}
        for name, (first, second) in DIFFERENCES.items():
            if first in values and second in values:
                support = min(values[first].support, values[second].support)
                found.append(Part("difference", name, support))
        return found

    @cached_property
    def thirds(self) -> dict[str, list[int]]:
        """The types that have entities, in thirds by how many: of one rare type alone there are
        too few to tell much."""
        frequency = np.bincount([entity[1] for entity in self.gold["entities"]])
        order = sorted(np.flatnonzero(frequency).tolist(), key=lambda n: (frequency[n], n))
        thirds = np.array_split(np.array(order, dtype=int), len(RARITY))
        return {name: third.tolist() for name, third in zip(RARITY, thirds, strict=True)}

    def of(self, part: Part, metric: str) -> tuple[Floats, Floats]:
        """F1 of each run, *Shape:* (runs,), and on drawn sentences, *Shape:* (runs, draws).

        metric: "micro" or "macro" (over types, of a part with more than one).
        Of a difference of two parts: that of their F1.
        """
        if part.kind == "difference":
            first, second = (
                self.of(next(p for p in self.parts if p.value == value), metric)
                for value in DIFFERENCES[part.value]
            )
            return first[0] - second[0], first[1] - second[1]
        key = (part.kind, part.value, metric)
        if key not in self._replicates:
            f1 = c.METRICS[metric]
            times = self._times
            found = []
            for run in self._counts:
                chosen = self._chosen(run, part)
                sums = c.resampled(chosen, np.vstack([np.ones_like(times[:1]), times]))
                found.append(f1(sums))
            self._replicates[key] = np.array(found)
        values = self._replicates[key]
        return values[:, 0], values[:, 1:]

    @cached_property
    def _times(self) -> Any:
        return c.draw_sentences(len(self.lengths), self._draws)

    def _chosen(self, run: Counts, part: Part) -> Counts:
        """The counts of the part. *Shape:* (sentences, types, 3)."""
        if part.kind == "seen":
            seen: Counts = run[c.SEEN if part.value == "seen" else c.UNSEEN]
            return seen
        counts: Counts = run.sum(axis=0)
        if part.kind == "type":
            number = self.gold["types"].index(part.value)
            return counts[:, number : number + 1]
        if part.kind == "length":
            low = int(part.value.split()[0])
            high = dict(LENGTHS)[low]
            inside = (low <= self.lengths) & (self.lengths <= high)
            return counts * inside[:, None, None]
        if part.kind == "rarity":
            return counts[:, self.thirds[part.value]]
        return counts


def gold_of(folder: Path, data: str, name: str) -> dict[str, Any]:
    """The gold table of a set, with what was seen in training on `data`.

    Raises a StudyError where there is none.
    """
    path = folder / f"gold-{data}-{name}.json"
    if not path.exists():
        raise StudyError(f"{path}: there is no such file. `study run` writes it.")
    table: dict[str, Any] = srsly.read_json(path)
    return table


def of_stage(records: Records, stage: str) -> list[Mapping[str, Any]]:
    """The records of a stage, by name."""
    return [records[name] for name in sorted(records) if records[name]["stage"] == stage]
