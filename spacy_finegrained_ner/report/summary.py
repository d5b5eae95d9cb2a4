"""A report in three sentences: scores, the error that costs most, what confidence is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_finegrained_ner.pages.intervals import percent
from spacy_finegrained_ner.report.counts import Score, Tally


def summary(
    texts: int,
    scores: Sequence[Score],
    every: Tally,
    kinds: Mapping[str, str],
    calibration: Mapping[str, Any] | None,
) -> list[str]:
    """texts: how many. kinds: of errors, with what each is called here. calibration: a
    `calibration_report`, None where there is no confidence."""
    return [
        _scores(texts, scores, every),
        _cost(scores[0].level, every, kinds),
        _trust(calibration, every),
    ]


def _scores(texts: int, scores: Sequence[Score], every: Tally) -> str:
    types = scores[0].level
    own = " and ".join(f"{s.mean} F1 {s.f.printed}" for s in scores if s.level == types)
    more = [f"{s.level} {s.f.printed}" for s in scores if s.level != types and s.mean == "micro"]
    return (
        f"On {texts:,} texts with {every.gold.total():,} entities, {types} have {own}; micro F1 of "
        f"{', of '.join(more)}."
    )


def _cost(types: str, every: Tally, kinds: Mapping[str, str]) -> str:
    gains = {kind: every.gain(kind) for kind in kinds}
    worst = max(gains, key=lambda kind: gains[kind])
    if not gains[worst] > 0:
        return "There is no error."
    side, of = (every.gold, "gold") if every.gold[worst] else (every.predicted, "found")
    return (
        f"The kind of error that costs most is “{kinds[worst]}”, at {side[worst]:,} of "
        f"{side.total():,} {of} entities: without it, micro F1 of {types} would be higher by "
        f"{percent(gains[worst])} points."
    )


def _trust(calibration: Mapping[str, Any] | None, every: Tally) -> str:
    if calibration is None:
        return "The entities have no confidence." if every.predicted else "Nothing was found."
    fine = calibration["fine"]
    said, right = fine["probability"], fine["right"]
    if fine["ece"] <= fine["by_chance"]:
        verdict = "it can't be told from a perfect one"
    else:
        side = "too sure" if said > right else "not sure enough"
        verdict = f"more than that can be chance; on average it is {side}"
    return (
        f"The confidence of labels is {percent(said)}% on average, {percent(right)}% are right; it "
        f"is off by {percent(fine['ece'])} points, where a perfect one would seem off by "
        f"{percent(fine['floor'])} by chance: {verdict}."
    )
