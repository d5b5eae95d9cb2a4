"""What in labelled texts is perhaps not meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from spacy.tokens import Doc

from spacy_finegrained_ner.data.forms.loading import Texts
from spacy_finegrained_ner.labels.invisible import invisible

FREQUENT = 10
"""Entities of a label from which on one that is nearly the same, and occurs once, may be a typo."""


def labels_of_docs(docs: Iterable[Doc]) -> Counter[str]:
    """How many entities each label has."""
    return Counter(ent.label_ for doc in docs for ent in doc.ents)


def some(names: Iterable[str]) -> str:
    """The first ten, and how many more."""
    names = list(names)
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def look(texts: Texts) -> list[str]:
    """Warnings of a part: no entity, and characters that can't be seen."""
    source = some(map(str, texts.files))
    warnings = []
    if not any(doc.ents for doc in texts.docs):
        tagged = any(record.line is not None for record in texts.records)
        hint = " The tag of a word is read from the last column." if tagged else ""
        warnings.append(f"{source}: there is no entity in its {len(texts.docs):,} sentences.{hint}")
    hidden = [
        (record.at(token.i), token.text)
        for record, doc in zip(texts.records, texts.docs, strict=True)
        for token in doc
        if not token.is_space and invisible(token.text)
    ]
    if hidden:
        place, word = hidden[0]
        warnings.append(
            f"{source}: {len(hidden):,} word(s) with characters that can't be seen are kept as "
            f"they are, the first at {place}: {word!r} ({invisible(word)})."
        )
    return warnings


def look_for_typos(parts: Iterable[Iterable[Doc]], places: Mapping[str, str]) -> list[str]:
    """Of flat labels there is no list to check them against. places: of each label the first."""
    counts = labels_of_docs(doc for docs in parts for doc in docs)
    frequent = [label for label in places if counts[label] >= FREQUENT]
    warnings = []
    for label, place in places.items():
        near = get_close_matches(label, frequent, n=1, cutoff=0.85)
        if counts[label] <= 1 and near:
            warnings.append(
                f"{place}: the label {label!r} occurs once, and is nearly {near[0]!r}, which "
                f"occurs {counts[near[0]]:,} times. Perhaps it is misspelled: it is learned as a "
                "type of its own."
            )
    return warnings
