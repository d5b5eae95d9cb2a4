"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from spacy_finegrained_ner.cli.init_taxonomy import find_separator
from spacy_finegrained_ner.data.convert import Converted
from spacy_finegrained_ner.data.forms.record import LOSSES, NOTES, Account
from spacy_finegrained_ner.labels.readers import looks_packaged
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.evaluation import NOTHING

LEVELS = (
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


def _table(title: str, *names: str, numbers: Iterable[str], caption: str = "") -> Table:
    right = (Column(name, justify="right") for name in numbers)
    left = (Column(name, overflow="fold") for name in names)
    return Table(*left, *right, title=title, caption=caption or None)


def print_conversion(parts: list[Converted], taxonomy: Taxonomy | None) -> None:
    """What was converted, by part, and how many of the taxonomy's types a part has. taxonomy: None
    for flat labels; that they look like those of a packaged one is said."""
    types = {label for part in parts for label in part.entities}
    every = len(types if taxonomy is None else taxonomy.fine)
    numbers = ("sentences", "tokens", "entities", "types", "not known")
    table = _table("Converted", "part", numbers=numbers)
    for part in parts:
        counts = (part.sentences, part.tokens, sum(part.entities.values()))
        types_of = f"{len(part.entities)} of {every}"
        table.add_row(str(part.path), *map("{:,}".format, counts), types_of, f"{part.unknown:,}")
    _console().print(table)
    if taxonomy is None and (hint := looks_packaged(types) or _looks_coarse(types)):
        _console().print(hint)


def _looks_coarse(types: Collection[str]) -> str | None:
    """What to say of labels without a taxonomy that seem to have their coarse types before them."""
    separator = find_separator(types)
    coarse = sorted({label.partition(separator)[0] for label in types} if separator else ())
    if len(coarse) < 2 or separator == "_":  # first_name and last_name have none
        return None
    return (
        f"No taxonomy is given, and {len(types)} labels seem to have {len(coarse)} coarse types "
        f"before {separator!r}, such as {coarse[0]!r}. init-taxonomy writes a taxonomy of them."
    )


def print_account(account: Account, path: Path) -> None:
    """What did not fit: how often, what was done, and the first place; losses first."""
    if not account.found:
        return
    table = _table(
        "What did not fit", "what", "done", "first", numbers=("times",), caption=f"all in {path}"
    )
    for kind, done in (LOSSES | NOTES).items():
        if found := account.found.get(kind):
            place, what = found[0]
            table.add_row(kind, done, f"{place}: {what}" if what else place, f"{len(found):,}")
    _console().print(table)


def print_scores(report: dict[str, Any], *, per_type: bool) -> None:
    """Precision, recall and F1 in percent, on gold tokens and on running text."""
    console = _console()
    # Where there is no entity in gold or prediction, no score has a value
    scored = {label: side for label, side in _SIDES.items() if report[side]["ents_per_type"]}
    title = f"{report['model']} on {report['data']}"
    caption = f"{report['sentences']:,} texts, {report['entities']:,} gold entities, percent"
    if lost := report["unreachable"]:
        caption += f"; on running text the tokenizer does not split at the bounds of {lost} of them"
    table = _table(title, "exact spans", "tokens", numbers="PRF", caption=caption)
    flat = Taxonomy(report["taxonomy"]).flat
    for name, key in LEVELS:
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
    table = _table(
        f"Expected calibration error on {report['reported_on']}",
        "level",
        numbers=("before", "after", "95% interval", "floor", "mean p", "right"),
        caption=f"{report['after']['entities']:,} entities{_others(report['after'])}; 10 bins of "
        "equal mass; floor: of a perfectly calibrated model on as many"
        + _same(report["fitted_on"], report["reported_on"]),
    )
    for level in ("fine", "coarse", "span"):
        before, after = report["before"][level], report["after"][level]
        low, high = after["interval"] or (None, None)
        numbers = [before["ece"], after["ece"], low, high, after["floor"]]
        numbers += [after["probability"], after["right"]]
        a, b, c, d, *more = ("-" if x is None else f"{x:.3f}" for x in numbers)
        table.add_row(level, a, b, f"{c} to {d}", *more)
    _console().print(table)


def _same(fitted: str, reported: str) -> str:
    return "" if fitted != reported else ". Fitted on these texts, so too favorable: see --check"


def _others(report: dict[str, Any]) -> str:
    found = report["others"]
    return f", and {found:,} without a confidence left out" if found else ""


def print_back_off(report: dict[str, Any]) -> None:
    """What the labels are worth that the thresholds give, against one level alone."""
    table = _table(
        f"Labels at a precision of {report['precision']:.2f}, on {report['reported_on']}",
        "labels",
        numbers=("fine", "coarse", "none", "precision", "credit per gold", "gain"),
        caption=f"thresholds from {report['tuned_on']}; a right coarse type counts "
        f"{report['credit']:g}, a right fine label 1; gain: of both, with 95% interval"
        + _same(report["tuned_on"], report["reported_on"]),
    )
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


def print_names(report: dict[str, Any], most: int) -> None:
    """What names are worth on gold data, by topic and by source; most: rows of each table."""
    for title in ("topics", "sources"):
        rows = report[title]
        caption = "right: an entity, of a type of the topic; percent of the places where it is met"
        if len(rows) > most:
            caption += f"; {len(rows) - most} others not shown"
        numbers = ("met", "entity", "right", "most are")
        table = _table(title.capitalize(), title[:-1], numbers=numbers, caption=caption)
        for name, row in list(rows.items())[:most]:
            labels = ", ".join(label for label, _ in row["labels"].most_common(2))
            shares = (_percent(row[key] / row["met"]) for key in ("entities", "right"))
            table.add_row(name, f"{row['met']:,}", *shares, labels)
        _console().print(table)


def print_comparison(data: str, texts: int, rows: list[dict[str, Any]]) -> None:
    """Pipelines side by side, see `scoring.comparison`."""
    numbers = ("micro F1", "macro F1", "unanswered", "words per second", "cost per million texts")
    table = _table(f"On {data}", "pipeline", numbers=numbers, caption=f"{texts:,} texts, percent")
    for row in rows:
        f1 = [_with_interval(*row[metric]) for metric in ("micro", "macro")]
        speed, cost = row["words_per_second"], row["cost_per_million"]
        table.add_row(
            row["model"],
            *f1,
            f"{row['unanswered']:,}",
            "-" if speed is None else f"{speed:,.0f}",
            "-" if cost is None else f"{cost:,.2f}",
        )
    _console().print(table)


def _with_interval(value: float | None, bounds: tuple[float, float] | None) -> str:
    if value is None or bounds is None:
        return "-"
    return f"{_percent(value)} ({_percent(bounds[0])} to {_percent(bounds[1])})"


def print_taught(labels: Mapping[str, int], texts: int, silent: int) -> None:
    """How many entities of each label a teacher has found."""
    caption = f"{texts:,} texts, {sum(labels.values()):,} entities"
    if silent:
        caption += f"; {silent:,} texts without an answer, of which nothing will be learned"
    table = _table("What the teacher found", "label", numbers=("entities",), caption=caption)
    for label, count in sorted(labels.items(), key=lambda pair: (-pair[1], pair[0])):
        table.add_row(label, f"{count:,}")
    _console().print(table)


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
    coarse_of: dict[str, str] = report["taxonomy"]
    flat = Taxonomy(coarse_of).flat
    names = ("fine",) if flat else ("coarse", "fine")
    table = _table("Fine types", *names, numbers=("P", "R", "F", "F text", "gold"))
    types, on_text = (report[side].get("ents_per_type") or {} for side in _SIDES.values())
    # Of flat labels, the gold may have others than the training data
    every = coarse_of | {label: label for label in sorted(types) if label not in coarse_of}
    shown = [(coarse, fine) for fine, coarse in every.items() if fine in types or fine in on_text]
    for coarse, group in groupby(shown, key=itemgetter(0)):
        for _, fine in group:
            score, text = types.get(fine, {}), on_text.get(fine, {})
            percents = [_percent(value) for value in (*map(score.get, "prf"), text.get("f"))]
            start = () if flat else (coarse,)
            table.add_row(*start, fine, *percents, str(score.get("support", 0)))
            coarse = ""
        if not flat:
            table.add_section()
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
