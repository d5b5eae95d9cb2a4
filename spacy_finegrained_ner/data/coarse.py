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
"""Of `vocab.lookups`: for each component that writes `doc.ents` its name (`owner`), its taxonomy as
it was given last, and the coarse type of each label (casefolded) that it has had."""


def coarse_label(span: Span) -> str | None:
    """The coarse type of the span's label; None where the vocab knows of none."""
    return coarse_type(span.doc.vocab, span.label_)


def coarse_type(vocab: Vocab, label: str) -> str | None:
    """The same of a label."""
    label = label.casefold()
    for entry in _entries(vocab).values():
        coarse: str | None = entry["coarse"].get(label)
        if coarse is not None:
            return coarse
    return None


def share_taxonomy(
    vocab: Vocab, owner: str, coarse_of: Mapping[str, str | None], *, replace: bool = False
) -> None:
    """Put the taxonomy of a component into a vocab, if it is not there yet.

    owner: the name of the component. coarse_of: None for a name that has no coarse type. replace:
        also in place of another one under this name.
    Raises a ValueError if another component has another coarse type for one of the labels.
    """
    entries = _entries(vocab)
    if owner in entries and entries[owner]["given"] == coarse_of:
        return
    new = {fine.casefold(): coarse for fine, coarse in coarse_of.items()}
    mine = {} if replace or owner not in entries else entries[owner]["coarse"]
    found = {entry["owner"]: dict(entry) for entry in entries.values()}
    if replace:
        found.pop(owner, None)
    for other, entry in found.items():
        theirs = entry["coarse"]
        for fine, coarse in coarse_of.items():
            if (theirs.get(fine.casefold()) or coarse) != (coarse or theirs.get(fine.casefold())):
                whose = f"'{other}'" if other != owner else "a component of the same name"
                raise ValueError(
                    f"'{owner}' has {fine!r} under {coarse!r}, and {whose}, which shares its "
                    f"vocab, has it under {theirs[fine.casefold()]!r}: the coarse label of an "
                    "entity in doc.ents would be anybody's guess. Give both the same taxonomy, let "
                    'one of them write a span group (annotate = "spans"), or load two pipelines '
                    "with a vocab each. If the other is gone: "
                    f"nlp.vocab.lookups.remove_table({TABLE!r})"
                )
    found[owner] = {"owner": owner, "given": dict(coarse_of), "coarse": {**mine, **new}}
    # Made with its data, the table's filter is of its size, and not for a million entries
    vocab.lookups.set_table(TABLE, Table(TABLE, found))


def _entries(vocab: Vocab) -> Any:
    return vocab.lookups.get_table(TABLE, {})
