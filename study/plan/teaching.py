"""What a teacher's labels are worth, hard and soft."""

from __future__ import annotations

import random
from dataclasses import replace

from study.plan.experiment import Compared, Experiment, Parts
from study.plan.factors import DEFAULT, settings
from study.plan.stages import MIDDLE_RATE, Taught, Training


def halves(docs: Parts) -> Parts:
    """The training part, cut in two at random: always the same two."""
    order = list(range(len(docs["train"])))
    random.Random(0).shuffle(order)
    middle = (len(order) + 1) // 2
    cut = {"half_a": sorted(order[:middle]), "half_b": sorted(order[middle:])}
    return {name: [docs["train"][n] for n in places] for name, places in cut.items()}


ALL = Training(part="train", epochs=3, rate=MIDDLE_RATE, settings=settings(DEFAULT), name="all")
"""The default config; kept for other experiments."""
_TEACHER = replace(ALL, part="half_a", name="teacher")


def _student(soft: bool, gold: str) -> tuple[Training, ...]:
    taught = Taught("teacher", "half_b", soft, gold)
    return _TEACHER, replace(ALL, part="half_b", name="model", taught=taught)


TEACHING = Experiment(
    "teaching",
    "What a teacher's labels are worth",
    {
        "half": Compared("half A with gold: the teacher", (_TEACHER,)),
        "all": Compared("A and B with gold", (ALL,)),
        "hard": Compared("A with gold, B by the teacher, hard", _student(False, "half_a")),
        "soft": Compared("A with gold, B by the teacher, soft", _student(True, "half_a")),
        "hard_alone": Compared("B by the teacher alone, hard", _student(False, "")),
        "soft_alone": Compared("B by the teacher alone, soft", _student(True, "")),
    },
    (
        *((arm, "half") for arm in ("hard", "soft", "hard_alone", "soft_alone", "all")),
        *(("soft", "hard"), ("soft_alone", "hard_alone"), ("soft", "all")),
    ),
    halves,
)
