"""The last sections of the page: how it was measured, and the raw results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_finegrained_ner.pages.document import Section
from study.page import sentences, tables
from study.page.titles import ARM_TITLES
from study.plan.arms import CANDIDATES
from study.plan.stages import Records

Analysis = Mapping[str, Any]


def measured(analysis: Analysis, records: Records) -> Section:
    """How it was measured."""
    return Section(
        "How it was measured",
        [
            "**Intervals** are percentiles (95%) of a bootstrap with "
            f"{analysis['draws']:,} draws, over sentences and over runs. Over sentences it is "
            "paired: all runs are scored on the same drawn sentences. Over runs it draws what a "
            "linear model of the runs leaves unexplained: seeds and, in the screening, what "
            "techniques do only together. As few runs have too small residuals, they are widened "
            "by the square root of runs over degrees of freedom, and by the ratio of Student's "
            "quantile to the normal one. Intervals are not corrected for the number of "
            "comparisons. Where each pipeline of a table has a single run, its "
            "interval is over sentences only.",
            "**p-values** are two-sided, of no difference, from the bootstrap's standard "
            "deviation. *Holm* is their correction within a family: the pairs of pipelines of one "
            "metric on one part of the data; the parts of one kind (lengths, types, ...) of one "
            "pair; the levels of the screening for one metric, and its pooled effects for "
            "themselves. Different families are not corrected for each other.",
            "**Choices.** The last model of a training is scored, not its best one. Learning "
            "rates are chosen by macro F1 on the validation part, on one seed. So is the default "
            f"config, among candidates on all of the training data ({_candidates()}). Both choices "
            "make figures on the validation part a little optimistic. Nothing is chosen "
            "by the dev part: it is scored once, after each training, and where it is there it is "
            "the one to report. The seeds are those of the table below; with them weights, order "
            "of the data and dropout differ.",
            "**Macro F1** is the mean over types, so a type with a few entities weighs as much as "
            "one with hundreds. By part of the data only micro F1 is shown: too few entities of "
            "each type are in a part.",
            tables.runs_table(records),
            sentences.versions(records),
        ],
    )


def _candidates() -> str:
    return "; ".join(ARM_TITLES[name] for name in CANDIDATES)


def raw(records: Records, where: str, gold: list[str]) -> Section:
    """Links to the records. where: their folder's path from the page, with a slash if not empty.
    gold: names of the gold tables."""
    section = Section("Raw results")
    section.parts.append(
        "One JSON file for each run: its config's settings, scores, which entities it found, its "
        "learning curve, versions and command. The gold tables say which entities there are, "
        "without words. All numbers of this page are in [`analysis.json`](analysis.json); it was "
        "made from the runs below and from "
        + ", ".join(f"[`{name}`]({where}{name})" for name in gold)
        + "."
    )
    for stage in dict.fromkeys(record["stage"] for record in records.values()):
        names = sorted(name for name in records if records[name]["stage"] == stage)
        links = ", ".join(f"[{name.split('-', 1)[-1]}]({where}runs/{name}.json)" for name in names)
        section.parts.append(f"**{stage}**: {links}")
    if block := sentences.commands(records):
        section.parts += ["The runs were made by", block]
    section.parts += [
        "To make all of it again, and this page from the records:",
        "```sh\npython -m spacy project run study\npython -m study page FOLDER\n```",
    ]
    return section
