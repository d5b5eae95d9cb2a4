"""A finding of the doctor: what it is called, what was found, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first. error: the training fails, or learns what is wrong. warning: it costs quality or
time, or makes the scores wrong. note: it is so, and may be meant."""

NAMES = {
    "reading": (
        *("unreadable", "illegal-tags", "unknown-tags", "mixed-schemes", "lost", "changed"),
        *("wrong-column", "no-entities", "nothing-known", "no-valid"),
    ),
    "labels": (
        *("outside-taxonomy", "two-spellings", "invisible-in-label", "misspelled-label"),
        *("type-not-in-train", "type-only-in-train", "rare-types"),
    ),
    "texts": (
        *("empty-texts", "long-texts", "one-token-texts", "invisible-in-text", "garbled-text"),
        "small-part",
        *("unequal-parts", "casing-differs", "duplicates", "leakage", "near-leakage"),
        "labelled-differently",
    ),
    "entities": (
        *("several-labels", "mostly-another-label", "mostly-an-entity", "long-entities"),
        *("edge-punctuation", "edge-determiner"),
    ),
    "encoder": (
        *("no-encoder", "unknown-wordpieces", "many-wordpieces", "casing-unfit", "cut-tokens"),
        "windows",
    ),
    "config": (
        *("config-error", "schedule-length", "fixed-weight", "no-auxiliary", "one-rate"),
        *("group-without-parameters", "dropout-reaches-nothing", "short-warm-up", "long-warm-up"),
        *("no-evaluation-at-end", "patience", "no-end", "first-100-texts", "unreported-score"),
        *("frozen-listener", "tiny-batches", "unusual-rate", "heavy-decay"),
        *("dev-is-train", "gold-preproc"),
        *("left-out-texts", "less-than-an-epoch", "does-not-start"),
    ),
}
"""The names of all findings, by what they are of."""
GROUP_OF = {name: group for group, names in NAMES.items() for name in names}


@dataclass(frozen=True)
class Finding:
    """name: short and stable, one of NAMES. what: a sentence. where: files with lines, or texts;
    all there are. do: a sentence that says what to do."""

    name: str
    severity: Severity
    what: str
    do: str
    where: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        return GROUP_OF[self.name]


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Errors before warnings before notes, each in the order of the groups."""
    order = list(GROUP_OF)
    return sorted(findings, key=lambda x: (SEVERITIES.index(x.severity), order.index(x.name)))


def share(part: int, whole: int, what: str) -> str:
    """`12 of 300 texts (4.0%)`."""
    percent = 100 * part / whole if whole else 0.0
    return f"{part:,} of {whole:,} {what} ({percent:.{0 if percent >= 10 else 1}f}%)"
