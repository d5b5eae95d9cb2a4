"""Sentences that follow from the intervals: the answers to open questions, and what was run."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from study.analysis.scores import LENGTH_NAMES
from study.page.titles import SET_TITLES, first, pick
from study.page.wording import (
    ADDS,
    COSTS,
    UNDECIDED,
    Row,
    at_most,
    both,
    by_verdict,
    corrected,
    effect,
    enumeration,
    number,
    points,
    verdict,
)
from study.plan.arms import WITHOUT
from study.plan.stages import Records

Analysis = Mapping[str, Any]


def answer_auxiliary(analysis: Analysis) -> list[str]:
    """Open question 2, as far as its runs are there: up to three sentences."""
    effects = analysis.get("screening", {}).get("effects", [])
    found = []
    whole = pick(effects, kind="all", factor="auxiliary")
    if some := _metrics(whole, level="any"):
        found.append(
            "Averaged over all other settings of the screening, an auxiliary task of any kind, "
            f"against none, {both(*some)}."
        )
    clauses = []
    for level, name in (("mention", "mention boundaries"), ("pos", "parts of speech")):
        if some := _metrics(whole, level=level, against="coarse"):
            clauses.append(f"the task of {name} {both(*some)}")
    if clauses:
        found.append(f"Against the task of coarse types, {'; '.join(clauses)}.")
    return found + _arm_sentence(analysis, "auxiliary", "The coarse task of the default config")


def answer_blending(analysis: Analysis) -> list[str]:
    """Open question 3, as far as its runs are there: up to three sentences."""
    effects = pick(
        analysis.get("screening", {}).get("effects", []),
        factor="blending",
        level="any",
        metric="micro",
    )
    found = _arm_sentence(analysis, "blending", "The default config's blending")
    series: list[tuple[str, list[Row]]] = []
    if effects:
        series.append(("in the screening (any kind, against none)", effects))
    if arms := analysis.get("arms"):
        # By length there are few entities: the larger part tells more
        name = max(arms, key=lambda name: arms[name]["means"][0]["support"])
        rows = pick(arms[name]["comparisons"], a="default", b=WITHOUT["blending"], metric="micro")
        if rows:
            series.append((f"in the default config ({SET_TITLES[name]} part)", rows))
    if not series:
        return found
    parts = "; ".join(
        f"{name} it {by_verdict(pick(rows, kind='length'), 'value')}" for name, rows in series
    )
    found.append(
        f"By the words of a sentence ({enumeration(LENGTH_NAMES)}), in points of micro F1: {parts}."
    )
    differences = [
        (name, row)
        for name, rows in series
        if (row := first(rows, kind="difference", value="short less long")) is not None
    ]
    if differences:
        listed = "; ".join(f"{name} {_slope(row)}" for name, row in differences)
        decided = {verdict(row) for _, row in differences}
        if decided == {UNDECIDED}:
            advice = "nothing here says to choose blending by the length of your sentences"
        elif {ADDS, COSTS} <= decided:
            advice = "these contradict each other, so do not choose by length"
        elif ADDS in decided:
            advice = "where that is decided, blending does more in short sentences"
        else:
            advice = "where that is decided, blending does more in long sentences"
        found.append(
            "The effect in the shortest sentences less that in the longest, in points of micro "
            f"F1: {listed}; {advice}."
        )
    return found


def of_the_types(one: Analysis, name: str) -> str:
    """Which types gain by the techniques of the default config, and the rare ones together."""
    rows = pick(one["comparisons"], kind="type", a="default", b="linear")
    part = f"On the {SET_TITLES[name]} part"
    found = []
    for word, one_does, many_do in ((ADDS, "gains", "gain"), (COSTS, "loses", "lose")):
        some = [f"{row['value']} {effect(row)}" for row in rows if corrected(row) == word]
        if some:
            verb = one_does if len(some) == 1 else many_do
            found.append(f"{len(some)} {verb} ({enumeration(some)})")
        alone = [row for row in rows if corrected(row) == f"{word}, uncorrected"]
        if alone:
            verb = one_does if len(alone) == 1 else many_do
            names = enumeration([str(row["value"]) for row in alone])
            found.append(f"{len(alone)} {verb} only without Holm's correction ({names})")
    if undecided := sum(verdict(row) == UNDECIDED for row in rows):
        found.append(f"{undecided} {'is' if undecided == 1 else 'are'} undecided")
    text = f"{part}, of {len(rows)} types {'; '.join(found)}."
    thirds = [
        {**row, "value": f"the {row['value']}"}
        for row in pick(one["comparisons"], kind="rarity", a="default", b="linear")
    ]
    if thirds:
        text += (
            " Taken together by how many entities they have, the default config against the plain "
            f"linear head {by_verdict(thirds, 'value')}."
        )
    return text


def what_was_run(analysis: Analysis, records: Records, gold: Mapping[str, Analysis]) -> str:
    """The paragraph after the title. gold: tables by name of the set."""
    kinds = Counter("crf" if r["kind"] == "crf" else "encoder" for r in records.values())
    sets = enumeration(
        [
            f"the {SET_TITLES[name]} part ({len(table['words']):,} sentences with "
            f"{len(table['entities']):,} entities of {len(table['types'])} types)"
            for name, table in gold.items()
        ]
    )
    seeds = enumeration(sorted({str(r["seed"]) for r in records.values()}, key=int))
    found = _versions(records)
    packages = {name: counts for name, counts in found.items() if name != "commit"}
    made = f" Made with {_listed(packages)}." if packages else ""
    if any(len(counts) > 1 for counts in found.values()):
        made += " These differ between runs: see [How it was measured](#how-it-was-measured)."
    larger = any(record["encoder"] == "base" for record in records.values())
    encoders = "one small encoder" + (" and, once, a larger one" if larger else "")
    classic = f", {kinds['crf']} of them of traditional CRFs" if kinds["crf"] else ""
    return (
        f"What each technique of the paper adds, measured: {analysis['runs']} trainings{classic}, "
        f"{analysis['hours']:.1f} hours of computing, {encoders}, scored on {sets}. F1 is strict: "
        "an entity counts if its span and its fine type are exactly those of the gold. Intervals "
        "are 95%; an effect whose interval holds 0 is called undecided. "
        f"Seeds: {seeds}.{made} The commands are under [Raw results](#raw-results)."
    )


def versions(records: Records) -> str:
    """Of all packages, and whether the runs had the same ones."""
    found = _versions(records)
    listed = "; ".join(
        f"{name} {enumeration([f'`{v}` ({n} runs)' for v, n in sorted(counts.items())])}"
        for name, counts in found.items()
        if len(counts) > 1
    )
    if not found:
        return "The records do not say which versions made them."
    if not listed:
        return f"All runs had the same versions: {_listed(found)}."
    return f"Versions: {_listed(found)}. **They differ between runs**: {listed}."


def _versions(records: Records) -> dict[str, Counter[str]]:
    """By package: versions, and in how many runs."""
    found: dict[str, Counter[str]] = {}
    for record in records.values():
        for name, version in record.get("versions", {}).items():
            found.setdefault(name, Counter())[str(version or "unknown")] += 1
    return found


def _listed(found: Mapping[str, Counter[str]]) -> str:
    return ", ".join(
        f"{name} " + " or ".join(f"`{version}`" for version in sorted(counts))
        for name, counts in found.items()
    )


def commands(records: Records) -> str:
    """What the user called, each once, as a block of code."""
    lines = dict.fromkeys(
        shlex.join(record["command"]) for record in records.values() if record.get("command")
    )
    return "```sh\n" + "\n".join(lines) + "\n```" if lines else ""


def _arm_sentence(analysis: Analysis, factor: str, subject: str) -> list[str]:
    """On the last set, which is the reported one, of the default config with and without."""
    for name, one in reversed(list(analysis.get("arms", {}).items())):
        rows = pick(one["comparisons"], kind="all", a="default", b=WITHOUT[factor])
        if some := _metrics(rows):
            return [
                f"{subject}, against the same without it (whole training part, scored on the "
                f"{SET_TITLES[name]} part), {both(*some)}: {_advice(some[1])}."
            ]
    return []


def _advice(row: Row) -> str:
    """What to do, by macro F1."""
    found = verdict(row)
    if found == ADDS:
        return "keep it"
    if found == COSTS:
        return "leave it out"
    risk = number(max(0.0, points(row["high"])))
    return f"to leave it out loses at most {risk} points of macro F1, and makes training simpler"


def _slope(row: Row) -> str:
    found = verdict(row)
    if found == UNDECIDED:
        return f"{effect(row)}, undecided, {at_most(row)}"
    return f"{effect(row)}, more in {'short' if found == ADDS else 'long'} ones"


def _metrics(rows: Sequence[Row], **wanted: Any) -> tuple[Row, Row] | None:
    """The micro and the macro row, where both are there."""
    micro, macro = (first(rows, metric=metric, **wanted) for metric in ("micro", "macro"))
    return None if micro is None or macro is None else (micro, macro)
