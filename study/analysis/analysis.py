"""What the records say: means, effects with intervals, by part. All that the page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from study.analysis.counts import Floats
from study.analysis.scores import Part, Scores, gold_of, of_stage
from study.analysis.statistics import effects, holm
from study.plan.arms import ARMS, CANDIDATES, WITHOUT
from study.plan.design import model_matrix, terms, variance_inflation
from study.plan.factors import FACTORS, Factor
from study.plan.stages import LEARNING, MIDDLE_RATE, Records, chosen_rate, grid_of

DRAWS = 2000
METRICS = ("micro", "macro")
FREEDOM = 4
"""Points that a design must have more than effects: with fewer, intervals are too wide to read."""

COMPARISONS = (
    ("default", "linear"),
    ("default", "ner"),
    *(("default", arm) for arm in WITHOUT.values()),
    ("layers", "no_auxiliary"),
    ("wide", "no_auxiliary"),
    ("bilstm", "default"),
    ("paper", "linear"),
    ("paper", "default"),
)
"""Arms that are compared, the second one being what the first is held against."""

POOLED = {
    "CRF, with and without BiLSTM": {"crf": 0.5, "bilstm_crf": 0.5, "bilstm": -0.5},
    "BiLSTM, with and without CRF": {"bilstm": 0.5, "bilstm_crf": 0.5, "crf": -0.5},
}
"""Contrasts of the head's levels that use twice as many runs."""


def analyse(records: Records, folder: Path, draws: int = DRAWS) -> dict[str, Any]:
    """Everything that can be said of the records that are there: a stage without enough of them is
    left out.

    folder: of the gold tables. RETURNS: a dict that can go to JSON, see the functions below.
    """
    found: dict[str, Any] = {
        "runs": len(records),
        "hours": round(sum(r["seconds"] for r in records.values()) / 3600, 2),
        "draws": draws,
        "grid": _grid(records),
        "candidates": _candidates(records),
    }
    found |= _screenings(
        of_stage(records, "screening") + of_stage(records, "followup"), folder, draws
    )
    stages = {stage: of_stage(records, stage) for stage in ("arms", "classic", "base")}
    stages["arms"] = [r for r in stages["arms"] if r["rate"] == chosen_rate(records, r["arm"])]
    for stage, runs in stages.items():
        if runs:
            found[stage] = _arms(runs, folder, draws)
    found["pooled"] = {r["arm"]: r["pooled"] for r in stages["classic"] if r.get("pooled")}
    found["curves"] = [
        {"arm": r["arm"], "seed": r["seed"], "steps": r["steps"], "points": r["curve"]}
        for r in stages["arms"] + stages["base"]
        if r["curve"]
    ]
    return found


def _grid(records: Records) -> list[dict[str, Any]]:
    """Rows: arm, rate, micro and macro F1 on the validation part, and whether it was chosen."""
    return [
        {
            "arm": arm,
            "rate": rate,
            "micro": record["sets"]["valid"]["scores"]["ents_f"],
            "macro": record["sets"]["valid"]["scores"]["ents_macro_f"],
            "chosen": rate == chosen_rate(records, arm),
        }
        for arm in ARMS
        if ARMS[arm].tuned_as == arm
        for rate, record in grid_of(records, arm)
    ]


def _candidates(records: Records) -> list[dict[str, Any]]:
    """Rows: arm, micro and macro F1 on the validation part, at the middle rate of the grid."""
    runs = {arm: dict(grid_of(records, arm)).get(MIDDLE_RATE) for arm in CANDIDATES}
    return [
        {
            "arm": arm,
            "micro": record["sets"]["valid"]["scores"]["ents_f"],
            "macro": record["sets"]["valid"]["scores"]["ents_macro_f"],
        }
        for arm, record in runs.items()
        if record is not None
    ]


