"""The pipelines that are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from study.plan.factors import DEFAULT, PAPER, PLAIN


@dataclass(frozen=True)
class Arm:
    """A pipeline that is compared with others.

    pipeline: see `Training`. tuned_as: the arm whose rate of the grid it has. repeated: with all
    seeds, not only the first.
    """

    title: str
    levels: dict[str, str] | None = None
    pipeline: str = "finegrained"
    tuned_as: str = "default"
    repeated: bool = True


ALONE = DEFAULT | {"auxiliary": "none"}
THREE = ALONE | {"layers": "3"}
WIDE = THREE | {"window": "2"}
FAST = DEFAULT | {"head": "bilstm_crf", "head_rate": "30"}

ARMS = {
    "default": Arm("default config", DEFAULT),
    "linear": Arm("plain linear head", PLAIN, tuned_as="linear"),
    "ner": Arm("spaCy's ner", pipeline="ner", tuned_as="ner"),
    "no_auxiliary": Arm("default without auxiliary task", ALONE),
    "no_blending": Arm("default without blending", DEFAULT | {"blending": "none"}),
    "layers": Arm("three layers, no auxiliary task", THREE, repeated=False),
    "wide": Arm("three layers, window 2, no auxiliary task", WIDE, repeated=False),
    "bilstm": Arm("default with a BiLSTM at 30 times the rate", FAST, repeated=False),
    "paper": Arm("all techniques, as the paper", PAPER),
}
"""Of the encoder; the first three have a grid of their own."""

TUNED = [name for name, arm in ARMS.items() if arm.tuned_as == name]

CANDIDATES = ("default", "no_auxiliary", "layers", "wide", "bilstm")
"""What may be best by the screenings. That which is so on all of the training data, at the middle
rate of the grid and with the first seed, became the default config."""

WITHOUT = {"blending": "no_blending", "auxiliary": "no_auxiliary"}
"""For a technique of the default config: the arm without it."""

COMPARISONS = (
    *(("default", arm) for arm in ("linear", "ner", *WITHOUT.values())),
    *((arm, "no_auxiliary") for arm in ("layers", "wide")),
    ("bilstm", "default"),
    *(("paper", arm) for arm in ("linear", "default")),
)
"""Arms that are compared, the second one being what the first is held against."""

CLASSIC = {"crf": "traditional CRF", "crf_pos": "traditional CRF with parts of speech"}
