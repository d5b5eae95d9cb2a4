"""What an experiment with names has beside its main tables: names that change at prediction, new
ones, and entities by what the lists have of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from spacy_finegrained_ner.pages.document import Table
from spacy_finegrained_ner.pages.intervals import percent
from study.analysis.names import SPANS, entity_groups, new_names, on_valid, pairwise
from study.analysis.rows import Arms, Effect
from study.analysis.scores import score_groups, score_recall
from study.page.tables import Rows, arm_means, column, pair_title, starred, table
from study.plan.experiment import Experiment
from study.plan.names import CHANGES
from study.runs.records import LISTED, Gold, Listed, Record, read_gold

CORRUPTED = (
    "The corrupted part is the validation part with one random edit in each entity of the gold: a "
    "letter inserted, deleted or replaced, or two neighbors swapped; the same text for all arms."
)
PAIRS = (
    "On the validation part. Each pair of arms is compared on its own, without a correction. An "
    "n-gram that is a name, and a word by the training data, is found from then on: so adding "
    "random ones also takes away from what is left out as words."
)
NEW = (
    "Of the names that are entities of the validation part and are not met in the training part, a "
    "half of each type, drawn at random, is not in the list that a pipeline is trained with. It is "
    "scored with that list, and with all names given back at prediction."
)


def of_names(
    records: Sequence[Record], folder: Path, draws: int, experiment: Experiment
) -> Iterator[str]:
    """Nothing where no names were read."""
    path = folder / "listed-valid.json"
    if not path.exists():
        return
    listed: Listed = LISTED.validate_json(path.read_bytes())
    gold = read_gold(folder, "train", "valid")
    titles = {name: arm.title for name, arm in experiment.arms.items()}
    titles |= {f"with@{name}": f"{titles['with']}, {title}" for name, title in CHANGES.items()}
    titles["fewer@given"] = f"{titles['fewer']}, given back"
    arms = list(on_valid(records))
    yield from (CORRUPTED, "## Names changed at prediction", PAIRS)
    changed = ["with", *(f"with@{name}" for name in CHANGES)]
    score = partial(score_groups, groups={})
    found = pairwise(arms, folder, draws, [(arm, "without") for arm in changed], score)
    yield from _pairs(found, titles)
    for row in found.comparisons:
        if row.metric == "macro":
            yield _bound(pair_title(row, titles), row, "macro F1")
    yield from ("## New names", NEW)
    new = [("fewer", "without"), ("fewer@given", "fewer"), ("fewer@given", "without")]
    score = partial(score_recall, groups=new_names(listed))
    yield from _pairs(pairwise(arms, folder, draws, [*new, ("with", "without")], score), titles)
    yield "## What the lists have"
    main = [("with", "without")]
    score = partial(score_recall, groups=entity_groups(gold, listed))
    yield from _groups(pairwise(arms, folder, draws, main, score), titles)
    yield "## By type"
    types = partial(score_groups, groups={name: [name] for name in gold.types})
    found = pairwise(arms, folder, draws, main, types)
    yield from map(str, _types(found, titles, gold, listed))


def _bound(what: str, row: Effect, of: str) -> str:
    return (
        f"{what[0].upper()}{what[1:]}: {row.signed} points of {of}; the lower bound of a one-sided "
        f"95% interval is {percent(row.least)} points."
    )


def _pairs(one: Arms, titles: Mapping[str, str]) -> Iterator[str]:
    rows = ((pair_title(row, titles), {column(row): row.signed}) for row in one.comparisons)
    yield from map(str, arm_means(one, titles))
    yield from map(str, table("Differences, in points", "effect", rows))


def _groups(one: Arms, titles: Mapping[str, str]) -> Iterator[str]:
    def cells() -> Rows:
        for row in one.means:
            name, entities = row.part.value, f"{row.part.support:,}"
            yield name, {"entities": entities, f"{titles[row.arm]}, %": percent(row.value)}
        for effect in one.comparisons:
            least = {"at least": percent(effect.least)}
            yield effect.part.value, {"difference (95%)": effect.signed, **least}

    yield from map(str, table("Recall, in percent and points", "entities", cells()))
    for row in one.comparisons:
        if row.part.value == SPANS["0"]:
            yield _bound("entities that are not in the lists", row, "recall")


def _types(one: Arms, titles: Mapping[str, str], gold: Gold, listed: Listed) -> list[Table]:
    """The rarest first."""

    def share(name: str, kinds: str) -> str:
        label = gold.types.index(name)
        own = [
            found for found, row in zip(listed.spans, gold.entities, strict=True) if row[1] == label
        ]
        return percent(sum(found in kinds for found in own) / len(own)) if own else ""

    def cells() -> Rows:
        means = [row for row in one.means if row.part.kind == "group" and row.metric == "micro"]
        for row in sorted(means, key=lambda row: (row.part.support, row.part.value)):
            name = row.part.value
            listed = {"listed, %": share(name, "12"), "with their type, %": share(name, "2")}
            f1 = {f"{titles[row.arm]}, %": percent(row.value)}
            yield name, {"entities": f"{row.part.support:,}", **listed, **f1}
        for effect in one.comparisons:
            if effect.part.kind == "group" and effect.metric == "micro":
                yield effect.part.value, {"difference (95%)": starred(effect)}

    return table("F1 by type, in percent and points", "type", cells())
