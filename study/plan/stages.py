"""What is run: sizes and stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from study.plan.arms import ARMS, CANDIDATES, CLASSIC, TUNED
from study.plan.design import d_optimal
from study.plan.factors import DEFAULT, Settings, factors_with, settings

RATES = (1e-4, 2e-4, 4e-4)
"""The grid of learning rates that each side has."""
MIDDLE_RATE = RATES[1]

STAGES = ("grid", "screening", "followup", "arms", "classic", "base")

PARTS = ("train", "valid", "dev")


class StudyError(ValueError):
    """Something asked of the study is not possible."""


@dataclass(frozen=True)
class Size:
    """How much is run.

    sample: sentences of the training part that the screening trains on, 0 for all. held_out:
    sentences of each other part that are scored, 0 for all. sample_epochs, epochs: of runs on
    the sample, and of arms, which train on the whole part, or on the sample too where
    `arms_on_sample`. points: of a design. seeds: of both screenings. arm_seeds: of the arms; the
    grid has the first one. looks: evaluations in a run of an arm, for its curve.
    """

    sample: int = 0
    held_out: int = 0
    sample_epochs: int = 3
    epochs: int = 3
    points: int = 36
    seeds: tuple[int, ...] = (0, 1)
    arm_seeds: tuple[int, ...] = (0, 1, 2)
    looks: int = 6
    arms_on_sample: bool = False
    base_epochs: int = 3

    @property
    def part(self) -> str:
        """What arms train on."""
        return "sample" if self.arms_on_sample else "train"


SIZES = {
    # To see that it works, in minutes: nothing can be concluded from it
    "smoke": Size(150, 100, 2, 2, 30, (0,), (0, 1), looks=2, arms_on_sample=True, base_epochs=1),
    "small": Size(sample=3000, sample_epochs=4),
    "full": Size(seeds=(0, 1, 2), arm_seeds=(0, 1, 2, 3, 4)),
}


@dataclass(frozen=True)
class Taught:
    """What a teacher says of a part of the data, in place of its gold or beside that of another.

    teacher: name of an earlier training of the run. part: what it annotates. soft: its
    probabilities, not only its entities. gold: another part, with its own annotation; "" for none.
    """

    teacher: str
    part: str
    soft: bool
    gold: str = ""


@dataclass(frozen=True)
class Training:
    """One training of a run.

    pipeline: of `runs.pipelines.PIPELINES`. part: of the data: "train" or "sample". rate: of the
    encoder. settings: of the config, by dotted path. looks: evaluations on the way. encoder:
    "encoder" or "base". remember: where a pipeline is tuned, the part with the texts that it is to
    remember; "" for none. name: what comes out of it is `${paths.NAME}` in the configs of the
    trainings after it. taught: what it learns of in place of `part`. tuned: the training whose
    pipeline is trained further on `part`, as `tune` does, in place of a new one. pooled: count
    what is predicted on the batches of the last epoch, as the paper's code does. wrong: where a
    pipeline is tuned, only so many docs of `part`, which it gets wrong; 0 for all. names: of
    `runs.names.VARIANTS`, what is read in place of the file of names that is given. behind: what
    stands behind each sentence, of `runs.context.KINDS`, in training and where it is scored; ""
    for nothing.
    """

    pipeline: str = "finegrained"
    part: str = "sample"
    epochs: int = 1
    rate: float = 0.0
    settings: Settings = field(default_factory=dict)
    looks: int = 0
    encoder: str = "encoder"
    name: str = "model"
    taught: Taught | None = None
    tuned: str = ""
    pooled: bool = False
    wrong: int = 0
    remember: str = ""
    names: str = ""
    behind: str = ""

    @property
    def kept(self) -> bool:
        """Whether what comes out is kept for other runs, as that of a teacher."""
        return self.name != "model" and not self.taught and not self.tuned

    def file(self, part: str) -> str:
        """The name of a part of the data, as this training reads it."""
        return f"{part}-{self.behind}" if self.behind else part


@dataclass(frozen=True)
class Run:
    """Trainings, the last of which is scored, with one seed.

    name: of its file. stage: of the study. arm: what it is a repetition of. sets: parts of the data
    that are scored, such as "valid" and "dev"; "train+dev" for the scores on both together;
    "valid@half" with other names, see `runs.names.VARIANTS`.
    levels: of the factors, where it has any.
    """

    name: str
    stage: str
    arm: str
    seed: int
    trainings: tuple[Training, ...]
    sets: tuple[str, ...] = ("valid",)
    levels: dict[str, str] | None = None
    seen: str = ""

    @property
    def known(self) -> str:
        """The part whose entities count as seen."""
        return self.seen or self.trainings[-1].part


@dataclass(frozen=True)
class Stages:
    """The runs of each stage.

    pos: whether the data has parts of speech. dev: whether there is a dev part, to report on.
    """

    size: Size
    pos: bool
    dev: bool

    @property
    def sets(self) -> tuple[str, ...]:
        return ("valid", "dev") if self.dev else ("valid",)

    def of(self, stage: str) -> list[Run]:
        """Of all but the arms."""
        if stage in ("screening", "followup"):
            return self.screening(stage)
        return {"grid": self.grid, "classic": self.classic, "base": self.base}[stage]()

    def grid(self) -> list[Run]:
        """The candidates at the middle rate, and each rate of the grid for each arm that is tuned,
        all with the first seed."""
        pairs = [(name, MIDDLE_RATE) for name in (*CANDIDATES, *TUNED)]
        pairs += [(name, rate) for rate in RATES for name in TUNED]
        return [self._arm(*pair, self.size.arm_seeds[0]) for pair in dict.fromkeys(pairs)]

    def screening(self, stage: str = "screening") -> list[Run]:
        """Each point of the design with each seed, at the middle rate of the grid; all points with
        the first seed come first, so that a part of it can be looked at.

        stage: "screening", with all levels, or "followup": what the first one shows about the rate
        of the head is left out, as heads that learn too slowly hide what the other techniques do.
        """
        factors = factors_with(self.pos, learning=stage == "followup")
        runs = []
        for seed in self.size.seeds:
            for number, levels in enumerate(d_optimal(factors, self.size.points)):
                training = Training(
                    epochs=self.size.sample_epochs, rate=MIDDLE_RATE, settings=settings(levels)
                )
                name, point = f"{stage}-{number:02d}-seed{seed}", f"point {number}"
                runs.append(Run(name, stage, point, seed, (training,), levels=levels))
        return runs

    def arms(self, rates: Mapping[str, float]) -> list[Run]:
        """The arms, each with the rate that was best in its grid. What the grid has done is a part
        of them: the same runs by name. rates: by arm that is tuned."""
        first, *_ = self.size.arm_seeds
        return [
            self._arm(name, rates[arm.tuned_as], seed)
            for seed in self.size.arm_seeds
            for name, arm in ARMS.items()
            if arm.repeated or seed == first
        ]

    def _arm(self, name: str, rate: float, seed: int) -> Run:
        arm = ARMS[name]
        training = self._training(rate, arm.levels, pipeline=arm.pipeline)
        run = f"arm-{name}-{rate:.0e}-seed{seed}"
        return Run(run, "arms", name, seed, (training,), self.sets, arm.levels)

    def _training(self, rate: float, levels: dict[str, str] | None, **more: Any) -> Training:
        """On what arms train on, with a curve."""
        size = self.size
        block = settings(levels) if levels else {}
        more = {"epochs": size.epochs, **more}
        return Training(part=size.part, rate=rate, settings=block, looks=size.looks, **more)

    def classic(self) -> list[Run]:
        """The traditional CRF, without and (where there are any) with parts of speech. Its training
        has no randomness, hence one run of each. Its scores on training and dev part together are
        what the paper's code seems to have."""
        part = self.size.part
        sets = (*self.sets, f"{part}+dev") if self.dev else self.sets
        return [
            Run(f"classic-{name}", "classic", name, 0, (Training(name, part),), sets)
            for name in CLASSIC
            if self.pos or name == "crf"
        ]

    def base(self) -> list[Run]:
        """The default config on a base-size encoder. Its rate is the lowest of the grid: larger
        encoders want smaller ones."""
        epochs = self.size.base_epochs
        training = self._training(RATES[0], DEFAULT, epochs=epochs, encoder="base")
        return [Run("base-default-seed0", "base", "base", 0, (training,), self.sets, DEFAULT)]
