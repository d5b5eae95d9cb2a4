"""Plots against the training and against the length of sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spacy_finegrained_ner.pages.svg import (
    BLUE,
    GREEN,
    INK,
    RED,
    Plot,
    draw,
    legend,
    shifts,
)
from study.analysis.scores import LENGTH_NAMES
from study.page.titles import (
    ARM_STYLES,
    FACTOR_TITLES,
    SET_TITLES,
    SHORT_TITLES,
    by_plan,
    pick,
)
from study.page.wording import Row
from study.plan.arms import WITHOUT

Analysis = Mapping[str, Any]


def curves_plot(curves: Sequence[Analysis]) -> Plot:
    """F1 on the way, on the validation part, with w."""
    names = by_plan(curve["arm"] for curve in curves)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, (key, title) in zip(
            panels, (("ents_f", "micro F1"), ("ents_macro_f", "macro F1")), strict=True
        ):
            for name in names:
                color, marker = ARM_STYLES[name]
                lines = [_line(curve, key) for curve in pick(curves, arm=name)]
                lines = [line for line in lines if line.shape[1]]
                for line in lines:
                    axes.plot(*line, color=color, linewidth=0.6, alpha=0.5)
                if lines and len({line.shape for line in lines}) == 1:
                    mean = np.mean(lines, axis=0)
                    axes.plot(*mean, color=color, marker=marker, markersize=4)
            axes.set_title(title)
            axes.set_ylabel("F1, %")
            axes.grid(True)
            axes.set_ylim(bottom=0)
            weights = next((w for w in (_line(c, "w") for c in curves) if w.shape[1]), None)
            if weights is not None:
                right = axes.twinx()
                right.plot(weights[0], weights[1] / 100, ":", color=INK, linewidth=1.4)
                right.set_ylim(0, 1.05)
                right.set_ylabel("w (dotted)")
                right.spines["right"].set_visible(True)
        panels[1].set_xlabel("part of the training, %")
        legend(figure, {name: ARM_STYLES[name] for name in names}, SHORT_TITLES, columns=2)

    return draw(
        "curves",
        "Learning curves of the pipelines, with the weight w of the auxiliary task",
        "F1 on the validation part during training: means over seeds (thick) and single runs "
        "(thin). Dotted, on the right axis: w, the weight of the auxiliary task.",
        6.6,
        paint,
    )


def length_plot(analysis: Analysis) -> Plot:
    """Effects of blending and of the auxiliary task by length of the sentence."""
    series = length_effects(analysis)
    styles = dict(zip(series, ((GREEN, "^"), (BLUE, "o"), (RED, "D")), strict=False))

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, factor in zip(panels, WITHOUT, strict=True):
            for name, shift in zip(series, shifts(len(series)), strict=True):
                color, marker = styles[name]
                for row in series[name][factor]:
                    at = LENGTH_NAMES.index(row["value"]) + shift
                    axes.vlines(at, 100 * row["low"], 100 * row["high"], color=color)
                    axes.plot(at, 100 * row["effect"], marker, color=color)
            axes.axhline(0, color=INK, linewidth=0.8)
            axes.set_xticks(range(len(LENGTH_NAMES)), LENGTH_NAMES)
            axes.grid(True, axis="y")
            axes.set_title(FACTOR_TITLES[factor])
            axes.set_ylabel("points of micro F1")
        panels[1].set_xlabel("words of the sentence")
        legend(figure, styles, {name: name for name in series}, columns=1)

    return draw(
        "length",
        "Effects of blending and auxiliary task by length of the sentence",
        "What blending and the auxiliary task add to micro F1, by length of the sentence, with "
        "95% intervals. Screening: any level against none; arms: the default config against the "
        "same without it.",
        5.6,
        paint,
    )


def length_effects(analysis: Analysis) -> dict[str, dict[str, list[Row]]]:
    """By series and factor: effects by length, shortest first."""
    found = {}
    if effects := analysis.get("screening", {}).get("effects"):
        found["screening, validation"] = {
            factor: pick(effects, kind="length", factor=factor, level="any") for factor in WITHOUT
        }
    for name, one in analysis.get("arms", {}).items():
        rows = {
            factor: pick(one["comparisons"], kind="length", a="default", b=arm)
            for factor, arm in WITHOUT.items()
        }
        if any(rows.values()):
            found[f"arms, {SET_TITLES[name]}"] = rows
    return found


def _line(curve: Analysis, key: str) -> Any:
    """Part of the training in percent and value in percent. *Shape:* (2, points with a value)."""
    found = [
        (100 * point["step"] / curve["steps"], 100 * point[key])
        for point in curve["points"]
        if point[key] is not None
    ]
    return np.array(found).T if found else np.zeros((2, 0))
