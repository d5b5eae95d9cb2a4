"""A teacher's soft targets, kept on a gold Doc: sparsely, and in what a DocBin saves of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from spacy.tokens import Doc

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import SoftTargets

SOFT_TARGETS = "finegrained_ner_soft_targets"
"""Of `doc.user_data`. `DocBin(store_user_data=True)` keeps it; `Span.as_doc` and augmenters do
not: then the entities of the Doc are what is learned."""

LEAST = 0.002
"""What is less probable, or expected less often, is left out, and the rest made to add up again.
Where all is, as of hundreds of tags of which a teacher knows nothing, that which is the most stays.
"""


def keep_soft_targets(doc: Doc, tags: Sequence[str], soft: SoftTargets) -> None:
    """tags: names of those that the soft targets are of, by id."""
    most = soft.marginals.max(axis=1, keepdims=True, initial=0.0)
    token, tag = np.nonzero(soft.marginals >= np.minimum(most, LEAST))
    kept = {"token": token.astype(np.int32), "p": soft.marginals[token, tag].astype(np.float32)}
    ids = [tag]
    if soft.transitions is not None:
        # None of a single token
        least = min(soft.transitions.max(initial=0.0), LEAST) or LEAST
        origin, target = np.nonzero(soft.transitions >= least)
        kept["count"] = soft.transitions[origin, target].astype(np.float32)
        ids += [origin, target]
    used, places = np.unique(np.concatenate(ids), return_inverse=True)
    names = ("tag", "origin", "target")
    ends = np.cumsum([len(one) for one in ids])[:-1]
    for name, some in zip(names, np.split(places, ends), strict=False):
        kept[name] = some.astype(np.int16)
    doc.user_data[SOFT_TARGETS] = {"tags": [tags[i] for i in used], **kept}


def labels_of_soft_targets(doc: Doc) -> Sequence[str]:
    """The labels that have a probability anywhere."""
    tags = doc.user_data.get(SOFT_TARGETS, {}).get("tags", ())
    return list(dict.fromkeys(tag[2:] for tag in tags if tag != "O"))


def soft_targets_of(doc: Doc, tag_set: TagSet) -> SoftTargets | None:
    """What is kept, as soft targets of these tags; None where nothing is.

    Raises a ValueError for a tag that the tag set does not have, and for what is of other tokens.
    """
    kept = doc.user_data.get(SOFT_TARGETS)
    if kept is None:
        return None
    ids = np.array([_id(tag, tag_set, doc) for tag in kept["tags"]], dtype=np.int64)
    size = len(tag_set)
    marginals = np.zeros((len(doc), size), dtype=np.float32)
    if len(kept["token"]) and kept["token"].max() >= len(doc):
        raise ValueError(
            f"The soft targets of {doc.text[:60]!r} are of more than its {len(doc)} tokens: they "
            "belong to another Doc."
        )
    marginals[kept["token"], ids[kept["tag"]]] = kept["p"]
    total = marginals.sum(axis=1, keepdims=True)
    marginals /= np.where(total > 0, total, 1.0)
    if "count" not in kept:
        return SoftTargets(marginals)
    pairs = np.zeros((size, size), dtype=np.float32)
    pairs[ids[kept["origin"]], ids[kept["target"]]] = kept["count"]
    steps = max(0, len(doc) - 1)
    if steps:
        pairs *= steps / pairs.sum()
    return SoftTargets(marginals, pairs)


def _id(tag: str, tag_set: TagSet, doc: Doc) -> int:
    if tag == "O":
        return tag_set.ids["O"]
    label = tag_set.spelled(tag[2:])
    if label is None:
        raise ValueError(
            f"The soft targets of {doc.text[:60]!r} have the label {tag[2:]!r}, which is not one "
            f"of those the component was initialized with: {list(tag_set.labels)}. Initialize "
            "with data or labels that have it."
        )
    return tag_set.ids[f"{tag[:2]}{label}"]
