"""The plots of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from spacy_finegrained_ner.pages.forest import forest
from spacy_finegrained_ner.pages.svg import BLUE, GREEN, GRID, ORANGE, Plot, Style, draw, legend
from spacy_finegrained_ner.report.counts import MENTIONS, Score, precision_by_coverage
from spacy_finegrained_ner.scoring.calibration import reliability
from spacy_finegrained_ner.scoring.judgements import LEVELS, Judgements

STYLES = {
    "fine": Style("label", BLUE, "o"),
    "coarse": Style("coarse type", ORANGE, "s"),
    "span": Style("span", GREEN, "^"),
}
_POINTS = 200
"""Of a curve, at most."""


def headline_plot(scores: Sequence[Score]) -> Plot:
    names = {
        score.level if score.level == MENTIONS else f"{score.level}, {score.mean}": score.f
        for score in scores
    }
    return forest(
        "headline",
        "F1 with 95% intervals. " + "; ".join(f"{n}: {one.printed}" for n, one in names.items()),
        {name: f"{name}\n{one.printed}" for name, one in names.items()},
        {"F1 with 95% interval": {"f1": names}},
        {"f1": Style("", BLUE, "o")},
        label="F1 (%)",
        row_height=0.5,
        zero=False,
    )


def reliability_plot(found: Judgements, levels: Mapping[str, str]) -> Plot:
    """levels: of LEVELS, with what each is called. The band around the diagonal is where 95% of the
    bins of labels would be if they were perfectly calibrated."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=GRID, linewidth=1)
        for number, level in enumerate(LEVELS):
            if level in levels:
                table = reliability(found.probability[:, number], found.right[:, number])
                p, right, count = (
                    np.array([row[key] for row in table])
                    for key in ("probability", "right", "entities")
                )
                if level == "fine":
                    spread = 1.96 * np.sqrt(p * (1 - p) / count)
                    low, high = np.clip([p - spread, p + spread], 0, 1)
                    axes.fill_between(100 * p, 100 * low, 100 * high, color=GRID, alpha=0.25,
                                      linewidth=0)  # fmt: skip
                style = STYLES[level]
                axes.plot(100 * p, 100 * right, style.marker + "-", color=style.color)
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 101)
        axes.set_xlabel("confidence (%)")
        axes.set_ylabel("right (%)")
        axes.grid(True)
        legend(figure, {level: STYLES[level] for level in levels})

    title = "Share of entities that is right against their confidence, in bins of as many"
    return draw("reliability", title, 3.9, paint)


def coverage_plot(found: Judgements, levels: Mapping[str, str]) -> Plot:
    """levels: as for `reliability_plot`."""

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        lowest = 1.0
        for number, level in enumerate(LEVELS):
            if level in levels:
                coverage, precision = precision_by_coverage(
                    found.probability[:, number], found.right[:, number]
                )
                # The first few jump between 0 and 1
                some = np.flatnonzero(coverage >= min(0.02, coverage[-1]))
                some = some[np.linspace(0, len(some) - 1, min(len(some), _POINTS)).astype(int)]
                lowest = min(lowest, float(precision[some].min()))
                style = STYLES[level]
                axes.plot(100 * coverage[some], 100 * precision[some], color=style.color)
                axes.plot(100, 100 * precision[-1], style.marker, color=style.color)
        axes.set_xlim(0, 102)
        axes.set_ylim(max(0.0, 100 * lowest - 5), 101)
        axes.set_xlabel("coverage: entities given (%)")
        axes.set_ylabel("precision (%)")
        axes.grid(True)
        legend(figure, {level: STYLES[level] for level in levels})

    title = "Precision of the most confident entities against the share that is given"
    return draw("coverage", title, 3.2, paint)
