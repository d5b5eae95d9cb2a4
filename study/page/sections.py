"""The sections of the page. One is left out where its runs are not there: its function gives None
or a section without parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_finegrained_ner.pages.document import Section
from study.analysis.scores import LENGTH_NAMES, RARITY
from study.page import choices, forests, plots, sentences, tables
from study.page.titles import METRIC_TITLES, SET_TITLES, pick

Analysis = Mapping[str, Any]

STAR = "A star is for a difference that holds after Holm's correction over the parts of its row."


PARTS = {
    "by words of a sentence": (*LENGTH_NAMES, "short less long"),
    "seen and unseen": ("seen", "unseen", "unseen less seen"),
}


def of_page(analysis: Analysis) -> list[Section]:
    """Those that have something to say, without how it was measured."""
    every = (
        _answer(analysis),
        _techniques(analysis),
        _claim(analysis),
        _auxiliary(analysis),
        _blending(analysis),
        choices.screening(analysis),
        choices.all_rates(analysis),
        choices.candidates(analysis),
        choices.rates(analysis),
        _where(analysis),
        _types(analysis),
        _curves(analysis),
        _classic(analysis),
        _base(analysis),
    )
    return [section for section in every if section.parts]


def _listed(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _compared(analysis: Analysis) -> dict[str, Any]:
    """The arms by name of the set, where there are pairs to compare."""
    return {name: one for name, one in analysis.get("arms", {}).items() if one["comparisons"]}


def _answer(analysis: Analysis) -> Section:
    section = Section("The answer in numbers")
    if arms := analysis.get("arms"):
        section.parts.append(
            "Each pipeline, trained as often as the table says, with different seeds. ± is the "
            "standard deviation over these runs; the interval is over sentences and seeds."
        )
        section.parts += [
            tables.means_table(one["means"], f"{SET_TITLES[name].capitalize()} part.")
            for name, one in reversed(arms.items())
        ]
        section.parts.append(forests.arms_plot(arms))
    return section


def _techniques(analysis: Analysis) -> Section:
    section = Section("What the techniques add")
    if arms := _compared(analysis):
        section.parts.append(
            "*Adds* and *costs* are said of a difference whose interval leaves out 0; "
            "*uncorrected*, if it does not hold after Holm's correction over the pairs of the "
            "table; *undecided*, of all others: these runs do not tell its sign."
        )
        section.parts += [
            tables.comparisons_table(arms[name]["comparisons"], metric, name)
            for name in reversed(arms)
            for metric in METRIC_TITLES
        ]
        section.parts.append(forests.comparisons_plot(arms))
    return section


def _claim(analysis: Analysis) -> Section:
    section = Section("The paper's claim: 0.03 to 0.05 macro F1 by the techniques")
    arms = _compared(analysis)
    rows = {
        name: [
            row
            for arm in ("paper", "default")
            for row in pick(
                arms[name]["comparisons"], kind="all", metric="macro", a=arm, b="linear"
            )
        ]
        for name in reversed(arms)
    }
    if any(rows.values()):
        section.parts += [
            "The paper says that its techniques add 0.03 to 0.05 macro F1 to a large encoder. "
            "Here, for this encoder: all of them at once, and the default config, against the "
            "plain linear head. *Compatible* means that the interval and the paper's range "
            "overlap; it does not mean that the claim is shown.",
            tables.claim_table(rows),
        ]
    return section


def _auxiliary(analysis: Analysis) -> Section:
    section = Section("Open question 2: does another auxiliary task help?")
    if found := sentences.answer_auxiliary(analysis):
        section.parts.append(_listed(found))
        if effects := analysis.get("screening", {}).get("effects"):
            section.parts.append(
                tables.effects_table(
                    effects,
                    {},
                    "The auxiliary task in the screening: effects in points.",
                    factor="auxiliary",
                )
            )
    return section


def _blending(analysis: Analysis) -> Section:
    section = Section("Open question 3: does blending help at every length?")
    if found := sentences.answer_blending(analysis):
        section.parts.append(_listed(found))
        if plots.length_effects(analysis):
            section.parts.append(plots.length_plot(analysis))
    return section


def _where(analysis: Analysis) -> Section:
    """By length, and by seen and unseen."""
    section = Section("Where it matters: length, seen and unseen entities")
    if arms := analysis.get("arms"):
        section.parts.append(forests.seen_plot(arms))
        for name, one in reversed(arms.items()):
            part = f"{SET_TITLES[name].capitalize()} part"
            section.parts += [
                tables.parts_table(
                    one["means"],
                    "seen",
                    f"{part}: micro F1 in percent (in the head: entities), seen and unseen.",
                ),
                tables.parts_table(
                    one["means"],
                    "length",
                    f"{part}: micro F1 in percent (in the head: entities), by words of a sentence.",
                ),
            ]
            section.parts += [
                tables.part_effects_table(
                    one["comparisons"],
                    values,
                    f"{part}: differences in points of micro F1, {by}. {STAR}",
                )
                for by, values in PARTS.items()
                if one["comparisons"]
            ]
    if effects := analysis.get("screening", {}).get("effects"):
        section.parts += [
            tables.screening_parts_table(
                effects,
                values,
                f"Screening, validation part: effects in points of micro F1, {by}. A star is for "
                "one that holds after Holm's correction over the rows of its column.",
            )
            for by, values in PARTS.items()
        ]
    if section.parts:
        section.parts.insert(
            0,
            "An entity is *seen* if its text is an entity of the training part too. *Short less "
            "long* is by how much an effect in the shortest sentences exceeds that in the "
            "longest; *unseen less seen*, likewise.",
        )
    return section


def _types(analysis: Analysis) -> Section:
    section = Section("Which types gain")
    arms = {
        name: one
        for name, one in _compared(analysis).items()
        if pick(one["comparisons"], kind="type", a="default", b="linear")
    }
    if not arms:
        return section
    most = max(arms, key=lambda name: arms[name]["means"][0]["support"])
    section.parts += [
        _listed([sentences.of_the_types(one, name) for name, one in reversed(arms.items())]),
        forests.types_plot(arms[most], most),
    ]
    for name, one in reversed(arms.items()):
        section.parts += [
            tables.part_effects_table(
                one["comparisons"],
                RARITY,
                f"{SET_TITLES[name].capitalize()} part: types in thirds by how many entities they "
                f"have; differences in points of micro F1. {STAR}",
            ),
            tables.types_table(one, name),
        ]
    return section


def _curves(analysis: Analysis) -> Section:
    section = Section("Learning curves")
    if analysis["curves"]:
        section.parts.append(plots.curves_plot(analysis["curves"]))
    return section


def _classic(analysis: Analysis) -> Section:
    section = Section("Traditional CRF")
    if classic := analysis.get("classic"):
        section.parts += [
            "A CRF on hand-made features of words (no encoder), beside the paper's.",
            tables.classic_table(classic, analysis["pooled"]),
            "The paper's dev figures are very likely not comparable. In the code that its authors "
            "extend, one metric object is shared by training and validation, so the score that "
            "is logged as dev's pools the counts of the training epoch, about 95% of the total, "
            "with those of dev. Here only entities of the part itself count"
            + (
                ", but for the rows that pool training and dev to show the difference. "
                if analysis["pooled"]
                else ". "
            )
            + "What others reach on the same dev part, by the strict measure:",
            tables.strict_table(),
        ]
    return section


def _base(analysis: Analysis) -> Section:
    section = Section("Larger encoder")
    if base := analysis.get("base"):
        section.parts.append(
            "The default config on a base-size encoder, beside the small one. One run: the "
            "interval is over sentences only and holds nothing of seeds, and no difference is "
            "tested."
        )
        for name, one in reversed(base.items()):
            small = analysis.get("arms", {}).get(name, {"means": []})["means"]
            section.parts.append(
                tables.means_table(
                    [*pick(small, arm="default"), *one["means"]],
                    f"{SET_TITLES[name].capitalize()} part.",
                )
            )
    return section
