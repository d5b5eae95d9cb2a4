"""Tokens and their tags, as Hugging Face's `datasets` have them: tags by name, or by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy_finegrained_ner.data.forms.record import (
    NO_PLACE,
    NO_TEXT,
    UNMATCHED,
    Account,
    FormError,
    Options,
    Record,
)
from spacy_finegrained_ner.data.forms.spans import first_of
from spacy_finegrained_ner.data.forms.tags import IGNORED, are_numbers, names_of, number_of
from spacy_finegrained_ner.labels.schemes import UNKNOWN_TAG

TOKENS = ("tokens", "words")
TAGS = ("fine_ner_tags", "ner_tags", "tags", "ner", "labels", "label", "entities")


def tag_column(values: Sequence[Mapping[str, Any]], options: Options, path: Path) -> str | None:
    """The name of the tags; None where these are no tokens with tags."""
    for value in values:
        if not _is_flat(first_of(value, TOKENS), str):
            continue
        asked = options.tag_column
        if asked is not None and asked not in value:
            raise FormError(
                f"{path}: there is no {asked!r} (--tag-column), expected one of {sorted(value)}."
            )
        names = TAGS if asked is None else [str(asked)]
        for name in names:
            tags = value.get(name)
            # What is not known of the first tokens may be null
            known = [tag for tag in tags if tag is not None] if isinstance(tags, list) else ()
            if _is_flat(known, str | int | float):
                return name
    return None


def reader(
    path: Path,
    values: Sequence[Mapping[str, Any]],
    column: str,
    features: Callable[[], Mapping[str, Any]],
    options: Options,
) -> Callable[[str, Mapping[str, Any], Account], list[Record]]:
    """From a value to its record. A `FormError` where tags are numbers without names."""
    lists = [tags for value in values if isinstance(tags := value.get(column), list)]
    said = [tag for tags in lists for tag in tags if isinstance(tag, str | int | float)]
    # Digits as text may be labels, where that is said
    as_text = options.scheme != "labels" and are_numbers(said)
    kinds = str | int | float if as_text else int | float
    numbers = {n for tag in said if isinstance(tag, kinds) and (n := number_of(tag)) is not None}
    names: Sequence[str] = ()
    if numbers - {IGNORED}:
        given = options.tag_names or _names(features().get(column))
        more = ", or keep the dataset_info.json of the data set beside the file"
        names = names_of(numbers, given, column, path, more)

    def spelled(place: str, tag: Any, account: Account) -> str:
        if tag is None:
            return "-"
        number = number_of(tag) if isinstance(tag, kinds) else None
        if number is not None:
            return "-" if number == IGNORED else names[number]
        if not isinstance(tag, str):
            account.add(UNKNOWN_TAG, place, f"{tag!r:.40} is neither text nor a number")
        return tag.strip() if isinstance(tag, str) else "-"

    def read(place: str, value: Mapping[str, Any], account: Account) -> list[Record]:
        words, tags = first_of(value, TOKENS), value.get(column)
        if not isinstance(words, list) or not isinstance(tags, list):
            account.add(NO_TEXT, place, f"found the keys {sorted(value)[:10]}")
            return []
        if not words:
            account.add(NO_TEXT, place, "no tokens")
            return []
        if len(words) != len(tags):
            account.add(UNMATCHED, place, f"{len(words)} tokens and {len(tags)} tags")
            return []
        found = [spelled(place, tag, account) for tag in tags]
        # A word of nothing is no token
        for word, tag in zip(words, found, strict=True):
            if not str(word).strip() and tag not in ("O", "-"):
                account.add(NO_PLACE, place, f"no word for the tag {tag}")
        kept = [(str(w), t) for w, t in zip(words, found, strict=True) if str(w).strip()]
        return [Record(place, words=[w for w, _ in kept], tags=[t for _, t in kept])]

    return read


def _is_flat(values: Any, kind: Any) -> bool:
    return (
        isinstance(values, list) and bool(values) and all(isinstance(x, kind) for x in values[:20])
    )


def _names(feature: Any) -> list[str] | None:
    """Of a ClassLabel, however it is wrapped (Sequence, List, a list of one)."""
    if isinstance(feature, list) and feature:
        return _names(feature[0])
    if isinstance(feature, dict):
        names = feature.get("names")
        return list(map(str, names)) if isinstance(names, list) else _names(feature.get("feature"))
    return None
