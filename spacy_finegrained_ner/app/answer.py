"""What a pipeline says of a text, and of itself, in plain values that JSON takes."""

from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.annotate.records import Record, entity_records
from spacy_finegrained_ner.labels.colors import taxonomy_colors
from spacy_finegrained_ner.labels.confidence import ALTERNATIVES
from spacy_finegrained_ner.scoring.evaluation import component_of, model_name


def answer(nlp: Language, text: str) -> dict[str, Any]:
    """The entities of the pipeline's first component of this package, wherever it writes them.

    RETURNS: "text", and "entities", see `as_answer`.
    """
    _, component = component_of(nlp)
    return as_answer(text, entity_records(nlp(text), component))


def as_answer(text: str, records: list[Record]) -> dict[str, Any]:
    """The records of a text (`annotate.records.entity_records`), with alternatives as pairs:
    [[label, probability], ...]."""
    entities = []
    for record in records:
        pairs = [[other["label"], other["confidence"]] for other in record[ALTERNATIVES]]
        entities.append({**record, ALTERNATIVES: pairs})
    return {"text": text, "entities": entities}


def about(nlp: Language) -> dict[str, Any]:
    """What the page says of the pipeline: "name", "lang", "description"; "types", the coarse ones
    with "name", "color" and the names of their "fine" types; whether labels are "flat"; and the
    thresholds "fine" and "coarse" to begin with, which are those of the setting `back_off`.

    Raises a `UserError` for a pipeline without a trained component of this package.
    """
    _, component = component_of(nlp)
    taxonomy = component.names.taxonomy
    colors = taxonomy_colors(taxonomy)
    certainty = component.certainty
    return {
        "name": model_name(nlp),
        "lang": nlp.meta["lang"],
        "description": nlp.meta.get("description", ""),
        "types": [
            {
                "name": coarse,
                "color": colors[coarse],
                "fine": [label for label, of in taxonomy.coarse_of.items() if of == coarse],
            }
            for coarse in taxonomy.coarse
        ],
        "flat": taxonomy.flat,
        "fine": 0.0 if certainty is None else certainty.back_off.fine,
        "coarse": 0.0 if certainty is None else certainty.back_off.coarse,
    }
