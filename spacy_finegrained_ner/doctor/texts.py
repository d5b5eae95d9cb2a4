"""What is wrong with the texts: each alone, parts against each other, and copies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from itertools import combinations
from math import sqrt
from statistics import median

import numpy as np
from spacy.tokens import Doc

from spacy_finegrained_ner.data.checks import labels_of_docs
from spacy_finegrained_ner.data.convert import FEW_ENTITIES, FEW_TEXTS
from spacy_finegrained_ner.data.forms.record import Record
from spacy_finegrained_ner.doctor.data import HELD_OUT, Data, shown
from spacy_finegrained_ner.doctor.finding import Finding, Severity, share
from spacy_finegrained_ner.labels.invisible import invisible

LONG, TIMES = 256, 20
"""Tokens that are many for a text, if they are so many times those of the median too."""
MANY_COPIES, MANY_LEAKED = 0.02, 0.1
"""Parts of the texts from which on copies are worse than a note, and leakage is an error."""
DIFFERENT = 2.0
"""Times as long, or as rich in entities."""
_GARBLED = re.compile(
    "\ufffd|[\u00c2\u00c3][\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00bf]|\u00e2\u20ac[^\\x00-\\x7f]"
)
"""The mark of what could not be read, and how UTF-8 looks where it was read as Windows-1252. Not
a capital of Portuguese or French before a quote, which looks alike."""
_DIGIT, _NO_WORD = re.compile(r"\d"), re.compile(r"[\W_]+")


def check_texts(data: Data) -> Iterator[Finding]:
    for part in data.parts:
        yield from _of_part(data, part)
    yield from _sizes(data)
    yield from _copies(data)


def _of_part(data: Data, part: str) -> Iterator[Finding]:
    texts = data.parts[part]
    pairs = list(zip(texts.records, texts.docs, strict=True))
    if not any(doc.ents for doc in texts.docs):
        known = any((doc.to_array("ENT_IOB") != 0).any() for doc in texts.docs if len(doc))
        name = "no-entities" if known else "nothing-known"
        what = "there is no entity" if known else "no tag is known"
        yield Finding(
            name,
            "error" if part in ("train", data.selects) else "warning",
            f"{part}: {what} in its {len(texts.docs):,} texts.",
            "Is it annotated, and is the column that of the tags (--tag-column)?",
            tuple(map(str, texts.files)),
        )

    def those(
        name: str, severity: Severity, kind: str, do: str, wanted: Callable[[Doc], object]
    ) -> Iterator[Finding]:
        found = [shown(record, doc) for record, doc in pairs if wanted(doc)]
        if found:
            what = f"{part}: {share(len(found), len(pairs), 'texts')} {kind}."
            yield Finding(name, severity, what, do, tuple(found))

    yield from those(
        "empty-texts", "warning", "are empty", "Take them out.", lambda doc: not doc.text.strip()
    )
    most = max(LONG, TIMES * median([len(doc) for doc in texts.docs] or [0]))
    yield from those(
        "long-texts",
        "warning",
        f"have more than {most:,.0f} tokens, as others have not",
        "Is a blank line missing between sentences? Cut them.",
        lambda doc: len(doc) > most,
    )
    single = sum(len(doc) == 1 for doc in texts.docs)
    yield from those(
        "one-token-texts",
        "warning" if 10 * single > len(pairs) else "note",
        "have one token",
        "If they are pieces of sentences, take out the blank lines between their words.",
        lambda doc: len(doc) == 1,
    )
    yield from those(
        "garbled-text",
        "warning",
        "have characters that a wrong encoding has made",
        "Read the original again in its own encoding (--encoding), and write it as UTF-8.",
        lambda doc: _GARBLED.search(doc.text),
    )
    yield from those(
        "invisible-in-text",
        "warning",
        "have words with characters that can't be seen",
        "Remove the characters where they are no part of the text, in what you will annotate too.",
        lambda doc: (
            not doc.text.isprintable()
            and any(not token.is_space and invisible(token.text) for token in doc)
        ),
    )


def _sizes(data: Data) -> Iterator[Finding]:
    train = data.train
    if not train:
        return
    if "valid" not in data.parts:
        which = "dev selects the model" if "dev" in data.parts else "a tenth of train is split off"
        what = f"There is no valid: `convert` makes one ({which})."
        yield Finding("no-valid", "note", what, "Give a valid of your own, if you have one.")
    for part in HELD_OUT:
        docs = data.parts[part].docs if part in data.parts else []
        if not docs:
            continue
        entities = labels_of_docs(docs)
        if len(docs) < FEW_TEXTS or entities.total() < FEW_ENTITIES:
            yield Finding(
                "small-part",
                "warning",
                f"{part} has {len(docs):,} texts with {entities.total():,} entities: its scores "
                "are mostly chance.",
                f"Give at least {FEW_TEXTS} texts with {FEW_ENTITIES} entities.",
            )
        else:
            yield from _unequal(part, docs, train)
        ours, theirs = _upper(docs), _upper(train)
        if abs(ours - theirs) > 0.3:
            what = (
                f"{ours:.0%} of the texts of {part} have capital letters, and {theirs:.0%} of "
                "those of train."
            )
            do = "Write both as the texts are that you will annotate: `convert --lower`."
            yield Finding("casing-differs", "warning", what, do)


def _unequal(part: str, docs: list[Doc], train: list[Doc]) -> Iterator[Finding]:
    said = []
    if len(docs) > len(train):
        said.append(f"has {len(docs):,} texts, more than the {len(train):,} of train")
    ours, theirs = (float(np.mean([len(doc) for doc in some])) for some in (docs, train))
    if max(ours, theirs) > DIFFERENT * min(ours, theirs):
        said.append(f"has {ours:.1f} tokens a text, and train {theirs:.1f}")
    counts, of_train = labels_of_docs(docs), labels_of_docs(train)
    rates = [
        count.total() / max(1, sum(map(len, some)))
        for count, some in ((counts, docs), (of_train, train))
    ]
    if max(rates) > DIFFERENT * min(rates):
        said.append(f"has {rates[0]:.3f} entities a token, and train {rates[1]:.3f}")
    labels = sorted(set(counts) | set(of_train))
    shares = [
        np.array([count[label] for label in labels]) / max(1, count.total())
        for count in (counts, of_train)
    ]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    # What chance gives is about as far
    if distance > 0.2 + sqrt(len(labels) / max(1, min(counts.total(), of_train.total()))) / 2:
        most = labels[int(np.abs(shares[0] - shares[1]).argmax())]
        said.append(
            f"has its types in other proportions ({distance:.0%} would have to change), most of "
            f"all {most}: {counts[most]:,} against {of_train[most]:,} in train"
        )
    for what in said:
        do = "Draw both parts at random from the same texts, as you will annotate them."
        yield Finding("unequal-parts", "warning", f"{part} {what}.", do)


def _upper(docs: list[Doc]) -> float:
    """The part of the texts that have a capital letter."""
    return sum(doc.text != doc.text.lower() for doc in docs) / len(docs)


def _copies(data: Data) -> Iterator[Finding]:
    exact = _groups(data, lambda doc: doc.text)
    near = _groups(data, normalized)
    for part, texts in data.parts.items():
        copies, again = _copies_in(exact, part), _copies_in(near, part)
        if copies or len(again) > MANY_COPIES * len(texts.docs):
            do = "Take copies out, unless such texts come as often later: they count several times."
            severity: Severity = "warning" if len(again) > MANY_COPIES * len(texts.docs) else "note"
            what = (
                f"{part}: {share(len(copies), len(texts.docs), 'texts')} stand there again; "
                f"{len(again):,} but for case, digits, punctuation and blanks."
            )
            where = tuple(shown(*pair) for pair in (*copies, *again))
            yield Finding("duplicates", severity, what, do, tuple(dict.fromkeys(where)))
    for one, other in combinations(data.parts, 2):
        leaked, nearly = _shared(exact, one, other), _shared(near, one, other)
        nearly = [pair for pair in nearly if pair not in leaked]
        total = len(data.parts[other].docs)
        do = f"Take them out of {one}: what is known by heart makes the scores of {other} too high."
        if leaked:
            severity = "error" if len(leaked) > MANY_LEAKED * total else "warning"
            what = f"{share(len(leaked), total, f'texts of {other}')} are in {one}, too."
            where = tuple(f"{a.place} and {shown(b, doc)}" for a, b, doc in leaked)
            yield Finding("leakage", severity, what, do, where)
        if nearly:
            what = (
                f"{share(len(nearly), total, f'texts of {other}')} are in {one}, too, but for "
                "case, digits, punctuation and blanks."
            )
            severity = "warning" if len(nearly) > MANY_COPIES * total else "note"
            where = tuple(f"{a.place} and {shown(b, doc)}" for a, b, doc in nearly)
            yield Finding("near-leakage", severity, what, do, where)
    yield from _contradictions(data)


def normalized(doc: Doc) -> str:
    """Without regard to case, digits, punctuation and blanks."""
    words = (_NO_WORD.sub("", _DIGIT.sub("0", token.text.casefold())) for token in doc)
    return " ".join(word for word in words if word)


Groups = dict[Hashable, list[tuple[str, Record, Doc]]]


def _groups(data: Data, key: Callable[[Doc], Hashable]) -> Groups:
    """The texts of each key, of those that have more than one."""
    found: Groups = defaultdict(list)
    for part, record, doc in data.docs():
        if (name := key(doc)) and len(doc):
            found[name].append((part, record, doc))
    return {name: texts for name, texts in found.items() if len(texts) > 1}


def _copies_in(groups: Groups, part: str) -> list[tuple[Record, Doc]]:
    """All but the first of each group."""
    return [
        (record, doc)
        for texts in groups.values()
        for _, record, doc in [text for text in texts if text[0] == part][1:]
    ]


def _shared(groups: Groups, one: str, other: str) -> list[tuple[Record, Record, Doc]]:
    """Those of the other part, each with one of the first."""
    found = []
    for texts in groups.values():
        first = next((record for part, record, _ in texts if part == one), None)
        if first is not None:
            found += [(first, record, doc) for part, record, doc in texts if part == other]
    return found


def _contradictions(data: Data) -> Iterator[Finding]:
    """The same words, labelled differently where all is known."""

    def labelling(doc: Doc) -> tuple:
        return tuple((ent.start, ent.end, ent.label_) for ent in doc.ents)

    def said(doc: Doc) -> str:
        return ", ".join(f"{ent.text!r} ({ent.label_})" for ent in doc.ents) or "no entity"

    where = []
    for texts in _groups(data, lambda doc: tuple(token.lower_ for token in doc)).values():
        known = [(r, doc) for _, r, doc in texts if (doc.to_array("ENT_IOB") != 0).all()]
        ways = {labelling(doc): (record, doc) for record, doc in reversed(known)}
        if len(ways) > 1:
            where.append("; ".join(f"{record.place}: {said(doc)}" for record, doc in ways.values()))
    if where:
        yield Finding(
            "labelled-differently",
            "warning",
            f"{len(where):,} texts stand there more than once, with different entities.",
            "Decide which is right: one of them is a wrong label.",
            tuple(where),
        )
