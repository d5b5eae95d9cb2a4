"""Texts with entities by their characters: Prodigy, doccano, spaCy's own JSON, and others alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spacy_finegrained_ner.data.forms.record import (
    NO_TEXT,
    NOT_ACCEPTED,
    NOT_ANNOTATED,
    OTHER,
    Account,
    CharSpan,
    Record,
)

TEXTS = ("text", "data", "sentence", "content")
SPANS = ("spans", "entities", "ents", "labels", "label", "annotations")
STARTS = ("start", "start_offset", "start_char", "begin", "from")
ENDS = ("end", "end_offset", "end_char", "stop", "to")
LABELS = ("label", "labels", "entity", "type", "tag", "entity_type", "entity_group")
SURFACES = ("text", "surface", "word", "value")


def first_of(value: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Of the first key that it has; None where it has none."""
    return next((value[key] for key in keys if key in value), None)


def paired(value: Any) -> Any:
    """`[text, {"entities": [...]}]`, in which spaCy 2 had its data, as an object."""
    if isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str):
        text, rest = value
        if isinstance(rest, dict):
            return {"text": text, **rest}
        if isinstance(rest, list):
            return {"text": text, "entities": rest}
    return value


def text_of(value: Mapping[str, Any]) -> str | None:
    found = first_of(value, TEXTS)
    return found if isinstance(found, str) else None


def _listed(value: Mapping[str, Any]) -> Sequence[Any] | None:
    """What is `listed` first among what may have the entities, an empty list only where there is no
    other: a class of the text may be there, too, under a name like `label`, and a column of any
    content like `entities`. None where there is nothing of the kind."""
    found = [items for key in SPANS if (items := listed(value.get(key, ""))) is not None]
    return next((items for items in found if items), found[0] if found else None)


def name_of(values: Sequence[Mapping[str, Any]]) -> str:
    keys = {key for value in values for key in value}
    if keys & {"_input_hash", "_task_hash", "answer", "_view_id"}:
        return "Prodigy"
    if "ents" in keys and "tokens" in keys:
        return "JSON of spaCy's Docs"
    items = [item for value in values for item in _listed(value) or ()]
    if "id" in keys and keys & {"label", "Comments", "relations"}:
        return "doccano"
    if any(isinstance(item, dict) and "start_offset" in item for item in items):
        return "doccano"
    return "texts with character spans"


def read_object(place: str, value: Mapping[str, Any], account: Account) -> list[Record]:
    """RETURNS: one record, or none for a text that was rejected, or that has no annotation."""
    text = text_of(value)
    if text is None:
        key = next((key for key in TEXTS if key in value), None)
        what = f"the keys {sorted(value)[:10]}" if key is None else f"{key}: {value[key]!r:.40}"
        account.add(NO_TEXT, place, f"found {what}")
        return []
    if (answer := value.get("answer", "accept")) != "accept":
        account.add(NOT_ACCEPTED, place, str(answer))
        return []
    items = _listed(value)
    if items is None:
        # Prodigy and spaCy leave an empty list out, and others have an empty one
        other = first_of(value, SPANS)
        if other is not None or not ({"answer", "_view_id", "_input_hash"} & set(value)):
            told = f"found {other!r:.40}" if other is not None else f"none of {list(SPANS)}"
            account.add(NOT_ANNOTATED, place, f"{told}, expected a list of entities")
            return []
        items = ()
    for _ in listed(value.get("relations")) or ():
        account.add(OTHER, place, "a relation")
    tokens = _tokens(text, value.get("tokens"))
    return [
        Record(
            place,
            text=text,
            tokens=tokens,
            spans=spans_of(items, tokens),
            # Prodigy asks there whether one entity is right, and nothing else
            rest_known=value.get("_view_id") != "ner",
        )
    ]


def listed(items: Any) -> Sequence[Any] | None:
    """A list of entities, also where it is one entity, or a list for each key, as `datasets` has
    them; nothing is an empty one. None for anything else, such as the class of a text."""
    if items is None or isinstance(items, list | tuple):
        return items or ()
    if not isinstance(items, Mapping):
        return None
    if items and all(isinstance(column, list) for column in items.values()):
        # Groups of spans by their names, which JSON of spaCy's Docs has beside the entities
        if all(isinstance(one, Mapping) for column in items.values() for one in column):
            return None
        if len(set(map(len, items.values()))) > 1:
            return None
        return [dict(zip(items, row, strict=True)) for row in zip(*items.values(), strict=True)]
    return [items]


def spans_of(items: Any, tokens: Sequence[tuple[int, int]] | None = None) -> list[CharSpan]:
    """The entities of a list of `[start, end, label]` or of objects, in any order of keys.
    tokens: for those that say tokens in place of characters."""
    found = []
    for item in items if isinstance(items, list | tuple) else ():
        if isinstance(item, Mapping):
            start, end = first_of(item, STARTS), first_of(item, ENDS)
            if start is None and tokens:
                start, end = _by_tokens(item, tokens)
            label, surface = first_of(item, LABELS), first_of(item, SURFACES)
        elif isinstance(item, list | tuple) and len(item) >= 3:
            (start, end, label), surface = item[:3], None
        else:
            start = end = label = surface = None
        names = label if isinstance(label, list | tuple) and label else [label]
        surface = surface if isinstance(surface, str) else None
        found += [CharSpan(offset(start), offset(end), _name(one), surface) for one in names]
    return found


def offset(value: Any) -> int | None:
    """A whole number, also as text or as 3.0; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
        return int(number) if number == int(number) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _name(label: Any) -> str:
    return label.strip() if isinstance(label, str) else "" if label is None else str(label)


def _tokens(text: str, tokens: Any) -> list[tuple[int, int]] | None:
    """Those that spell the text, in order; None where it has to be tokenized anew."""
    if not isinstance(tokens, list) or not tokens:
        return None
    found = []
    before = 0
    for token in tokens:
        start, end = (
            offset(token.get(key)) if isinstance(token, dict) else None for key in ("start", "end")
        )
        if start is None or end is None or start < before or end <= start or end > len(text):
            return None
        if token.get("text", text[start:end]) != text[start:end] or text[before:start].strip():
            return None
        found.append((start, end))
        before = end
    return None if text[before:].strip() else found


def _by_tokens(
    item: Mapping[str, Any], tokens: Sequence[tuple[int, int]]
) -> tuple[int | None, int | None]:
    """token_end is the last token of the entity, not the one behind it."""
    first, last = offset(item.get("token_start")), offset(item.get("token_end"))
    if first is None or last is None or not 0 <= first <= last < len(tokens):
        return None, None
    return tokens[first][0], tokens[last][1]
