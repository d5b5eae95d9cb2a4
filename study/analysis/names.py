"""What names as evidence do: with other names at prediction, and by what the lists have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from study.analysis.analysis import compare
from study.analysis.rows import Arms
from study.analysis.scores import Scores
from study.runs.records import Gold, Listed, Record, part_of

SPANS = {
    "2": "in the lists, with their type",
    "1": "in the lists, with other types only",
    "0": "not in the lists",
}
"""By `Listed.spans`."""
SEEN = ("unseen", "seen")

Score = Callable[[Sequence[Record], str, Gold, int], Scores]


def on_valid(records: Iterable[Record]) -> Iterator[Record]:
    """Each set of the validation part as an arm of its own, such as "with@half"."""
    for record in records:
        for name, found in record.sets.items():
            if part_of(name) == "valid":
                arm = record.run.arm + name.removeprefix("valid")
                yield replace(record, run=replace(record.run, arm=arm), sets={"valid": found})


def pairwise(
    records: Sequence[Record],
    folder: Path,
    draws: int,
    pairs: Iterable[tuple[str, str]],
    score: Score,
) -> Arms:
    """Each pair of arms that have runs on its own: what one training finds with several lists is
    not as many trainings. Parameters are those of `compare`."""
    found = Arms([], [])
    for pair in pairs:
        some = [r for r in records if r.run.arm in pair]
        if {r.run.arm for r in some} == {*pair}:
            one = compare(some, folder, draws, [pair], score)["valid"]
            known = {row.arm for row in found.means}
            found.means.extend(row for row in one.means if row.arm not in known)
            found.comparisons.extend(one.comparisons)
    return found


def entity_groups(gold: Gold, listed: Listed) -> dict[str, list[int]]:
    """The places of entities by what the lists have of them, together, unseen and seen."""
    groups = {}
    for kind, title in SPANS.items():
        own = [n for n, found in enumerate(listed.spans) if found == kind]
        groups[title] = own
        for seen, name in enumerate(SEEN):
            groups[f"{name}, {title}"] = [n for n in own if gold.entities[n][3] == seen]
    return groups


def new_names(listed: Listed) -> dict[str, list[int]]:
    """The places of the entities whose names are left out and given back."""
    new = [n for n, out in enumerate(listed.left_out) if out == "1"]
    return {
        "entities with new names": new,
        "those that are listed with their type": [n for n in new if listed.spans[n] == "2"],
    }
