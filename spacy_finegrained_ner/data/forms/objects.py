"""Objects of JSON, and rows of Parquet, to records: which form they have, by their keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spacy_finegrained_ner.data.forms import label_studio, spans, tagged
from spacy_finegrained_ner.data.forms.record import NO_TEXT, Account, FormError, Options, Record
from spacy_finegrained_ner.data.forms.tags import check_visible
from spacy_finegrained_ner.data.forms.values import Value

LOOKED_AT = 50
"""Values, to find the form by."""


def read_objects(
    path: Path,
    values: Sequence[Value],
    features: Callable[[], Mapping[str, Any]],
    options: Options,
    account: Account,
) -> tuple[str, list[Record]]:
    """The form and the records. features: those of Hugging Face's `datasets`, if there are any.

    Values that are no objects of the form are counted. A `FormError` where none has one.
    """
    if not values:
        raise FormError(f"{path}: the file holds no texts.")
    found = [spans.paired(value) for _, value in values]
    objects = [value for value in found if isinstance(value, dict)]
    some = objects[:LOOKED_AT]
    read: Callable[[str, Mapping[str, Any], Account], list[Record]]
    if any(map(label_studio.is_task, some)):
        form, read = "Label Studio", label_studio.read_task
    elif any(map(label_studio.is_small, some)):
        form, read = "Label Studio (JSON-MIN)", label_studio.read_small
    elif column := tagged.tag_column(some, options, path):
        form = f"tokens and {column}"
        read = tagged.reader(path, objects, column, features, options)
    elif any(map(spans.text_of, some)):
        form, read = spans.name_of(some), spans.read_object
    else:
        keys = sorted({str(key) for value in some for key in value})[:20]
        raise FormError(
            f"{path}: found values with the keys {keys}, expected a text with its entities (such "
            "as text and spans, text and label, data and annotations), or tokens and ner_tags."
        )
    records: list[Record] = []
    for (place, _), value in zip(values, found, strict=True):
        if isinstance(value, dict) and _has_half_characters(value):
            account.add(NO_TEXT, place, "found half a character (a lone surrogate)")
        elif isinstance(value, dict):
            records += read(place, value, account)
        else:
            account.add(NO_TEXT, place, f"found {str(value)[:40]!r}")
    check_visible(records)
    return form, records


def _has_half_characters(value: Mapping[str, Any]) -> bool:
    """Which escapes of JSON can make, and no text can have."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False
