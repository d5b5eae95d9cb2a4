"""Labels as a component writes them: some of them, under other names. All that is predicted,
learned and weighed stays on fine labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from spacy.tokens import Doc, Span

from spacy_finegrained_ner.data.gold import LABELLED, annotated_labels, label_only
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.confidence import FINE_LABEL, WRITTEN
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy


@dataclass(frozen=True)
class Names:
    """What is written of the fine labels of a component.

    name_of: the name of each fine label that is written. taxonomy: of the names; one that has no
    coarse type is its own, for scores. coarse_of: the coarse type of all fine labels and names,
    None for names whose fine labels share none. changes: whether any label is not written as it is.
    """

    name_of: Mapping[str, str]
    taxonomy: Taxonomy
    coarse_of: Mapping[str, str | None]
    changes: bool

    def prediction(self, found: Prediction) -> Prediction:
        """What is written of a prediction: facts have the fine label of an entity with another
        name; candidates keep theirs."""
        if not self.changes:
            return found
        entities: list[Entity] = []
        facts = {}
        for start, end, label in found.entities:
            if label not in self.name_of:
                continue
            entity = (start, end, self.name_of[label])
            entities.append(entity)
            known = dict(found.facts.get((start, end, label), {}))
            facts[entity] = known | ({FINE_LABEL: label} if entity[2] != label else {})
        kept = [one for one in found.candidates if one[0][2] in self.name_of]
        return replace(found, entities=entities, facts=facts, candidates=kept)

    def gold(self, doc: Doc, fine: Taxonomy) -> Doc:
        """A gold Doc as if it had been annotated with these names: entities of labels that are not
        written are O. What has such a name already keeps it, and so do labels that are not of the
        taxonomy, which is `fine`. A name is annotated in a part of a text (`label_only`) where all
        of its fine labels are; where none is, O says nothing.

        RETURNS: a copy, or the Doc itself where nothing changes."""
        if not self.changes or not doc.has_annotation("ENT_IOB"):
            return doc
        new = doc.copy()
        ents = []
        for ent in doc.ents:
            name = self._name(ent.label_, fine)
            if name is not None:
                ents.append(Span(new, ent.start, ent.end, name, kb_id=ent.kb_id, span_id=ent.id))
        unknown = [new[t.i : t.i + 1] for t in doc if t.ent_iob == 0]
        annotated = annotated_labels(doc)
        if annotated is not None:
            del new.spans[LABELLED]
            unknown += self._label_only(
                new, annotated, fine, {i for e in ents for i in range(e.start, e.end)}
            )
        new.set_ents(ents, missing=unknown, default="outside")
        return new

    def _name(self, label: str, fine: Taxonomy) -> str | None:
        """None for what is not written."""
        own = fine.spelled(label)
        if own is not None:
            return self.name_of.get(own)
        return self.taxonomy.spelled(label) or label

    def fine_label(self, label: str, fine: Taxonomy) -> str:
        """The way back: of a name the label that it stands for; any other label as it is.

        Raises a `UserError` for a name that stands for several.
        """
        if fine.spelled(label) is not None:
            return label
        own = [one for one, name in self.name_of.items() if name.casefold() == label.casefold()]
        if len(own) > 1:
            raise UserError(
                f"{label!r} is what the pipeline writes for {', '.join(own)} alike: to learn from, "
                "expected one of these."
            )
        return own[0] if own else label

    def set_fine_labels(self, doc: Doc, fine: Taxonomy) -> None:
        """Give the entities of a Doc, some of which have names, the labels that these stand for.

        Raises what `fine_label` does.
        """
        labels = [self.fine_label(ent.label_, fine) for ent in doc.ents]
        if labels != [ent.label_ for ent in doc.ents]:
            ents = [
                Span(doc, ent.start, ent.end, label, kb_id=ent.kb_id, span_id=ent.id)
                for ent, label in zip(doc.ents, labels, strict=True)
            ]
            doc.set_ents(ents, default="unmodified")

    def _label_only(
        self, new: Doc, annotated: list[frozenset[str] | None], fine: Taxonomy, taken: set[int]
    ) -> list[Span]:
        """Say it of the copy. RETURNS: tokens outside of entities where no name is annotated."""
        parts: dict[str, set[str]] = defaultdict(set)
        for label, name in self.name_of.items():
            parts[name].add(label)

        def names(labels: frozenset[str] | None) -> frozenset[str] | None:
            if labels is None:
                return None
            known = {fine.spelled(label) or label for label in labels}
            return frozenset(n for n, of in parts.items() if of <= known or n in known)

        unknown = []
        for found, group in groupby(enumerate(map(names, annotated)), key=lambda x: x[1]):
            tokens = [i for i, _ in group]
            if found:
                label_only(new[tokens[0] : tokens[-1] + 1], found)
            elif found is not None:
                unknown += [new[i : i + 1] for i in tokens if i not in taken]
        return unknown


def check_written(block: Any, owner: str) -> dict[str, Any]:
    """The setting `written` as it was given. A ValueError for what it may not say."""
    if not isinstance(block, Mapping) or set(block) != set(WRITTEN):
        found = sorted(block) if isinstance(block, Mapping) else repr(block)
        raise ValueError(f"written of '{owner}' has {found}, expected {list(WRITTEN)}.")
    labels, mapping = block["labels"], block["mapping"]
    if labels is not None and not (
        isinstance(labels, list | tuple) and labels and all(isinstance(x, str) for x in labels)
    ):
        raise ValueError(
            f"written.labels of '{owner}' is {labels!r}, expected a list of labels, or null."
        )
    if not isinstance(mapping, Mapping) or not all(
        isinstance(name, str) and name.strip() == name != "" for name in mapping.values()
    ):
        raise ValueError(
            f"written.mapping of '{owner}' is {mapping!r}, expected a name for each label in it."
        )
    return {"labels": labels, "mapping": dict(mapping)}


def names_of(written: Mapping[str, Any], taxonomy: Taxonomy, owner: str) -> Names:
    """What is written of the labels of a taxonomy. A coarse type stands for all of its fine labels
    that are not named themselves.

    written: see `check_written`. Raises a ValueError that names the setting for what is no label,
    and for a name that is also a label which is not written as it is.
    """
    labels, mapping = written["labels"], written["mapping"]
    kept = (
        taxonomy.fine
        if labels is None
        else _fine(dict.fromkeys(labels, ""), "labels", taxonomy, owner)
    )
    named = _fine(mapping, "mapping", taxonomy, owner)
    name_of = {fine: named.get(fine, fine) for fine in taxonomy.fine if fine in kept}
    for fine, name in name_of.items():
        own = taxonomy.spelled(name)
        if own is not None and own != fine and taxonomy.spelled(name_of.get(own, "")) != own:
            raise ValueError(
                f"written of '{owner}' gives {fine!r} the name {name!r}, which is a label that is "
                "itself not written as it is. Take another name."
            )
    folded: dict[str, str] = {}
    for name in name_of.values():
        if folded.setdefault(name.casefold(), name) != name:
            raise ValueError(
                f"written.mapping of '{owner}' has the names {folded[name.casefold()]!r} and "
                f"{name!r}, expected one spelling."
            )
    shared: dict[str, set[str]] = defaultdict(set)
    for fine, name in name_of.items():
        shared[name].add(taxonomy.coarse_of[fine])
    coarse = {name: next(iter(of)) if len(of) == 1 else None for name, of in shared.items()}
    changes = any(name_of.get(fine) != fine for fine in taxonomy.fine)
    if not changes:
        return Names(name_of, taxonomy, dict(taxonomy.coarse_of), False)
    tree = Taxonomy({name: of or name for name, of in coarse.items()}, f"written of '{owner}'")
    return Names(name_of, tree, {**taxonomy.coarse_of, **coarse}, True)


def _fine(given: Mapping[str, str], setting: str, taxonomy: Taxonomy, owner: str) -> dict[str, str]:
    """By fine label what is given for it, or for its coarse type."""
    coarse = {name.casefold(): name for name in taxonomy.coarse}
    found: dict[str, str] = {}
    for label, value in given.items():
        if taxonomy.spelled(label) is not None:
            continue
        if label.casefold() not in coarse:
            raise ValueError(
                f"written.{setting} of '{owner}' has {label!r}, expected fine labels "
                f"{sorted(taxonomy.fine)} or coarse types {sorted(taxonomy.coarse)}."
            )
        of = coarse[label.casefold()]
        found |= {fine: value for fine, name in taxonomy.coarse_of.items() if name == of}
    return found | {
        own: value for label, value in given.items() if (own := taxonomy.spelled(label)) is not None
    }
