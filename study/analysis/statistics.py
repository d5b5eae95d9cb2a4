"""Effects with intervals: a linear model over runs, and a bootstrap over sentences and runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.stats import t as student

from spacy_finegrained_ner.pages.intervals import Interval
from study.analysis.scores import Floats

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate(Interval):
    """A difference of scores, 0 to 1. p: two-sided, of no difference; not corrected for the number
    of comparisons (see `holm`)."""

    p: float


def effects(
    scores: Floats, replicates: Floats, x: Floats, contrasts: Floats, seed: int = 0
) -> list[Estimate]:
    """Contrasts of the coefficients of a linear model of the runs, by least squares.

    With a column of `x` for each arm the coefficients are the arms' means, and a contrast is the
    difference of two.

    The bootstrap is over sentences and over runs. Over sentences it is paired: all runs are scored
    on the same drawn sentences. Over runs it draws what the model leaves unexplained (the
    residuals: seeds, and in a design also what the factors do only together). Few runs have too
    small residuals, whose size is itself uncertain: they are widened by sqrt(runs / freedom), and
    by the ratio of Student's quantile to the normal one. Intervals are percentiles.

    scores: *Shape:* (runs,). replicates: the same on drawn sentences, *Shape:* (runs, draws).
    x: *Shape:* (runs, coefficients). contrasts: *Shape:* (effects, coefficients).
    Raises a ValueError if there are not more runs than coefficients, or a contrast can't be told
    from these runs.
    """
    runs, coefficients = x.shape
    freedom = runs - coefficients
    if freedom < 1:
        raise ValueError(f"{runs} runs are too few for {coefficients} coefficients.")
    solve = np.linalg.pinv(x)
    if not np.allclose(contrasts @ solve @ x, contrasts, atol=1e-6):
        raise ValueError("The runs can't tell some effect from the others.")
    # Not minus their mean: the model has a constant, so it is 0
    residuals = scores - x @ (solve @ scores)
    quantiles = student.ppf((1 + LEVEL) / 2, freedom) / NormalDist().inv_cdf((1 + LEVEL) / 2)
    widened = residuals * math.sqrt(runs / freedom) * quantiles
    drawn = np.random.default_rng(seed).choice(widened, size=replicates.shape)
    found = contrasts @ (solve @ (replicates + drawn))  # (effects, draws)
    estimates = contrasts @ (solve @ scores)
    # The draws scatter around their own mean: F1 of drawn sentences is a little biased
    found += (estimates - found.mean(axis=1))[:, None]
    edges = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return [
        Estimate(float(estimate), float(low), float(high), _p_value(float(estimate), float(spread)))
        for estimate, low, high, spread in zip(estimates, *edges, found.std(axis=1), strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) correction: p-values that hold for all comparisons of a family at once."""
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i])
    corrected = [0.0] * count
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (count - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def _p_value(estimate: float, spread: float) -> float:
    if not spread:
        return 1.0 if not estimate else 0.0
    return math.erfc(abs(estimate) / spread / math.sqrt(2.0))
