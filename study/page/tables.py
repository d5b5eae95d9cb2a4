"""The tables of the page, from the analysis: by the name of their place in the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spacy_finegrained_ner.pages.document import Table
from spacy_finegrained_ner.pages.intervals import p_value, percent, points
from study.analysis.rows import Analysis, Arms, Effect, Screening, Tried
from study.analysis.scores import LENGTH_NAMES, METRICS, RARITY
from study.page import titles
from study.page.titles import (
    ARM_TITLES,
    STAGE_TITLES,
    by_plan,
    effect_title,
    pick,
    set_title,
    verdict,
)
from study.plan.arms import CANDIDATES, TUNED
from study.plan.stages import MIDDLE_RATE
from study.runs.records import Gold, Record

STAR = "A star is for a difference that holds after Holm's correction over the parts of its row."
PARTS = {
    "by words of a sentence": (*LENGTH_NAMES, "short less long"),
    "seen and unseen": ("seen", "unseen", "unseen less seen"),
}
CLAIMED = (0.03, 0.05)
"""Macro F1 that the paper says its techniques add."""


def of_set(name: str) -> str:
    return f"{set_title(name).capitalize()} part"


def of_arms(analysis: Analysis) -> dict[str, list[Table]]:
    arms = dict(reversed(list(analysis.of_arms.items())))
    small = {name: [row for row in one.means if row.arm == "default"] for name, one in arms.items()}
    base = reversed(list(analysis.arms.get("base", {}).items()))
    return {
        "means": _means(arms),
        "comparisons": [t for name, one in arms.items() for t in _comparisons(name, one)],
        "claim": _claim(arms),
        "candidates": _tried(
            "The candidates on the validation part.",
            [r for r in analysis.tried if r.arm in CANDIDATES and r.rate == MIDDLE_RATE],
            rates=False,
        ),
        "grid": _tried(
            "The grid of learning rates, on the validation part. The rate with the best macro F1 "
            "was taken.",
            [row for row in analysis.tried if row.arm in TUNED],
            rates=True,
        ),
        "parts": [table for name, one in arms.items() for table in _parts(name, one)],
        "types": [table for name, one in arms.items() for table in _types(name, one)],
        "classic": _classic(analysis),
        "base": _means({n: Arms([*small.get(n, []), *one.means], []) for n, one in base}),
    }


def _means(arms: Mapping[str, Arms]) -> list[Table]:
    """A row for each pipeline: F1 on all entities."""
    head = ("pipeline", "runs", "micro F1, %", "95% interval", "macro F1, %", "95% interval")
    tables = []
    for name, one in arms.items():
        rows = []
        for arm in by_plan(one.means):
            found = [pick(one.means, "all", metric, arm=arm)[0] for metric in METRICS]
            cells = [ARM_TITLES[arm], str(len(found[0].runs))]
            for row in found:
                spread = "" if row.sd is None else f" ± {percent(row.sd)}"
                cells += [f"{percent(row.value)}{spread}", row.range]
            rows.append(tuple(cells))
        tables.append(Table(f"{of_set(name)}.", head, rows))
    return tables


def _comparisons(name: str, one: Arms) -> list[Table]:
    """A row for each pair of pipelines."""
    return [
        Table(
            f"{of_set(name)}, {metric} F1: what the first has more than the second, in points.",
            ("pipelines", "difference (95%)", "verdict", "p", "p (Holm)"),
            [
                (effect_title(r), r.signed, verdict(r), p_value(r.p), p_value(r.holm))
                for r in pick(one.comparisons, "all", metric)
            ],
        )
        for metric in METRICS
        if one.comparisons
    ]


def _claim(arms: Mapping[str, Arms]) -> list[Table]:
    rows = [
        (effect_title(row), row.signed, set_title(name), of_the_claim(row))
        for name, one in arms.items()
        for arm in ("paper", "default")
        for row in pick(one.comparisons, "all", "macro", level=arm, against="linear")
    ]
    head = ("pipelines", "difference (95%)", "part", "verdict")
    return [Table("Macro F1, in points, beside the paper's +3 to +5.", head, rows)] if rows else []


def of_the_claim(row: Effect) -> str:
    """What an effect on macro F1 says of the paper's."""
    least, most = map(points, CLAIMED)
    less, more = points(row.high) < least, points(row.low) > most
    size = "less than" if less else "more than" if more else "compatible with"
    sign = {1: "above 0", -1: "below 0", 0: "not told from 0"}[row.sign]
    return f"{sign}, {size} the paper's {least:.0f} to {most:.0f}"


