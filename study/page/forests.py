"""Plots with a row for each of several things: intervals from left to right."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from spacy_finegrained_ner.pages.svg import (
    BLUE,
    GREEN,
    INK,
    PINK,
    RED,
    Plot,
    draw,
    legend,
    shifts,
)
from study.page.titles import (
    ARM_STYLES,
    ARM_TITLES,
    FACTOR_TITLES,
    METRIC_TITLES,
    SET_TITLES,
    SHORT_TITLES,
    by_plan,
    first,
    level_title,
    pick,
)
from study.page.wording import Row

Analysis = Mapping[str, Any]

METRIC_STYLES = {"micro": (BLUE, "o"), "macro": (RED, "D")}
SET_STYLES = {"valid": (BLUE, "o"), "dev": (RED, "D")}
SEEN_STYLES = {"seen": (GREEN, "o"), "unseen": (PINK, "D")}
LABEL_WIDTH = 24
"""Characters of a label before a plot's row."""


def screening_plot(effects: Sequence[Row], name: str = "screening") -> Plot:
    """All effects of levels, by factor. name: of the figure."""
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
            text = level_title(row["level"])
            if row["against"] != plain["against"]:
                # Pooled, or against another level than the rest
                text, _, pooled = row["level"].partition(",")
                text = f"{text}, pooled" if pooled else f"{text} less {row['against']}"
            labels.append((y, text, False))
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
                # From the left edge: there is nothing else in its row
                left = blended_transform_factory(figure.transFigure, axes.transData)
                axes.text(0.01, at, text, transform=left, weight="bold", va="center", fontsize=9,
                          in_layout=False)  # fmt: skip
        _finish_rows(axes, y - 0.9)
        axes.set_xlabel("effect, points of F1")
        legend(figure, METRIC_STYLES, METRIC_TITLES)

    return draw(
        name,
        "Effects of each technique in the screening, with 95% intervals",
        "Each level against the first one of its technique, averaged over the other techniques, "
        "with 95% intervals. An interval that crosses the line leaves the sign undecided.",
        1.0 + 0.225 * y,
        paint,
    )


def arms_plot(arms: Analysis) -> Plot:
    """Means with intervals and a dot for each seed, one panel for each metric."""
    sets = list(arms)
    names = by_plan(row["arm"] for row in arms[sets[0]]["means"])

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=False)
        for axes, metric in zip(panels, METRIC_TITLES, strict=True):
            for name, shift in zip(sets, shifts(len(sets)), strict=True):
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
        legend(figure, {name: SET_STYLES[name] for name in sets}, SET_TITLES)

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
            for name, shift in zip(sets, shifts(len(sets)), strict=True):
                rows = pick(arms[name]["comparisons"], kind="all", metric=metric)
                where = [pairs.index((row["a"], row["b"])) + shift for row in rows]
                _across(axes, rows, where, *SET_STYLES[name])
            labels = [f"{SHORT_TITLES[a]}\nagainst {SHORT_TITLES[b]}" for a, b in pairs]
            axes.set_yticks(range(len(pairs)), labels)
            _finish_rows(axes, len(pairs) - 0.5)
            axes.set_title(METRIC_TITLES[metric])
        panels[1].set_xlabel("difference, points of F1")
        legend(figure, {name: SET_STYLES[name] for name in sets}, SET_TITLES)

    return draw(
        "comparisons",
        "Differences between pipelines, with 95% intervals",
        "Differences with 95% intervals. Right of the line the first one is better.",
        1.0 + 1.04 * len(pairs),
        paint,
    )


def seen_plot(arms: Analysis) -> Plot:
    """Entities whose text is one of the training part, and the others."""
    sets = list(arms)
    names = by_plan(row["arm"] for row in arms[sets[0]]["means"])

    def paint(figure: Figure) -> None:
        panels = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
        for axes, name in zip(panels, sets, strict=True):
            for (value, style), shift in zip(SEEN_STYLES.items(), shifts(2), strict=True):
                rows = pick(arms[name]["means"], kind="seen", value=value)
                where = [names.index(row["arm"]) + shift for row in rows]
                _across(axes, rows, where, *style, value="mean")
            axes.set_yticks(range(len(names)), [_wrapped(ARM_TITLES[n]) for n in names])
            _finish_rows(axes, len(names) - 0.5, zero=False)
            axes.set_title(SET_TITLES[name])
        panels[-1].set_xlabel("micro F1, %")
        legend(figure, SEEN_STYLES, {"seen": "seen in training", "unseen": "not seen"})

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
        legend(figure, styles, ARM_TITLES)

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


def _wrapped(title: str) -> str:
    return textwrap.fill(title.replace("`", ""), LABEL_WIDTH)
