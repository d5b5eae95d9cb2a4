"""What the paper says of its techniques, and the arms that tell whether it is so."""

from __future__ import annotations

from dataclasses import dataclass

BEST = "best"
"""In place of an arm: the best one by macro F1 on the validation part with the first seed, but for
that which it is held against."""

STUDY = "small"
"""Folder of the study, whose arms are compared here too."""

MORE = (0.0, 1.0)
NO_DIFFERENCE = (-0.01, 0.01)
"""No interval lies within nothing: a point of F1 counts as that."""


@dataclass(frozen=True)
class Claim:
    """A technique, and what is said of it.

    says: of the paper, and where. experiment: the name of one, or `STUDY`. arms: the first is held
    against the second. expected: within what the difference is, of F1 from 0 to 1; None where the
    paper says nothing. part: of the data, where not all of it counts; see `analysis.scores.Part`.
    """

    technique: str
    says: str
    experiment: str
    arms: tuple[str, str]
    expected: tuple[float, float] | None = None
    part: str = "all"

    @property
    def metric(self) -> str:
        """Parts have too few entities of each type for macro F1."""
        return "macro" if self.part == "all" else "micro"


CLAIMS = (
    Claim(
        "All techniques at once, against a linear head",
        "they add 0.03 to 0.05 macro F1; “tangible improvements” (abstract)",
        STUDY,
        ("paper", "linear"),
        (0.03, 0.05),
    ),
    Claim(
        "Decaying auxiliary loss with residual, against no auxiliary task",
        "one of the three techniques that improve macro F1 (abstract)",
        "decay",
        ("paper", "none"),
        MORE,
    ),
    Claim(
        "A weight that decays (linearly, the losses added), against the residual all the time",
        "decays, with a residual (abstract); held against no constant weight",
        "decay",
        ("linear", "constant"),
    ),
    Claim(
        "The best schedule of the weight, against no auxiliary task",
        "which schedule is left open",
        "schedules",
        (BEST, "none"),
    ),
    Claim(
        "Triplet blending behind a BiLSTM, against none",
        "one of the three techniques that improve macro F1 (abstract)",
        "blending",
        ("concatenate_sequence", "none"),
        MORE,
    ),
    Claim(
        "The same, by what is said of it alone",
        "overall no difference was seen (here: less than a point)",
        "blending",
        ("concatenate_sequence", "none"),
        NO_DIFFERENCE,
    ),
    Claim(
        "The best kind and place of blending, against none",
        "“ways of blending” are explored (abstract); which is best is left open",
        "blending",
        (BEST, "none"),
    ),
    Claim(
        "The same: its effect in short sentences less that in long ones",
        "left open",
        "blending",
        (BEST, "none"),
        part="short less long",
    ),
    Claim(
        "The same: its effect with little context less that with much, in sentences of one length",
        "left open",
        "blending",
        (BEST, "none"),
        part="little less much",
    ),
    Claim(
        "BiLSTM and CRF, against a linear head, each at its own rate",
        "custom heads are one of the three techniques that improve macro F1 (abstract)",
        "blending",
        ("none", "none_linear"),
        MORE,
    ),
    Claim(
        "Few-NERD: the default config, against a linear head",
        "not tried there",
        "fewnerd",
        ("default", "linear"),
    ),
    Claim(
        "Few-NERD: triplet blending, against none",
        "not tried there",
        "fewnerd",
        ("default", "no_blending"),
    ),
    Claim(
        "Few-NERD: decaying auxiliary loss, against no auxiliary task",
        "not tried there",
        "fewnerd",
        ("default", "no_auxiliary"),
    ),
    Claim(
        "WNUT-17, without coarse types: CRF and blending, against a linear head",
        "not tried there",
        "wnut17",
        ("default", "linear"),
    ),
)
