"""Schemes of tags: IOB2, IOB1, IO, IOBES, BILUO, and labels without a prefix; tags -> spans.

`-` and an empty tag say that nothing is known of a token.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spacy_finegrained_ner.labels.bio import Entity

SCHEMES = ("IOB2", "IOB1", "IO", "IOBES", "BILUO", "labels")
"""Those that can be asked for. `labels`: the tag is the label, and O is none."""

TAG = re.compile(r"([BIMELSUW])-\s*(\S.*)")
"""What it says of the token, and the label."""
_ROLES = {"B": "begin", **dict.fromkeys("IM", "inside"), **dict.fromkeys("EL", "end")}
_ROLES |= dict.fromkeys("SUW", "single")
NOT_KNOWN = ("-", "")
"""Tags of tokens of which nothing is known."""


@dataclass
class TagSpans:
    """What the tags of a text say. unknown: tokens of which nothing is known. problems: where tags
    say what they may not, the kind of it (UNKNOWN_TAG or ILLEGAL) and a message; the tokens of it
    are not known."""

    entities: list[Entity] = field(default_factory=list)
    unknown: set[int] = field(default_factory=set)
    problems: list[tuple[int, str, str]] = field(default_factory=list)


UNKNOWN_TAG, ILLEGAL = "unknown tag", "illegal order of tags"


def find_scheme(texts: Iterable[Sequence[str]]) -> str | None:
    """The scheme that the tags of some texts are in, by those that occur; None where there is no
    entity. A few wrong tags don't change what most of them say.

    In IOB1 and IO an entity begins with I-, and in IOB1 with B- only behind another of its label.
    """
    prefixes: Counter[str] = Counter()
    bare = begun_by_b = begun_by_i = again = 0
    for tags in texts:
        before = "O"
        for tag in tags:
            match = TAG.fullmatch(tag)
            if match is None:
                bare += tag != "O" and tag not in NOT_KNOWN
                before = tag
                continue
            prefix, label = match.groups()
            prefixes[prefix] += 1
            if before not in NOT_KNOWN:
                last = TAG.fullmatch(before)
                goes_on = last is not None and last[2] == label
                begun_by_i += prefix == "I" and not goes_on
                begun_by_b += prefix == "B" and not goes_on
                again += prefix == "B" and goes_on
            before = tag
    total = prefixes.total()
    if bare > total:
        return "labels"
    if not total:
        return None
    ends = sum(prefixes[prefix] for prefix in "EL")
    singles = sum(prefixes[prefix] for prefix in "SUW")
    if ends + singles and 2 * ends >= prefixes["B"]:
        return "BILUO" if prefixes["L"] + prefixes["U"] > prefixes["E"] + prefixes["S"] else "IOBES"
    if begun_by_i <= begun_by_b:
        return "IOB2"
    return "IOB1" if again else "IO"


def spans_of_tags(tags: Sequence[str], scheme: str) -> TagSpans:
    """The entities of a text. scheme: one of SCHEMES."""
    found = TagSpans()
    closes = scheme in ("IOBES", "BILUO")  # an entity has to be ended
    lenient = scheme in ("IOB1", "IO", "labels")  # I- begins an entity
    start, open_label = 0, None  # of the entity that may go on

    def close(end: int, problem: str = "") -> None:
        nonlocal open_label
        if open_label is not None:
            if problem:
                found.problems.append((start, ILLEGAL, problem))
            if closes:
                found.unknown.update(range(start, end))
            else:
                found.entities.append((start, end, open_label))
        open_label = None

    for i, tag in enumerate(tags):
        role, label = _role_of(tag, scheme)
        before = tags[i - 1] if i else "O"
        lost = i - 1 in found.unknown and _role_of(before, scheme)[1] in (label, "")
        if role in ("begin", "single", "outside") or (role == "inside" and lenient and not lost):
            if role == "inside" and label == open_label:
                continue
            close(i, f"{tags[start]!r} is not ended before {tag!r}" if closes else "")
            if role == "single":
                found.entities.append((i, i + 1, label))
            elif role != "outside":
                start, open_label = i, label
        elif role in ("inside", "end"):
            if label == open_label:
                if role == "end":
                    found.entities.append((start, i + 1, label))
                    open_label = None
                continue
            if open_label is not None:  # of which label is the entity?
                found.unknown.update(range(start, i))
                open_label = None
            found.unknown.add(i)
            if not lost:
                found.problems.append((i, ILLEGAL, f"{tag!r} follows {before!r}"))
        else:
            close(i)
            found.unknown.add(i)
            if role == "foreign":
                found.problems.append((i, UNKNOWN_TAG, f"{tag!r} is no tag of {scheme}"))
    close(len(tags), f"{tags[start]!r} is not ended" if closes and tags else "")
    return found


def label_of(tag: str, scheme: str) -> str:
    """The label of a tag, "" for one of no entity, or that the scheme does not have."""
    return _role_of(tag, scheme)[1]


def _role_of(tag: str, scheme: str) -> tuple[str, str]:
    """What a tag says, and its label. In a scheme without ends they are foreign."""
    if tag == "O":
        return "outside", ""
    if tag in NOT_KNOWN:
        return "unknown", ""
    if scheme == "labels":
        return "inside", tag
    match = TAG.fullmatch(tag)
    if match is None:
        return "foreign", ""
    role, label = _ROLES[match[1]], match[2]
    if scheme not in ("IOBES", "BILUO") and match[1] not in "BI":
        return "foreign", ""
    return role, label
