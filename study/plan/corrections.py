"""A trained pipeline that is tuned on a few texts that it got wrong, and that were corrected."""

from __future__ import annotations

import random
from dataclasses import replace

from study.plan.experiment import Compared, Experiment, Parts
from study.plan.stages import MIDDLE_RATE, Training
from study.plan.teaching import ALL

CORRECTED = 40
"""Texts."""
REMEMBERED = 400
"""Texts of the training part."""
SHARE = 0.1
"""Of the validation part, that they are taken from: the same for all seeds, so that all are scored
on the same rest."""


def divided(docs: Parts) -> Parts:
    """The validation part, cut at random, and some of the training part: always the same."""
    valid = docs["valid"]
    order = list(range(len(valid)))
    random.Random(0).shuffle(order)
    some = random.Random(1).sample(range(len(docs["train"])), min(REMEMBERED, len(docs["train"])))
    few = max(1, round(SHARE * len(valid)))
    return {
        "valid_corrected": [valid[n] for n in order[:few]],
        "remembered": [docs["train"][n] for n in sorted(some)],
        "valid_rest": [valid[n] for n in sorted(order[few:])],
    }


# As `tune` does by default, without texts to remember and with some: 60 and 84 steps
_ALONE = Training(
    part="valid_corrected", epochs=20, rate=MIDDLE_RATE / 40, tuned="all", wrong=CORRECTED
)
_REMEMBERING = replace(_ALONE, epochs=3, rate=MIDDLE_RATE / 4, remember="remembered")

CORRECTIONS = Experiment(
    "corrections",
    f"A pipeline tuned on {CORRECTED} corrected texts",
    {
        "before": Compared("as it was", (ALL,)),
        "tuned": Compared("tuned on these alone", (ALL, _ALONE)),
        "remembering": Compared(
            f"tuned with {REMEMBERED} texts of train to remember, at ten times the rate",
            (ALL, _REMEMBERING),
        ),
    },
    [("tuned", "before"), ("remembering", "before"), ("remembering", "tuned")],
    divided,
    sets=("valid_rest",),
)