def _arms(
    records: Sequence[Mapping[str, Any]], folder: Path, draws: int
) -> dict[str, dict[str, Any]]:
    """For each set: `means` (arm, part, metric, and mean with interval, spread over seeds) and
    `comparisons` (see `_comparison`)."""
    found = {}
    shared = set.intersection(*(set(r["sets"]) for r in records))
    for name in (name for name in records[0]["sets"] if name in shared):
        gold = gold_of(folder, records[0]["data"], name)
        scores = Scores(records, name, gold, draws)
        names = list(dict.fromkeys(r["arm"] for r in records))
        x = np.array([[float(r["arm"] == arm) for arm in names] for r in records])
        found[name] = {
            "means": [
                {"arm": arm, **asdict(part), "metric": metric, **row}
                for part in scores.parts
                for metric in _metrics(part)
                for arm, row in zip(names, _means(*scores.of(part, metric), x), strict=True)
            ],
            "comparisons": _comparisons(scores, names, x),
        }
    return found


def _means(values: Floats, replicates: Floats, x: Floats) -> list[dict[str, Any]]:
    """Of each arm, with the values of its runs. The interval is over sentences and, where an arm
    has several runs, seeds."""
    arms = x.shape[1]
    if len(values) > arms:
        spread = [
            {"low": e.low, "high": e.high} for e in effects(values, replicates, x, np.eye(arms))
        ]
    else:
        mean = np.linalg.pinv(x) @ replicates
        low, high = np.quantile(mean, [0.025, 0.975], axis=1)
        spread = [{"low": float(a), "high": float(b)} for a, b in zip(low, high, strict=True)]
    rows = []
    for column, interval in zip(x.T, spread, strict=True):
        own = values[column > 0]
        deviation = float(own.std(ddof=1)) if len(own) > 1 else None
        found = {"seeds": len(own), "mean": float(own.mean()), "sd": deviation}
        rows.append({**found, "runs": own.tolist(), **interval})
    return rows


def _comparisons(scores: Scores, names: list[str], x: Floats) -> list[dict[str, Any]]:
    """Rows: a, b, part, metric, effect (a minus b), low, high, p, and p corrected by Holm's method
    over the comparisons of the same metric and the same kind of part: for all entities over the
    pairs of arms, for parts over the parts of that kind of one pair."""
    if len(x) <= len(names):
        return []
    pairs = [(a, b) for a, b in COMPARISONS if a in names and b in names]
    contrasts = np.array([[float(n == a) - float(n == b) for n in names] for a, b in pairs])
    rows: list[dict[str, Any]] = []
    for part in scores.parts:
        for metric in _metrics(part):
            found = effects(*scores.of(part, metric), x, contrasts) if pairs else []
            rows += [
                {"a": a, "b": b, **asdict(part), "metric": metric, **asdict(effect)}
                for (a, b), effect in zip(pairs, found, strict=True)
            ]
    _correct(
        rows,
        lambda row: (
            (row["metric"], "all")
            if row["kind"] == "all"
            else (row["metric"], row["kind"], row["a"], row["b"])
        ),
    )
    return rows


def _screenings(
    records: Sequence[Mapping[str, Any]], folder: Path, draws: int
) -> dict[str, dict[str, Any]]:
    """`screening` of the points of both designs at which all heads learn, and `all_rates` of all
    points. Where there are too few of the former, `screening` is of all points."""
    if not records:
        return {}
    scores = Scores(records, "valid", gold_of(folder, records[0]["data"], "valid"), draws)
    every = _screening(records, scores, [True] * len(records))
    learning = [r["levels"]["head_rate"] in LEARNING for r in records]
    some = every if all(learning) else _screening(records, scores, learning)
    if some is every or not some["effects"]:
        return {"screening": every}
    return {"screening": some, "all_rates": every}


