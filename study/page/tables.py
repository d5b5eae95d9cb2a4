"""The tables of the page, as the template asks for them: none where there are no rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spacy_finegrained_ner.pages.document import Table
from spacy_finegrained_ner.pages.intervals import p_value, percent
from study.analysis.rows import Arms, Effect, Mean, Screening, Tried
from study.analysis.scores import CONTEXT_NAMES, LENGTH_NAMES, METRICS, RARITY
from study.page.titles import ARM_TITLES, STAGE_TITLES, effect_title, gains, pick, set_title
from study.runs.records import Gold, Record, hours

ALPHA = 0.05
PARTS = {
    "length": (*LENGTH_NAMES, "short less long"),
    "context": (*CONTEXT_NAMES, "little less much"),
    "seen": ("seen", "unseen", "unseen less seen"),
    "rarity": RARITY,
}
Rows = Iterable[tuple[str, Mapping[str, str]]]
"""Name and cells by column. Several of a name are one row."""


def table(caption: str, name: str, rows: Rows) -> list[Table]:
    """Rows and columns in the order in which they come; no table without rows.

    name: of the first column.
    """
    cells: dict[str, dict[str, str]] = {}
    for row, found in rows:
        cells.setdefault(row, {}).update(found)
    head = list(dict.fromkeys(column for found in cells.values() for column in found))
    body = [[row, *(found.get(column, "") for column in head)] for row, found in cells.items()]
    return [Table(caption, [name, *head], body)] if cells else []


def means(caption: str, rows: Iterable[Mean]) -> list[Table]:
    """F1 of each pipeline on all entities."""

    def cells(row: Mean) -> dict[str, str]:
        spread = "" if row.sd is None else f" ± {percent(row.sd)}"
        f1 = {f"{row.metric} F1, %": percent(row.value) + spread}
        return {"runs": str(len(row.runs)), **f1, f"{row.metric}, 95% interval": row.range}

    found = ((ARM_TITLES[row.arm], cells(row)) for row in pick(rows, "all"))
    return table(caption, "pipeline", found)


def effects(
    caption: str, rows: Iterable[Effect], inflation: Mapping[str, float] | None = None
) -> list[Table]:
    """In points, all metrics beside each other. inflation: of each of them, or none."""

    def cells() -> Rows:
        for r in rows:
            p = f"{p_value(r.p)} ({p_value(r.holm)})"
            found = {f"{r.metric} F1 (95%)": starred(r), f"p (Holm), {r.metric}": p}
            yield effect_title(r), found
            if inflation and r.metric == METRICS[-1]:
                yield effect_title(r), {"inflation": f"{inflation[f'{r.factor}: {r.level}']:.1f}"}

    return table(caption, "effect", cells())


def arm_means(one: Arms, titles: Mapping[str, str]) -> list[Table]:
    """The scores of the arms of an experiment. titles: by arm."""

    def cells(row: Mean) -> dict[str, str]:
        spread = "" if row.sd is None else f" ± {percent(row.sd)}"
        return {"runs": str(len(row.runs)), column(row): f"{row.printed}{spread}"}

    return table("In percent", "arm", ((titles[row.arm], cells(row)) for row in one.means))


def column(row: Mean | Effect) -> str:
    """As "macro F1", "macro F1, old types" or "recall of ..."."""
    if row.part.kind == "entities":
        return f"{row.metric} of {row.part.value} ({row.part.support:,})"
    return f"{row.metric} F1" + f", {row.part.value}" * (row.part.kind == "group")


def pair_title(row: Effect, titles: Mapping[str, str]) -> str:
    """titles: of the arms."""
    return f"{titles[row.level]}, against {titles[row.against]}"


def starred(row: Effect) -> str:
    """In points, with a star if it is told from 0 after Holm's correction."""
    return row.signed + " *" * (row.sign != 0 and row.holm < ALPHA)


def tried(rows: Iterable[Tried]) -> list[Table]:
    """F1 with the first seed."""

    def cells(r: Tried) -> dict[str, str]:
        f1 = {"micro F1, %": percent(r.micro), "macro F1, %": percent(r.macro)}
        return {**f1, "rate taken": "yes" * r.chosen}

    found = ((f"{ARM_TITLES[r.arm]}, {r.rate:g}", cells(r)) for r in rows)
    return table("Validation part", "pipeline, rate", found)


