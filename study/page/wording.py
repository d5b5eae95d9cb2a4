"""Effects in words. None is claimed unless its interval, as it is printed, leaves out 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""Of the analysis, with `effect`, `low`, `high`, and `holm` where it was compared with others."""

ADDS, COSTS, UNDECIDED = "adds", "costs", "undecided"
ALPHA = 0.05
CLAIMED = (3.0, 5.0)
"""Points of macro F1 that the paper says its techniques add."""


def points(share: float) -> float:
    """100 times as much, to one decimal: everything here is decided by what is printed."""
    return round(100 * share, 1) + 0.0


def number(value: float) -> str:
    """With a minus sign as long as a plus sign."""
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def signed(share: float) -> str:
    value = points(share)
    return f"+{value:.1f}" if value > 0 else number(value)


def percent(share: float) -> str:
    return number(points(share))


def interval(row: Row) -> str:
    return f"{number(points(row['low']))} to {number(points(row['high']))}"


def effect(row: Row) -> str:
    """As "+1.2 (0.3 to 2.1)"."""
    return f"{signed(row['effect'])} ({interval(row)})"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict(row: Row) -> str:
    """By the interval alone."""
    if points(row["low"]) > 0:
        return ADDS
    if points(row["high"]) < 0:
        return COSTS
    return UNDECIDED


def corrected(row: Row) -> str:
    """By the interval, and with a word where Holm's correction takes it back."""
    found = verdict(row)
    return found if found == UNDECIDED or row["holm"] < ALPHA else f"{found}, uncorrected"


def at_most(row: Row) -> str:
    """How large an undecided effect may be: "at most 1.3 points either way"."""
    return f"at most {number(_reach(row))} points either way"


def clause(row: Row, of: str) -> str:
    """A predicate, as "adds 1.2 points of macro F1 (0.3 to 2.1)". of: what the points are of."""
    found = verdict(row)
    if found == UNDECIDED:
        return f"is undecided in {of}: {effect(row)}, {at_most(row)}"
    return f"{found} {number(abs(points(row['effect'])))} points of {of} ({interval(row)})"


def both(micro: Row, macro: Row) -> str:
    """A predicate on both metrics."""
    if {verdict(micro), verdict(macro)} != {UNDECIDED}:
        return f"{clause(micro, 'micro F1')}, and {clause(macro, 'macro F1')}"
    widest = max(micro, macro, key=_reach)
    return f"is undecided: micro F1 {effect(micro)}, macro F1 {effect(macro)}, {at_most(widest)}"


def enumeration(words: Sequence[str]) -> str:
    """As "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def by_verdict(rows: Sequence[Row], name: str) -> str:
    """Predicates on parts: "adds in A (+1.2 (0.3 to 2.1)); is undecided in B and C, at most 2.0
    points either way". name: the key of a row that says which part it is of."""
    found = []
    for word in (ADDS, COSTS):
        some = [f"{row[name]}: {effect(row)}" for row in rows if verdict(row) == word]
        if some:
            found.append(f"{word} in {enumeration(some)}")
    open_ = [row for row in rows if verdict(row) == UNDECIDED]
    if open_:
        widest = max(open_, key=_reach)
        which = f"in {enumeration([str(row[name]) for row in open_])}"
        if len(open_) == len(rows) > 1:
            which = "in each of them"
        found.append(f"is undecided {which}, {at_most(widest)}")
    return "; ".join(found)


def _reach(row: Row) -> float:
    return max(abs(points(row["low"])), abs(points(row["high"])))


def of_the_claim(row: Row) -> str:
    """What an effect on macro F1 says of the paper's 3 to 5 points."""
    low, high = points(row["low"]), points(row["high"])
    least, most = CLAIMED
    if high < least:
        size = "less than the paper's 3 to 5"
    elif low > most:
        size = "more than the paper's 3 to 5"
    else:
        size = "compatible with the paper's 3 to 5"
    sign = {ADDS: "above 0", COSTS: "below 0", UNDECIDED: "not told from 0"}[verdict(row)]
    return f"{sign}, {size}"
