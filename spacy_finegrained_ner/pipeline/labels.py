"""The labels of the training data."""

from collections.abc import Callable, Iterable

from spacy.training import Example

from spacy_finegrained_ner.data.gold import LABELLED


def find_labels(
    get_examples: Callable[[], Iterable[Example]], labels: Iterable[str] | None, owner: str
) -> list[str]:
    """The given labels, or those of the gold entities; sorted. owner: the name of the component.

    A ValueError that says where they might be instead if there are none.
    """
    if labels is None:
        labels = {ent.label_ for eg in get_examples() for ent in eg.reference.ents}
    found = sorted(set(labels))
    if not found:
        raise ValueError(
            f"'{owner}' found no entities in the training data, so there are no labels to learn. "
            f"Expected Docs with doc.ents, or labels in [initialize.components.{owner}.labels]."
            + _hint_at_spans(get_examples())
        )
    return found


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
