"""The tables of the page, from the analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_finegrained_ner.pages.document import Table
from study.page.titles import (
    ARM_TITLES,
    METRIC_TITLES,
    SET_TITLES,
    STAGE_TITLES,
    by_plan,
    effect_title,
    first,
    pair_title,
    pick,
)
from study.page.wording import (
    ALPHA,
    Row,
    corrected,
    effect,
    interval,
    of_the_claim,
    p_value,
    percent,
)
from study.plan.stages import Records

STRICT = (
    ("official baseline, XLM-R base", "no", "", "37"),
    ("AdaSeq: CRF, XLM-R large", "no", "", "60.7"),
    ("PAI: XLM-R base, with CRF", "no", "65.9", ""),
    ("PAI: XLM-R base, without CRF", "no", "65.3", ""),
    ("PAI: multilingual BERT uncased, with CRF", "no", "70.1", ""),
    ("PAI: multilingual BERT uncased, without CRF", "no", "68.7", ""),
    ("RaNER: Wikipedia retrieval", "yes", "", "71.3"),
    ("U-RaNER: Wikipedia and Wikidata (the winner)", "yes", "", "81.9"),
)
"""What others published for the English dev part, on exact spans and types."""


def means_table(means: Sequence[Row], caption: str) -> Table:
    """A row for each pipeline: F1 on all entities."""
    whole = pick(means, kind="all")
    rows = []
    for arm in by_plan(row["arm"] for row in whole):
        one = pick(whole, arm=arm)
        cells = [ARM_TITLES[arm], str(one[0]["seeds"])]
        for row in (first(one, metric=metric) for metric in METRIC_TITLES):
            assert row is not None
            spread = "" if row["sd"] is None else f" ± {percent(row['sd'])}"
            cells += [f"{percent(row['mean'])}{spread}", interval(row)]
        rows.append(tuple(cells))
    head = ("pipeline", "runs", "micro F1, %", "95% interval", "macro F1, %", "95% interval")
    return Table(caption, head, rows)


def comparisons_table(comparisons: Sequence[Row], metric: str, name: str) -> Table:
    """A row for each pair of pipelines."""
    rows = pick(comparisons, kind="all", metric=metric)
    return Table(
        f"{SET_TITLES[name].capitalize()} part, {METRIC_TITLES[metric]}: what the first has more "
        "than the second, in points.",
        ("pipelines", "difference (95%)", "verdict", "p", "p (Holm)"),
        [
            (pair_title(r), effect(r), corrected(r), p_value(r["p"]), p_value(r["holm"]))
            for r in rows
        ],
    )


def claim_table(rows: Mapping[str, Sequence[Row]]) -> Table:
    """rows: by name of the set, effects on macro F1."""
    return Table(
        "Macro F1, in points, beside the paper's +3 to +5.",
        ("pipelines", "difference (95%)", "part", "verdict"),
        [
            (pair_title(row), effect(row), SET_TITLES[name], of_the_claim(row))
            for name, some in rows.items()
            for row in some
        ],
    )


def grid_table(grid: Sequence[Row]) -> Table:
    return Table(
        "The grid of learning rates, on the validation part. The rate with the best macro F1 was "
        "taken.",
        ("pipeline", "rate", "micro F1, %", "macro F1, %", "taken"),
        [
            (
                ARM_TITLES[row["arm"]],
                f"{row['rate']:g}",
                percent(row["micro"]),
                percent(row["macro"]),
                "yes" if row["chosen"] else "",
            )
            for row in grid
        ],
    )


def candidates_table(candidates: Sequence[Row]) -> Table:
    return Table(
        "The candidates on the validation part.",
        ("pipeline", "micro F1, %", "macro F1, %"),
        [
            (ARM_TITLES[row["arm"]], percent(row["micro"]), percent(row["macro"]))
            for row in candidates
        ],
    )


def effects_table(
    effects: Sequence[Row], inflation: Mapping[str, float], caption: str, **wanted: Any
) -> Table:
    """Effects of the screening on all entities, both metrics beside each other.

    inflation: of each of them, or empty.
    """
    rows = []
    for micro in pick(effects, kind="all", metric="micro", **wanted):
        key = {name: micro[name] for name in ("factor", "level", "against", "pooled")}
        macro = first(effects, kind="all", metric="macro", **key)
        assert macro is not None
        against = "" if micro["pooled"] else micro["against"]
        ratio = inflation.get(f"{micro['factor']}: {micro['level']}")
        rows.append(
            (
                effect_title(micro) + (f", against {against}" if against else ""),
                *(cell for row in (micro, macro) for cell in (effect(row), corrected(row))),
                *([] if ratio is None else [f"{ratio:.1f}"]),
            )
        )
    head = ("effect", "micro F1 (95%)", "verdict", "macro F1 (95%)", "verdict", "inflation")
    return Table(caption, head if inflation else head[:-1], rows)


def parts_table(means: Sequence[Row], kind: str, caption: str) -> Table:
    """F1 by part, with the number of its entities; a row for each pipeline."""
    some = pick(means, kind=kind)
    parts = list(dict.fromkeys((row["value"], row["support"]) for row in some))
    return Table(
        caption,
        ("pipeline", *(f"{value} ({support:,})" for value, support in parts)),
        [
            (
                ARM_TITLES[arm],
                *(f"{percent(row['mean'])} ({interval(row)})" for row in pick(some, arm=arm)),
            )
            for arm in by_plan(row["arm"] for row in some)
        ],
    )


def part_effects_table(comparisons: Sequence[Row], values: Sequence[str], caption: str) -> Table:
    """Differences by part, a row for each pair. A star is for those that hold after correction."""
    some = [row for row in comparisons if row["value"] in values]
    parts = list(dict.fromkeys(row["value"] for row in some))
    pairs = list(dict.fromkeys((row["a"], row["b"]) for row in some))
    rows = []
    for a, b in pairs:
        cells = pick(some, a=a, b=b)
        rows.append((pair_title(cells[0]), *(starred(row) for row in cells)))
    return Table(caption, ("pipelines", *parts), rows)


def screening_parts_table(effects: Sequence[Row], values: Sequence[str], caption: str) -> Table:
    """The pooled effects of the screening by part."""
    some = [row for row in effects if row["value"] in values and row["pooled"]]
    parts = list(dict.fromkeys(row["value"] for row in some))
    names = list(dict.fromkeys((r["factor"], r["level"], r["against"]) for r in some))
    rows = []
    for factor, level, against in names:
        cells = pick(some, factor=factor, level=level, against=against)
        rows.append((effect_title(cells[0]), *(starred(row) for row in cells)))
    return Table(caption, ("effect", *parts), rows)


def starred(row: Row) -> str:
    """Its difference, with a star where it holds after correction too."""
    holds = corrected(row) in ("adds", "costs") and row["holm"] < ALPHA
    return effect(row) + (" \\*" if holds else "")


def types_table(one: Mapping[str, Any], name: str) -> Table:
    """A row for each type, rarest first: the default config and the plain linear head."""
    gains = pick(one["comparisons"], kind="type", a="default", b="linear")
    means = {(row["arm"], row["value"]): row for row in pick(one["means"], kind="type")}
    return Table(
        f"{SET_TITLES[name].capitalize()} part: F1 by type, rarest first.",
        ("type", "entities", "difference (95%)", "verdict", "p (Holm)", "linear, %", "default, %"),
        [
            (
                row["value"],
                str(row["support"]),
                effect(row),
                corrected(row),
                p_value(row["holm"]),
                percent(means["linear", row["value"]]["mean"]),
                percent(means["default", row["value"]]["mean"]),
            )
            for row in sorted(gains, key=lambda row: (row["support"], row["value"]))
        ],
    )


def classic_table(classic: Mapping[str, Any], pooled: Mapping[str, Any]) -> Table:
    """pooled: by arm, scores on the sentences of training and dev together."""
    rows = []
    for name, one in classic.items():
        for arm in dict.fromkeys(row["arm"] for row in one["means"]):
            micro, macro = (
                first(one["means"], kind="all", arm=arm, metric=metric) for metric in METRIC_TITLES
            )
            assert micro is not None
            assert macro is not None
            cells = (f"{percent(row['mean'])} ({interval(row)})" for row in (micro, macro))
            rows.append((f"{ARM_TITLES[arm]}, here", SET_TITLES[name], *cells))
    for arm, scores in pooled.items():
        cells = (percent(scores[key]) for key in ("ents_f", "ents_macro_f"))
        rows.append((f"{ARM_TITLES[arm]}, here", "training and dev pooled", *cells))
    rows.append(("traditional CRF with parts of speech, in the paper", "dev", "75", "70"))
    return Table(
        "F1 in percent, with 95% intervals over sentences.",
        ("system", "part", "micro F1, %", "macro F1, %"),
        rows,
    )


def strict_table() -> Table:
    return Table(
        "What others published for the English dev part, on exact spans and types.",
        ("system", "external knowledge", "micro F1, %", "macro F1, %"),
        STRICT,
    )


def runs_table(records: Records) -> Table:
    rows = []
    for stage in dict.fromkeys([*STAGE_TITLES, *(r["stage"] for r in records.values())]):
        runs = [record for record in records.values() if record["stage"] == stage]
        if not runs:
            continue
        trained = " and ".join(sorted({_trained(record) for record in runs}))
        seeds = ", ".join(str(seed) for seed in sorted({record["seed"] for record in runs}))
        hours = sum(record["seconds"] for record in runs) / 3600
        title = STAGE_TITLES.get(stage, stage)
        rows.append((title, str(len(runs)), f"{hours:.1f}", seeds, trained))
    return Table(
        "What was run.", ("stage", "runs", "hours of training", "seeds", "trained on"), rows
    )


def _trained(record: Mapping[str, Any]) -> str:
    part = "training part" if record["data"] == "train" else "sample of it"
    if record["kind"] == "crf":
        return part
    times = {1: "once", 2: "twice"}.get(record["epochs"], f"{record['epochs']} times")
    return f"{part}, {times}"
