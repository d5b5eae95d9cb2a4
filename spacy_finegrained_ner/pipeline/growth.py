"""More labels for a trained component: the head grows, and old weights stay."""

from collections.abc import Iterable
from typing import Any

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, flat_taxonomy
from spacy_finegrained_ner.ml.tagger_layer import grow


def add_labels(component: Any, labels: Iterable[str], taxonomy: Taxonomy | None = None) -> None:
    """Give a trained component more labels, behind those that it has. What it finds of these is
    nearly what it was: the new ones have random weights until they are trained.

    taxonomy: that has the new labels and, with the same coarse types, the old ones it has; None if
        the component's own has them, or is flat.
    Raises a ValueError for a component that is not trained or reads names, a TaxonomyError for
    labels that have no coarse type or another one than before.
    """
    old: Taxonomy = component.taxonomy  # fails before initialize
    before = [component._tag_set, component._auxiliary_tag_set]
    tree = taxonomy or old
    # As the taxonomy spells them: the same label in another case is no other one
    spelled = {x.casefold(): tree.spelled(x) or x for x in labels}
    new = [x for x in spelled.values() if before[0].spelled(x) is None]
    if not new:
        return
    if component.has_knowledge:
        raise ValueError(
            f"'{component.name}' reads names ([model.knowledge]), which know the types that it was "
            "trained with: it can't get more of them. Train anew with all types."
        )
    tree = merged(old, taxonomy, new)
    kept = list(component.labels)
    component._set_labels([*kept, *new], tree, None)
    after = [component._tag_set, component._auxiliary_tag_set]
    places = [
        [old_tags.ids.get(tag, -1) for tag in tags.tags]
        for old_tags, tags in zip(before, after, strict=True)
        if old_tags is not None and tags is not None
    ]
    try:
        grow(component.model.get_ref("tagger"), places)
    except ValueError:
        component._set_labels(kept, old, None)
        raise
    component.cfg.pop("temperatures", None)


def merged(old: Taxonomy, more: Taxonomy | None, new: Iterable[str]) -> Taxonomy:
    """The old taxonomy with the new labels behind it.

    Raises a TaxonomyError for those that neither has, and for an old label that `more` has under
    another coarse type.
    """
    if old.flat and more is None:
        return flat_taxonomy([*old.fine, *new])
    tree = old if more is None else more
    for label, coarse in old.coarse_of.items():
        if tree.spelled(label) and tree.coarse_label(label).casefold() != coarse.casefold():
            raise TaxonomyError(
                f"{tree.source}: {label!r} stands under {tree.coarse_label(label)!r}, and under "
                f"{coarse!r} in the pipeline. A label keeps its coarse type: correct one of the "
                "two, or train anew."
            )
    both = dict(old.coarse_of)
    for label in new:
        both[label] = tree.coarse_label(label)
    return Taxonomy(both, tree.source)
