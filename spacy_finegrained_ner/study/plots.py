"""The plots of the page, from the analysis."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from spacy_finegrained_ner.study.scores import LENGTH_NAMES
from spacy_finegrained_ner.study.svg import GRID, INK, Plot, draw
from spacy_finegrained_ner.study.titles import (
    ARM_TITLES,
    FACTOR_TITLES,
    METRIC_TITLES,
    SET_TITLES,
    WITHOUT,
    first,
    level_title,
    pick,
)
from spacy_finegrained_ner.study.wording import Row

Analysis = Mapping[str, Any]

BLUE, ORANGE, GREEN, PINK, RED, SKY, GRAY = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#7f7f7f"),
)
"""Okabe and Ito's colors, which the colorblind can tell apart; each has a marker too."""

METRIC_STYLES = {"micro": (BLUE, "o"), "macro": (RED, "D")}
SET_STYLES = {"valid": (BLUE, "o"), "dev": (RED, "D")}
SEEN_STYLES = {"seen": (GREEN, "o"), "unseen": (PINK, "D")}
ARM_STYLES = {
    "linear": (ORANGE, "o"),
    "default": (BLUE, "s"),
    "ner": (RED, "^"),
    "no_blending": (SKY, "D"),
    "no_auxiliary": (GREEN, "v"),
    "paper": (PINK, "P"),
    "base": (GRAY, "X"),
}
LABEL_WIDTH = 19
"""Characters of a label before a plot's row."""


def screening_plot(effects: Sequence[Row]) -> Plot:
    """All effects of levels, by factor."""
    whole = pick(effects, kind="all")
    labels: list[tuple[float, str, bool]] = []
    places: dict[tuple[str, str, str], float] = {}
    y = 0.0
    for factor in dict.fromkeys(row["factor"] for row in whole):
        plain = first(whole, factor=factor, pooled=False)
        assert plain is not None
        labels.append(
            (y, f"{FACTOR_TITLES[factor]}, against {level_title(plain['against'])}", True)
        )
        y += 1
        for row in pick(whole, factor=factor, metric="micro"):
            name = level_title(row["level"])
            if row["pooled"]:
                name = f"{name}, ag. {level_title(row['against'])}"
            if "with" in row["level"]:
                name = row["level"].split(",")[0] + ", pooled"
            labels.append((y, name, False))
            places[factor, row["level"], row["against"]] = y
            y += 1
        y += 0.4

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for metric, shift in (("micro", -0.15), ("macro", 0.15)):
            rows = pick(whole, metric=metric)
            where = [places[r["factor"], r["level"], r["against"]] + shift for r in rows]
            _across(axes, rows, where, *METRIC_STYLES[metric])
        axes.set_yticks([at for at, _, head in labels if not head],
                        [text for _, text, head in labels if not head])  # fmt: skip
        for at, text, head in labels:
            if head:
                axes.text(0, at, text, transform=axes.get_yaxis_transform(), weight="bold",
                          va="center", fontsize=9)  # fmt: skip
        _finish_rows(axes, y - 0.9)
        axes.set_xlabel("effect, points of F1")
        _legend(figure, METRIC_STYLES, METRIC_TITLES)

    return draw(
        "screening",
        "Effects of each technique in the screening, with 95% intervals",
        "Each level against the first one of its technique, averaged over the other techniques, "
        "with 95% intervals. An interval that crosses the line leaves the sign undecided.",
        1.0 + 0.225 * y,
        paint,
    )


def arms_plot(arms: Analysis) -> Plot:
    """Means with intervals and a dot for each seed, one panel for each metric."""
    sets = list(arms)
    names = _by_plan(row["arm"] for row in arms[sets[0]]["means"])

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=False)
        for axes, metric in zip(panels, METRIC_TITLES, strict=True):
            for name, shift in zip(sets, _shifts(len(sets)), strict=True):
                rows = pick(arms[name]["means"], kind="all", metric=metric)
                where = [names.index(row["arm"]) + shift for row in rows]
                _across(axes, rows, where, *SET_STYLES[name], value="mean")
                for row, at in zip(rows, where, strict=True):
                    dots = [100 * run for run in row["runs"]]
                    axes.plot(dots, [at + 0.13] * len(dots), ".", color=SET_STYLES[name][0],
                              markersize=4, alpha=0.7)  # fmt: skip
            axes.set_yticks(range(len(names)), [_wrapped(ARM_TITLES[n]) for n in names])
            _finish_rows(axes, len(names) - 0.5, zero=False)
            axes.set_title(METRIC_TITLES[metric])
        panels[1].set_xlabel("F1, %")
        _legend(figure, {name: SET_STYLES[name] for name in sets}, SET_TITLES)

    return draw(
        "arms",
        "F1 of each pipeline, with 95% intervals",
        "Means over seeds with 95% intervals over sentences and seeds; a small dot is one run.",
        1.0 + 0.84 * len(names),
        paint,
    )


def comparisons_plot(arms: Analysis) -> Plot:
    """What one arm has more than another, one panel for each metric."""
    sets = [name for name in arms if arms[name]["comparisons"]]
    rows = pick(arms[sets[0]]["comparisons"], kind="all", metric="micro")
    pairs = [(row["a"], row["b"]) for row in rows]

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, metric in zip(panels, METRIC_TITLES, strict=True):
            for name, shift in zip(sets, _shifts(len(sets)), strict=True):
                rows = pick(arms[name]["comparisons"], kind="all", metric=metric)
                where = [pairs.index((row["a"], row["b"])) + shift for row in rows]
                _across(axes, rows, where, *SET_STYLES[name])
            labels = [f"{_wrapped(ARM_TITLES[a])}\nagainst {_short(b)}" for a, b in pairs]
            axes.set_yticks(range(len(pairs)), labels)
            _finish_rows(axes, len(pairs) - 0.5)
            axes.set_title(METRIC_TITLES[metric])
        panels[1].set_xlabel("difference, points of F1")
        _legend(figure, {name: SET_STYLES[name] for name in sets}, SET_TITLES)

    return draw(
        "comparisons",
        "Differences between pipelines, with 95% intervals",
        "Differences with 95% intervals. Right of the line the first one is better.",
        1.0 + 1.04 * len(pairs),
        paint,
    )


