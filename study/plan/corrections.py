"""A trained pipeline that is tuned on a few texts that it got wrong, and that were corrected."""

from __future__ import annotations

import random

from study.plan.experiment import Compared, Experiment, Parts
from study.plan.stages import MIDDLE_RATE, Training
from study.plan.teaching import ALL

CORRECTED = 40
"""Texts."""
SHARE = 0.1
"""Of the validation part, that they are taken from: the same for all seeds, so that all are scored
on the same rest."""


def divided(docs: Parts) -> Parts:
    """The validation part, cut at random: always the same two."""
    valid = docs["valid"]
    order = list(range(len(valid)))
    random.Random(0).shuffle(order)
    few = max(1, round(SHARE * len(valid)))
    return {
        "valid_corrected": [valid[n] for n in order[:few]],
        "valid_rest": [valid[n] for n in sorted(order[few:])],
    }


# As `tune` does by default: 60 steps
_TUNED = Training(
    part="valid_corrected", epochs=20, rate=MIDDLE_RATE / 4, tuned="all", wrong=CORRECTED
)

CORRECTIONS = Experiment(
    "corrections",
    f"A pipeline tuned on {CORRECTED} corrected texts",
    {
        "before": Compared("as it was", (ALL,)),
        "tuned": Compared("tuned", (ALL, _TUNED)),
    },
    [("tuned", "before")],
    divided,
    sets=("valid_rest",),
)
