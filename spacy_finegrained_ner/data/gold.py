"""From an Example to its gold, on the tokens of the predicted Doc."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

import numpy as np
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, ORTH
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.alignment import same_characters
from spacy_finegrained_ner.data.entities import entities_of, trimmed
from spacy_finegrained_ner.data.soft_targets import SOFT_TARGETS, soft_targets_of
from spacy_finegrained_ner.labels.bio import OUTSIDE, TagSet
from spacy_finegrained_ner.labels.gold import Gold, Tags
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

_IOB_MISSING, _IOB_INSIDE, _IOB_OUTSIDE, _IOB_BEGIN = range(4)  # Token.ent_iob
_ATTRIBUTES = [ORTH, ENT_IOB, ENT_TYPE, IS_SPACE]
LABELLED = "finegrained_ner_labelled"
"""Of `doc.spans` in a gold Doc: spans whose labels are annotated there, and no others are."""


def gold_of(example: Example, tag_set: TagSet, taxonomy: Taxonomy | None = None) -> Gold:
    """What the reference says of each token of the predicted Doc. Any tag may be right where
    nothing is annotated, and where the tokens can't spell an entity of the reference.

    taxonomy: if given, of all types that may be annotated (`label_only`).

    Where the reference has a teacher's soft targets (`data.soft_targets`), it is those, if both
    sides have the same tokens.

    Labels are matched without regard to case. A ValueError for one that the tag set does not have,
    a TaxonomyError for one of `label_only` that the taxonomy does not cover.
    """
    soft = _soft_gold(example, tag_set)
    return hard_gold_of(example, tag_set, taxonomy) if soft is None else soft


def hard_gold_of(example: Example, tag_set: TagSet, taxonomy: Taxonomy | None = None) -> Gold:
    """The same by the entities of the reference alone, also where it has soft targets."""
    same = _tags_of_same_tokens(example, tag_set)
    tags = _aligned_tags(example, tag_set) if same is None else same
    gold = Gold.of_tags(tags, len(tag_set))
    annotated = annotated_labels(example.reference)
    if annotated is None:
        return gold
    if taxonomy is not None:
        for label in {label for labels in annotated for label in labels or ()}:
            taxonomy.fine_label(label)
    allowed = gold.allowed
    plain = example.reference.to_array([ENT_IOB]).reshape(-1) == _IOB_OUTSIDE  # and not blocked
    for i in np.flatnonzero(tags == OUTSIDE).tolist():
        held = [i] if same is not None else example.alignment.x2y[i].tolist()
        found = [annotated[j] if plain[j] else None for j in held]
        if found and None not in found:
            # Of a type that is annotated at one of them there is none
            allowed[i] = tag_set.none_of(frozenset().union(*(labels or () for labels in found)))
    return Gold.of_sets(allowed)


def _soft_gold(example: Example, tag_set: TagSet) -> Gold | None:
    reference = example.reference
    if SOFT_TARGETS not in reference.user_data:
        return None
    if not np.array_equal(reference.to_array([ORTH]), example.predicted.to_array([ORTH])):
        warnings.warn(
            "A gold Doc has soft targets, and the predicted Doc other tokens: its entities are "
            "learned, not its soft targets. Give it the gold's tokens: gold_preproc = true of "
            "spacy.Corpus.v1 loses the soft targets, so tokenize alike when they are made.",
            stacklevel=2,
        )
        return None
    soft = soft_targets_of(reference, tag_set)
    return None if soft is None else Gold.of_expectations(soft.marginals, soft.transitions)


def label_only(part: Doc | Span, labels: Iterable[str]) -> None:
    """Say of a gold Doc, or of a part of one, that only these labels are annotated in it. A token
    that is O may then have any of the others; what is missing is not known, as ever.

    It is kept as spans in `doc.spans[LABELLED]`, one for each label, and so wherever span groups
    are. `Span.as_doc` drops those, and with it readers that cut texts (`gold_preproc` and
    `max_length` of `spacy.Corpus.v1`): say it again of what they give.

    Raises a ValueError for no labels, and for what is no label.
    """
    found = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else [*labels]
    if labels in found or not found or not all(isinstance(x, str) and x for x in found):
        raise ValueError(
            f"label_only got {labels!r}, expected the labels that are annotated in the Doc, as a "
            "list. Where none is, leave its entities unset: then nothing is known."
        )
    doc = part if isinstance(part, Doc) else part.doc
    start, end = (0, len(doc)) if isinstance(part, Doc) else (part.start, part.end)
    marks = [(start, end, label) for label in sorted(set(found))]
    for old in doc.spans.get(LABELLED, ()):  # what it said of the rest, it still says
        marks.append((old.start, min(old.end, start), old.label_))
        marks.append((max(old.start, end), old.end, old.label_))
    doc.spans[LABELLED] = [Span(doc, *mark) for mark in marks if mark[0] < mark[1]]


def annotated_labels(doc: Doc) -> list[frozenset[str] | None] | None:
    """For each token of a gold Doc the labels that are annotated there, None for all of them; None
    if `label_only` said nothing of the Doc."""
    if LABELLED not in doc.spans:
        return None
    labels: list[frozenset[str] | None] = [None] * len(doc)
    for span in doc.spans[LABELLED]:
        for i in range(span.start, span.end):
            labels[i] = (labels[i] or frozenset()) | {span.label_}
    return labels


def _spelled_in(tag_set: TagSet) -> Callable[[Span], str]:
    def spelled(span: Span) -> str:
        label = tag_set.spelled(span.label_)
        if label is None:
            raise ValueError(
                f"The gold entity {span.label_!r} at token {span.start} of {span.doc.text[:60]!r} "
                "is not one of the labels the component was initialized with: "
                f"{list(tag_set.labels)}. Initialize with data or labels that have it, or take it "
                "out of the gold."
            )
        return label

    return spelled


def _tags_of_same_tokens(example: Example, tag_set: TagSet) -> Tags | None:
    """The tags, where both sides have the same tokens and nothing is special; else None.

    Training on gold tokens asks for this at each step, and spaCy's alignment takes ten times as
    long."""
    found = example.reference.to_array(_ATTRIBUTES)
    if not np.array_equal(found[:, 0], example.predicted.to_array([ORTH])):
        return None
    iob, label, space = found[:, 1], found[:, 2], found[:, 3]
    inside = iob == _IOB_INSIDE
    entity = inside | (iob == _IOB_BEGIN)
    begin = np.full(len(found), OUTSIDE, dtype=np.int64)
    for key in set(label[entity].tolist()) - {0}:
        name = tag_set.spelled(example.reference.vocab.strings[key])
        if name is None:
            return None
        begin[label == key] = tag_set.begin(name)
    begin[~entity] = OUTSIDE
    goes_on = np.append(False, entity[:-1] & (label[:-1] == label[1:]))[: len(found)]
    if space.any() or (entity & (label == 0)).any() or (inside & ~goes_on).any():
        return None
    begin[inside] += 1
    begin[iob == _IOB_MISSING] = UNKNOWN
    return begin


def _aligned_tags(example: Example, tag_set: TagSet) -> Tags:
    """By spaCy's alignment. An entity counts where the predicted tokens hold its characters and no
    others; a token is O where all that it holds is O or blocked, that is, never an entity."""
    reference, predicted = example.reference, example.predicted
    tags = np.full(len(predicted), UNKNOWN, dtype=np.int64)
    if not reference.has_annotation("ENT_IOB"):
        return tags
    x2y, y2x = example.alignment.x2y, example.alignment.y2x
    iob, label = reference.to_array([ENT_IOB, ENT_TYPE]).T
    outside = (iob == _IOB_OUTSIDE) | ((iob == _IOB_BEGIN) & (label == 0))
    for span in reference.ents:
        start, end = trimmed(reference, span.start, span.end)
        outside[span.start : start] = outside[end : span.end] = True
    same = same_characters(example)
    for start, end, label in entities_of(reference.ents, _spelled_in(tag_set)):
        at = y2x[start:end]
        if len(at) and same(int(at[0]), int(at[-1]) + 1, start, end):
            tags[at[0] : at[-1] + 1] = tag_set.begin(label) + 1
            tags[at[0]] = tag_set.begin(label)
    lengths = x2y.lengths.tolist()
    for i in np.flatnonzero(tags == UNKNOWN).tolist():
        if lengths[i] and outside[x2y[i]].all():
            tags[i] = OUTSIDE
    # Whitespace that the reference does not have is O where what is around it is known
    i = 0
    while i < len(tags):
        end = i
        while end < len(tags) and not lengths[end] and predicted[end].is_space:
            end += 1
        if end > i and (tags[i:end] == UNKNOWN).all():
            around = np.concatenate([tags[max(0, i - 1) : i], tags[end : end + 1]])
            if (around != UNKNOWN).all():
                tags[i:end] = OUTSIDE
        i = end + 1
    return tags
