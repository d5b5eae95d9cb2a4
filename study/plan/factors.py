"""The techniques as factors: their levels, when they matter, and what they set in a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

Levels = Mapping[str, str]
"""The level of each factor, by name."""

Settings = dict[str, Any]
"""Values and whole blocks of a config, by their dotted path."""


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


@dataclass(frozen=True)
class Pooled:
    """The mean effect of some levels of a factor, less that of others. Without levels: of all but
    the first, against that."""

    factor: str
    name: str
    against: str
    levels: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _blended(levels: Levels) -> bool:
    return levels["blending"] != "none"


def _placed(levels: Levels) -> bool:
    """Whether blending before the linear layer is another function than blending behind it. An
    average is none: a linear layer commutes with it, as its weights add to 1, whatever stands
    before them (a BiLSTM) or behind (a CRF). Learned weights are one set for both tasks before the
    linear layers and one for each behind them: another function, where there are two tasks."""
    learned = levels["blending"] == "learned" and _helped(levels)
    return learned or levels["blending"] in ("concatenate", "gated")


def _helped(levels: Levels) -> bool:
    return levels["auxiliary"] != "none"


def _decays(levels: Levels) -> bool:
    return _helped(levels) and levels["schedule"] != "constant"


def _recurrent(levels: Levels, expected: bool = True) -> bool:
    return levels["head"].startswith("bilstm") == expected


RATES = ("10", "1", "3", "30")
HEAD_RATE = "factor of the head's rate, with"
SCHEDULES = ("linear", "exponential", "cosine", "step", "constant")

FACTORS = (
    Factor("head", ("linear", "crf", "bilstm", "bilstm_crf"), "head"),
    Factor("blending", ("none", "concatenate", "average", "learned", "gated"), "blending"),
    # "vectors" and "sequence" are one without a BiLSTM: two levels, before and behind the head
    Factor("place", ("sequence", "emissions"), "place of the blending", _placed),
    Factor("window", ("1", "2"), "window of the blending", _blended),
    Factor("auxiliary", ("none", "coarse", "mention", "pos"), "auxiliary task"),
    Factor("schedule", SCHEDULES, "schedule of w", _helped),
    Factor("residual", ("0.1", "0.01", "0.4"), "residual of w", _decays),
    # One factor, whose effects are told apart: a BiLSTM at the encoder's own rate learns next to
    # nothing in a short training, and a head without one does well there
    Factor("head_rate", RATES, f"{HEAD_RATE}out BiLSTM", partial(_recurrent, expected=False)),
    Factor("head_rate_bilstm", RATES, f"{HEAD_RATE} BiLSTM", _recurrent, of="head_rate"),
    Factor("layers", ("1", "3"), "last layers of the encoder"),
)

CRF, BILSTM = "CRF, with and without BiLSTM", "BiLSTM, with and without CRF"
POOLED = (
    Pooled("head", CRF, "without", ("crf", "bilstm_crf"), ("linear", "bilstm")),
    Pooled("head", BILSTM, "without", ("bilstm", "bilstm_crf"), ("linear", "crf")),
    Pooled("auxiliary", "mention", "coarse", ("mention",), ("coarse",)),
    Pooled("auxiliary", "pos", "coarse", ("pos",), ("coarse",)),
    Pooled("blending", "any", "none"),
    Pooled("auxiliary", "any", "none"),
)


def all_learn(levels: Levels) -> bool:
    """Whether the head has a rate at which all heads learn in a short training."""
    return levels["head_rate"] in ("10", "30")


def factors_with(pos: bool, learning: bool = False) -> tuple[Factor, ...]:
    """Those of the study; without parts of speech in the data, no task of theirs. learning: only
    those rates of the head at which all heads learn."""

    def kept(factor: Factor, level: str) -> bool:
        slow = factor.key == "head_rate" and not all_learn({"head_rate": level})
        return not (learning and slow) and (pos or level != "pos")

    return tuple(replace(f, levels=tuple(x for x in f.levels if kept(f, x))) for f in FACTORS)


PLAIN: dict[str, str] = {factor.key: factor.levels[0] for factor in FACTORS}
"""The plain linear head: no technique, but the head's rate."""

DEFAULT = PLAIN | {"head": "crf", "blending": "concatenate", "auxiliary": "coarse"}
"""Those of configs/default.cfg: what the study found best."""

PAPER = DEFAULT | {"head": "bilstm_crf", "layers": "3"}
"""All techniques at once, as the paper has them."""

OURS = "spacy-finegrained-ner."
TASKS = {"coarse": "CoarseTask", "mention": "MentionTask", "pos": "PosTask"}
CONSTANT_WEIGHT = 0.5
"""w of the level "constant": about the mean of the others over the training."""


def settings(levels: Levels) -> Settings:
    """What the levels set in configs/default.cfg, by dotted path."""
    # The width of the encoder, whatever is concatenated before it
    bilstm = {"@layers": f"{OURS}BiLSTM.v1", "width": 384, "layers": 1, "dropout": 0.0}
    task = {"@misc": f"{OURS}{TASKS.get(levels['auxiliary'])}.v1"}
    model = "components.finegrained_ner.model"
    return {
        f"{model}.decoder": "crf" if levels["head"].endswith("crf") else "linear",
        f"{model}.sequence": bilstm if _recurrent(levels) else None,
        f"{model}.blending": _blending(levels) if _blended(levels) else None,
        "components.finegrained_ner.auxiliary": task if _helped(levels) else None,
        "training.before_update": _weight(levels) if _helped(levels) else None,
        "training.optimizer.groups.head.factor": float(levels["head_rate"]),
        "components.transformer.model.layers": int(levels["layers"]),
    }


def _blending(levels: Levels) -> Settings:
    kind = {"learned": "average"}.get(levels["blending"], levels["blending"])
    learned = {"learned": levels["blending"] == "learned"} if kind == "average" else {}
    block = {"window": int(levels["window"]), "place": levels["place"], **learned}
    return {"@layers": f"{OURS}blend_{kind}.v1", **block}


def _weight(levels: Levels) -> Settings:
    schedule: Settings = {"@misc": f"{OURS}constant.v1", "weight": CONSTANT_WEIGHT}
    if _decays(levels):
        shape = {"start": 1.0, "residual": float(levels["residual"]), "until": 0.75}
        schedule = {"@misc": f"{OURS}{levels['schedule']}_decay.v1", **shape}
    if levels["schedule"] == "step":
        schedule["steps"] = 3
    return {
        "@callbacks": f"{OURS}auxiliary_weight.v1",
        "component": "finegrained_ner",
        "total_steps": "${training.max_steps}",
        "schedule": schedule,
    }
