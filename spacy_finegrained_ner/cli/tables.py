"""Tables for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from spacy_finegrained_ner.cli.evaluate import NOTHING
from spacy_finegrained_ner.data.convert import Converted
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

_LEVELS = (
    ("fine types, micro", "ents"),
    ("fine types, macro", "ents_macro"),
    ("coarse types, micro", "ents_coarse"),
    ("coarse types, macro", "ents_coarse_macro"),
    ("mentions (span only)", "ents_mention"),
)
_SIDES = {"gold": "gold_tokens", "running text": "running_text"}


def _console() -> Console:
    """Labels and file names are anybody's: `[b]` and `:x:` in them are no markup."""
    return Console(markup=False, emoji=False)


def print_conversion(parts: list[Converted], taxonomy: Taxonomy) -> None:
    """What was converted, by part, and how many of the taxonomy's types a part has."""
    table = Table(
        "part", "sentences", "tokens", "entities", "types", "not known", title="Converted"
    )
    for part in parts:
        table.add_row(
            str(part.path),
            f"{part.sentences:,}",
            f"{part.tokens:,}",
            f"{sum(part.entities.values()):,}",
            f"{len(part.entities)} of {len(taxonomy.fine)}",
            f"{part.unknown:,}",
        )
    _console().print(table)


def print_scores(report: dict[str, Any], *, per_type: bool) -> None:
    """Precision, recall and F1 in percent, on gold tokens and on running text."""
    console = _console()
    scored = {label: side for label, side in _SIDES.items() if not nothing_to_score(report[side])}
    title, caption = f"{report['model']} on {report['data']}", _caption(report)
    table = Table("exact spans", "tokens", title=title, caption=caption)
    for name in "PRF":
        table.add_column(name, justify="right")
    for name, key in _LEVELS:
        for label, side in scored.items():
            scores = [_percent(report[side].get(f"{key}_{kind}")) for kind in "prf"]
            table.add_row(name, label, *scores, end_section=label == [*scored][-1])
            name = ""
    console.print(table if scored else f"{title}: {caption}")
    for label, side in _SIDES.items():
        if label not in scored:
            console.print(f"{label}: {NOTHING}")
        elif "bootstrap" in report[side]:
            console.print(f"{label}: {_intervals(report[side]['bootstrap'])}")
    if per_type and scored:
        console.print(_type_table(report))


def nothing_to_score(scores: dict[str, Any]) -> bool:
    """Whether there is no entity in gold or prediction, so that no score has a value."""
    return scores["ents_per_type"] is None


def _intervals(found: dict[str, Any]) -> str:
    if None in found["intervals"].values():
        return f"no interval: no entity in any of {found['samples']:,} samples"
    parts = [
        f"{name} F1 {_percent(low)} to {_percent(high)}"
        for name, (low, high) in zip(("micro", "macro"), found["intervals"].values(), strict=True)
    ]
    return (
        f"{' and '.join(parts)} ({found['level']:.0%} interval, bootstrap over sentences, "
        f"{found['samples']:,} samples)"
    )


def _type_table(report: dict[str, Any]) -> Table:
    table = Table(title="Fine types")
    table.add_column("coarse")
    table.add_column("fine")
    for name in ("P", "R", "F", "F text", "gold"):
        table.add_column(name, justify="right")
    taxonomy: dict[str, str] = report["taxonomy"]
    types, on_text = (report[side].get("ents_per_type") or {} for side in _SIDES.values())
    before = None
    for fine, coarse in taxonomy.items():
        if fine not in types and fine not in on_text:
            continue
        if before not in (None, coarse):
            table.add_section()
        score = types.get(fine, {})
        table.add_row(
            coarse if coarse != before else "",
            fine,
            *(_percent(score.get(kind)) for kind in "prf"),
            _percent(on_text.get(fine, {}).get("f")),
            str(score.get("support", 0)),
        )
        before = coarse
    return table


def _caption(report: dict[str, Any]) -> str:
    caption = f"{report['sentences']:,} texts, {report['entities']:,} gold entities, percent"
    if report["unreachable"]:
        caption += (
            f"; on running text the tokenizer does not split at the bounds of "
            f"{report['unreachable']} of them"
        )
    return caption


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
