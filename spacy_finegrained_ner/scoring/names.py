"""What a list of names is worth on gold data: before anything is trained with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from spacy.attrs import ENT_IOB
from spacy.tokens import Doc

from spacy_finegrained_ner.knowledge.common import ENTITY, UNKNOWN, Gold
from spacy_finegrained_ner.knowledge.live import LiveNames

_MISSING = 0
"""Of Token.ent_iob."""


def names_report(names: LiveNames, docs: Iterable[Doc]) -> dict[str, Any]:
    """names: those of a file. docs: with gold entities.

    RETURNS: "entities" and how many of them are "listed" with exactly their bounds; and for
    "topics" and "sources" a row for each that is met: "met", at how many places that are known and
    not within an entity; "entities", how many of these are exactly an entity; "right", how many
    are one of a type that the file says of the topic; "labels", of which label how many are.
    """
    total = listed = 0
    rows: dict[str, dict[str, dict[str, Any]]] = {"topics": {}, "sources": {}}
    for doc in docs:
        labels = {(ent.start, ent.end): ent.label_ for ent in doc.ents}
        known = doc.to_array([ENT_IOB]).reshape(-1) != _MISSING
        gold = Gold("", labels.keys(), known)
        now = names.now
        found = names.find([doc], now)
        total += len(labels)
        spans = set(zip(found.start.tolist(), found.end.tolist(), strict=True))
        listed += len(spans & labels.keys())
        for start, end, number in zip(
            found.start.tolist(), found.end.tolist(), found.number.tolist(), strict=True
        ):
            kind = gold.is_entity(start, end)
            if kind == UNKNOWN:
                continue
            label = labels[start, end] if kind == ENTITY else None
            right: dict[tuple[str, str], bool] = {}
            for topic, source in now.file.entries_of(number):
                types = now.file.types[topic]
                # Spelled in any case, as a model takes them
                fits = label is not None and label.casefold() in map(str.casefold, types)
                for place in (
                    ("topics", now.file.topics[topic]),
                    ("sources", now.file.sources[source]["id"]),
                ):
                    right[place] = right.get(place, False) or fits
            for (kind_of, name), fits in right.items():
                _count(rows[kind_of], name, label, fits)
    order = {
        kind_of: dict(sorted(some.items(), key=lambda item: -item[1]["met"]))
        for kind_of, some in rows.items()
    }
    return {"entities": total, "listed": listed, **order}


def _count(rows: dict[str, dict[str, Any]], name: str, label: str | None, right: bool) -> None:
    row = rows.setdefault(name, {"met": 0, "entities": 0, "right": 0, "labels": Counter()})
    row["met"] += 1
    if label is not None:
        row["entities"] += 1
        row["right"] += right
        row["labels"][label] += 1
