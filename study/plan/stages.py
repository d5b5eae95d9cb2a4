"""What is run: sizes and stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from study.plan.arms import ARMS, CANDIDATES, CLASSIC
from study.plan.design import d_optimal
from study.plan.factors import DEFAULT, FACTORS, Factor, Settings, settings

RATES = (1e-4, 2e-4, 4e-4)
"""The grid of learning rates that each side has."""
MIDDLE_RATE = RATES[1]

STAGES = ("grid", "screening", "followup", "arms", "classic", "base")

Records = Mapping[str, Mapping[str, Any]]
"""What came out of the runs, by name; see `study.training.run_once`."""


class StudyError(ValueError):
    """Something asked of the study is not possible."""


@dataclass(frozen=True)
class Size:
    """How much is run.

    sample: sentences of the training part that the screening trains on, 0 for all. held_out:
    sentences of the validation part that are scored, 0 for all. sample_epochs, epochs: of runs on
    the sample, and of arms, which train on the whole part, or on the sample too where
    `arms_on_sample`. points: of a design. seeds: of both screenings. arm_seeds: of the arms; the
    grid has the first one. looks: evaluations in a run of an arm, for its curve.
    """

    sample: int
    held_out: int
    sample_epochs: int
    epochs: int
    points: int
    seeds: tuple[int, ...]
    arm_seeds: tuple[int, ...]
    looks: int = 6
    arms_on_sample: bool = False
    base_epochs: int = 3


SIZES = {
    # To see that it works, in minutes: nothing can be concluded from it
    "smoke": Size(
        sample=150,
        held_out=100,
        sample_epochs=2,
        epochs=2,
        points=30,
        seeds=(0,),
        arm_seeds=(0, 1),
        looks=2,
        arms_on_sample=True,
        base_epochs=1,
    ),
    "small": Size(
        sample=3000,
        held_out=0,
        sample_epochs=4,
        epochs=3,
        points=36,
        seeds=(0, 1),
        arm_seeds=(0, 1, 2),
    ),
    "full": Size(
        sample=0,
        held_out=0,
        sample_epochs=3,
        epochs=3,
        points=36,
        seeds=(0, 1, 2),
        arm_seeds=(0, 1, 2, 3, 4),
    ),
}


@dataclass(frozen=True)
class Run:
    """One training.

    name: of its file. arm: what it is a repetition of. kind: "finegrained", "ner" (spaCy's own) or
    "crf" (the traditional one). rate: of the encoder. settings: of the config, by dotted path.
    data: "sample" or "train". sets: what is scored: "valid", and "dev" for what is reported.
    looks: evaluations on the way. encoder: "encoder" or "base".
    """

    name: str
    stage: str
    arm: str
    seed: int
    kind: str = "finegrained"
    rate: float = 0.0
    settings: Settings = field(default_factory=dict)
    levels: dict[str, str] | None = None
    data: str = "sample"
    epochs: int = 1
    sets: tuple[str, ...] = ("valid",)
    looks: int = 0
    encoder: str = "encoder"


@lru_cache
def design(points: int, factors: tuple[Factor, ...] = FACTORS) -> tuple[dict[str, str], ...]:
    """The points of the screening: the same ones each time."""
    return tuple(d_optimal(factors, points))


LEARNING = ("10", "30")
"""Factors of the head's rate at which all heads learn in a short training."""


def factors_with(pos: bool, learning: bool = False) -> tuple[Factor, ...]:
    """Those of the study; without parts of speech in the data, no task of theirs. learning: only
    those rates of the head at which all heads learn."""

    def kept(factor: Factor, level: str) -> bool:
        if factor.key == "head_rate" and learning:
            return level in LEARNING
        return pos or level != "pos"

    return tuple(replace(f, levels=tuple(x for x in f.levels if kept(f, x))) for f in FACTORS)


def grid(size: Size, dev: bool) -> list[Run]:
    """The candidates at the middle rate, and each rate of the grid for each arm that is tuned, all
    with the first seed."""
    tuned = [name for name, arm in ARMS.items() if arm.tuned_as == name]
    pairs = [(name, MIDDLE_RATE) for name in (*CANDIDATES, *tuned)]
    pairs += [(name, rate) for rate in RATES for name in tuned]
    return [
        _arm_run(size, name, rate, size.arm_seeds[0], dev) for name, rate in dict.fromkeys(pairs)
    ]


def screening(size: Size, pos: bool, stage: str = "screening") -> list[Run]:
    """Each point of the design with each seed, at the middle rate of the grid; all points with
    the first seed come first, so that a part of it can be looked at.

    stage: "screening", with all levels, or "followup": what the first one shows about the rate of
    the head is left out, as heads that learn too slowly hide what the other techniques do.
    """
    points = design(size.points, factors_with(pos, learning=stage == "followup"))
    return [
        Run(
            name=f"{stage}-{number:02d}-seed{seed}",
            stage=stage,
            arm=f"point {number}",
            seed=seed,
            rate=MIDDLE_RATE,
            settings=settings(levels),
            levels=levels,
            epochs=size.sample_epochs,
        )
        for seed in size.seeds
        for number, levels in enumerate(points)
    ]


def arms(size: Size, records: Records, dev: bool) -> list[Run]:
    """The arms, each with the rate that was best in its grid. What the grid has done is a part of
    them: the same runs by name."""
    rates = {arm: best_rate(records, arm) for arm in ("linear", "default", "ner")}
    return [
        _arm_run(size, name, rates[arm.tuned_as], seed, dev)
        for seed in size.arm_seeds
        for name, arm in ARMS.items()
        if arm.repeated or seed == size.arm_seeds[0]
    ]


def _arm_run(size: Size, name: str, rate: float, seed: int, dev: bool) -> Run:
    arm = ARMS[name]
    return Run(
        name=f"arm-{name}-{rate:.0e}-seed{seed}",
        stage="arms",
        arm=name,
        seed=seed,
        rate=rate,
        kind=arm.kind,
        levels=arm.levels,
        settings=settings(arm.levels) if arm.levels is not None else {},
        data="sample" if size.arms_on_sample else "train",
        epochs=size.epochs,
        sets=("valid", "dev") if dev else ("valid",),
        looks=size.looks,
    )


def classic(size: Size, pos: bool, dev: bool) -> list[Run]:
    """The traditional CRF, without and (where there are any) with parts of speech. Its training
    has no randomness, hence one run of each."""
    return [
        Run(
            name=f"classic-{name}",
            stage="classic",
            arm=name,
            seed=0,
            kind="crf",
            data="sample" if size.arms_on_sample else "train",
            sets=("valid", "dev") if dev else ("valid",),
        )
        for name in CLASSIC
        if pos or name == "crf"
    ]


def base(size: Size, dev: bool) -> list[Run]:
    """The default config on a base-size encoder. Its rate is the lowest of the grid: larger
    encoders want smaller ones."""
    return [
        Run(
            name="base-default-seed0",
            stage="base",
            arm="base",
            seed=0,
            rate=RATES[0],
            settings=settings(DEFAULT),
            levels=DEFAULT,
            data="sample" if size.arms_on_sample else "train",
            epochs=size.base_epochs,
            sets=("valid", "dev") if dev else ("valid",),
            looks=size.looks,
            encoder="base",
        )
    ]


def best_rate(records: Records, arm: str) -> float:
    """The rate of the best macro F1 on the validation part in the grid.

    Raises a StudyError where the grid is not done.
    """
    scores = {rate: record["sets"]["valid"]["scores"] for rate, record in grid_of(records, arm)}
    if len(scores) < len(RATES):
        raise StudyError(
            f"The grid of rates of {arm!r} has {len(scores)} of {len(RATES)} rates: run the stage "
            "'grid' before the stage 'arms'."
        )
    return max(scores, key=lambda rate: scores[rate]["ents_macro_f"])


def chosen_rate(records: Records, arm: str) -> float | None:
    """The rate of the runs of an arm, None while its grid is not done."""
    try:
        return best_rate(records, ARMS[arm].tuned_as)
    except StudyError:
        return None


def grid_of(records: Records, arm: str) -> list[tuple[float, Mapping[str, Any]]]:
    """Rate and record of the runs of an arm with the first seed."""
    runs = [r for r in records.values() if r["stage"] == "arms" and r["arm"] == arm]
    first = min((r["seed"] for r in runs), default=0)
    return sorted(((r["rate"], r) for r in runs if r["seed"] == first), key=lambda row: row[0])


def check_stages(stages: Iterable[str]) -> tuple[str, ...]:
    """Raises a StudyError for one that there is not."""
    stages = tuple(stages)
    for stage in stages:
        if stage not in STAGES:
            raise StudyError(f"There is no stage {stage!r}, expected some of {', '.join(STAGES)}.")
    return stages
