"""The screening design: a few points that vary all factors at once, and what they can tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from study.plan.factors import Factor, Levels

Matrix = npt.NDArray[np.float64]


def terms(factors: Sequence[Factor]) -> list[tuple[str, str]]:
    """(factor, level) of each effect: all levels but the first one of each factor."""
    return [(factor.name, level) for factor in factors for level in factor.levels[1:]]


def model_matrix(points: Sequence[Levels], factors: Sequence[Factor]) -> Matrix:
    """*Shape:* (points, 1 + terms). A column of ones, and for each of `terms` whether its level
    is in force at the point: coefficients are effects against the first level."""
    columns = [[1.0] * len(points)]
    for factor in factors:
        columns += [[factor.column(lvl, p) for p in points] for lvl in factor.levels[1:]]
    return np.array(columns).T


def d_optimal(
    factors: Sequence[Factor], points: int, seed: int = 0, starts: int = 20
) -> list[dict[str, str]]:
    """Points with a large determinant of X'X for the effects of the factors, found by coordinate
    exchange (Meyer and Nachtsheim 1995) from random starts: one level of one point is exchanged at
    a time, as long as that helps. The same arguments give the same points.

    Raises a ValueError for fewer points than there are effects to estimate.
    """
    effects = 1 + len(terms(factors))
    if points < effects:
        raise ValueError(f"{points} points cannot tell {effects} effects apart.")
    rng = np.random.default_rng(seed)
    found = [_exchange(_random(factors, points, rng), factors) for _ in range(starts)]
    return max(found, key=lambda design: _log_determinant(model_matrix(design, factors)))


def variance_inflation(points: Sequence[Levels], factors: Sequence[Factor]) -> dict[str, float]:
    """For each effect: by how much its variance exceeds that of a comparison of two equally large
    groups with as many runs in all; 1 is the best a two-level factor can have."""
    x = model_matrix(points, factors)
    variances = np.diag(np.linalg.inv(x.T @ x))[1:]
    ideal = 4.0 / len(points)
    names = [f"{name}: {level}" for name, level in terms(factors)]
    return dict(zip(names, (variances / ideal).tolist(), strict=True))


def _random(
    factors: Sequence[Factor], points: int, rng: np.random.Generator
) -> list[dict[str, str]]:
    return [{f.key: str(rng.choice(f.levels)) for f in factors} for _ in range(points)]


def _exchange(design: list[dict[str, str]], factors: Sequence[Factor]) -> list[dict[str, str]]:
    x = model_matrix(design, factors)
    best = _log_determinant(x)
    rows: dict[tuple[str, ...], Matrix] = {}
    better = True
    while better:
        better = False
        for point, row in zip(design, x, strict=True):  # rows are views of x
            for factor in factors:
                for level in factor.levels:
                    before, row_before = point[factor.key], row.copy()
                    point[factor.key] = level
                    levels = tuple(point.values())
                    if levels not in rows:
                        rows[levels] = model_matrix([point], factors)[0]
                    row[:] = rows[levels]
                    value = _log_determinant(x)
                    if value > best + 1e-9:
                        best, better = value, True
                    else:
                        point[factor.key] = before
                        row[:] = row_before
    return design


def _log_determinant(x: Matrix) -> float:
    """Of X'X, with so little added that a start which cannot tell all effects can improve."""
    return float(np.linalg.slogdet(x.T @ x + 1e-6 * np.eye(x.shape[1]))[1])
