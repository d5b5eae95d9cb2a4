"""The labels of the training data, and the taxonomy that they are under."""

from collections.abc import Callable, Iterable, Mapping

from spacy.language import Language
from spacy.training import Example
from spacy.util import logger

from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.gold import LABELLED
from spacy_finegrained_ner.labels.readers import (
    FlatLabels,
    MissingTaxonomy,
    TaxonomySetting,
    looks_packaged,
)
from spacy_finegrained_ner.labels.taxonomy import (
    Taxonomy,
    TaxonomyError,
    flat_taxonomy,
    read_taxonomy,
)


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


def find_taxonomy(
    given: TaxonomySetting | None, labels: Mapping[str, str], saved: Mapping[str, str], owner: str
) -> Taxonomy:
    """The taxonomy of these labels, in their spelling.

    labels: and where each stands, if known.
    given: by the config or the caller. saved: fine to coarse, of a component that was loaded or
        initialized before; it stands in for a file that is not there. Without any of these it is
        the packaged one if that knows all labels, and none (flat labels) if it knows none.
    owner: the name of the component. What nobody asked for is said in spaCy's log.

    Raises a TaxonomyError for labels that it does not cover, and for a file that is not there.
    """
    if isinstance(given, FlatLabels):
        if hint := looks_packaged(labels):
            logger.warning("'%s': %s", owner, hint)
        return flat_taxonomy(labels)
    before = Taxonomy(saved, f"the taxonomy of {owner!r}") if saved else None
    if isinstance(given, MissingTaxonomy):
        if before is None:
            raise given.error()
        try:
            found = before.spelled_as(labels)
        except TaxonomyError as error:
            raise TaxonomyError(
                f"{given.error()} The component has its own, but: {error}"
            ) from None
        logger.warning(
            "'%s': the taxonomy file %s is not there: it takes the taxonomy that it was saved with",
            owner,
            given.path,
        )
        return found
    if given is not None:
        return given.spelled_as(labels)
    packaged = read_taxonomy()
    unknown = [label for label in labels if packaged.spelled(label) is None]
    if before is not None and all(before.spelled(label) for label in labels):
        found = before.spelled_as(labels)
        if unknown or found != packaged.spelled_as(labels):
            logger.warning("'%s': no taxonomy is given: it takes the one that it has", owner)
        return found
    if not unknown:
        return packaged.spelled_as(labels)
    if before is not None and not before.flat and any(map(before.spelled, labels)):
        return before.spelled_as(labels)  # which fails, and names the label
    if len(unknown) == len(labels):
        logger.warning(
            "'%s': no taxonomy is given, and the packaged one (%s) has none of the labels: they "
            "are flat, each its own coarse type",
            owner,
            packaged.source,
        )
        return flat_taxonomy(labels)
    raise TaxonomyError(
        f"'{owner}' was given no taxonomy, and the packaged one ({packaged.source}) has "
        f"{len(labels) - len(unknown)} of {len(labels)} labels, but not {unknown}. Correct those "
        f"that are misspelled; or say in the config, in [initialize.components.{owner}.taxonomy], "
        '@readers = "spacy-finegrained-ner.Taxonomy.v2" with path = a taxonomy file of your own, '
        "or with path = null for flat labels without coarse types."
    )


def say_flat(nlp: Language | None, owner: str, *, auxiliary_is_off: bool = False) -> None:
    """What a component does not do where labels are flat, in spaCy's log."""
    off = "the coarse auxiliary task is off (it would be the fine one again), and "
    logger.info(
        "'%s': labels are flat, each its own coarse type: %sscores say fine and mention only",
        owner,
        off if auxiliary_is_off else "",
    )
    weights = {} if nlp is None else nlp.config["training"]["score_weights"]
    coarse = [name for name, weight in weights.items() if weight and "_coarse_" in name]
    if coarse:
        logger.warning(
            "'%s': [training.score_weights] has %s, and flat labels have no coarse scores: they "
            "count as 0 when the best model is chosen",
            owner,
            coarse,
        )


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
