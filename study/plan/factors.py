"""The techniques as factors: their levels, when they matter, and what they set in a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Levels = Mapping[str, str]
"""The level of each factor, by name."""

Settings = dict[str, Any]
"""Values and whole blocks of a config, by their dotted path."""

COMPONENT = "components.finegrained_ner"
MODEL = f"{COMPONENT}.model"


def always(levels: Levels) -> bool:
    """Of a factor whose level makes a difference whatever those of the others are."""
    return True


@dataclass(frozen=True)
class Factor:
    """A technique with its levels, the first of which is the plain one: effects are against it.

    matters: whether the level makes a difference beside those of the other factors: there is no
        window without blending. of: the factor whose levels these are, where its effects are told
        apart for two kinds of points.
    """

    name: str
    levels: tuple[str, ...]
    title: str
    matters: Callable[[Levels], bool] = field(default=always, repr=False)
    of: str = ""

    @property
    def key(self) -> str:
        """Where the level stands among those of a point."""
        return self.of or self.name

    def column(self, level: str, levels: Levels) -> float:
        """1 where this level is in force, else 0. That of a factor which does not always matter is
        centered where it does: so the effect of blending is that over all places and windows."""
        if not self.matters(levels):
            return 0.0
        mean = 0.0 if self.matters is always else 1.0 / len(self.levels)
        return float(levels[self.key] == level) - mean


def _blended(levels: Levels) -> bool:
    return levels["blending"] != "none"


def _helped(levels: Levels) -> bool:
    return levels["auxiliary"] != "none"


def _recurrent(levels: Levels) -> bool:
    return levels["head"].startswith("bilstm")


def _decays(levels: Levels) -> bool:
    return _helped(levels) and levels["schedule"] != "constant"


FACTORS = (
    Factor("head", ("linear", "crf", "bilstm", "bilstm_crf"), "head"),
    Factor("blending", ("none", "concatenate", "average", "learned", "gated"), "blending"),
    # "vectors" and "sequence" are one without a BiLSTM: two levels, before and behind the head
    Factor("place", ("sequence", "emissions"), "place of the blending", _blended),
    Factor("window", ("1", "2"), "window of the blending", _blended),
    Factor("auxiliary", ("none", "coarse", "mention", "pos"), "auxiliary task"),
    Factor(
        "schedule",
        ("linear", "exponential", "cosine", "step", "constant"),
        "schedule of w",
        _helped,
    ),
    Factor("residual", ("0.1", "0.01", "0.4"), "residual of w", _decays),
    # One factor, whose effects are told apart: a BiLSTM at the encoder's own rate learns next to
    # nothing in a short training, and a head without one does well there
    Factor(
        "head_rate",
        ("10", "1", "3", "30"),
        "factor of the head's rate, without BiLSTM",
        lambda levels: not _recurrent(levels),
    ),
    Factor(
        "head_rate_bilstm",
        ("10", "1", "3", "30"),
        "factor of the head's rate, with BiLSTM",
        lambda levels: _recurrent(levels),
        of="head_rate",
    ),
    Factor("layers", ("1", "3"), "last layers of the encoder"),
)

PLAIN: dict[str, str] = {factor.key: factor.levels[0] for factor in FACTORS}
"""The plain linear head: no technique, but the head's rate."""

DEFAULT: dict[str, str] = PLAIN | {
    "head": "crf",
    "blending": "concatenate",
    "auxiliary": "coarse",
}
"""Those of configs/default.cfg: what the study found best."""

PAPER: dict[str, str] = PLAIN | {
    "head": "bilstm_crf",
    "blending": "concatenate",
    "auxiliary": "coarse",
    "layers": "3",
}
"""All techniques at once, as the paper has them."""

TASKS = {"coarse": "CoarseTask", "mention": "MentionTask", "pos": "PosTask"}
KINDS = {"concatenate": "concatenate", "average": "average", "learned": "average"}
CONSTANT_WEIGHT = 0.5
"""w of the level "constant": about the mean of the others over the training."""


def settings(levels: Levels) -> Settings:
    """What the levels set in configs/default.cfg, by dotted path."""
    return {
        f"{MODEL}.decoder": "crf" if levels["head"].endswith("crf") else "linear",
        f"{MODEL}.sequence": _sequence(levels),
        f"{MODEL}.blending": _blending(levels),
        f"{COMPONENT}.auxiliary": _auxiliary(levels),
        "training.before_update": _weight(levels),
        "training.optimizer.groups.head.factor": float(levels["head_rate"]),
        "components.transformer.model.layers": int(levels["layers"]),
    }


def _sequence(levels: Levels) -> Settings | None:
    if not _recurrent(levels):
        return None
    # The width of the encoder, whatever is concatenated before it
    return {
        "@layers": "spacy-finegrained-ner.BiLSTM.v1",
        "width": 384,
        "layers": 1,
        "dropout": 0.0,
    }


def _blending(levels: Levels) -> Settings | None:
    if not _blended(levels):
        return None
    kind = KINDS.get(levels["blending"], levels["blending"])
    block: Settings = {
        "@layers": f"spacy-finegrained-ner.blend_{kind}.v1",
        "window": int(levels["window"]),
        "place": levels["place"],
    }
    if kind == "average":
        block["learned"] = levels["blending"] == "learned"
    return block


def _auxiliary(levels: Levels) -> Settings | None:
    if not _helped(levels):
        return None
    return {"@misc": f"spacy-finegrained-ner.{TASKS[levels['auxiliary']]}.v1"}


def _weight(levels: Levels) -> Settings | None:
    if not _helped(levels):
        return None
    schedule: Settings
    if levels["schedule"] == "constant":
        schedule = {"@misc": "spacy-finegrained-ner.constant.v1", "weight": CONSTANT_WEIGHT}
    else:
        schedule = {
            "@misc": f"spacy-finegrained-ner.{levels['schedule']}_decay.v1",
            "start": 1.0,
            "residual": float(levels["residual"]),
            "until": 0.75,
        }
        if levels["schedule"] == "step":
            schedule["steps"] = 3
    return {
        "@callbacks": "spacy-finegrained-ner.auxiliary_weight.v1",
        "component": "finegrained_ner",
        "total_steps": "${training.max_steps}",
        "schedule": schedule,
    }
