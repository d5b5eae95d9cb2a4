"""What a pipeline says of a text, and of itself, in plain values that JSON takes."""

from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.labels.colors import taxonomy_colors
from spacy_finegrained_ner.labels.confidence import (
    ALTERNATIVES,
    COARSE_CONFIDENCE,
    CONFIDENCE,
    SPAN_CONFIDENCE,
)
from spacy_finegrained_ner.scoring.evaluation import component_of, model_name


def answer(nlp: Language, text: str) -> dict[str, Any]:
    """The entities of the pipeline's first component of this package, wherever it writes them.

    RETURNS: "text", and "entities", each with "start" and "end" (in code points of the text, the
    end exclusive), "text", "label", "coarse_label", "confidence", "coarse_confidence",
    "span_confidence" and "alternatives" ([[label, probability], ...]). What is not known is None,
    or an empty list.
    """
    _, component = component_of(nlp)
    doc = nlp(text)
    found = component.read(doc)
    entities = []
    for entity in found.entities:
        start, end, label = entity
        span = doc[start:end]
        facts = found.facts.get(entity, {})
        entities.append(
            {
                "start": span.start_char,
                "end": span.end_char,
                "text": span.text,
                "label": label,
                "coarse_label": component.names.coarse_of[label],
                **{key: facts.get(key) for key in (CONFIDENCE, COARSE_CONFIDENCE, SPAN_CONFIDENCE)},
                ALTERNATIVES: [[other, p] for other, p in facts.get(ALTERNATIVES, ())],
            }
        )
    return {"text": doc.text, "entities": entities}


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
