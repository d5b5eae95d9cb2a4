"""The tables of the page, from the analysis: by the name of their place in the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spacy_finegrained_ner.pages.document import Table
from spacy_finegrained_ner.pages.intervals import p_value, percent
from study.analysis.rows import Analysis, Arms, Effect, Mean, Screening, Tried
from study.analysis.scores import LENGTH_NAMES, METRICS, RARITY
from study.page.titles import ARM_TITLES, STAGE_TITLES, effect_title, gains, pick, set_title
from study.plan.arms import CANDIDATES, TUNED
from study.plan.stages import MIDDLE_RATE
from study.runs.records import Gold, Record

ALPHA = 0.05
PARTS = {
    "by words of a sentence": (*LENGTH_NAMES, "short less long"),
    "seen and unseen": ("seen", "unseen", "unseen less seen"),
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


def of_arms(analysis: Analysis) -> dict[str, list[Table]]:
    """The part to report on comes first."""
    arms, base, classic = (
        {_of_set(name): one for name, one in reversed(analysis.arms.get(stage, {}).items())}
        for stage in ("arms", "base", "classic")
    )
    pooled = (
        (ARM_TITLES[arm], {f"{m} F1, %": percent(s[k])})
        for arm, s in analysis.together.items()
        for m, k in zip(METRICS, ("ents_f", "ents_macro_f"), strict=True)
    )
    found: dict[str, list[Table]] = {
        "means": [t for name, one in arms.items() for t in _means(name, one.means)],
        "candidates": _tried(
            r for r in analysis.tried if r.arm in CANDIDATES and r.rate == MIDDLE_RATE
        ),
        "grid": _tried(r for r in analysis.tried if r.arm in TUNED),
        "classic": [t for name, one in classic.items() for t in _means(name, one.means)]
        + table("Training and dev part pooled", "pipeline", pooled),
        **{slot: [] for slot in ("base", "comparisons", "claim", "parts", "types")},
    }
    for name, one in base.items():
        beside = [row for row in arms[name].means if row.arm == "default"] if name in arms else []
        found["base"] += _means(name, [*beside, *one.means])
    for name, one in arms.items():
        whole = pick(one.comparisons, "all")
        found["comparisons"] += _effects(name, whole)
        found["claim"] += _effects(name, pick(whole, "all", "macro", against="linear"))
        found["parts"] += _parts(name, one)
        found["types"] += _types(name, one)
    return found


def _of_set(name: str) -> str:
    return f"{set_title(name).capitalize()} part"


def _means(caption: str, means: Iterable[Mean]) -> list[Table]:
    """F1 of each pipeline on all entities."""

    def cells(row: Mean) -> dict[str, str]:
        spread = "" if row.sd is None else f" ± {percent(row.sd)}"
        f1 = {f"{row.metric} F1, %": percent(row.value) + spread}
        return {"runs": str(len(row.runs)), **f1, f"{row.metric}, 95% interval": row.range}

    rows = ((ARM_TITLES[row.arm], cells(row)) for row in pick(means, "all"))
    return table(caption, "pipeline", rows)


def _effects(
    caption: str, effects: Sequence[Effect], inflation: Mapping[str, float] | None = None
) -> list[Table]:
    """In points, all metrics beside each other. inflation: of each of them, or none."""

    def rows() -> Rows:
        for r in effects:
            p = f"{p_value(r.p)} ({p_value(r.holm)})"
            cells = {f"{r.metric} F1 (95%)": starred(r), f"p (Holm), {r.metric}": p}
            yield effect_title(r), cells
            if inflation and r.metric == METRICS[-1]:
                yield effect_title(r), {"inflation": f"{inflation[f'{r.factor}: {r.level}']:.1f}"}

    return table(caption, "effect", rows())


def starred(row: Effect) -> str:
    """In points, with a star if it is told from 0 after Holm's correction."""
    return row.signed + " *" * (row.sign != 0 and row.holm < ALPHA)


