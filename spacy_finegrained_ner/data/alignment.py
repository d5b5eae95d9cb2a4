"""Gold tags of an Example on the tokens of its predicted Doc."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, ORTH
from spacy.training import Example

from spacy_finegrained_ner.labels.bio import OUTSIDE, UNKNOWN, TagSet

_IOB_MISSING, _IOB_INSIDE, _IOB_OUTSIDE, _IOB_BEGIN = range(4)  # Token.ent_iob
_ATTRIBUTES = [ORTH, ENT_IOB, ENT_TYPE, IS_SPACE]


def gold_tags(example: Example, tag_set: TagSet) -> npt.NDArray[np.int64]:
    """*Shape:* (predicted tokens,). Tag ids; UNKNOWN where nothing is known, be it not annotated
    or tokenized in another way than the gold.

    Raises a ValueError for a label that the tag set does not have.
    """
    quick = _tags_of_same_tokens(example, tag_set)
    if quick is not None:
        return quick
    tags = np.full(len(example.predicted), UNKNOWN, dtype=np.int64)
    aligned = _tags_with_known_spaces(example)
    for i, tag in enumerate(aligned):
        if tag == "O":
            tags[i] = OUTSIDE
        elif tag is not None and tag != "-":
            prefix, label = tag.split("-", 1)
            try:
                begin = tag_set.begin(label)
            except KeyError:
                raise ValueError(
                    f"The gold entity {label!r} at token {i} of {example.text[:60]!r} is not one "
                    f"of the labels the component was initialized with: {list(tag_set.labels)}. "
                    "Initialize with data or labels that have it, or take it out of the gold."
                ) from None
            tags[i] = begin if prefix in "BU" else begin + 1
    return tags


def _tags_of_same_tokens(example: Example, tag_set: TagSet) -> npt.NDArray[np.int64] | None:
    """The tags, where both sides have the same tokens and nothing is special; else None.

    Training on gold tokens asks for this at each step, and spaCy's alignment takes ten times as
    long."""
    found = example.reference.to_array(_ATTRIBUTES)
    if not np.array_equal(found[:, 0], example.predicted.to_array([ORTH])):
        return None
    iob, label, space = found[:, 1], found[:, 2], found[:, 3]
    begin = np.full(len(found), OUTSIDE, dtype=np.int64)
    for key in set(label.tolist()) - {0}:
        name = example.reference.vocab.strings[key]
        if name not in tag_set.labels:
            return None
        begin[label == key] = tag_set.begin(name)
    inside = iob == _IOB_INSIDE
    entity = inside | (iob == _IOB_BEGIN)
    goes_on = np.append(False, entity[:-1] & (label[:-1] == label[1:]))[: len(found)]
    if space.any() or (entity & (label == 0)).any() or (inside & ~goes_on).any():
        return None
    begin[inside] += 1
    begin[iob == _IOB_MISSING] = UNKNOWN
    return begin


def _tags_with_known_spaces(example: Example) -> list[str | None]:
    """spaCy's aligned BILUO tags. It calls whitespace O whether that is known or not, inside of
    entities too; here it is only O where the gold says so, or where what is around it is known."""
    tags: list[str | None] = list(example.get_aligned_ner())
    spaces = [token.i for token in example.predicted if token.is_space and tags[token.i] == "O"]
    if spaces:
        iob = example.get_aligned("ENT_IOB")
        unknown = (None, "-")
        for i in spaces:
            around = tags[max(0, i - 1) : i + 2 : 2] if i else tags[1:2]
            if iob[i] != _IOB_OUTSIDE and (iob[i] is not None or any(t in unknown for t in around)):
                tags[i] = None
    return tags