def curves_plot(curves: Sequence[Analysis]) -> Plot:
    """F1 on the way, on the validation part, with w."""
    names = _by_plan(curve["arm"] for curve in curves)

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
        _legend(figure, {name: ARM_STYLES[name] for name in names}, ARM_TITLES, columns=2)

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
            for name, shift in zip(series, _shifts(len(series)), strict=True):
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
        _legend(figure, styles, {name: name for name in series}, columns=1)

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


def seen_plot(arms: Analysis) -> Plot:
    """Entities whose text is one of the training part, and the others."""
    sets = list(arms)
    names = _by_plan(row["arm"] for row in arms[sets[0]]["means"])

    def paint(figure: Figure) -> None:
        panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, sets, strict=True):
            for value, style in SEEN_STYLES.items():
                rows = pick(arms[name]["means"], kind="seen", value=value)
                where = [names.index(row["arm"]) for row in rows]
                _across(axes, rows, where, *style, value="mean")
            axes.set_yticks(range(len(names)), [_wrapped(ARM_TITLES[n]) for n in names])
            _finish_rows(axes, len(names) - 0.5, zero=False)
            axes.set_title(SET_TITLES[name])
        panels[-1].set_xlabel("micro F1, %")
        _legend(figure, SEEN_STYLES, {"seen": "seen in training", "unseen": "not seen"})

    return draw(
        "seen",
        "F1 on entities seen and not seen in training",
        "Micro F1 on entities whose text is an entity of the training part too, and on the "
        "others, with 95% intervals.",
        1.0 + 0.42 * len(names) * len(sets),
        paint,
    )


def types_plot(one: Analysis, name: str) -> Plot:
    """Each type, rarest first: F1 of two arms, and their difference."""
    gains = pick(one["comparisons"], kind="type", a="default", b="linear")
    order = sorted(gains, key=lambda row: (row["support"], row["value"]))
    values = [row["value"] for row in order]

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for arm in ("linear", "default"):
            rows = pick(one["means"], kind="type", arm=arm)
            color, marker = ARM_STYLES[arm]
            left.plot([100 * row["mean"] for row in rows],
                      [values.index(row["value"]) for row in rows],
                      marker, color=color, markersize=4.5)  # fmt: skip
        _across(right, order, range(len(order)), BLUE, "s")
        left.set_yticks(range(len(order)), [f"{row['value']}  {row['support']}" for row in order])
        for axes in (left, right):
            _finish_rows(axes, len(order) - 0.5, zero=axes is right)
        left.set_xlabel("F1, %")
        right.set_xlabel("difference, points")
        styles = {arm: ARM_STYLES[arm] for arm in ("linear", "default")}
        _legend(figure, styles, ARM_TITLES)

    return draw(
        "types",
        "F1 by type, default config and plain linear head, rarest type first",
        f"F1 by type on the {SET_TITLES[name]} part, rarest first; the number is that of its "
        "entities. Right: the default config less the plain linear head, with 95% intervals.",
        1.1 + 0.215 * len(order),
        paint,
    )


def _across(
    axes: Axes,
    rows: Sequence[Row],
    where: Sequence[float],
    color: str,
    marker: str,
    value: str = "effect",
) -> None:
    """Intervals from left to right, at these heights."""
    lows, highs = ([100 * row[key] for row in rows] for key in ("low", "high"))
    axes.hlines(where, lows, highs, color=color)
    axes.plot([100 * row[value] for row in rows], where, marker, color=color, linestyle="none")


def _finish_rows(axes: Axes, end: float, zero: bool = True) -> None:
    """The first row is at the top."""
    axes.set_ylim(end, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(True, axis="x")
    if zero:
        axes.axvline(0, color=INK, linewidth=0.8)


def _legend(
    figure: Figure,
    styles: Mapping[str, tuple[str, str]],
    titles: Mapping[str, str],
    columns: int = 3,
) -> None:
    handles = [
        Line2D([], [], color=color, marker=marker, label=titles[name].replace("`", ""))
        for name, (color, marker) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns)


def _line(curve: Analysis, key: str) -> Any:
    """Part of the training in percent and value in percent. *Shape:* (2, points with a value)."""
    found = [
        (100 * point["step"] / curve["steps"], 100 * point[key])
        for point in curve["points"]
        if point[key] is not None
    ]
    return np.array(found).T if found else np.zeros((2, 0))


def _by_plan(names: Any) -> list[str]:
    """Each once, in the order of the styles."""
    found = set(names)
    return [name for name in ARM_STYLES if name in found]


def _shifts(count: int) -> list[float]:
    """Of several rows' marks around the row's place."""
    return [0.24 * (i - (count - 1) / 2) for i in range(count)]


def _wrapped(title: str) -> str:
    return textwrap.fill(title.replace("`", ""), LABEL_WIDTH)


def _short(arm: str) -> str:
    """The second of a pair, in a line of its own."""
    return {"no_blending": "no blending", "no_auxiliary": "no auxiliary"}.get(
        arm, ARM_TITLES[arm].replace("`", "")
    )
