"""The screening design: a few points that vary all factors at once, and what they can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

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
    return np.array(
        [[1.0, *(f.column(level, p) for f in factors for level in f.levels[1:])] for p in points]
    )


def variance_inflation(points: Sequence[Levels], factors: Sequence[Factor]) -> dict[str, float]:
    """For each effect: by how much its variance exceeds that of a comparison of two equally large
    groups with as many runs in all; 1 is the best a two-level factor can have."""
    x = model_matrix(points, factors)
    variances = np.diag(np.linalg.inv(x.T @ x))[1:]
    ideal = 4.0 / len(points)
    names = [f"{name}: {level}" for name, level in terms(factors)]
    return dict(zip(names, (variances / ideal).tolist(), strict=True))


@cache
def d_optimal(
    factors: tuple[Factor, ...], points: int, seed: int = 0, starts: int = 10
) -> tuple[dict[str, str], ...]:
    """Points with a large determinant of X'X for the effects of the factors, found by coordinate
    exchange (Meyer and Nachtsheim 1995) from random starts: one level of one point is exchanged at
    a time, as long as that helps. A level that makes no difference is the first one. The same
    arguments give the same points.

    Raises a ValueError for fewer points than there are effects to estimate.
    """
    effects = 1 + len(terms(factors))
    if points < effects:
        raise ValueError(f"{points} points cannot tell {effects} effects apart.")
    levels = {factor.key: factor.levels for factor in factors}
    rng = np.random.default_rng(seed)

    @cache
    def row(*point: str) -> Matrix:
        """Of the model matrix."""
        return model_matrix([dict(zip(levels, point, strict=True))], factors)[0]

    found = []
    for _ in range(starts):
        design = [[str(rng.choice(some)) for some in levels.values()] for _ in range(points)]
        x = np.array([row(*point) for point in design])
        while _exchange(design, x, list(levels.values()), row):
            pass
        found.append((float(np.linalg.slogdet(x.T @ x)[1]), design))
    _, best = max(found, key=lambda pair: pair[0])
    return tuple(_settled(dict(zip(levels, point, strict=True)), factors) for point in best)


def _exchange(
    design: list[list[str]],
    x: Matrix,
    levels: Sequence[tuple[str, ...]],
    row: Callable[..., Matrix],
) -> bool:
    """Take the best level of each factor at each point. RETURNS: whether one was exchanged."""
    # So little is added that a start which cannot tell all effects can improve
    little = 1e-6 * np.eye(x.shape[1])
    inverse = np.linalg.inv(x.T @ x + little)
    exchanged = False
    for number, point in enumerate(design):
        for place, some in enumerate(levels):
            rows = np.array([row(*point[:place], level, *point[place + 1 :]) for level in some])
            # By what the determinant grows where one row takes the place of another
            forms = rows @ inverse @ rows.T
            now = some.index(point[place])
            growth = (1 + forms.diagonal()) * (1 - forms[now, now]) + forms[:, now] ** 2
            if growth.max() > 1 + 1e-6:
                point[place] = some[int(growth.argmax())]
                x[number] = rows[growth.argmax()]
                inverse = np.linalg.inv(x.T @ x + little)
                exchanged = True
    return exchanged


def _settled(point: dict[str, str], factors: Sequence[Factor]) -> dict[str, str]:
    """With the first level where none makes a difference."""
    matter = {factor.key for factor in factors if factor.matters(point)}
    first = {factor.key: factor.levels[0] for factor in factors}
    return {key: level if key in matter else first[key] for key, level in point.items()}
