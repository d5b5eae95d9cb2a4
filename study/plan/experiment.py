"""Experiments beside the study: arms of their own, on parts of the data of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from spacy.tokens import Doc

from study.plan.stages import Run, Training

Parts = dict[str, list[Doc]]
"""The docs of each part of the data."""


@dataclass(frozen=True)
class Compared:
    """An arm of an experiment. seeds: if not those of the experiment. later: run only if `more` of
    the experiment chooses it. sets: scored beside those of the experiment."""

    title: str
    trainings: tuple[Training, ...]
    seeds: tuple[int, ...] | None = None
    later: bool = False
    sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """What is asked, and the arms that answer it.

    name: of the experiment, and first part of the names of its runs. title: of its page. arms: in
    the order in which they are run, all with a seed before the next one. comparisons: pairs of
    arms, the first against the second. divided: makes more parts of the docs. sets: what is scored.
    groups: of types, that are scored on their own too. more: which arms are run with all seeds,
        by macro F1 on the validation part with the first seed; all if None. by_sentence: those are
        compared by length and context of the sentence, too.
    """

    name: str
    title: str
    arms: Mapping[str, Compared]
    comparisons: Sequence[tuple[str, str]]
    divided: Callable[[Parts], Parts] = field(default=lambda docs: {}, repr=False)
    seeds: tuple[int, ...] = (0, 1, 2)
    sets: tuple[str, ...] = ("valid",)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    more: Callable[[dict[str, float]], Sequence[str]] | None = None
    by_sentence: bool = False

    @property
    def behind(self) -> list[str]:
        """All that stands behind sentences in some training."""
        trainings = (one for arm in self.arms.values() for one in arm.trainings)
        return sorted({one.behind for one in trainings} - {""})

    def smoke(self) -> Experiment:
        """To see that it works, in minutes: one seed, on a sample."""
        arms = {
            name: replace(arm, trainings=tuple(_small(t) for t in arm.trainings))
            for name, arm in self.arms.items()
        }
        return replace(self, arms=arms, seeds=(0,))

    def chosen(self, f1: Mapping[str, float] | None) -> list[str]:
        """The arms that are run with all seeds. f1: see `runs`."""
        if self.more is None:
            return list(self.arms)
        first = self.candidates(f1 or {})
        return list(self.more(first)) if first else []

    def candidates(self, f1: Mapping[str, float]) -> dict[str, float]:
        """The arms of which some are chosen, with their F1: none while any of them has not run."""
        names = [name for name, arm in self.arms.items() if not arm.later]
        return {name: f1[name] for name in names} if f1.keys() >= {*names} else {}

    def runs(self, f1: Mapping[str, float] | None = None) -> list[Run]:
        """Whatever a run learns of, entities count as seen where the training part has them.

        f1: macro F1 of each arm with the first seed, where that is known: without it, and with a
            choice of arms, only runs with the first seed.
        """
        chosen = self.chosen(f1)
        seeds = {}
        for name, arm in self.arms.items():
            some = arm.seeds or self.seeds
            seeds[name] = some if name in chosen else () if arm.later else some[:1]
        return [
            Run(
                f"{self.name}-{name}-seed{seed}",
                self.name,
                name,
                seed,
                arm.trainings,
                self.sets + arm.sets,
                seen="train",
            )
            for seed in sorted({seed for some in seeds.values() for seed in some})
            for name, arm in self.arms.items()
            if seed in seeds[name]
        ]


def _small(training: Training) -> Training:
    part = "sample" if training.part == "train" else training.part
    return replace(training, epochs=12, part=part)