def _tried(tried: Iterable[Tried]) -> list[Table]:
    def cells(r: Tried) -> dict[str, str]:
        f1 = {"micro F1, %": percent(r.micro), "macro F1, %": percent(r.macro)}
        return {**f1, "rate taken": "yes" * r.chosen}

    rows = ((f"{ARM_TITLES[r.arm]}, {r.rate:g}", cells(r)) for r in tried)
    return table("Validation part", "pipeline, rate", rows)


def _parts(caption: str, one: Arms) -> list[Table]:
    tables = []
    for kind, by in (("seen", "seen and unseen"), ("length", "by words of a sentence")):
        rows = (
            (ARM_TITLES[row.arm], {f"{row.part.value} ({row.part.support:,})": row.printed})
            for row in pick(one.means, kind)
        )
        head = "micro F1 in percent (in the head: entities)"
        tables += table(f"{caption}: {head}, {by}", "pipeline", rows)
    return tables + _by_part(caption, one.comparisons, PARTS)


def _by_part(
    caption: str, effects: Sequence[Effect], parts: Mapping[str, Sequence[str]]
) -> list[Table]:
    """A table for each kind of parts."""
    tables = []
    for by, values in parts.items():
        some = [row for row in effects if row.part.value in values]
        rows = ((effect_title(row), {row.part.value: starred(row)}) for row in some)
        tables += table(f"{caption}, {by}: points of micro F1", "effect", rows)
    return tables


def _types(caption: str, one: Arms) -> list[Table]:
    """The default config and the plain linear head by type, the rarest first."""
    f1 = {(row.arm, row.part): percent(row.value) for row in pick(one.means, "type")}

    def cells(row: Effect) -> dict[str, str]:
        gain = {"gain (95%)": starred(row), "p (Holm)": p_value(row.holm)}
        of_arms = {f"{arm}, %": f1[arm, row.part] for arm in ("linear", "default")}
        return {"entities": str(row.part.support), **gain, **of_arms}

    rows = [(row.part.value, cells(row)) for row in gains(one)]
    thirds = {"types in thirds by their entities": RARITY} if rows else {}
    by_type = table(f"{caption}: micro F1 by type", "type", rows)
    return _by_part(caption, one.comparisons, thirds) + by_type


def of_screenings(analysis: Analysis) -> dict[str, list[Table]]:
    found = analysis.screenings.get("screening")
    effects = found.effects if found else []
    caption, pooled = "Screening, validation part", [row for row in effects if row.pooled]
    auxiliary = [row for row in pick(effects, "all") if row.factor == "auxiliary"]
    return {
        **{name: _screening(analysis.screenings.get(name)) for name in ("screening", "all_rates")},
        "auxiliary": _effects(caption, auxiliary),
        "screening_parts": _by_part(caption, pooled, PARTS),
    }


def _screening(one: Screening | None) -> list[Table]:
    """How well the model does, and the effects on all entities."""
    if one is None or not one.effects:
        return []
    seeds = " or ".join(map(str, one.seeds))
    fits = [
        (f"{metric} F1", {
            "explained": f"{fit.r2:.0%}",
            "unexplained (sd)": percent(fit.unexplained),
            "degrees of freedom": str(fit.freedom),
            "between seeds (sd)": "" if fit.seeds is None else percent(fit.seeds),
        })
        for metric, fit in one.fit.items()
    ]  # fmt: skip
    levels, pooled = (pick(one.effects, "all", pooled=pooled) for pooled in (False, True))
    return [
        *table(f"{len(one.points)} points, each with {seeds} seeds", "model of", fits),
        *_effects("All levels", levels, one.inflation),
        *_effects("Pooled over levels, and one level against another", pooled),
    ]


def of_records(records: Sequence[Record], gold: Mapping[str, Gold]) -> list[Table]:
    """What was run, on what, and with what. gold: tables by name of the set."""

    def cells(some: Sequence[Record]) -> dict[str, str]:
        trained = sorted({_trained(r) for r in some})
        return {
            "runs": str(len(some)),
            "hours": f"{sum(r.hours for r in some):.1f}",
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
