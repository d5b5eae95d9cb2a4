"""What the records say: means, effects with intervals, by part. All that the page shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from study.analysis.rows import (
    Analysis,
    Arms,
    Contrast,
    Curve,
    Effect,
    Fit,
    Mean,
    Screening,
    Tried,
)
from study.analysis.scores import Floats, Scores, score_parts
from study.analysis.statistics import EDGES, effects, holm
from study.plan.arms import ARMS, CANDIDATES, COMPARISONS
from study.plan.design import model_matrix, terms, variance_inflation
from study.plan.factors import FACTORS, POOLED, Factor, all_learn
from study.plan.stages import MIDDLE_RATE, Run
from study.runs.records import Gold, Record, best_rate, grid_of, read_gold

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
    late = [r for some in by_stage.values() for r in some]
    curves = (Curve(r.run.arm, r.run.seed, r.trained[-1].steps, r.trained[-1].curve) for r in late)
    return Analysis(
        draws=draws,
        tried=_tried(records),
        screenings=_screenings(screened, folder, draws) if screened else {},
        arms={stage: compare(some, folder, draws) for stage, some in by_stage.items()},
        together={
            r.run.arm: found.scores
            for r in by_stage.get("classic", [])
            for found in r.sets.values()
            if found.hits is None
        },
        curves=[curve for curve in curves if curve.points],
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


def compare(
    records: Sequence[Record],
    folder: Path,
    draws: int,
    comparisons: Iterable[tuple[str, str]] = COMPARISONS,
    score: Callable[[Sequence[Record], str, Gold, int], Scores] = score_parts,
) -> dict[str, Arms]:
    """Means and comparisons of arms, by set, of the arms all of whose records have it, and by the
    parts that `score` makes of it."""
    comparisons = list(comparisons)
    found = {}
    for name in dict.fromkeys(name for r in records for name in r.counted):
        lacking = {r.run.arm for r in records if name not in r.counted}
        some = [r for r in records if r.run.arm not in lacking]
        if not some:
            continue
        names = list(dict.fromkeys(r.run.arm for r in some))
        x = np.array([[float(r.run.arm == arm) for arm in names] for r in some])
        own = dict(zip(names, np.eye(len(names)), strict=True))
        pairs = {Contrast(a, b): own[a] - own[b] for a, b in comparisons if {a, b} <= {*names}}
        gold = read_gold(folder, some[0].run.known, name)
        scores = score(some, name, gold, draws)
        rows = _effects(scores, x, pairs) if len(x) > len(names) else []
        found[name] = Arms(_means(scores, names, x), _corrected(rows, _family_of_arms))
    return found


def _means(scores: Scores, names: Sequence[str], x: Floats) -> list[Mean]:
    """The interval is over sentences and, where an arm has several runs, seeds."""
    rows = []
    for (part, metric), f1 in scores.items():
        if len(x) > len(names):
            edges = [(one.low, one.high) for one in effects(f1, x, np.eye(len(names)))]
        else:
            drawn = np.linalg.pinv(x) @ f1
            # As in `effects`: F1 of drawn sentences is a little biased
            drawn += drawn[:, :1] - drawn[:, 1:].mean(axis=1, keepdims=True)
            edges = np.quantile(drawn[:, 1:], EDGES, axis=1).T.tolist()
        for arm, column, (low, high) in zip(names, x.T, edges, strict=True):
            own = f1[column > 0, 0]
            sd = float(own.std(ddof=1)) if len(own) > 1 else None
            rows.append(Mean(float(own.mean()), low, high, arm, part, metric, own.tolist(), sd))
    return rows


def _effects(scores: Scores, x: Floats, contrasts: Mapping[Contrast, Floats]) -> list[Effect]:
    weights = np.array([*contrasts.values()])
    return [
        Effect(**vars(one), **vars(contrast), part=part, metric=metric)
        for (part, metric), f1 in scores.items()
        if contrasts
        for contrast, one in zip(contrasts, effects(f1, x, weights), strict=True)
    ]


def _screenings(records: Sequence[Record], folder: Path, draws: int) -> dict[str, Screening]:
    gold = read_gold(folder, records[0].run.trainings[-1].part, "valid")
    scores = score_parts(records, "valid", gold, draws)
    # A short training finds little of rare types
    scores = {key: f1 for key, f1 in scores.items() if key[0].kind not in ("type", "rarity")}
    every = _screening([r.run for r in records], scores)
    learning = [n for n, r in enumerate(records) if all_learn(r.run.levels or {})]
    some = _screening(
        [records[n].run for n in learning], {key: f1[learning] for key, f1 in scores.items()}
    )
    if len(learning) < len(records) and some.effects:
        return {"screening": some, "all_rates": every}
    return {"screening": every}


def _screening(runs: Sequence[Run], scores: Scores) -> Screening:
    """The runs of a point are averaged over seeds before the model is fitted: what it leaves
    unexplained is seeds and what factors do only together."""
    of_point = [(run.stage, run.arm) for run in runs]
    named = {name: run.levels or {} for name, run in zip(of_point, runs, strict=True)}
    points = list(named.values())
    factors = tuple(
        replace(f, levels=tuple(x for x in f.levels if any(p[f.key] == x for p in points)))
        for f in FACTORS
    )
    x = model_matrix(points, factors)
    average = np.array([[float(one == name) for one in of_point] for name in named])
    average /= average.sum(axis=1, keepdims=True)
    seeds = sorted(set(Counter(of_point).values()))
    found = Screening(points, seeds, [], {}, {}, {})
    if np.linalg.matrix_rank(x) < x.shape[1] or len(points) - x.shape[1] < FREEDOM:
        return found
    means = {key: average @ f1 for key, f1 in scores.items()}
    for (part, metric), f1 in scores.items():
        if part.kind == "all":
            found.fit[metric] = _fit(f1[:, 0], means[part, metric][:, 0], x, average)
            found.scores[metric] = means[part, metric][:, 0].tolist()
    rows = _corrected(_effects(means, x, _contrasts(factors)), _family_of_levels)
    return replace(found, effects=rows, inflation=variance_inflation(points, factors))


def _contrasts(factors: Sequence[Factor]) -> dict[Contrast, Floats]:
    """Weights on the coefficients."""
    every = np.eye(1 + len(terms(factors)))[1:]
    alone = dict(zip(terms(factors), every, strict=True))
    plain = {f.name: f.levels[0] for f in factors}
    found = {Contrast(level, plain[f], f): row for (f, level), row in alone.items()}
    # The effect of the first level is none
    alone |= {pair: np.zeros(1 + len(every)) for pair in plain.items()}
    for one in POOLED:
        levels = [level for name, level in terms(factors) if name == one.factor]
        sides = (one.levels or levels, one.others or (plain[one.factor],))
        if levels and all((one.factor, level) in alone for side in sides for level in side):
            a, b = (np.mean([alone[one.factor, level] for level in side], axis=0) for side in sides)
            found[Contrast(one.name, one.against, one.factor, pooled=True)] = a - b
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


def _family_of_arms(row: Effect) -> Hashable:
    """Of all entities the pairs of arms, of parts those of a kind of one pair."""
    pair = () if row.part.kind == "all" else (row.level, row.against)
    return row.metric, row.part.kind, pair


def _family_of_levels(row: Effect) -> Hashable:
    return row.metric, row.part, row.pooled


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
