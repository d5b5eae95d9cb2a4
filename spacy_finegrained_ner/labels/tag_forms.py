"""Tags that are written in another way than B-Label: Label-B, B_Label, b-Label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from spacy_finegrained_ner.labels.schemes import NOT_KNOWN, TAG

Parts = dict[str, tuple[str, str]]
"""Tags, each with what it says, in upper case, and its label."""

# Not by IGNORECASE: it takes letters of other alphabets, too
_ROLE = r"(?P<role>[BIMELSUWbimelsuw])"
_LABEL = r"(?P<label>.*\S.*)"
_FORMS = (re.compile(f"{_ROLE}[-_:/]{_LABEL}"), re.compile(f"{_LABEL}[-_:/]{_ROLE}"))
_MOST = 0.9
"""Of the tokens with a tag that is not O: this share has to be of the form. A few wrong ones don't
change what the others are."""


def usual_tags(texts: Iterable[Sequence[str]], prefixed: bool = False) -> dict[str, str]:
    """Where tags are written in another way, such as PER-B, B_PER or b-PER: each with the one that
    is usual, B-PER, and `o` with O. Empty where they are usual, and where they are labels.

    prefixed: it is known that they are no labels. Else it has to be seen: `Vitamin-B` is one, but
    where PER-B has PER-I right behind it, an entity goes on.
    """
    texts = list(texts)
    counts = Counter(tag for tags in texts for tag in tags)
    named = {tag: n for tag, n in counts.items() if tag not in ("O", "o", *NOT_KNOWN)}
    total = sum(named.values())
    outside = {"o": "O"} if "o" in counts else {}
    usual = {tag: n for tag, n in named.items() if TAG.fullmatch(tag)}
    for form in _FORMS:
        parts = _parts(named, form)
        of_form = sum(named[tag] for tag in parts)
        fitting = sum(n for tag, n in named.items() if tag in parts or tag in usual)
        # Where all could be of both, as B-Vitamin-B, they are as is usual
        known = of_form > sum(usual.values()) and fitting >= _MOST * total
        if known and (prefixed or _go_on(texts, parts)):
            return {tag: f"{role}-{label}" for tag, (role, label) in parts.items()} | outside
    return outside if usual and sum(usual.values()) >= _MOST * total else {}


def _parts(tags: Iterable[str], form: re.Pattern[str]) -> Parts:
    matches = ((tag, form.fullmatch(tag)) for tag in tags)
    return {tag: (match["role"].upper(), match["label"]) for tag, match in matches if match}


def _go_on(texts: Iterable[Sequence[str]], parts: Parts) -> bool:
    """Whether an entity begins somewhere and goes on, or ends, with the next token."""
    for tags in texts:
        for before, tag in pairwise(tags):
            role, label = parts.get(tag, ("", ""))
            earlier, same = parts.get(before, ("", ""))
            if label == same and earlier == "B" and role in tuple("IMEL"):
                return True
    return False
