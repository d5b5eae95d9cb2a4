"""What the rows of the analysis are called on the page, and how to find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spacy_finegrained_ner.pages.svg import BLUE, GRAY, GREEN, ORANGE, PINK, RED, SKY, YELLOW
from study.page.wording import Row
from study.plan.arms import ARMS, CLASSIC
from study.plan.factors import FACTORS

ARM_TITLES = (
    {name: arm.title for name, arm in ARMS.items()}
    | CLASSIC
    | {"base": "default config, larger encoder"}
)
SHORT_TITLES = {name: title.replace("`", "") for name, title in ARM_TITLES.items()} | {
    "no_auxiliary": "no auxiliary task",
    "no_blending": "no blending",
    "layers": "three layers",
    "wide": "three layers, window 2",
    "bilstm": "with BiLSTM",
    "paper": "all techniques",
    "base": "larger encoder",
}
"""In plots, where there is little room and no Markdown."""
ARM_STYLES = {
    "default": (BLUE, "s"),
    "linear": (ORANGE, "o"),
    "ner": (RED, "^"),
    "no_auxiliary": (GREEN, "v"),
    "no_blending": (SKY, "D"),
    "layers": (GRAY, "<"),
    "wide": (GRAY, ">"),
    "bilstm": (YELLOW, "*"),
    "paper": (PINK, "P"),
    "base": (GRAY, "X"),
}
"""Color and marker."""
SET_TITLES = {"valid": "validation", "dev": "dev"}
METRIC_TITLES = {"micro": "micro F1", "macro": "macro F1"}
FACTOR_TITLES = {factor.name: factor.title for factor in FACTORS}
LEVEL_TITLES = {
    "crf": "CRF",
    "bilstm": "BiLSTM",
    "bilstm_crf": "BiLSTM and CRF",
    "coarse": "coarse types",
    "mention": "mention boundaries",
    "pos": "parts of speech",
}
DIFFERENCE_TITLES = {
    "short less long": "short less long sentences",
    "unseen less seen": "unseen less seen entities",
}
STAGE_TITLES = {
    "screening": "first screening",
    "followup": "second screening",
    "arms": "arms (and their grid of rates)",
    "classic": "traditional CRF",
    "base": "larger encoder",
}


def pick(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> list[Row]:
    """The rows that have these values."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def first(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> Row | None:
    return next(iter(pick(rows, **wanted)), None)


def by_plan(arms: Iterable[str]) -> list[str]:
    """Each once, in the order of the plan."""
    found = set(arms)
    return [arm for arm in ARM_TITLES if arm in found]


def level_title(level: str) -> str:
    return LEVEL_TITLES.get(level, level)


def pair_title(row: Row) -> str:
    """Of a comparison of arms. As "default config, against plain linear head"."""
    return f"{ARM_TITLES[row['a']]}, against {ARM_TITLES[row['b']]}"


def effect_title(row: Row) -> str:
    """Of an effect of the screening."""
    title = f"{FACTOR_TITLES[row['factor']]}: {level_title(row['level'])}"
    return f"{title}, against {level_title(row['against'])}" if row["pooled"] else title
