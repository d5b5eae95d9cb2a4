"""The paper's own next checks: its decay, every schedule, every blending, other data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from study.plan.experiment import Compared, Experiment
from study.plan.factors import DEFAULT, PLAIN, SCHEDULES, Levels, Settings, settings
from study.plan.stages import MIDDLE_RATE, Training
from study.plan.teaching import ALL

COMPONENT = "components.finegrained_ner"
PAPER_LOSS = {"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.5}
"""(1 - w) fine + 1.5 w coarse."""
RESIDUAL = 0.1


def _trained(levels: Levels, epochs: int = 3, **more: Any) -> Training:
    return replace(ALL, epochs=epochs, settings=settings(levels) | more, name="model")


def _scheduled(schedule: Settings, paper: bool = False) -> dict[str, Any]:
    """Settings with another schedule of w, and perhaps the paper's combination of the losses."""
    callback = settings(DEFAULT)["training.before_update"] | {"schedule": schedule}
    loss = {f"{COMPONENT}.loss": PAPER_LOSS} if paper else {}
    return {"training.before_update": callback, **loss}


def _paper(epochs: int, parts: int = 0) -> Training:
    """parts: of the training, in place of its epochs."""
    schedule = {
        "@misc": "spacy-finegrained-ner.paper_decay.v1",
        "epochs": parts or epochs,
        "residual": RESIDUAL,
    }
    found = _trained(DEFAULT, epochs)
    return replace(found, settings=found.settings | _scheduled(schedule, paper=True))


def _constant(epochs: int) -> Training:
    schedule = {"@misc": "spacy-finegrained-ner.constant.v1", "weight": RESIDUAL}
    found = _trained(DEFAULT, epochs)
    return replace(found, settings=found.settings | _scheduled(schedule))


ALONE = DEFAULT | {"auxiliary": "none"}

DECAY = Experiment(
    "decay",
    "The paper's decay of the auxiliary loss, exactly",
    {
        "paper": Compared("the paper's decay and combination, 8 epochs", (_paper(8),)),
        "none": Compared("no auxiliary task, 8 epochs", (_trained(ALONE, 8),)),
        "linear": Compared(
            "the default's linear decay, 8 epochs", (replace(_trained(DEFAULT, 8), pooled=True),)
        ),
        "constant": Compared("w = 0.1 all the time, 8 epochs", (_constant(8),)),
        "paper16": Compared("the paper's decay, 16 epochs", (_paper(16),), seeds=(0,)),
    },
    [
        *(("paper", arm) for arm in ("none", "linear", "constant")),
        # The paper's arm has another combination of the losses, too: this pair has not
        *(("linear", arm) for arm in ("none", "constant")),
        ("paper16", "paper"),
    ],
    seeds=(0, 1),
    sets=("valid", "dev"),
)

_OF_W = {
    "none": Compared("no auxiliary task", (_trained(ALONE),)),
    **{
        name: Compared(f"{name} decay", (_trained(DEFAULT | {"schedule": name}),))
        for name in SCHEDULES
        if name != "constant"
    },
    "constant": Compared("w = 0.1 all the time", (_constant(3),)),
    # In three epochs w would be 1 in the first one, without any fine loss, and the residual then
    "paper": Compared(
        "the paper's decay of 16 epochs in 16 parts of the training, and its combination",
        (_paper(3, parts=16),),
    ),
}


def best_and_worst(f1: dict[str, float]) -> Sequence[str]:
    """The arms that are run with all seeds: of those with the technique the best and the worst one
    by macro F1 with the first seed, and the one without, whichever place it has."""
    order = sorted(f1.keys() - {"none"}, key=lambda arm: (f1[arm], arm))
    return list(dict.fromkeys([order[-1], order[0], "none"]))


def best(f1: dict[str, float]) -> Sequence[str]:
    """The best arm with the technique, and the one without."""
    return [best_and_worst(f1)[0], "none"]


SCHEDULING = Experiment(
    "schedules",
    "Schedules of the weight of the auxiliary loss",
    _OF_W,
    [(arm, "none") for arm in _OF_W if arm != "none"],
    sets=("valid", "dev"),
    more=best_and_worst,
)

RECURRENT = DEFAULT | {"head": "bilstm_crf", "blending": "none", "head_rate": "30"}
"""With the rate at which a BiLSTM learns in three epochs, as the study has found."""


LINEAR = DEFAULT | {"head": "linear", "blending": "none"}
"""Neither BiLSTM nor CRF."""


def _blended(levels: Levels, kind: str, place: str) -> Training:
    found = _trained(levels)
    name = f"{COMPONENT}.model.blending"
    more = {"learned": False} if kind == "average" else {}
    block = {"@layers": f"spacy-finegrained-ner.blend_{kind}.v1", "window": 1, "place": place}
    return replace(found, settings=found.settings | {name: block | more})


_BLENDINGS = {
    f"{kind}_{place}": (kind, place)
    for kind, places in (
        ("concatenate", ("vectors", "sequence", "emissions")),
        ("gated", ("vectors", "sequence", "emissions")),
        ("average", ("vectors", "sequence")),
    )
    for place in places
}


def _with_head(levels: Levels, end: str = "", title: str = "", **more: Any) -> dict[str, Compared]:
    """No blending and each of them, with this head."""
    none = {f"none{end}": Compared(f"no blending{title}", (_trained(levels),), **more)}
    return none | {
        f"{name}{end}": Compared(
            f"{kind}, at the {place}{title}", (_blended(levels, kind, place),), **more
        )
        for name, (kind, place) in _BLENDINGS.items()
    }


def best_also_linear(f1: dict[str, float]) -> Sequence[str]:
    """The best arm and the plain one, and both with a linear head."""
    arms = best(f1)
    return [*arms, *(f"{arm}_linear" for arm in arms)]


BLENDING = Experiment(
    "blending",
    "Blending of every kind at every place, with the paper's BiLSTM",
    _with_head(RECURRENT) | _with_head(LINEAR, "_linear", ", linear head", later=True),
    [
        *((f"{arm}{end}", f"none{end}") for end in ("", "_linear") for arm in _BLENDINGS),
        ("none", "none_linear"),
    ],
    sets=("valid", "dev"),
    more=best_also_linear,
    by_sentence=True,
)


def _ner() -> Training:
    return Training("ner", part="train", epochs=3, rate=MIDDLE_RATE)


FEWNERD = Experiment(
    "fewnerd",
    "The techniques on Few-NERD",
    {
        "default": Compared("default config", (_trained(DEFAULT),)),
        "no_blending": Compared("without blending", (_trained(DEFAULT | {"blending": "none"}),)),
        "no_auxiliary": Compared("without the auxiliary task", (_trained(ALONE),)),
        "linear": Compared("linear head without either", (_trained(PLAIN),)),
        "ner": Compared("spaCy's ner", (_ner(),)),
    },
    [("default", arm) for arm in ("no_blending", "no_auxiliary", "linear", "ner")],
    sets=("valid", "dev"),
)

OWN = replace(FEWNERD, name="own", title="The techniques, on data of yours")

WNUT = Experiment(
    "wnut17",
    "WNUT-17: six types without coarse ones",
    {
        "default": Compared("default config", (_trained(DEFAULT),)),
        "linear": Compared("linear head", (_trained(PLAIN),)),
    },
    [("default", "linear")],
    sets=("valid", "dev"),
)