def _tried(caption: str, rows: Sequence[Tried], *, rates: bool) -> list[Table]:
    """rates: whether they differ."""
    head = ("pipeline", "rate", "micro F1, %", "macro F1, %", "taken")
    cells = [
        (ARM_TITLES[r.arm], f"{r.rate:g}", percent(r.micro), percent(r.macro), "yes" * r.chosen)
        for r in rows
    ]
    shown = range(5) if rates else (0, 2, 3)
    found = [tuple(row[i] for i in shown) for row in (head, *cells)]
    return [Table(caption, found[0], found[1:])] if rows else []


def _parts(name: str, one: Arms) -> list[Table]:
    in_head = "micro F1 in percent (in the head: entities)"
    captions = {"seen": "seen and unseen", "length": "by words of a sentence"}
    tables = []
    for kind, caption in captions.items():
        some = pick(one.means, kind)
        parts = dict.fromkeys(row.part for row in some)
        rows = [
            (ARM_TITLES[arm], *(row.printed for row in pick(some, kind, arm=arm)))
            for arm in by_plan(some)
        ]
        head = ("pipeline", *(f"{part.value} ({part.support:,})" for part in parts))
        tables.append(Table(f"{of_set(name)}: {in_head}, {caption}.", head, rows))
    for caption, values in PARTS.items():
        caption = f"{of_set(name)}: differences in points of micro F1, {caption}. {STAR}"
        tables += _effects_by_part(caption, one.comparisons, values)
    return tables


def _effects_by_part(caption: str, effects: Iterable[Effect], values: Sequence[str]) -> list[Table]:
    """A row for each pair. A star is for those that hold after correction."""
    some = [row for row in effects if row.part.value in values]
    cells: dict[str, list[str]] = {}
    for row in some:
        star = " \\*" if verdict(row) in ("adds", "costs") else ""
        cells.setdefault(effect_title(row), []).append(row.signed + star)
    name = "effect" if some and some[0].factor else "pipelines"
    head = (name, *dict.fromkeys(row.part.value for row in some))
    return [Table(caption, head, [(title, *row) for title, row in cells.items()])] if some else []


def _types(name: str, one: Arms) -> list[Table]:
    """A row for each type, rarest first: the default config and the plain linear head."""
    f1 = {(row.arm, row.part): percent(row.value) for row in pick(one.means, "type")}
    rows = [
        (
            *(row.part.value, str(row.part.support)),
            *(row.signed, verdict(row), p_value(row.holm)),
            *(f1[arm, row.part] for arm in ("linear", "default")),
        )
        for row in titles.gains(one)
    ]
    if not rows:
        return []
    thirds = "types in thirds by how many entities they have; differences in points of micro F1."
    head = (
        "type",
        "entities",
        "difference (95%)",
        "verdict",
        "p (Holm)",
        "linear, %",
        "default, %",
    )
    return [
        *_effects_by_part(f"{of_set(name)}: {thirds} {STAR}", one.comparisons, RARITY),
        Table(f"{of_set(name)}: F1 by type, rarest first.", head, rows),
    ]


def _classic(analysis: Analysis) -> list[Table]:
    """Beside the paper's."""
    rows = [
        (
            *(f"{ARM_TITLES[arm]}, here", set_title(name)),
            *(pick(one.means, "all", metric, arm=arm)[0].printed for metric in METRICS),
        )
        for name, one in analysis.arms.get("classic", {}).items()
        for arm in by_plan(one.means)
    ]
    for arm, scores in analysis.together.items():
        cells = (percent(scores[key]) for key in ("ents_f", "ents_macro_f"))
        rows.append((f"{ARM_TITLES[arm]}, here", "training and dev pooled", *cells))
    papers = ("traditional CRF with parts of speech, in the paper", "dev", "75", "70")
    head = ("system", "part", "micro F1, %", "macro F1, %")
    caption = "F1 in percent, with 95% intervals over sentences."
    return [Table(caption, head, [*rows, papers])] if rows else []


