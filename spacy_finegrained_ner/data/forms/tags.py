"""Tags as a file has them: numbers by their names, and what can be no tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from spacy_finegrained_ner.data.forms.record import FormError, Record
from spacy_finegrained_ner.labels.invisible import invisible
from spacy_finegrained_ner.labels.schemes import NOT_KNOWN, find_scheme
from spacy_finegrained_ner.labels.tag_forms import may_be_tags

_NUMBER = re.compile(r"\s*-?[0-9]{1,9}(\.0)?\s*")
IGNORED = -100
"""The number of a tag that does not count, as torch has it."""


def number_of(tag: object) -> int | None:
    """Of a tag that is one, also where it was written as text, or by pandas as 3.0."""
    if isinstance(tag, bool):
        return None
    if isinstance(tag, str):
        return int(float(tag)) if _NUMBER.fullmatch(tag) else None
    return int(tag) if isinstance(tag, int | float) and tag == tag // 1 else None


def are_numbers(tags: Iterable[object]) -> bool:
    """Whether all of them are that say anything."""
    said = {tag for tag in tags if tag is not None and tag not in NOT_KNOWN}
    return bool(said) and all(number_of(tag) is not None for tag in said)


def names_of(
    numbers: Iterable[int], names: Sequence[str] | None, what: str, path: Path, more: str = ""
) -> list[str]:
    """The names of tags that are numbers. what: has them. more: what else gives their names.

    Raises a `FormError` where there are none or too few, or one is empty.
    """
    if not names:
        raise FormError(
            f"{path}: the {what} are numbers, and nothing says what they stand for. Give "
            f"their names in order (`convert` has --tag-names O,B-Label,I-Label,...){more}."
        )
    names = [name.strip() for name in names]
    if "" in names:
        raise FormError(
            f"{path}: the name of the number {names.index('')} is empty, expected one for each "
            f"number: {', '.join(names)[:80]}."
        )
    if wrong_numbers := sorted(n for n in {*numbers} - {IGNORED} if not 0 <= n < len(names)):
        raise FormError(
            f"{path}: the {what} have the number {wrong_numbers[0]}, but there are names for 0 to "
            f"{len(names) - 1} only: {', '.join(names)[:80]}."
        )
    return names


def check_visible(records: Sequence[Record]) -> None:
    """A `FormError` with file and line for a tag with characters that can't be seen."""
    tags: dict[str, str] = {}
    for record in records:
        for i, tag in enumerate(record.tags or ()):
            if tag not in tags:
                tags[tag] = record.at(i)
    for tag, place in tags.items():
        if hidden := invisible(tag):
            raise FormError(
                f"{place}: the tag {tag!r} has {hidden} in it, which can't be seen. Remove it."
            )


def check_outside(where: str, records: Sequence[Record], scheme: str | None, hint: str) -> None:
    """A column of words, or of parts of speech, is no column of tags. where: file or files. scheme:
    asked for. hint: what to do. Raises a `FormError`."""
    tags = {tag for record in records for tag in record.tags or ()}
    if "O" in tags or tags <= {"o", *NOT_KNOWN}:
        return
    if find_scheme(record.tags or () for record in records) != "labels" or scheme == "labels":
        return
    # In what form the tags are is found for all files together
    if not may_be_tags(tag for record in records for tag in record.tags or ()):
        first = next(record for record in records if record.tags)
        shown = ", ".join(map(repr, dict.fromkeys((first.tags or [])[:200])))[:80]
        raise FormError(
            f"{where}: its tags are {shown} and the like, and O nowhere: expected tags such as O, "
            f"B-Label and I-Label. {hint} If they are labels, name the scheme labels (--scheme)."
        )
