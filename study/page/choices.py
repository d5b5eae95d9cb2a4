"""The sections on what the choices rest on: the screenings, the candidates, the grid of rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_finegrained_ner.pages.document import Part, Section
from study.page import forests, tables
from study.page.titles import METRIC_TITLES, first
from study.page.wording import percent

Analysis = Mapping[str, Any]


def screening(analysis: Analysis) -> Section:
    section = Section("Screening: every technique on its own")
    if (found := analysis.get("screening") or {}).get("effects"):
        if analysis.get("all_rates"):
            section.parts.append(
                "These are the points whose head has a rate at which all heads learn. Those with "
                "lower ones are in the next section: what such a rate costs hides the rest."
            )
        told_apart = first(found["effects"], factor="head_rate_bilstm")
        interaction = ", but for the head's rate with and without BiLSTM" if told_apart else ""
        section.parts += [
            "All techniques were varied at once. An effect is that of one level against the first "
            "level of its technique, averaged over the levels of the others.",
            "What it can tell: which technique is worth more runs, and about how much it adds "
            "beside the others. What it can't: whether two techniques need each other or get in "
            f"each other's way (the model has main effects only{interaction}), and what a longer "
            "training on all data would do. *Inflation* says how much less sure an effect is than "
            "in a comparison of two halves of all points, as a ratio of variances.",
            *_of_a_screening(found, "screening"),
        ]
    return section


def all_rates(analysis: Analysis) -> Section:
    section = Section("The same with low rates of the head")
    if (found := analysis.get("all_rates", {})).get("effects"):
        section.parts += _of_a_screening(found, "all_rates")
    return section


def _of_a_screening(found: Mapping[str, Any], name: str) -> list[Part]:
    """name: of its figure."""
    effects = found["effects"]
    fit = " ".join(
        f"For {METRIC_TITLES[metric]} the effects explain {one['r2']:.0%} of what the points "
        f"differ by; they leave {percent(one['unexplained'])} points of F1 unexplained (standard "
        f"deviation, {one['freedom']} degrees of freedom)"
        + ("." if one["seeds"] is None else f", and seeds scatter by {percent(one['seeds'])}.")
        for metric, one in found["fit"].items()
    )
    return [
        f"{len(found['points'])} points of D-optimal designs, each with "
        f"{' or '.join(map(str, found['seeds']))} "
        f"{'seed' if found['seeds'] == [1] else 'seeds'}. {fit}",
        forests.screening_plot(effects, name),
        tables.effects_table(
            effects,
            found["inflation"],
            "All levels, in points. Corrected over all levels of the table.",
            pooled=False,
        ),
        tables.effects_table(
            effects,
            {},
            "Effects pooled over levels, and of one level against another, in points. Corrected "
            "over this table.",
            pooled=True,
        ),
    ]


def candidates(analysis: Analysis) -> Section:
    section = Section("The choice of the default config")
    if len(analysis["candidates"]) > 1:
        section.parts += [
            "What the screenings and earlier experience suggest, on all of the training data, with "
            "one seed at the middle rate of the grid. The one with the best macro F1 became the "
            "default config. One seed does not tell close ones apart: where they were repeated, "
            "the sections above have intervals.",
            tables.candidates_table(analysis["candidates"]),
        ]
    return section


def rates(analysis: Analysis) -> Section:
    section = Section("Learning rates")
    if analysis["grid"]:
        section.parts += [
            "These pipelines have the same grid, on one seed; the others have the default config's "
            "rate.",
            tables.grid_table(analysis["grid"]),
        ]
    return section
