"""The plots of the page, from the analysis: by the name of their place in the template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spacy_finegrained_ner.pages.forest import Panel, forest
from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.pages.svg import INK, Plot, Style, draw, legend
from study.analysis.rows import Analysis, Arms, Curve, Effect, Screening
from study.analysis.scores import LENGTH_NAMES, METRICS
from study.page import titles
from study.page.titles import ARM_STYLES, ARM_TITLES, METRIC_STYLES, SET_STYLES, by_plan, pick
from study.plan.arms import WITHOUT


def of_page(analysis: Analysis) -> dict[str, list[Plot]]:
    arms = analysis.of_arms
    compared = {name: one for name, one in arms.items() if one.comparisons}
    typed = {name: one for name, one in compared.items() if titles.gains(one)}
    # Of a type there are few entities: the larger part tells more
    largest = max(typed, key=lambda name: typed[name].means[0].part.support, default="")
    screenings = {name: one for name, one in analysis.screenings.items() if one.effects}
    return {
        "arms_plot": [_arms(arms)] if arms else [],
        "comparisons_plot": [_comparisons(compared)] if compared else [],
        "seen_plot": [_seen(arms)] if arms else [],
        "types_plot": [_types(largest, typed[largest])] if typed else [],
        "length_plot": _lengths(screenings.get("screening"), compared),
        "curves_plot": [_curves(analysis.curves)] if analysis.curves else [],
        **{
            f"{name}_plot": [_screening(name, screenings[name])] if name in screenings else []
            for name in ("screening", "all_rates")
        },
    }


def _screening(name: str, one: Screening) -> Plot:
    """All effects of levels, by factor."""
    rows: dict[Any, str] = {}
    # Pooled effects come last: sorting puts each beside those of its factor
    names = list(dict.fromkeys(row.factor for row in one.effects))
    for row in sorted(pick(one.effects, "all"), key=lambda row: names.index(row.factor)):
        plain = next(other.against for other in one.effects if other.factor == row.factor)
        level, against = (titles.LEVEL_TITLES.get(name, name) for name in (row.level, plain))
        rows.setdefault(row.factor, f"{titles.FACTOR_TITLES[row.factor]}, against {against}")
        if row.against != plain:
            # Over levels with and without another one, or against another level than the rest
            level, _, over = row.level.partition(",")
            level = f"{level}, pooled" if over else f"{level} less {row.against}"
        rows[_key(row)] = level
    return forest(
        name,
        "Effects of each technique in the screening, with 95% intervals",
        "Each level against the first one of its technique, averaged over the other techniques, "
        "with 95% intervals. An interval that crosses the line leaves the sign undecided.",
        rows,
        {"": {m: _by_key(pick(one.effects, "all", m)) for m in METRICS}},
        METRIC_STYLES,
        label="effect, points of F1",
        row_height=0.225,
    )


def _key(row: Effect) -> tuple[str, str, str]:
    return row.factor, row.level, row.against


def _by_key(rows: Sequence[Effect]) -> Mapping[Any, Interval]:
    return {_key(row): row for row in rows}


def _arms(arms: Mapping[str, Arms]) -> Plot:
    """Means with intervals and a dot for each seed, one panel for each metric."""

    def panel(metric: str) -> Panel:
        rows = {name: pick(one.means, "all", metric) for name, one in arms.items()}
        return {name: {row.arm: row for row in some} for name, some in rows.items()}

    return forest(
        "arms",
        "F1 of each pipeline, with 95% intervals",
        "Means over seeds with 95% intervals over sentences and seeds; a small dot is one run.",
        _labels(arms),
        {f"{metric} F1": panel(metric) for metric in METRICS},
        {name: SET_STYLES[name] for name in arms},
        label="F1, %",
        zero=False,
        dots=lambda row: row.runs,
    )


def _labels(arms: Mapping[str, Arms]) -> dict[Any, str]:
    first, *_ = arms.values()
    return {arm: ARM_TITLES[arm] for arm in by_plan(first.means)}


def _comparisons(arms: Mapping[str, Arms]) -> Plot:
    """What one arm has more than another, one panel for each metric."""
    first, *_ = arms.values()
    pairs = pick(first.comparisons, "all")

    def panel(metric: str) -> Panel:
        return {name: _by_key(pick(one.comparisons, "all", metric)) for name, one in arms.items()}

    return forest(
        "comparisons",
        "Differences between pipelines, with 95% intervals",
        "Differences with 95% intervals. Right of the line the first one is better.",
        {
            _key(row): f"{ARM_STYLES[row.level].title}\nagainst {ARM_STYLES[row.against].title}"
            for row in pairs
        },
        {f"{metric} F1": panel(metric) for metric in METRICS},
        {name: SET_STYLES[name] for name in arms},
        label="difference, points of F1",
        row_height=0.52,
    )


def _seen(arms: Mapping[str, Arms]) -> Plot:
    """Entities whose text is one of the training part, and the others."""

    def panel(one: Arms) -> Panel:
        rows = pick(one.means, "seen")
        values = titles.SEEN_STYLES
        return {v: {row.arm: row for row in rows if row.part.value == v} for v in values}

    return forest(
        "seen",
        "F1 on entities seen and not seen in training",
        "Micro F1 on entities whose text is an entity of the training part too, and on the "
        "others, with 95% intervals.",
        _labels(arms),
        {SET_STYLES[name].title: panel(one) for name, one in arms.items()},
        titles.SEEN_STYLES,
        label="micro F1, %",
        zero=False,
    )


def _types(name: str, one: Arms) -> Plot:
    """Each type, rarest first: F1 of two arms, and their difference."""
    gains = {row.part: row for row in titles.gains(one)}
    f1 = {
        arm: {r.part: Interval(*[r.value] * 3) for r in pick(one.means, "type", arm=arm)}
        for arm in ("linear", "default")
    }
    return forest(
        "types",
        "F1 by type, default config and plain linear head, rarest type first",
        f"F1 by type on the {SET_STYLES[name].title} part, rarest first; the number is that of its "
        "entities. Right: the default config less the plain linear head, with 95% intervals.",
        {part: f"{part.value}  {part.support}" for part in gains},
        {"F1": f1, "difference": {"gain": gains}},
        {arm: ARM_STYLES[arm] for arm in f1} | {"gain": Style("", titles.BLUE, "s")},
        label=("%", "points"),
        row_height=0.215,
        beside=True,
    )


def _lengths(screened: Screening | None, arms: Mapping[str, Arms]) -> list[Plot]:
    """Effects of blending and of the auxiliary task by length of the sentence."""
    panels: dict[str, dict[str, dict[Any, Interval]]] = {}
    for factor, without in WITHOUT.items():
        rows = {
            name: pick(one.comparisons, "length", level="default", against=without)
            for name, one in arms.items()
        }
        if screened:
            rows["screening"] = pick(screened.effects, "length", factor=factor, level="any")
        panels[titles.FACTOR_TITLES[factor]] = {
            name: {row.part.value: row for row in rows[name]}
            for name in titles.LENGTH_STYLES
            if rows.get(name)
        }
    shown = {name for panel in panels.values() for name in panel}
    plot = forest(
        "length",
        "Effects of blending and auxiliary task by length of the sentence",
        "What blending and the auxiliary task add to micro F1, by words of the sentence, with "
        "95% intervals. Screening: any level against none; arms: the default config against the "
        "same without it.",
        {name: name for name in LENGTH_NAMES},
        panels,
        {name: style for name, style in titles.LENGTH_STYLES.items() if name in shown},
        label="points of micro F1",
        row_height=0.6,
        columns=1,
    )
    return [plot] if shown else []


def _curves(curves: Sequence[Curve]) -> Plot:
    """F1 on the way, on the validation part, with w."""
    styles = {name: s for name, s in ARM_STYLES.items() if any(c.arm == name for c in curves)}

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, key, title in zip(panels, ("ents_f", "ents_macro_f"), METRICS, strict=True):
            for name, style in styles.items():
                lines = [_line(curve, key) for curve in curves if curve.arm == name]
                lines = [line for line in lines if line.shape[1]]
                for line in lines:
                    axes.plot(*line, color=style.color, linewidth=0.6, alpha=0.5)
                if lines and len({line.shape for line in lines}) == 1:
                    mean = np.mean(lines, axis=0)
                    axes.plot(*mean, color=style.color, marker=style.marker, markersize=4)
            axes.set_title(f"{title} F1")
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
        legend(figure, styles, columns=2)

    return draw(
        "curves",
        "Learning curves of the pipelines, with the weight w of the auxiliary task",
        "F1 on the validation part during training: means over seeds (thick) and single runs "
        "(thin). Dotted, on the right axis: w, the weight of the auxiliary task.",
        6.6,
        paint,
    )


def _line(curve: Curve, key: str) -> Any:
    """Part of the training in percent and value in percent. *Shape:* (2, points with a value)."""
    found = [(point.step / curve.steps, getattr(point, key)) for point in curve.points]
    known = [(100 * step, 100 * value) for step, value in found if value is not None]
    return np.array(known).T if known else np.zeros((2, 0))
