"""The plots of the page, from the analysis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from spacy_finegrained_ner.pages.forest import Panel, forest
from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.pages.svg import INK, Plot, Style, draw, legend
from study.analysis.rows import Analysis, Arms, Curve, Effect, Mean, Screening
from study.analysis.scores import LENGTH_NAMES, METRICS
from study.page import titles
from study.page.titles import ARM_STYLES, ARM_TITLES, METRIC_STYLES, SEEN_STYLES, SET_STYLES, pick
from study.plan.arms import WITHOUT


def of_page(analysis: Analysis) -> list[Plot]:
    """Those for which there are rows; the template has a place for each, by its name."""
    arms = analysis.arms.get("arms", {})
    compared = {name: one for name, one in arms.items() if one.comparisons}
    typed = {name: one for name, one in compared.items() if titles.gains(one)}
    screenings = {name: one for name, one in analysis.screenings.items() if one.effects}
    found = [_screening(name, one) for name, one in screenings.items()]
    if arms:
        found += [_arms(arms), _seen(arms)]
    if compared:
        found.append(_comparisons(compared))
    if typed:
        # Of a type there are few entities: the larger part tells more
        found.append(_types(max(typed.values(), key=lambda one: one.means[0].part.support)))
    if analysis.curves:
        found.append(_curves(analysis.curves))
    return found + _lengths(screenings.get("screening"), compared)


def _screening(name: str, one: Screening) -> Plot:
    """All effects of levels, by factor."""
    rows: dict[Any, str] = {}
    # Pooled effects come last: sorting puts each beside those of its factor
    names = list(dict.fromkeys(row.factor for row in one.effects))
    whole = pick(one.effects, "all", "micro")
    for row in sorted(whole, key=lambda row: names.index(row.factor)):
        plain = next(other.against for other in one.effects if other.factor == row.factor)
        level, against = (titles.LEVEL_TITLES.get(name, name) for name in (row.level, plain))
        rows.setdefault(row.factor, f"{titles.FACTOR_TITLES[row.factor]}, against {against}")
        if row.against != plain:
            # Over levels with and without another one, or against another level than the rest
            level, _, over = row.level.partition(",")
            level = f"{level}, pooled" if over else f"{level} less {row.against}"
        rows[_pair(row)] = level
    title = "Effects of each technique in the screening, with 95% intervals"
    panels = {"": {m: _by(_pair, pick(one.effects, "all", m)) for m in METRICS}}
    label = "effect, points of F1"
    return forest(name, title, rows, panels, METRIC_STYLES, label=label, row_height=0.225)


def _pair(row: Effect) -> tuple[str, str, str]:
    return row.factor, row.level, row.against


def _arm(row: Mean) -> str:
    return row.arm


def _by(key: Callable[[Any], Any], rows: Iterable[Interval]) -> dict[Any, Interval]:
    return {key(row): row for row in rows}


def _by_metric(
    key: Callable[[Any], Any], rows: Mapping[str, Sequence[Mean] | Sequence[Effect]]
) -> dict[str, Panel]:
    """A panel for each metric, with a series for each set."""
    return {
        f"{m} F1": {
            name: _by(key, (r for r in some if r.metric == m)) for name, some in rows.items()
        }
        for m in METRICS
    }


def _arms(arms: Mapping[str, Arms]) -> Plot:
    """Means with intervals and a dot for each seed."""
    rows = {name: pick(one.means, "all") for name, one in arms.items()}
    panels, styles = _by_metric(_arm, rows), {name: SET_STYLES[name] for name in arms}
    title, labels = "F1 of each pipeline, with 95% intervals", _labels(arms)
    return forest("arms", title, labels, panels, styles, label="F1, %", zero=False,
                  dots=lambda row: row.runs)  # fmt: skip


def _labels(arms: Mapping[str, Arms]) -> dict[Any, str]:
    first, *_ = arms.values()
    return {row.arm: ARM_TITLES[row.arm] for row in pick(first.means, "all")}


def _comparisons(arms: Mapping[str, Arms]) -> Plot:
    """What one arm has more than another."""
    rows = {name: pick(one.comparisons, "all") for name, one in arms.items()}
    labels: dict[Any, str] = {
        _pair(row): f"{ARM_STYLES[row.level].title}\nagainst {ARM_STYLES[row.against].title}"
        for some in rows.values()
        for row in some
    }
    panels, styles = _by_metric(_pair, rows), {name: SET_STYLES[name] for name in arms}
    title = "Differences between pipelines, with 95% intervals"
    label = "difference, points of F1"
    return forest("comparisons", title, labels, panels, styles, label=label, row_height=0.52)


def _seen(arms: Mapping[str, Arms]) -> Plot:
    """Entities whose text is one of the training part, and the others."""
    panels = {
        SET_STYLES[name].title: {
            value: _by(_arm, (r for r in pick(one.means, "seen") if r.part.value == value))
            for value in SEEN_STYLES
        }
        for name, one in arms.items()
    }
    title, label = "F1 on entities seen and not seen in training", "micro F1, %"
    return forest("seen", title, _labels(arms), panels, SEEN_STYLES, label=label, zero=False)


def _types(one: Arms) -> Plot:
    """Each type, rarest first: F1 of two arms, and their difference."""
    gains = {row.part: row for row in titles.gains(one)}
    f1 = {
        arm: {r.part: Interval(*[r.value] * 3) for r in pick(one.means, "type", arm=arm)}
        for arm in ("linear", "default")
    }
    rows: dict[Any, str] = {part: f"{part.value}  {part.support}" for part in gains}
    styles = {arm: ARM_STYLES[arm] for arm in f1} | {"gain": Style("", titles.BLUE, "s")}
    panels: dict[str, Panel] = {"F1": f1, "difference": {"gain": gains}}
    title = "F1 by type, default config and plain linear head, rarest type first"
    return forest("types", title, rows, panels, styles, label=("%", "points"), row_height=0.215,
                  beside=True)  # fmt: skip


def _lengths(screened: Screening | None, arms: Mapping[str, Arms]) -> list[Plot]:
    """Effects of blending and of the auxiliary task by length of the sentence."""
    panels: dict[str, Panel] = {}
    for factor, without in WITHOUT.items():
        effects = screened.effects if screened else []
        rows = {"screening": pick(effects, "length", factor=factor, level="any")} | {
            name: pick(one.comparisons, "length", level="default", against=without)
            for name, one in arms.items()
        }
        panels[titles.FACTOR_TITLES[factor]] = {
            name: _by(lambda row: row.part.value, some) for name, some in rows.items() if some
        }
    styles = {k: v for k, v in titles.LENGTH_STYLES.items() if any(k in p for p in panels.values())}
    title = "Effects of blending and auxiliary task by length of the sentence"
    names, label = dict(zip(LENGTH_NAMES, LENGTH_NAMES, strict=True)), "points of micro F1"
    plot = forest("length", title, names, panels, styles, label=label, row_height=0.6, columns=1)
    return [plot] if styles else []


def _curves(curves: Sequence[Curve]) -> Plot:
    """F1 on the way, on the validation part, with w."""
    styles = {name: s for name, s in ARM_STYLES.items() if any(c.arm == name for c in curves)}
    weights = next((w for w in (_line(c, "w") for c in curves) if w.size), None)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, key, title in zip(panels, ("ents_f", "ents_macro_f"), METRICS, strict=True):
            for name, style in styles.items():
                lines = [_line(curve, key) for curve in curves if curve.arm == name]
                lines = [line for line in lines if line.size]
                for line in lines:
                    axes.plot(*line, color=style.color, linewidth=0.6, alpha=0.5)
                if len({line.shape for line in lines}) == 1:
                    mean = np.mean(lines, axis=0)
                    axes.plot(*mean, color=style.color, marker=style.marker, markersize=4)
            axes.set(title=f"{title} F1", ylabel="F1, %")
            axes.grid(True)
            axes.set_ylim(bottom=0)
            if weights is not None:
                right = axes.twinx()
                right.plot(weights[0], weights[1] / 100, ":", color=INK, linewidth=1.4)
                right.set(ylim=(0, 1.05), ylabel="w (dotted)")
                right.spines["right"].set_visible(True)
        panels[1].set_xlabel("part of the training, %")
        legend(figure, styles, columns=2)

    title = "Learning curves of the pipelines, with the weight w of the auxiliary task"
    return draw("curves", title, 6.6, paint)


def _line(curve: Curve, key: str) -> Any:
    """Part of the training in percent and value in percent. *Shape:* (2, points with a value)."""
    found = [(point.step / curve.steps, getattr(point, key)) for point in curve.points]
    known = [(100 * step, 100 * value) for step, value in found if value is not None]
    return np.array(known).T
