"""Plots with a row for each of several things: intervals from left to right."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.pages.svg import INK, Plot, Style, draw, legend

LABEL_WIDTH = 25
"""Characters of a label before a plot's row."""

Panel = Mapping[str, Mapping[Any, Interval]]
"""By series and key of the row."""


def forest(
    name: str,
    title: str,
    rows: Mapping[Any, str],
    panels: Mapping[str, Panel],
    styles: Mapping[str, Style],
    *,
    label: str | Sequence[str],
    row_height: float = 0.42,
    columns: int = 3,
    zero: bool = True,
    beside: bool = False,
    dots: Callable[[Any], Sequence[float]] | None = None,
) -> Plot:
    """Shares or differences in percent, the first row at the top.

    name, title: see `Plot`. rows: labels by key, in order; one that no panel has is a
    heading. panels: by title. styles: of the series. label: of the axis, or of each panel's.
    row_height: inches. columns: of the legend. zero: whether to draw a line at 0. beside: panels
    from left to right. dots: of a row's single runs.
    """
    shown = {key for panel in panels.values() for series in panel.values() for key in series}
    places: dict[Any, float] = {}
    for key in rows:
        space = 0.4 if key not in shown and places else 0.0
        places[key] = max(places.values(), default=-1.0) + 1.0 + space
    end = max(places.values()) + 0.5

    def paint(figure: Figure) -> None:
        shape = (1, len(panels)) if beside else (len(panels), 1)
        grid = figure.subplots(*shape, squeeze=False, sharey=beside).flat
        for axes, (heading, panel) in zip(grid, panels.items(), strict=True):
            for number, (series, found) in enumerate(panel.items()):
                color = styles[series].color
                where = [places[key] + 0.24 * (number - (len(panel) - 1) / 2) for key in found]
                lows, highs = (
                    [100 * getattr(i, k) for i in found.values()] for k in ("low", "high")
                )
                axes.hlines(where, lows, highs, color=color)
                values = [100 * interval.value for interval in found.values()]
                axes.plot(values, where, styles[series].marker, color=color, linestyle="none")
                for interval, at in zip(found.values(), where, strict=True):
                    runs = [100 * run for run in dots(interval)] if dots else []
                    axes.plot(runs, [at + 0.13] * len(runs), ".", color=color, markersize=4,
                              alpha=0.7)  # fmt: skip
            axes.set_yticks([places[key] for key in rows if key in shown],
                            [_wrapped(rows[key]) for key in rows if key in shown])  # fmt: skip
            for key in (key for key in rows if key not in shown):
                # From the left edge: there is nothing else in its row
                left = blended_transform_factory(figure.transFigure, axes.transData)
                axes.text(0.01, places[key], rows[key], transform=left, weight="bold", va="center",
                          fontsize=9, in_layout=False)  # fmt: skip
            axes.set_ylim(end, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(True, axis="x")
            if zero:
                axes.axvline(0, color=INK, linewidth=0.8)
            axes.set_title(heading)
        every = figure.axes
        labels = [*[""] * (len(every) - 1), label] if isinstance(label, str) else label
        for axes, text in zip(every, labels, strict=True):
            axes.set_xlabel(text)
        legend(figure, {name: style for name, style in styles.items() if style.title}, columns)

    high = 1 if beside else len(panels)
    return draw(name, title, 1.0 + row_height * (end + 0.5) * high, paint)


def _wrapped(label: str) -> str:
    lines = label.splitlines()
    return "\n".join(textwrap.fill(line, LABEL_WIDTH) for line in lines)
