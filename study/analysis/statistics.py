"""Effects with intervals: a linear model over runs, and a bootstrap over sentences and runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import erfc
from scipy.stats import norm
from scipy.stats import t as student

from spacy_finegrained_ner.pages.intervals import Interval
from study.analysis.scores import Floats

EDGES = (0.025, 0.975)
ONE_SIDED = 0.05


@dataclass(frozen=True)
class Estimate(Interval):
    """A difference of scores, 0 to 1. p: two-sided, of no difference; not corrected for the number
    of comparisons (see `holm`). least: the lower bound of a one-sided 95% interval."""

    p: float
    least: float


def effects(f1: Floats, x: Floats, contrasts: Floats, seed: int = 0) -> list[Estimate]:
    """Contrasts of the coefficients of a linear model of the runs, by least squares.

    With a column of `x` for each arm the coefficients are the arms' means, and a contrast is the
    difference of two.

    The bootstrap is over sentences and over runs. Over sentences it is paired: all runs are scored
    on the same drawn sentences. Over runs it draws what the model leaves unexplained (the
    residuals: seeds, and in a design also what the factors do only together). Few runs have too
    small residuals, whose size is itself uncertain: they are widened by sqrt(runs / freedom), and
    by the ratio of Student's quantile to the normal one. Intervals are percentiles.

    f1: as it is and on drawn sentences, *Shape:* (runs, 1 + draws).
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
    scores, replicates = f1[:, 0], f1[:, 1:]
    # Not minus their mean: the model has a constant, so it is 0
    residuals = scores - x @ (solve @ scores)
    quantiles = student.ppf(EDGES[1], freedom) / norm.ppf(EDGES[1])
    widened = residuals * math.sqrt(runs / freedom) * quantiles
    drawn = np.random.default_rng(seed).choice(widened, size=replicates.shape)
    found = contrasts @ (solve @ (replicates + drawn))  # (effects, draws)
    values = contrasts @ (solve @ scores)
    # The draws scatter around their own mean: F1 of drawn sentences is a little biased
    found += (values - found.mean(axis=1))[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Nothing over nothing is no difference
        p = np.nan_to_num(erfc(np.abs(values) / found.std(axis=1) / math.sqrt(2.0)), nan=1.0)
    columns = np.vstack(
        [values, np.quantile(found, EDGES, axis=1), p, np.quantile(found, ONE_SIDED, axis=1)]
    )
    return [Estimate(*column) for column in columns.T.tolist()]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) correction: p-values that hold for all comparisons of a family at once."""
    p = np.array(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, np.arange(len(p), 0, -1) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return [float(one) for one in corrected]
