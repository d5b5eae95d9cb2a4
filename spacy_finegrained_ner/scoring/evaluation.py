"""Scores of a pipeline on gold tokens and on running text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import entities_of
from spacy_finegrained_ner.data.files import read_gold
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.bootstrap import bootstrap, sentence_counts, type_intervals

NOTHING = "nothing to score: no entity in gold or prediction"


def score_pipeline(nlp: Language, data: Path, samples: int = 0) -> dict[str, Any]:
    """Score a pipeline twice. RETURNS: the report, which JSON can hold.

    The gold has the names that the component writes its labels under (`data.written`).

    data: a file in any form, or a folder. samples: of the bootstrap over sentences (see
    `scoring.bootstrap`), 0 for none.

    On gold tokens the pipeline gets the tokens of the data; on running text it gets the text
    (CoNLL tokens are joined by spaces) and tokenizes it itself, as in use. An entity whose bounds
    fall inside of a token of the tokenizer can't be found then: `unreachable` counts those. Where
    there is no entity in gold or prediction, all scores and intervals are None.

    Raises a `UserError` for data that can't be read, and for a pipeline without our component.
    """
    _, component = component_of(nlp)
    names = component.names
    gold = read_gold(nlp, data, component.taxonomy, names)
    if not gold:
        raise UserError(f"{data}: the file holds no texts.")
    on_tokens = [Example(bare_copy(doc, nlp.vocab), doc) for doc in gold]
    on_text = [Example(nlp.make_doc(doc.text), doc) for doc in gold]
    entities = [entities_of(doc.ents, lambda span: span.label_) for doc in gold]
    unreachable = sum(
        eg.predicted.char_span(doc[start:end].start_char, doc[start:end].end_char) is None
        for eg, doc, found in zip(on_text, gold, entities, strict=True)
        for start, end, _ in found
    )
    return {
        "model": model_name(nlp),
        "data": str(data),
        "sentences": len(gold),
        "entities": sum(map(len, entities)),
        "unreachable": unreachable,
        "taxonomy": dict(names.taxonomy.coarse_of),
        "gold_tokens": _scores(nlp, component, on_tokens, samples),
        "running_text": _scores(nlp, component, on_text, samples),
    }


def model_name(nlp: Language) -> str:
    """Name and version; the folder of a pipeline that has only the name that spaCy gives to all."""
    if nlp.meta["name"] == "pipeline" and nlp.path is not None:
        return str(nlp.path)
    return f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}"


def unmet(report: dict[str, Any], bars: dict[str, float]) -> list[str]:
    """A sentence for each score on gold tokens that is below its bar, or has no value. Raises a
    `UserError` for a score that there is not."""
    scores = report["gold_tokens"]
    known = sorted(key for key in scores if key.endswith(("_p", "_r", "_f")))
    missed = []
    for name, bar in bars.items():
        if name not in known:
            raise UserError(f"{name}: there is no such score. There are: {known}")
        if scores[name] is None:
            missed.append(f"{name} has no value ({NOTHING}), expected at least {bar:.3f}")
        elif scores[name] < bar:
            missed.append(f"{name} is {scores[name]:.3f}, expected at least {bar:.3f}")
    return missed


class NoComponent(UserError):
    """A pipeline has no component of this package."""


def component_of(nlp: Language) -> tuple[str, Any]:
    """The pipeline's component and the name that it has there. Raises a `UserError` where it is not
    trained, and a `NoComponent` where there is none."""
    for name, pipe in nlp.pipeline:
        try:
            if hasattr(pipe, "taxonomy"):
                return name, pipe
        except ValueError as error:  # not initialized
            raise UserError(str(error)) from None
    raise NoComponent(f"The pipeline {nlp.pipe_names} has no component 'finegrained_ner'.")


def _scores(nlp: Language, component: Any, examples: list[Example], samples: int) -> dict[str, Any]:
    """Of the component, and intervals of the same counts. Annotates the examples."""
    docs = nlp.pipe([example.predicted for example in examples])
    annotated = [Example(doc, eg.reference) for doc, eg in zip(docs, examples, strict=True)]
    # By one name, wherever the component writes its entities
    found = component.score(annotated, prefix="ents")
    scores = {key: value for key, value in found.items() if key.startswith("ents_")}
    if samples:
        taxonomy = component.names.taxonomy
        intervals = bootstrap(annotated, samples, taxonomy=taxonomy, read=component.read)
        scores["bootstrap"] = {"samples": samples, "level": 0.95, "intervals": intervals}
        if types := scores["ents_per_type"]:
            counts = sentence_counts(annotated, taxonomy, component.read)
            of_types = type_intervals(counts, samples)  # both sorted
            scores["bootstrap"]["per_type"] = dict(zip(types, of_types, strict=True))
    return scores
