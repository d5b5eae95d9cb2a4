"""Gold tags of an Example on the tokens of its predicted Doc."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from spacy.training import Example

from spacy_finegrained_ner.labels.bio import OUTSIDE, UNKNOWN, TagSet


def gold_tags(example: Example, tag_set: TagSet) -> npt.NDArray[np.int64]:
    """*Shape:* (predicted tokens,). Tag ids; UNKNOWN where nothing is known, be it not annotated
    or tokenized in another way than the gold.

    Raises a ValueError for a label that the tag set does not have.
    """
    tags = np.full(len(example.predicted), UNKNOWN, dtype=np.int64)
    for i, tag in enumerate(example.get_aligned_ner()):
        if tag == "O":
            tags[i] = OUTSIDE
        elif tag is not None and tag != "-":
            prefix, label = tag.split("-", 1)
            try:
                begin = tag_set.begin(label)
            except KeyError:
                raise ValueError(
                    f"The gold entity {label!r} at token {i} of {example.text[:60]!r} is not one "
                    f"of the labels the component was initialized with: {list(tag_set.labels)}."
                ) from None
            tags[i] = begin if prefix in "BU" else begin + 1
    return tags
