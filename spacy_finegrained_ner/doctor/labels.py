"""What is wrong with the labels: names, and how many examples each has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from spacy_finegrained_ner.data.checks import FREQUENT, labels_of_docs
from spacy_finegrained_ner.doctor.data import HELD_OUT, Data, at
from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.labels.invisible import invisible
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

FEW = 20
"""Entities of a type in the training part: below, what is learned is mostly chance."""
TIMES = 20
"""So many times rarer than a label that is nearly spelled like it, and it is perhaps misspelled."""
PART_OF_SPEECH = re.compile(
    r"ADJ|ADP|ADV|AUX|C?CONJ|SCONJ|DET|INTJ|NOUN|NUM|PART|PRON|PROPN|PUNCT|SYM|VERB|"
    r"NNP?S?|VB[DGNPZ]?|JJ[RS]?|RB[RS]?|PRP\$?|WP\$?|IN|DT|CC|CD|TO|MD|WDT|WRB|EX|UH|RP|PDT"
)
"""The universal ones, and those of the Penn Treebank."""
NO_NAMES = frozenset(("_", "-", "--", "X", "None", "none", "NONE", "null", "nan", "NaN", "?", "0"))
MANY = 500
"""Labels of which most occur once are words."""


def check_labels(data: Data, taxonomy: Taxonomy | None) -> Iterator[Finding]:
    """taxonomy: None for flat labels."""
    yield from _columns(data)
    yield from _names(data)
    if taxonomy is None:
        yield from _misspelled(data)
    else:
        yield from _outside(data, taxonomy)
    yield from _examples(data)


def _columns(data: Data) -> Iterator[Finding]:
    """A column of something else is taken for that of the tags."""
    counts = labels_of_docs(doc for _, _, doc in data.docs())
    labels = set(counts)
    speech = {label for label in labels if PART_OF_SPEECH.fullmatch(label)}
    once = sum(count == 1 for count in counts.values())
    do = "Say which column has the tags: --tag-column."
    if len(speech) >= 5 and 2 * len(speech) > len(labels):
        what = f"The labels are parts of speech: {', '.join(sorted(speech)[:10])}."
        yield Finding("wrong-column", "error", what, do, tuple(data.labels[x] for x in speech))
    elif len(labels) >= MANY and 2 * once > len(labels):
        what = (
            f"There are {len(labels):,} labels, {once:,} of which occur once, such as "
            f"{', '.join(sorted(labels)[:5])}: they look like words."
        )
        yield Finding("wrong-column", "error", what, do)
    for label in sorted(labels & NO_NAMES):
        what = f"{label!r} is the label of {counts[label]:,} entities: it looks like a gap."
        do_gap = "Write O for what is no entity, and - for a tag that is not known."
        yield Finding("wrong-column", "error", what, do_gap, (data.labels.get(label, ""),))


def _names(data: Data) -> Iterator[Finding]:
    same: dict[str, list[str]] = defaultdict(list)
    for label in data.labels:
        # Also where they differ in blanks, hyphens and the like
        plain = "".join(char for char in label.casefold() if char.isalnum())
        same[plain or label].append(label)
        if hidden := invisible(label):
            what = f"The label {label!r} has {hidden} in it, which can't be seen."
            yield Finding("invisible-in-label", "error", what, "Remove it.", (data.labels[label],))
    for spellings in same.values():
        if len(spellings) > 1:
            yield Finding(
                "two-spellings",
                "error",
                f"One label is spelled {len(spellings)} ways: {', '.join(map(repr, spellings))}.",
                "Give all annotations the same spelling.",
                tuple(f"{data.labels[x]}: {x}" for x in spellings),
            )


def _misspelled(data: Data) -> Iterator[Finding]:
    """Of flat labels there is no list to check them against."""
    counts = labels_of_docs(doc for _, _, doc in data.docs())
    for label, place in data.labels.items():
        bar = max(FREQUENT, TIMES * counts[label])
        frequent = [other for other, count in counts.items() if count >= bar]
        near = get_close_matches(label, frequent, n=1, cutoff=0.8)
        if near and near[0].casefold() != label.casefold():
            yield Finding(
                "misspelled-label",
                "warning",
                f"{label!r} occurs {counts[label]:,} times, and is nearly {near[0]!r}, which "
                f"occurs {counts[near[0]]:,} times.",
                "Correct it, or give a taxonomy that has both: it is learned as a type of its own.",
                (place,),
            )


def _outside(data: Data, taxonomy: Taxonomy) -> Iterator[Finding]:
    for label, place in data.labels.items():
        if taxonomy.spelled(label) is None:
            folded = {fine.casefold(): fine for fine in taxonomy.fine}
            near = get_close_matches(label.casefold(), folded, n=1)
            perhaps = f" Misspelled, perhaps, for {folded[near[0]]!r}." if near else ""
            what = f"The label {label!r} is not in the taxonomy ({taxonomy.source}).{perhaps}"
            do = "Correct the data, or add it to a taxonomy file of your own."
            yield Finding("outside-taxonomy", "error", what, do, (place,))


def _examples(data: Data) -> Iterator[Finding]:
    train = labels_of_docs(data.train)
    if not train:
        return
    rare = {label: count for label, count in train.items() if count < FEW}
    if rare:
        named = sorted(rare.items(), key=lambda pair: (pair[1], pair[0]))
        yield Finding(
            "rare-types",
            "warning",
            f"{len(rare)} of {len(train)} types have fewer than {FEW} entities in the training "
            f"part: {_some(named)}.",
            "Annotate more of them, or put them together with others.",
            tuple(f"{label}: {count:,}" for label, count in named),
        )
    for part in HELD_OUT:
        if part not in data.parts:
            continue
        there = labels_of_docs(data.parts[part].docs)
        if foreign := {label: there[label] for label in sorted(set(there) - set(train))}:
            places = [
                at(record, ent)
                for name, record, ent in data.entities()
                if name == part and ent.label_ in foreign
            ]
            yield Finding(
                "type-not-in-train",
                "warning",
                f"{part} has {len(foreign)} type(s) that the training part has none of: "
                f"{_some(foreign.items())}.",
                "They can't be learned, and count as errors: annotate some, or take them out.",
                tuple(places),
            )
        missing = sorted(set(train) - set(there))
        if part == data.selects and there and missing:
            yield Finding(
                "type-only-in-train",
                "note",
                f"{part} has no entity of {len(missing)} of {len(train)} types: "
                f"{_some((label, train[label]) for label in missing)} in the training part.",
                f"Its scores say nothing of them: annotate some for {part}.",
                tuple(missing),
            )


def _some(counts: Iterable[tuple[str, int]]) -> str:
    pairs = list(counts)
    more = f" and {len(pairs) - 10} more" if len(pairs) > 10 else ""
    return ", ".join(f"{label} ({count:,})" for label, count in pairs[:10]) + more
