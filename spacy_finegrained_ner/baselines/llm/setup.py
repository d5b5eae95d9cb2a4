"""What `finegrained_llm` is initialized with: types, and gold texts to choose examples from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.files import read_gold
from spacy_finegrained_ner.data.gold import annotated_labels
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.readers import TaxonomySetting
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.labels import find_taxonomy


def gold_docs(
    get_examples: Callable[[], Iterable[Example]], path: str | Path | None, nlp: Language | None
) -> list[Doc]:
    """The texts of a file, or of the examples. nlp: its tokenizer is for texts without tokens.
    Raises a `UserError` for a file that can't be read."""
    if path is not None:
        return read_gold(nlp or spacy.blank("xx"), Path(path))
    return [example.reference for example in get_examples()]


def whole(gold: Sequence[Doc]) -> list[Doc]:
    """Those that are annotated throughout, and with all types: others would be wrong examples."""
    return [
        doc
        for doc in gold
        if doc.has_annotation("ENT_IOB", require_complete=True) and annotated_labels(doc) is None
    ]


def find_types(
    gold: Sequence[Doc],
    labels: Sequence[str] | None,
    taxonomy: TaxonomySetting | None,
    saved: Mapping[str, Any],
    owner: str,
) -> Taxonomy:
    """The types to ask for, with their definitions.

    labels, taxonomy: as `LlmNER.initialize` has them. saved: the cfg of the component.

    Raises a TaxonomyError for a label that is not covered, a `UserError` where there are no types.
    """
    places = labels_of(gold)
    wanted = dict.fromkeys(labels, "") if labels is not None else places
    if not wanted and not isinstance(taxonomy, Taxonomy) and not saved["taxonomy"]:
        raise UserError(
            f"'{owner}' has no types to ask for: there are no gold entities, and no taxonomy. "
            f"Expected a taxonomy file in [initialize.components.{owner}.taxonomy], labels in "
            f"[initialize.components.{owner}], or examples with doc.ents."
        )
    if not wanted and taxonomy is None and saved["taxonomy"]:
        found = Taxonomy(saved["taxonomy"], f"the taxonomy of {owner!r}")
    else:
        found = find_taxonomy(taxonomy, wanted, saved["taxonomy"], owner)
    if labels is not None and not found.flat:
        found.check(places)
    definitions = found.definitions or saved["definitions"]
    asked = {*wanted} if labels is not None else {*found.fine}
    return Taxonomy(
        {fine: coarse for fine, coarse in found.coarse_of.items() if fine in asked},
        found.source,
        {fine: text for fine, text in definitions.items() if fine in asked},
    )
