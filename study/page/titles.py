"""What the rows of the analysis are called on the page, and how they look in plots."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from spacy_finegrained_ner.pages.svg import COLORS, Style
from study.analysis.rows import Arms, Effect, Mean
from study.plan.arms import ARMS, CLASSIC
from study.plan.factors import FACTORS

BLUE, ORANGE, GREEN, PINK, RED, SKY, YELLOW, GRAY = COLORS

ARM_TITLES = {name: arm.title for name, arm in ARMS.items()}
ARM_TITLES |= CLASSIC | {"base": "default config, larger encoder"}

ARM_STYLES = {
    "default": Style("default config", BLUE, "s"),
    "linear": Style("plain linear head", ORANGE, "o"),
    "ner": Style("spaCy's ner", RED, "^"),
    "no_auxiliary": Style("no auxiliary task", GREEN, "v"),
    "no_blending": Style("no blending", SKY, "D"),
    "layers": Style("three layers", GRAY, "<"),
    "wide": Style("three layers, window 2", GRAY, ">"),
    "bilstm": Style("with BiLSTM", YELLOW, "*"),
    "paper": Style("all techniques", PINK, "P"),
    "base": Style("larger encoder", GRAY, "X"),
}
"""With short titles: there is little room in a plot."""

SET_STYLES = {"valid": Style("validation", BLUE, "o"), "dev": Style("dev", RED, "D")}
METRIC_STYLES = {"micro": Style("micro F1", BLUE, "o"), "macro": Style("macro F1", RED, "D")}
SEEN_STYLES = {
    "seen": Style("seen in training", GREEN, "o"),
    "unseen": Style("not seen", PINK, "D"),
}
LENGTH_STYLES = {
    "screening": Style("screening, validation", GREEN, "^"),
    "valid": Style("arms, validation", BLUE, "o"),
    "dev": Style("arms, dev", RED, "D"),
}
FACTOR_TITLES = {factor.name: factor.title for factor in FACTORS}
LEVEL_TITLES = {
    **{"crf": "CRF", "bilstm": "BiLSTM", "bilstm_crf": "BiLSTM and CRF"},
    **{"coarse": "coarse types", "mention": "mention boundaries", "pos": "parts of speech"},
}
STAGE_TITLES = {
    **{"screening": "first screening", "followup": "second screening"},
    "arms": "arms (and their grid of rates)",
    **{"classic": "traditional CRF", "base": "larger encoder"},
}

Row = TypeVar("Row", Mean, Effect)


def pick(rows: Iterable[Row], kind: str, metric: str | None = None, **wanted: Any) -> list[Row]:
    """The rows on parts of a kind, with these values; all metrics if None. Those of arms are in the
    order of the plan."""
    wanted |= {"metric": metric} if metric else {}
    found = [
        row
        for row in rows
        if row.part.kind == kind and all(getattr(row, k) == v for k, v in wanted.items())
    ]
    order = list(ARM_TITLES)
    return sorted(found, key=lambda row: order.index(row.arm) if isinstance(row, Mean) else 0)


def gains(one: Arms) -> list[Effect]:
    """Of the default config over the plain linear head by type, the rarest first."""
    rows = pick(one.comparisons, "type", level="default", against="linear")
    return sorted(rows, key=lambda row: (row.part.support, row.part.value))


def set_title(name: str) -> str:
    return SET_STYLES[name].title if name in SET_STYLES else name


def effect_title(row: Effect) -> str:
    """As "default config, against plain linear head" or "head: CRF, against linear"."""
    if not row.factor:
        return f"{ARM_TITLES[row.level]}, against {ARM_TITLES[row.against]}"
    level, against = (LEVEL_TITLES.get(name, name) for name in (row.level, row.against))
    return f"{FACTOR_TITLES[row.factor]}: {level}, against {against}"