def together(scores: Mapping[str, Mapping[str, float]]) -> list[Table]:
    """scores: of each arm, on training and dev part at once."""
    rows = (
        (ARM_TITLES[arm], {f"{m} F1, %": percent(of[k])})
        for arm, of in scores.items()
        for m, k in zip(METRICS, ("ents_f", "ents_macro_f"), strict=True)
    )
    return table("Training and dev part pooled", "pipeline", rows)


def parts(caption: str, means: Iterable[Mean], kind: str) -> list[Table]:
    """Micro F1 in percent."""
    rows = (
        (ARM_TITLES[row.arm], {f"{row.part.value} ({row.part.support:,})": row.printed})
        for row in pick(means, kind)
    )
    return table(f"{caption}: micro F1 in percent (in the head: entities)", "pipeline", rows)


def by_part(caption: str, rows: Iterable[Effect], kind: str) -> list[Table]:
    """In points of micro F1. kind: see `PARTS`."""
    found = (
        (effect_title(row), {row.part.value: starred(row)})
        for row in rows
        if row.part.value in PARTS[kind]
    )
    return table(f"{caption}: points of micro F1", "effect", found)


def types(caption: str, one: Arms) -> list[Table]:
    """The default config and the plain linear head by type, the rarest first."""
    f1 = {(row.arm, row.part): percent(row.value) for row in pick(one.means, "type")}

    def cells(row: Effect) -> dict[str, str]:
        gain = {"gain (95%)": starred(row), "p (Holm)": p_value(row.holm)}
        of_arms = {f"{arm}, %": f1[arm, row.part] for arm in ("linear", "default")}
        return {"entities": str(row.part.support), **gain, **of_arms}

    rows = [(row.part.value, cells(row)) for row in gains(one)]
    thirds = by_part(caption, one.comparisons, "rarity") if rows else []
    return thirds + table(f"{caption}: micro F1 by type", "type", rows)


def fits(one: Screening) -> list[Table]:
    """How well the model of a screening does."""
    seeds = " or ".join(map(str, one.seeds))
    rows = [
        (f"{metric} F1", {
            "explained": f"{fit.r2:.0%}",
            "unexplained (sd)": percent(fit.unexplained),
            "degrees of freedom": str(fit.freedom),
            "between seeds (sd)": "" if fit.seeds is None else percent(fit.seeds),
        })
        for metric, fit in one.fit.items()
    ]  # fmt: skip
    return table(f"{len(one.points)} points, each with {seeds} seeds", "model of", rows)


def made(records: Sequence[Record], gold: Mapping[str, Gold]) -> list[Table]:
    """What was run, on what, and with what. gold: tables by name of the set."""

    def cells(some: Sequence[Record]) -> dict[str, str]:
        trained = sorted({_trained(r) for r in some})
        return {
            "runs": str(len(some)),
            "hours": f"{hours(some):.1f}",
            "seeds": ", ".join(map(str, sorted({r.run.seed for r in some}))),
            "trained on": " and ".join(trained),
        }

    stages = dict.fromkeys([*STAGE_TITLES, *(r.run.stage for r in records)])
    by_stage = {stage: [r for r in records if r.run.stage == stage] for stage in stages}
    runs = [(STAGE_TITLES.get(name, name), cells(some)) for name, some in by_stage.items() if some]
    versions = Counter(
        pair for r in records for pair in {**r.versions, "commit": r.commit or "unknown"}.items()
    )
    made = [(name, version, str(n)) for (name, version), n in sorted(versions.items())]
    scored = [
        (set_title(name), f"{len(g.words):,}", f"{len(g.entities):,}", str(len(g.types)))
        for name, g in gold.items()
    ]
    return [
        *table("What was run", "stage", [*runs, ("all", cells(records))]),
        Table("What is scored", ("part", "sentences", "entities", "types"), scored),
        Table("With what it was made", ("package", "version", "runs"), made),
    ]


def _trained(record: Record) -> str:
    training = record.run.trainings[-1]
    return training.part + (f", {training.epochs} epochs" if training.rate else "")
