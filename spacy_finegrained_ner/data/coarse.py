"""The coarse label of an entity, derived from its label by a table in the vocab.

It is the coarse type of the label that a span has now, whoever gave it: what is derived can't be
out of date, and goes wherever the vocab goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spacy.lookups import Table
from spacy.tokens import Span
from spacy.vocab import Vocab

TABLE = "finegrained_ner_coarse"
"""Of `vocab.lookups`: for each component that writes `doc.ents`, its name and its taxonomy."""


def coarse_label(span: Span) -> str | None:
    """The coarse type of the span's label; None where the vocab knows of none."""
    for entry in _entries(span.doc.vocab).values():
        coarse: str | None = entry["coarse"].get(span.label_)
        if coarse is not None:
            return coarse
    return None


def share_taxonomy(
    vocab: Vocab, owner: str, coarse_of: Mapping[str, str], *, replace: bool = False
) -> None:
    """Put the taxonomy of a component into a vocab, if it is not there yet.

    owner: the name of the component. replace: also in place of another one under this name.
    Raises a ValueError if another component has another coarse type for one of the labels.
    """
    entries = _entries(vocab)
    mine = {} if replace or owner not in entries else entries[owner]["coarse"]
    if coarse_of.items() <= mine.items():
        return
    others = {
        e["owner"]: e["coarse"] for e in entries.values() if not replace or e["owner"] != owner
    }
    for other, theirs in others.items():
        for fine, coarse in coarse_of.items():
            if theirs.get(fine, coarse) != coarse:
                raise ValueError(
                    f"'{owner}' has {fine!r} under {coarse!r}, and '{other}', which shares its "
                    f"vocab, has it under {theirs[fine]!r}: the coarse label of an entity in "
                    "doc.ents would be anybody's guess. Give both the same taxonomy, or let one "
                    'of them write a span group (annotate = "spans"). If the other is gone: '
                    f"nlp.vocab.lookups.remove_table({TABLE!r})"
                )
    all_of_them = {**others, owner: {**mine, **coarse_of}}
    data = {name: {"owner": name, "coarse": dict(coarse)} for name, coarse in all_of_them.items()}
    # Made with its data, the table's filter is of its size, and not for a million entries
    vocab.lookups.set_table(TABLE, Table(TABLE, data))


def _entries(vocab: Vocab) -> Any:
    return vocab.lookups.get_table(TABLE, {})
