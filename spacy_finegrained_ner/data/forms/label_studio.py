"""Label Studio: its export as JSON, and as JSON-MIN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy_finegrained_ner.data.forms.record import (
    FURTHER,
    NO_TEXT,
    NOT_ACCEPTED,
    NOT_ANNOTATED,
    OTHER,
    Account,
    Record,
)
from spacy_finegrained_ner.data.forms.spans import listed, spans_of

_ABOUT = ("created_at", "updated_at", "annotator", "completed_by")


def is_task(value: Mapping[str, Any]) -> bool:
    """Of the export as JSON. Older versions call annotations completions."""
    runs = value.get("annotations", value.get("completions"))
    return isinstance(value.get("data"), dict) and isinstance(runs, list)


def is_small(value: Mapping[str, Any]) -> bool:
    return "annotation_id" in value or any(map(_are_regions, value.values()))


def read_task(place: str, value: Mapping[str, Any], account: Account) -> list[Record]:
    """RETURNS: one record, of the first annotation that was not cancelled; or none."""
    text = _text(value.get("data") or {})
    if text is None:
        account.add(NO_TEXT, place)
        return []
    runs = [run for run in listed(value.get("annotations", value.get("completions"))) or () if run]
    done = [run for run in runs if isinstance(run, dict) and not run.get("was_cancelled")]
    if not done:
        kind = NOT_ACCEPTED if runs else NOT_ANNOTATED
        account.add(kind, place, "cancelled" if runs else "")
        return []
    for _ in done[1:]:
        account.add(FURTHER, place)
    regions = []
    for result in listed(done[0].get("result")) or ():
        region = result.get("value") if isinstance(result, dict) else None
        if (
            isinstance(region, dict)
            and isinstance(region.get("labels"), list)
            and "start" in region
        ):
            regions.append(region)
        else:
            found = result.get("type") if isinstance(result, dict) else result
            account.add(OTHER, place, str(found)[:40])
    return [Record(place, text=text, spans=spans_of(regions))]


def read_small(place: str, value: Mapping[str, Any], account: Account) -> list[Record]:
    """RETURNS: one record, or none where there is no text. The keys are those that the labelling
    interface has; where nothing is labelled, that of the labels is left out."""
    text = _text({key: x for key, x in value.items() if key not in _ABOUT})
    if text is None:
        account.add(NO_TEXT, place)
        return []
    regions = [region for x in value.values() if _are_regions(x) for region in x]
    for key, x in value.items():
        if key in ("choice", "choices", "sentiment", "relations"):
            account.add(OTHER, place, f"{key}: {str(x)[:40]}")
    return [Record(place, text=text, spans=spans_of(regions))]


def _are_regions(value: Any) -> bool:
    """Whether they are regions of a text."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(x, dict) and {"start", "end", "labels"} <= set(x) for x in value)
    )


def _text(data: Mapping[str, Any]) -> str | None:
    """Its key is anybody's: `text`, or that of the longest."""
    if isinstance(data.get("text"), str):
        return str(data["text"])
    texts = [value for value in data.values() if isinstance(value, str)]
    return max(texts, key=len, default=None)
