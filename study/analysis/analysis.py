"""What the records say: means, effects with intervals, by part. All that the page shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from study.analysis.rows import Analysis, Arms, Curve, Effect, Fit, Mean, Screening, Tried
from study.analysis.scores import Floats, Scores
from study.analysis.statistics import effects, holm
from study.plan.arms import ARMS, CANDIDATES, COMPARISONS
from study.plan.design import model_matrix, terms, variance_inflation
from study.plan.factors import FACTORS, POOLED, Factor, all_learn
from study.plan.stages import MIDDLE_RATE
from study.runs.records import Record, best_rate, grid_of, read_gold

DRAWS = 2000
FREEDOM = 4
"""Points that a design must have more than effects: with fewer, intervals are too wide to read."""


def analyse(records: Sequence[Record], folder: Path, draws: int = DRAWS) -> Analysis:
    """folder: of the gold tables."""
    by_stage: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        if r.run.stage != "arms" or r.rate == best_rate(records, r.run.arm):
            by_stage[r.run.stage].append(r)
    screened = by_stage.pop("screening", []) + by_stage.pop("followup", [])
    return Analysis(
        draws=draws,
        tried=_tried(records),
        screenings=_screenings(screened, folder, draws) if screened else {},
        arms={stage: _arms(runs, folder, draws) for stage, runs in by_stage.items()},
        together={
            r.run.arm: found.scores
            for r in by_stage.get("classic", [])
            for found in r.sets.values()
            if found.hits is None
        },
        curves=[
            Curve(r.run.arm, r.run.seed, r.trained[-1].steps, r.trained[-1].curve)
            for stage, runs in by_stage.items()
            for r in runs
            if r.trained[-1].curve
        ],
    )


def _tried(records: Sequence[Record]) -> list[Tried]:
    """Each rate of the arms that have a grid, and the candidates at the middle one."""
    rows = []
    for arm in ARMS:
        for rate, record in grid_of(records, arm).items():
            if ARMS[arm].tuned_as == arm or (arm in CANDIDATES and rate == MIDDLE_RATE):
                scores = record.sets["valid"].scores
                f1 = (scores["ents_f"], scores["ents_macro_f"])
                rows.append(Tried(arm, rate, *f1, rate == best_rate(records, arm)))
    return rows


def _arms(records: Sequence[Record], folder: Path, draws: int) -> dict[str, Arms]:
    """By set that all of them have."""
    found = {}
    names = list(dict.fromkeys(r.run.arm for r in records))
    x = np.array([[float(r.run.arm == arm) for arm in names] for r in records])
    for name in records[0].counted:
        if all(name in r.counted for r in records):
            gold = read_gold(folder, records[0].run.trainings[-1].part, name)
            scores = Scores(records, name, gold, draws)
            found[name] = Arms(_means(scores, names, x), _comparisons(scores, names, x))
    return found


def _means(scores: Scores, names: Sequence[str], x: Floats) -> list[Mean]:
    """The interval is over sentences and, where an arm has several runs, seeds."""
    rows = []
    for part in scores.parts:
        for metric in part.metrics:
            values, replicates = scores.of(part, metric)
            if len(values) > len(names):
                found = effects(values, replicates, x, np.eye(len(names)))
                edges = [(one.low, one.high) for one in found]
            else:
                low_high = np.quantile(np.linalg.pinv(x) @ replicates, [0.025, 0.975], axis=1)
                edges = [(float(low), float(high)) for low, high in low_high.T]
            for arm, column, (low, high) in zip(names, x.T, edges, strict=True):
                own = values[column > 0]
                sd = float(own.std(ddof=1)) if len(own) > 1 else None
                rows.append(Mean(float(own.mean()), low, high, arm, part, metric, own.tolist(), sd))
    return rows


def _comparisons(scores: Scores, names: Sequence[str], x: Floats) -> list[Effect]:
    """p is corrected over the comparisons of the same metric and the same kind of part: for all
    entities over the pairs of arms, for parts over the parts of that kind of one pair."""
    pairs = [(a, b) for a, b in COMPARISONS if a in names and b in names]
    if len(x) <= len(names) or not pairs:
        return []
    contrasts = np.array([[float(n == a) - float(n == b) for n in names] for a, b in pairs])
    rows = [
        Effect(**vars(one), level=a, against=b, part=part, metric=metric)
        for part in scores.parts
        for metric in part.metrics
        for (a, b), one in zip(pairs, effects(*scores.of(part, metric), x, contrasts), strict=True)
    ]
    return _corrected(
        rows,
        lambda row: (
            (row.metric, "all")
            if row.part.kind == "all"
            else (row.metric, row.part.kind, row.level, row.against)
        ),
    )


def _screenings(records: Sequence[Record], folder: Path, draws: int) -> dict[str, Screening]:
    gold = read_gold(folder, records[0].run.trainings[-1].part, "valid")
    scores = Scores(records, "valid", gold, draws)
    every = _screening(scores, np.full(len(records), True))
    learning = np.array([all_learn(r.run.levels or {}) for r in records])
    if not learning.all():
        some = _screening(scores, learning)
        if some.effects:
            return {"screening": some, "all_rates": every}
    return {"screening": every}


def _screening(scores: Scores, keep: npt.NDArray[np.bool_]) -> Screening:
    """The runs of a point are averaged over seeds before the model is fitted: what it leaves
    unexplained is seeds and what factors do only together.

    keep: which of the runs.
    """
    runs = [r.run for r, kept in zip(scores.records, keep, strict=True) if kept]
    named = {(run.stage, run.arm): run.levels or {} for run in runs}
    points = list(named.values())
    factors = tuple(
        replace(f, levels=tuple(x for x in f.levels if any(p[f.key] == x for p in points)))
        for f in FACTORS
    )
    x = model_matrix(points, factors)
    average = np.array([[float((run.stage, run.arm) == name) for run in runs] for name in named])
    average /= average.sum(axis=1, keepdims=True)
    seeds = sorted(set(Counter((run.stage, run.arm) for run in runs).values()))
    found = Screening(points, seeds, [], {}, {}, {})
    if np.linalg.matrix_rank(x) < x.shape[1] or len(points) - x.shape[1] < FREEDOM:
        return found
    contrasts = _contrasts(factors)
    weights = np.array(list(contrasts.values()))
    rows = []
    for part in scores.parts:
        if part.kind in ("type", "rarity"):
            continue  # A short training finds little of rare types
        for metric in part.metrics:
            values, replicates = (of_runs[keep] for of_runs in scores.of(part, metric))
            means = average @ values
            rows += [
                Effect(
                    **vars(one),
                    level=level,
                    against=against,
                    part=part,
                    metric=metric,
                    factor=factor,
                    pooled=pooled,
                )
                for (factor, level, against, pooled), one in zip(
                    contrasts, effects(means, average @ replicates, x, weights), strict=True
                )
            ]
            if part.kind == "all":
                found.fit[metric] = _fit(values, means, x, average)
                found.scores[metric] = means.tolist()
    rows = _corrected(rows, lambda row: (row.metric, row.part.kind, row.part.value, row.pooled))
    return replace(found, effects=rows, inflation=variance_inflation(points, factors))


def _contrasts(factors: Sequence[Factor]) -> dict[tuple[str, str, str, bool], Floats]:
    """Weights on the coefficients by factor, level, what it is held against and whether pooled."""
    every = np.eye(1 + len(terms(factors)))[1:]
    alone = dict(zip(terms(factors), every, strict=True))
    plain = {f.name: f.levels[0] for f in factors}
    found = {(f, level, plain[f], False): row for (f, level), row in alone.items()}
    # The effect of the first level is none
    alone |= {pair: np.zeros(1 + len(every)) for pair in plain.items()}
    for one in POOLED:
        levels = [level for name, level in terms(factors) if name == one.factor]
        sides = (one.levels or levels, one.others or (plain[one.factor],))
        if levels and all((one.factor, level) in alone for side in sides for level in side):
            a, b = (np.mean([alone[one.factor, level] for level in side], axis=0) for side in sides)
            found[one.factor, one.name, one.against, True] = a - b
    return found


def _fit(values: Floats, means: Floats, x: Floats, average: Floats) -> Fit:
    residuals = means - x @ (np.linalg.pinv(x) @ means)
    freedom = len(means) - x.shape[1]
    within = values - (average > 0).T @ means
    repeats = len(values) - len(means)
    return Fit(
        r2=float(1 - residuals.var() / (means.var() or 1.0)),
        unexplained=float(np.sqrt((residuals**2).sum() / freedom)),
        freedom=freedom,
        seeds=float(np.sqrt((within**2).sum() / repeats)) if repeats else None,
    )


def _corrected(rows: Sequence[Effect], family: Callable[[Effect], Hashable]) -> list[Effect]:
    """With `holm` within each family."""
    families: dict[Hashable, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        families[family(row)].append(number)
    found = list(rows)
    for members in families.values():
        for number, p in zip(members, holm([rows[i].p for i in members]), strict=True):
            found[number] = replace(rows[number], holm=p)
    return found
