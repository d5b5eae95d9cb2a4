"""What the analysis finds, as rows. They are what is in analysis.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spacy_finegrained_ner.pages.intervals import Interval
from study.analysis.scores import Part
from study.analysis.statistics import Estimate
from study.runs.records import Point


@dataclass(frozen=True)
class Tried:
    """F1 of an arm with its first seed, on the validation part. chosen: whether it has this rate in
    all of its runs."""

    arm: str
    rate: float
    micro: float
    macro: float
    chosen: bool


@dataclass(frozen=True)
class Mean(Interval):
    """F1 of an arm on a part. runs: F1 of each. sd: over them, none of a single one."""

    arm: str
    part: Part
    metric: str
    runs: list[float]
    sd: float | None


@dataclass(frozen=True)
class Contrast:
    """What is held against what: two arms, or levels of a factor. pooled: see `Pooled`."""

    level: str
    against: str
    factor: str = ""
    pooled: bool = False


@dataclass(frozen=True)
class Effect(Estimate):
    """By how much the F1 on a part is more: see `Contrast`. holm: p, corrected."""

    level: str
    against: str
    part: Part
    metric: str
    factor: str = ""
    pooled: bool = False
    holm: float = 1.0


@dataclass(frozen=True)
class Arms:
    """Means and comparisons on one set."""

    means: list[Mean]
    comparisons: list[Effect]


@dataclass(frozen=True)
class Fit:
    """How well the model does. r2: for the points' means; `unexplained`, the standard deviation of
    what it leaves; `seeds`, that of runs around the mean of their point."""

    r2: float
    unexplained: float
    freedom: int
    seeds: float | None


@dataclass(frozen=True)
class Screening:
    """Effects of each level against the first one (and some of them pooled), by part, and how well
    the design and its model do. scores: of each point, by metric. inflation: see `design`."""

    points: Sequence[Mapping[str, str]]
    seeds: list[int]
    effects: list[Effect]
    fit: dict[str, Fit]
    inflation: dict[str, float]
    scores: dict[str, list[float]]


@dataclass(frozen=True)
class Curve:
    """How an arm learns, with one seed."""

    arm: str
    seed: int
    steps: int
    points: list[Point]


@dataclass(frozen=True)
class Analysis:
    """Everything that can be said of the records that are there. A stage without enough of them is
    left out.

    screenings: `screening` of the points of both designs at which all heads learn (of all where
    there are too few), and `all_rates` of all points. arms: by stage and set. together: scores on
    training and dev part at once, by arm.
    """

    draws: int
    tried: list[Tried]
    screenings: dict[str, Screening]
    arms: dict[str, dict[str, Arms]]
    together: dict[str, dict[str, float]]
    curves: list[Curve]