def of_screenings(analysis: Analysis) -> dict[str, list[Table]]:
    found = analysis.screenings.get("screening")
    effects = found.effects if found else []
    pooled = [row for row in effects if row.pooled]
    caption = "Screening, validation part: effects in points of micro F1"
    star = "A star is for one that holds after Holm's correction over the rows of its column."
    auxiliary = [row for row in effects if row.factor == "auxiliary"]
    return {
        **{name: _screening(analysis.screenings.get(name)) for name in ("screening", "all_rates")},
        "auxiliary": _effects("The auxiliary task in the screening: effects in points.", auxiliary),
        "screening_parts": [
            table
            for by, values in PARTS.items()
            for table in _effects_by_part(f"{caption}, {by}. {star}", pooled, values)
        ],
    }


def _screening(one: Screening | None) -> list[Table]:
    """How well the model does, and the effects on all entities."""
    if one is None or not one.effects:
        return []
    fits = [
        (f"{metric} F1", f"{fit.r2:.0%}", percent(fit.unexplained), str(fit.freedom),
         "" if fit.seeds is None else percent(fit.seeds))
        for metric, fit in one.fit.items()
    ]  # fmt: skip
    return [
        Table(
            f"{len(one.points)} points of D-optimal designs, each with "
            f"{' or '.join(map(str, one.seeds))} seeds: what the effects explain of what the "
            "points differ by, and what they leave, in points of F1.",
            ("F1", "explained", "unexplained (sd)", "degrees of freedom", "between seeds (sd)"),
            fits,
        ),
        *_effects(
            "All levels, in points. Corrected over all levels of the table.",
            [row for row in one.effects if not row.pooled],
            one.inflation,
        ),
        *_effects(
            "Effects pooled over levels, and of one level against another, in points. Corrected "
            "over this table.",
            [row for row in one.effects if row.pooled],
        ),
    ]


def _effects(
    caption: str, effects: Sequence[Effect], inflation: Mapping[str, float] | None = None
) -> list[Table]:
    """Both metrics beside each other. inflation: of each of them, or none."""
    head = ("effect", "micro F1 (95%)", "verdict", "macro F1 (95%)", "verdict", "inflation")
    rows = []
    for pair in zip(*(pick(effects, "all", metric) for metric in METRICS), strict=True):
        cells = [cell for row in pair for cell in (row.signed, verdict(row))]
        if inflation:
            cells.append(f"{inflation[f'{pair[0].factor}: {pair[0].level}']:.1f}")
        rows.append((effect_title(pair[0]), *cells))
    return [Table(caption, head if inflation else head[:-1], rows)] if rows else []


def of_records(records: Sequence[Record], gold: Mapping[str, Gold]) -> list[Table]:
    """What was run, on what, and with what. gold: tables by name of the set."""
    runs = []
    stages = STAGE_TITLES | {r.run.stage: r.run.stage for r in records} | STAGE_TITLES
    for stage, title in (*stages.items(), ("", "all")):
        some = [r for r in records if r.run.stage == stage or not stage]
        seeds = ", ".join(map(str, sorted({r.run.seed for r in some})))
        on = " and ".join(sorted({_trained(r) for r in some})) if stage else ""
        hours = f"{sum(r.hours for r in some):.1f}"
        runs += [(title, str(len(some)), hours, seeds, on)] if some else []
    versions = Counter(
        pair for r in records for pair in {**r.versions, "commit": r.commit or "unknown"}.items()
    )
    scored = [
        (set_title(name), *(f"{len(x):,}" for x in (g.words, g.entities, g.types)))
        for name, g in gold.items()
    ]
    made = [(name, f"`{version}`", str(n)) for (name, version), n in sorted(versions.items())]
    return [
        Table("What was run.", ("stage", "runs", "hours", "seeds", "trained on"), runs),
        Table("What is scored.", ("part", "sentences", "entities", "types"), scored),
        Table("With what it was made.", ("package", "version", "runs"), made),
    ]


def _trained(record: Record) -> str:
    training = record.run.trainings[-1]
    part = "training part" if training.part == "train" else "sample of it"
    times = {1: "once", 2: "twice"}.get(training.epochs, f"{training.epochs} times")
    return f"{part}, {times}" if training.rate else part
