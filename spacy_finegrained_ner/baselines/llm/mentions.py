"""From mentions to the tokens of a Doc."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from spacy.tokens import Doc

from spacy_finegrained_ner.baselines.llm.answers import Mention
from spacy_finegrained_ner.baselines.llm.failures import (
    NOT_IN_TEXT,
    OFF_TOKENS,
    OVERLAP,
    UNKNOWN_LABEL,
)
from spacy_finegrained_ner.labels.bio import Entity


@dataclass
class Aligned:
    """entities: in their order. dropped: mentions that were left out, by kind. respelled: mentions
    that stand in the text in other case or spacing."""

    entities: list[Entity] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    respelled: int = 0


def align(doc: Doc, mentions: Sequence[Mention], spelled: Callable[[str], str | None]) -> Aligned:
    """The entities that mentions stand for.

    spelled: the label as the component spells it, None for one that it does not have.

    A mention is looked for letter by letter (but for the kind of spaces), or else without regard
    to case.
    Longer mentions come first, so that "lyon" is not taken out of "university of lyon". Of one
    text that is mentioned as often as it is there, or more often, each takes the next place;
    where it is there more often than it is mentioned, all places have its label, if that is one.
    """
    result = Aligned()
    by_text: dict[str, list[str]] = defaultdict(list)
    for mention in mentions:
        label = spelled(mention.label.strip())
        if label is None:
            result.dropped[UNKNOWN_LABEL] += 1
        else:
            by_text[" ".join(mention.text.split())].append(label)
    taken = [False] * len(doc)
    for text in sorted(by_text, key=len, reverse=True):
        labels = by_text[text]
        places, respelled, missing = _places(doc, text)
        if missing:
            result.dropped[missing] += len(labels)
            continue
        free = [place for place in places if not any(taken[place[0] : place[1]])]
        if not free:
            result.dropped[OVERLAP] += len(labels)
            continue
        same = len(set(labels)) == 1
        if len(labels) < len(free) and same:
            labels = labels[:1] * len(free)
        if len(labels) > len(free) and not same:  # one said twice is no mistake
            result.dropped[OVERLAP] += len(labels) - len(free)
        result.respelled += respelled
        for (start, end), label in zip(free, labels, strict=False):
            taken[start:end] = [True] * (end - start)
            result.entities.append((start, end, label))
    result.entities.sort()
    return result


def _places(doc: Doc, text: str) -> tuple[list[tuple[int, int]], bool, str]:
    """Where the text stands: tokens; whether that is in another spelling; or else what is wrong."""
    if not text or len(text) > len(doc.text):  # a long pattern takes long to compile
        return [], False, NOT_IN_TEXT
    pattern = r"\s+".join(map(re.escape, text.split()))
    for flags in (0, re.IGNORECASE):
        found = [match.span() for match in re.finditer(pattern, doc.text, flags)]
        spans = (doc.char_span(start, end) for start, end in found)
        places = [(span.start, span.end) for span in spans if span is not None]
        if places:
            return places, bool(flags), ""
    return [], False, OFF_TOKENS if found else NOT_IN_TEXT
