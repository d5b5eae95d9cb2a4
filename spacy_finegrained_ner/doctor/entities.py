"""What is odd about entities: labelled otherwise than most of the same mention, long, or with
edges that others don't have."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span

from spacy_finegrained_ner.data.forms.record import Record
from spacy_finegrained_ner.doctor.data import Data, at
from spacy_finegrained_ner.doctor.finding import Finding, share

OFTEN, MOSTLY = 5, 0.8
"""How often a mention is there, and what part of it is alike, for the others to be odd."""
LONG = 15
"""Tokens."""
ODD = 0.02
"""At most so large a part is odd, and not a rule."""
NO_BEGINNING = frozenset(",;:.!?)]}»”-–—/|&")  # noqa: RUF001
NO_END = frozenset(",;:([{«“-–—/|&@#")  # noqa: RUF001
_DETERMINERS = {
    "en": "the a an",
    "de": "der die das den dem des ein eine einen einem einer eines",
    "fr": "le la les un une des",
    "es": "el la los las un una unos unas",
    "it": "il lo la i gli le un uno una",
    "pt": "o a os as um uma uns umas",
    "nl": "de het een",
}
DETERMINERS = {lang: frozenset(words.split()) for lang, words in _DETERMINERS.items()}

Places = list[tuple[Record, Span]]


def check_entities(data: Data) -> Iterator[Finding]:
    mentions: dict[str, Places] = defaultdict(list)
    for _, record, ent in data.entities():
        mentions[_surface(ent)].append((record, ent))
    yield from _several_labels(mentions)
    yield from _other_labels(mentions)
    yield from _not_labelled(data, mentions)
    yield from _long(data)
    yield from _punctuation(data)
    yield from _determiners(data, mentions)


def _surface(span: Span) -> str:
    return " ".join(token.lower_ for token in span)


def _several_labels(mentions: dict[str, Places]) -> Iterator[Finding]:
    """No label has most of them. They may well differ in what they mean."""
    where = []
    for name, places in mentions.items():
        counts = Counter(ent.label_ for _, ent in places)
        if len(places) >= OFTEN and max(counts.values()) < MOSTLY * len(places):
            several = ", ".join(f"{count:,} times {label}" for label, count in counts.most_common())
            where.append((len(places), f"{name!r}: {several}; first at {at(*places[0])}"))
    if where:
        yield Finding(
            "several-labels",
            "note",
            f"{len(where):,} names have several labels, none of them in four of five cases.",
            "Nothing, if the names mean several things; else decide on one label for each.",
            tuple(text for _, text in sorted(where, key=lambda pair: -pair[0])),
        )


def _other_labels(mentions: dict[str, Places]) -> Iterator[Finding]:
    where = []
    for places in mentions.values():
        counts = Counter(ent.label_ for _, ent in places)
        label, most = counts.most_common(1)[0]
        if len(places) >= OFTEN and len(places) > most >= MOSTLY * len(places):
            others = (pair for pair in places if pair[1].label_ != label)
            where += [f"{at(*pair)}, {most:,} times {label}" for pair in others]
    if where:
        yield Finding(
            "mostly-another-label",
            "note",
            f"{len(where):,} entities have another label than most entities of the same words.",
            "Look at them: some may be wrong. --cross-fit ranks all labels.",
            tuple(where),
        )


def _not_labelled(data: Data, mentions: dict[str, Places]) -> Iterator[Finding]:
    """Mentions that are mostly entities, and here are none."""
    often = {name: places for name, places in mentions.items() if len(places) >= OFTEN}
    docs = list(data.docs())
    if not often or not docs:
        return
    vocab = docs[0][2].vocab
    matcher = PhraseMatcher(vocab, attr="LOWER")
    for name, places in often.items():
        matcher.add(name, [places[0][1].as_doc()])
    outside: dict[str, Places] = defaultdict(list)
    for _, record, doc in docs:
        iob: Any = doc.to_array("ENT_IOB")
        for key, start, end in matcher(doc):
            if (iob[start:end] == 2).all():
                outside[vocab.strings[key]].append((record, doc[start:end]))
    where = []
    for name, places in outside.items():
        inside = len(often[name])
        if inside >= MOSTLY * (inside + len(places)):
            label = Counter(ent.label_ for _, ent in often[name]).most_common(1)[0][0]
            where += [
                f"{record.at(span.start)}: {span.text!r}, {inside:,} times {label}"
                for record, span in places
            ]
    if where:
        yield Finding(
            "mostly-an-entity",
            "note",
            f"{len(where):,} times words are no entity that mostly are one.",
            "Look at them: some may have been missed. --cross-fit ranks them.",
            tuple(where),
        )


def _long(data: Data) -> Iterator[Finding]:
    found = [at(record, ent) for _, record, ent in data.entities() if len(ent) > LONG]
    if found:
        what = f"{len(found):,} entities have more than {LONG} tokens."
        do = "Look whether their ends are where they should be."
        yield Finding("long-entities", "warning", what, do, tuple(found))


def _punctuation(data: Data) -> Iterator[Finding]:
    every = [(record, ent) for _, record, ent in data.entities()]
    odd = [pair for pair in every if _has_odd_edge(pair[1])]
    if odd and len(odd) <= max(1, ODD * len(every)):
        what = f"{share(len(odd), len(every), 'entities')} begin or end with punctuation."
        do = "Leave it out of them, as of the others, where it is no part of the name."
        yield Finding("edge-punctuation", "note", what, do, tuple(at(*pair) for pair in odd))
    elif odd:
        what = f"{share(len(odd), len(every), 'entities')} begin or end with punctuation."
        do = "Are the tokens those of the tags? Decide on one way, and annotate all alike."
        yield Finding("edge-punctuation", "warning", what, do, tuple(at(*pair) for pair in odd))


def _has_odd_edge(ent: Span) -> bool:
    return ent[0].text in NO_BEGINNING or ent[-1].text in NO_END or _opened(ent)


def _opened(ent: Span) -> bool:
    """A quote or bracket at an edge without its other half."""
    text = [token.text for token in ent]
    if text[0] in ("(", "[", "{") or text[-1] in (")", "]", "}"):
        pairs = (("(", ")"), ("[", "]"), ("{", "}"))
        return any(text.count(a) != text.count(b) for a, b in pairs)
    edge = text[0] if text[0] in ('"', "``", "''") else text[-1]
    return edge in ('"', "``", "''") and text.count(edge) == 1


def _determiners(data: Data, mentions: dict[str, Places]) -> Iterator[Finding]:
    """The same words with and without the determiner before them: the rarer way."""
    words = DETERMINERS.get(data.lang, frozenset())
    within: dict[str, Places] = defaultdict(list)
    before: dict[str, Places] = defaultdict(list)
    for places in mentions.values():
        for record, ent in places:
            if ent[0].lower_ in words and len(ent) > 1:
                within[_surface(ent[1:])].append((record, ent))
            elif ent.start and ent.doc[ent.start - 1].lower_ in words and _is_outside(ent):
                before[_surface(ent)].append((record, ent))
    where: list[str] = []
    both = 0
    for name in within.keys() & before.keys():
        both += 1
        rarer = min(within[name], before[name], key=len)
        where += [at(*pair) for pair in rarer]
    if where:
        yield Finding(
            "edge-determiner",
            "note",
            f"{both:,} names are entities with the determiner before them, and without it.",
            "Annotate all alike: a name that ends elsewhere counts as an error.",
            tuple(sorted(where)),
        )


def _is_outside(ent: Span) -> bool:
    doc: Doc = ent.doc
    return bool(doc[ent.start - 1].ent_iob_ == "O")