def _screening(
    records: Sequence[Mapping[str, Any]], scores: Scores, chosen: Sequence[bool]
) -> dict[str, Any]:
    """The points, effects of each level against the first one (and some of them pooled), by part,
    and how well the design and its model do.

    The runs of a point are averaged over seeds before the model is fitted: what it leaves
    unexplained is seeds and what factors do only together.

    scores: of the records. chosen: of which of them.
    """
    records = [record for record, keep in zip(records, chosen, strict=True) if keep]
    named_points = {(r["stage"], r["arm"]): r["levels"] for r in records}
    points = list(named_points.values())
    factors = tuple(
        replace(f, levels=tuple(x for x in f.levels if any(p[f.key] == x for p in points)))
        for f in FACTORS
    )
    x = model_matrix(points, factors)
    runs = Counter((r["stage"], r["arm"]) for r in records)
    summary: dict[str, Any] = {"points": points, "seeds": sorted(set(runs.values()))}
    if np.linalg.matrix_rank(x) < x.shape[1] or len(points) - x.shape[1] < FREEDOM:
        return summary | {"effects": []}
    keep = np.array(chosen)
    average = np.array(
        [[float((r["stage"], r["arm"]) == name) for r in records] for name in named_points]
    )
    average /= average.sum(axis=1, keepdims=True)
    named, contrasts = _contrasts(factors)
    rows: list[dict[str, Any]] = []
    fit = {}
    for part in scores.parts:
        if part.kind in ("type", "rarity"):
            continue  # A short training finds little of rare types
        for metric in _metrics(part):
            values, replicates = (of_runs[keep] for of_runs in scores.of(part, metric))
            means = average @ values
            found = effects(means, average @ replicates, x, contrasts)
            rows += [
                {**name, **asdict(part), "metric": metric, **asdict(effect)}
                for name, effect in zip(named, found, strict=True)
            ]
            if part.kind == "all":
                fit[metric] = _fit(values, means, x, average)
    _correct(rows, lambda row: (row["metric"], row["kind"], row["value"], row["pooled"]))
    return summary | {
        "effects": rows,
        "fit": fit,
        "inflation": variance_inflation(points, factors),
        "scores": [
            {"design": stage, "point": arm, "micro": float(a), "macro": float(b)}
            for (stage, arm), a, b in zip(
                named_points,
                *(average @ scores.of(scores.parts[0], metric)[0][keep] for metric in METRICS),
                strict=True,
            )
        ],
    }


def _contrasts(factors: Sequence[Factor]) -> tuple[list[dict[str, Any]], Floats]:
    """Name and weights on the coefficients of each effect."""
    named: list[dict[str, Any]] = []
    rows: list[Floats] = []
    every = terms(factors)
    for place, (factor, level) in enumerate(every):
        plain = next(f.levels[0] for f in factors if f.name == factor)
        named.append({"factor": factor, "level": level, "against": plain, "pooled": False})
        rows.append(np.eye(1 + len(every))[1 + place])
    weights = [("head", name, "without", pool) for name, pool in POOLED.items()]
    weights += [
        ("auxiliary", task, "coarse", {task: 1.0, "coarse": -1.0}) for task in ("mention", "pos")
    ]
    for factor in ("blending", "auxiliary"):
        levels = [level for name, level in every if name == factor]
        weights.append((factor, "any", "none", {x: 1.0 / len(levels) for x in levels}))
    for factor, name, against, pool in weights:
        if not pool or any((factor, level) not in every for level in pool):
            continue
        row = np.zeros(1 + len(every))
        for level, weight in pool.items():
            row[1 + every.index((factor, level))] = weight
        named.append({"factor": factor, "level": name, "against": against, "pooled": True})
        rows.append(row)
    return named, np.array(rows)


def _fit(values: Floats, means: Floats, x: Floats, average: Floats) -> dict[str, float | None]:
    """r2 of the model for the points' means; `unexplained`, the standard deviation of what it
    leaves; `seeds`, that of runs around the mean of their point."""
    residuals = means - x @ (np.linalg.pinv(x) @ means)
    freedom = len(means) - x.shape[1]
    within = values - (average > 0).T @ means
    repeats = len(values) - len(means)
    return {
        "r2": float(1 - residuals.var() / (means.var() or 1.0)),
        "unexplained": float(np.sqrt((residuals**2).sum() / freedom)),
        "seeds": float(np.sqrt((within**2).sum() / repeats)) if repeats else None,
        "freedom": freedom,
    }


def _correct(rows: list[dict[str, Any]], family: Any) -> None:
    """Add `holm` to the rows, corrected within each family."""
    for name in {family(row) for row in rows}:
        members = [row for row in rows if family(row) == name]
        for row, p in zip(members, holm([m["p"] for m in members]), strict=True):
            row["holm"] = p


def _metrics(part: Part) -> tuple[str, ...]:
    """Macro F1 of a small part is that of types with one or two entities: not shown."""
    return METRICS if part.kind == "all" else ("micro",)
