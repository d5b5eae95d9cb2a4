"""The pipelines that are compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from study.plan.factors import DEFAULT, PAPER, PLAIN


@dataclass(frozen=True)
class Arm:
    """A pipeline that is compared with others.

    tuned_as: the arm whose rate of the grid it has. repeated: with all seeds, not only the first.
    """

    title: str
    kind: str
    levels: dict[str, str] | None
    tuned_as: str = "default"
    repeated: bool = True


UNHELPED = DEFAULT | {"auxiliary": "none"}

ARMS = {
    "default": Arm("default config", "finegrained", DEFAULT),
    "linear": Arm("plain linear head", "finegrained", PLAIN, "linear"),
    "ner": Arm("spaCy's `ner`", "ner", None, "ner"),
    "no_auxiliary": Arm("default without auxiliary task", "finegrained", UNHELPED),
    "no_blending": Arm("default without blending", "finegrained", DEFAULT | {"blending": "none"}),
    "layers": Arm(
        "three layers, no auxiliary task",
        "finegrained",
        UNHELPED | {"layers": "3"},
        repeated=False,
    ),
    "wide": Arm(
        "three layers, window 2, no auxiliary task",
        "finegrained",
        UNHELPED | {"layers": "3", "window": "2"},
        repeated=False,
    ),
    "bilstm": Arm(
        "default with a BiLSTM at 30 times the rate",
        "finegrained",
        DEFAULT | {"head": "bilstm_crf", "head_rate": "30"},
        repeated=False,
    ),
    "paper": Arm("all techniques, as the paper", "finegrained", PAPER),
}
"""Of the encoder; the first three have a grid of their own."""

CANDIDATES = ("default", "no_auxiliary", "layers", "wide", "bilstm")
"""What may be best by the screenings. That which is so on all of the training data, at the middle
rate of the grid and with the first seed, became the default config."""

WITHOUT = {"blending": "no_blending", "auxiliary": "no_auxiliary"}
"""For a technique of the default config: the arm without it."""

CLASSIC = {"crf": "traditional CRF", "crf_pos": "traditional CRF with parts of speech"}
