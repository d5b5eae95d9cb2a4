"""The labels of the training data."""

from collections.abc import Callable, Iterable

from spacy.training import Example

from spacy_finegrained_ner.data.gold import LABELLED
from spacy_finegrained_ner.labels.taxonomy import Taxonomy


def find_labels(
    get_examples: Callable[[], Iterable[Example]],
    labels: Iterable[str] | None,
    taxonomy: Taxonomy,
    owner: str,
) -> list[str]:
    """The given labels, or those of the gold entities; sorted. owner: the name of the component.

    Raises a ValueError that says where they might be instead if there are none, and a
    TaxonomyError for one of `data.gold.label_only` that the taxonomy does not cover.
    """
    if labels is None:
        labels, labelled = set(), set()
        for example in get_examples():
            labels |= {ent.label_ for ent in example.reference.ents}
            labelled |= {span.label_ for span in example.reference.spans.get(LABELLED, ())}
        for label in sorted(labelled):
            taxonomy.fine_label(label)
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
