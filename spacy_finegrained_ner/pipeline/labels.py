"""The labels of the training data."""

from collections.abc import Callable, Iterable

from spacy.training import Example

from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.gold import LABELLED


def find_labels(
    get_examples: Callable[[], Iterable[Example]], labels: Iterable[str] | None, owner: str
) -> dict[str, str]:
    """The given labels, or those of the gold entities, sorted; and where each stands, if known.
    owner: the name of the component.

    A ValueError that says where they might be instead if there are none.
    """
    if labels is None:
        places = labels_of(eg.reference for eg in get_examples())
    else:
        places = dict.fromkeys(labels, "")
    if not places:
        raise ValueError(
            f"'{owner}' found no entities in the training data, so there are no labels to learn. "
            f"Expected Docs with doc.ents, or labels in [initialize.components.{owner}.labels]."
            + _hint_at_spans(get_examples())
        )
    return {label: places[label] for label in sorted(places)}


def _hint_at_spans(examples: Iterable[Example]) -> str:
    found = {key for eg in examples for key in eg.reference.spans if eg.reference.spans[key]}
    keys = sorted(found - {LABELLED})
    if not keys:
        return ""
    return (
        f" There are spans in doc.spans ({keys}), which are not read: where they do not overlap, "
        "set them with doc.set_ents (spacy.util.filter_spans leaves the longest of those that "
        "do); for nested or overlapping spans take spaCy's spancat."
    )
