"""Tags that are written in another way than B-Label: Label-B, B_Label, b-Label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from spacy_finegrained_ner.labels.schemes import NOT_KNOWN, TAG

Parts = dict[str, tuple[str, str]]
"""Tags of a form, each with its prefix, in upper case, and its label."""

# Not by IGNORECASE: it takes letters of other alphabets, too
_ROLE = r"(?P<role>[BIMELSUWbimelsuw])"
_LABEL = r"(?P<label>\s*\S.*)"
_BARE = frozenset("BIMELSUW")
_FORMS = (re.compile(f"{_ROLE}[-_:/]{_LABEL}"), re.compile(f"{_LABEL}[-_:/]{_ROLE}"))
_PREFIXES = {"IOB2": "BI", "IOB1": "BI", "IO": "I"}
_MOST = 0.9
"""Of the tokens with a tag that is neither O nor unknown. A few wrong ones don't change what the
others are."""


def usual_tags(texts: Iterable[Sequence[str]], scheme: str | None = None) -> dict[str, str]:
    """Where tags are written in another way, such as PER-B, B_PER or b-PER: each with the one that
    is usual, B-PER. Empty where they are usual, and where they are labels. `o` with O where it can
    be no label.

    scheme: as which they are to be read, not `labels`. None: that they are no labels has to be
    seen. `Hepatitis-B` is one; where PER-I and PER-E mostly stand right behind PER-B, entities go
    on there.
    """
    texts = list(texts)
    counts = Counter(tag for tags in texts for tag in tags)
    named = _named(counts)
    enough = _MOST * named.total()
    usual = {tag: n for tag, n in named.items() if TAG.fullmatch(tag)}
    outside = {"o": "O"} if "o" in counts else {}
    if usual and sum(usual.values()) >= enough:
        return outside
    first, last = (_parts(form, named) for form in _FORMS)
    # `B-Vitamin-B` may be either: by how those that may be go on
    both = first.keys() & last.keys()
    if _go_on(texts, {tag: first[tag] for tag in both}):
        last = {tag: part for tag, part in last.items() if tag not in both}
    forms = [(_go_on(texts, parts), parts) for parts in (last, first)]
    if scheme is not None:
        forms = [(on, parts if on else _of_scheme(parts, scheme)) for on, parts in forms]
    else:
        forms = [(on, parts) for on, parts in forms if on]
    # Where files are in two forms, the one that more are in goes first
    forms.sort(key=lambda form: (form[0], sum(named[tag] for tag in form[1])))
    found = {tag: parts[tag] for _, parts in forms for tag in parts}
    of_forms = sum(named[tag] for tag in found)
    fitting = sum(n for tag, n in named.items() if tag in found or tag in usual)
    if found and of_forms > sum(usual.values()) and fitting >= enough:
        return {tag: f"{role}-{label}" for tag, (role, label) in found.items()} | outside
    return {} if "O" in counts else outside


def may_be_tags(tags: Iterable[str], most: float = _MOST) -> bool:
    """Whether tags are of the forms, or usual, but for a few: labels can be so, too. most: the part
    of the tokens that are."""
    named = _named(Counter(tags))
    formed = {tag for form in _FORMS for tag in _parts(form, named)}
    return bool(named) and sum(named[tag] for tag in formed) >= most * named.total()


def some_go_on(texts: Iterable[Sequence[str]]) -> bool:
    """Whether entities go on, as tags of one of the forms have it, or usual ones."""
    texts = list(texts)
    named = _named(Counter(tag for tags in texts for tag in tags))
    return any(_go_on(texts, _parts(form, named)) for form in _FORMS)


def without_labels(tags: Iterable[str]) -> bool:
    """Whether all tags that are not O say begin or inside and the like, and no label: B and I."""
    found = {tag.rstrip("-_:/").upper() for tag in tags} - {"O", ""}
    return found >= {"B", "I"} and found <= _BARE


def _named(counts: Mapping[str, int]) -> Counter[str]:
    return Counter({tag: n for tag, n in counts.items() if tag not in ("O", "o", *NOT_KNOWN)})


def _parts(form: re.Pattern[str], tags: Iterable[str]) -> Parts:
    matches = ((tag, form.fullmatch(tag)) for tag in tags)
    return {tag: (match["role"].upper(), match["label"].strip()) for tag, match in matches if match}


def _of_scheme(parts: Parts, scheme: str) -> Parts:
    """Those of which each token has what the scheme has."""
    prefixes = _PREFIXES.get(scheme, "BIMELSUW")
    return {tag: part for tag, part in parts.items() if part[0] in prefixes}


def _go_on(texts: Iterable[Sequence[str]], parts: Parts) -> bool:
    """Whether what goes on or ends an entity stands mostly behind what begins it or goes on."""
    behind = alone = 0
    for tags in texts:
        before = ("", "")
        for tag in tags:
            part = parts.get(tag, ("", ""))
            if part[0] in ("I", "M", "E", "L"):
                goes_on = before[0] in ("B", "I", "M") and before[1] == part[1]
                behind += goes_on
                alone += not goes_on
            before = part
    return behind > alone
