"""Tables for the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from spacy_finegrained_ner.data.convert import Converted
from spacy_finegrained_ner.labels.readers import looks_packaged
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.evaluation import NOTHING

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


def print_conversion(parts: list[Converted], taxonomy: Taxonomy | None) -> None:
    """What was converted, by part, and how many of the taxonomy's types a part has. taxonomy: None
    for flat labels; that they look like those of a packaged one is said."""
    types = {label for part in parts for label in part.entities}
    every = len(types if taxonomy is None else taxonomy.fine)
    table = Table(title="Converted")
    table.add_column("part", overflow="fold")
    for name in ("sentences", "tokens", "entities", "types", "not known"):
        table.add_column(name)
    for part in parts:
        table.add_row(
            str(part.path),
            f"{part.sentences:,}",
            f"{part.tokens:,}",
            f"{sum(part.entities.values()):,}",
            f"{len(part.entities)} of {every}",
            f"{part.unknown:,}",
        )
    _console().print(table)
    if taxonomy is None and (hint := looks_packaged(types)):
        _console().print(hint)


def print_scores(report: dict[str, Any], *, per_type: bool) -> None:
    """Precision, recall and F1 in percent, on gold tokens and on running text."""
    console = _console()
    scored = {label: side for label, side in _SIDES.items() if not nothing_to_score(report[side])}
    title, caption = f"{report['model']} on {report['data']}", _caption(report)
    table = Table("exact spans", "tokens", title=title, caption=caption)
    for name in "PRF":
        table.add_column(name, justify="right")
    flat = Taxonomy(report["taxonomy"]).flat
    for name, key in _LEVELS:
        if flat and "coarse" in key:
            continue  # they would be those of the fine types again
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


def print_calibration(report: dict[str, Any]) -> None:
    """Expected calibration errors before and after, by level."""
    table = Table(
        title=f"Expected calibration error on {report['reported_on']}",
        caption=f"{report['after']['entities']:,} entities; 10 bins of equal mass; floor: of a "
        "perfectly calibrated model on as many",
    )
    for name in ("level", "before", "after", "95% interval", "floor", "mean p", "right"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level in ("fine", "coarse", "span"):
        before, after = report["before"][level], report["after"][level]
        low, high = after["interval"] or (float("nan"),) * 2
        numbers = (before["ece"], after["ece"])
        table.add_row(
            level,
            *(f"{number:.3f}" for number in numbers),
            f"{low:.3f} to {high:.3f}",
            f"{after['floor']:.3f}",
            f"{after['probability']:.3f}",
            f"{after['right']:.3f}",
        )
    _console().print(table)


def print_back_off(report: dict[str, Any]) -> None:
    """What the labels are worth that the thresholds give, against one level alone."""
    table = Table(
        title=f"Labels at a precision of {report['precision']:.2f}, on {report['reported_on']}",
        caption=f"thresholds from {report['tuned_on']}; a right coarse type counts "
        f"{report['credit']:g}, a right fine label 1; gain: of both, with 95% interval",
    )
    names = ("labels", "fine", "coarse", "none", "precision", "credit per gold", "gain")
    for name in names:
        table.add_column(name, justify="left" if name == "labels" else "right")
    for name, way in report["ways"].items():
        gain = way.get("gain_of_both")
        table.add_row(
            name,
            *(f"{way[key]:,}" for key in ("fine", "coarse", "none")),
            f"{way['precision']:.3f}",
            f"{way['credit_per_gold']:.3f}",
            "-"
            if gain is None
            else "{:+.3f} ({:+.3f} to {:+.3f})".format(gain["credit_per_gold"], *gain["interval"]),
        )
    _console().print(table)


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
    taxonomy: dict[str, str] = report["taxonomy"]
    flat = Taxonomy(taxonomy).flat
    table = Table(title="Fine types")
    if not flat:
        table.add_column("coarse")
    table.add_column("fine")
    for name in ("P", "R", "F", "F text", "gold"):
        table.add_column(name, justify="right")
    types, on_text = (report[side].get("ents_per_type") or {} for side in _SIDES.values())
    before = None
    # Of flat labels, the gold may have others than the training data
    for fine, coarse in (taxonomy | {x: x for x in sorted(types) if x not in taxonomy}).items():
        if fine not in types and fine not in on_text:
            continue
        if before not in (None, coarse) and not flat:
            table.add_section()
        score = types.get(fine, {})
        table.add_row(
            *(() if flat else (coarse if coarse != before else "",)),
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
