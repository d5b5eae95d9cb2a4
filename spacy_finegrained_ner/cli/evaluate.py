"""Scores of a pipeline on gold tokens and on running text."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.conll import label_places, read_conll
from spacy_finegrained_ner.data.corpus import bare_copy, sentence_to_doc
from spacy_finegrained_ner.data.entities import entities_of, labels_of
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.bootstrap import bootstrap

NOTHING = "nothing to score: no entity in gold or prediction"


class EvaluationError(ValueError):
    """Something asked of the evaluation is not possible, or a bar is not met."""


def evaluate(model: str, data: Path, output: Path, samples: int = 0) -> dict[str, Any]:
    """Score a pipeline twice and write the report as JSON.

    samples: of the bootstrap over sentences (see `scoring.bootstrap`), 0 for none.

    On gold tokens the pipeline gets the tokens of the data; on running text it gets the text
    (CoNLL tokens are joined by spaces) and tokenizes it itself, as in use. An entity whose bounds
    fall inside of a token of the tokenizer can't be found then: `unreachable` counts those. Where
    there is no entity in gold or prediction, all scores and intervals are None.
    """
    nlp = load(model)
    gold = read_gold(nlp.vocab, data, taxonomy_of(nlp))
    if not gold:
        raise EvaluationError(f"{data}: the file holds no texts.")
    on_tokens = [Example(bare_copy(doc, nlp.vocab), doc) for doc in gold]
    on_text = [Example(nlp.make_doc(doc.text), doc) for doc in gold]
    entities = [entities_of(doc.ents, lambda span: span.label_) for doc in gold]
    unreachable = sum(
        eg.predicted.char_span(doc[start:end].start_char, doc[start:end].end_char) is None
        for eg, doc, found in zip(on_text, gold, entities, strict=True)
        for start, end, _ in found
    )
    report = {
        "model": f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}",
        "data": str(data),
        "sentences": len(gold),
        "entities": sum(map(len, entities)),
        "unreachable": unreachable,
        "taxonomy": dict(taxonomy_of(nlp).coarse_of),
        "gold_tokens": _scores(nlp, on_tokens, samples),
        "running_text": _scores(nlp, on_text, samples),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output, report)
    return report


def load(model: str) -> Language:
    """Load a pipeline, or raise an `EvaluationError` that says what to do."""
    try:
        return spacy.load(model)
    except ImportError as error:  # what the pipeline needs, such as the tokenizer of a language
        raise EvaluationError(f"{model}: {error}") from None
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f"{model}: {error}\n"
            "Expected an installed pipeline package or the folder of a trained pipeline."
        ) from None


def read_gold(vocab: Vocab, data: Path, taxonomy: Taxonomy | None = None) -> list[Doc]:
    """The gold Docs of a .spacy or .conll file. A TaxonomyError says where a label stands that the
    taxonomy, if given, does not cover."""
    if data.suffix == ".conll":
        sentences = list(read_conll(data))
        docs = [sentence_to_doc(vocab, sentence) for sentence in sentences]
        places = label_places(data, sentences)
    elif data.suffix == ".spacy":
        docs = read_docs(data, vocab)
        places = {label: f"{data}, {text}" for label, text in labels_of(docs).items()}
    else:
        raise EvaluationError(f"{data}: expected a .spacy or .conll file.")
    if taxonomy is not None:
        for label, place in places.items():
            taxonomy.gold_label(label, place)
    return docs


def read_docs(path: Path, vocab: Vocab) -> list[Doc]:
    """The Docs of a .spacy file."""
    if not path.is_file():
        raise EvaluationError(f"{path}: there is no such file. Expected one in spaCy's format.")
    try:
        return list(DocBin().from_disk(path).get_docs(vocab))
    except (zlib.error, ValueError, TypeError, LookupError) as error:
        raise EvaluationError(
            f"{path}: can't be read as a .spacy file: {error}. Such files are written by "
            "spacy finegrained-ner convert and spacy convert."
        ) from None


def parse_bars(bars: list[str]) -> dict[str, float]:
    """`["ents_f=0.5"]` as a dict."""
    parsed = {}
    for bar in bars:
        name, _, value = bar.partition("=")
        try:
            parsed[name] = float(value)
        except ValueError:
            parsed[name] = math.nan
        if not math.isfinite(parsed[name]):  # nothing is below nan
            raise EvaluationError(f"--at-least {bar}: expected a score such as ents_f=0.5")
    return parsed


def unmet(report: dict[str, Any], bars: dict[str, float]) -> list[str]:
    """A sentence for each score on gold tokens that is below its bar, or has no value."""
    scores = report["gold_tokens"]
    known = sorted(key for key in scores if key.endswith(("_p", "_r", "_f")))
    missed = []
    for name, bar in bars.items():
        if name not in known:
            raise EvaluationError(f"--at-least {name}: there is no such score. There are: {known}")
        if scores[name] is None:
            missed.append(f"{name} has no value ({NOTHING}), expected at least {bar:.3f}")
        elif scores[name] < bar:
            missed.append(f"{name} is {scores[name]:.3f}, expected at least {bar:.3f}")
    return missed


def component_of(nlp: Language) -> Any:
    """The pipeline's component. An EvaluationError where there is none, or it is not trained."""
    for _, pipe in nlp.pipeline:
        try:
            if hasattr(pipe, "taxonomy"):
                return pipe
        except ValueError as error:  # not initialized
            raise EvaluationError(str(error)) from None
    raise EvaluationError(f"The pipeline {nlp.pipe_names} has no component 'finegrained_ner'.")


def taxonomy_of(nlp: Language) -> Taxonomy:
    """The taxonomy of the pipeline's component."""
    taxonomy: Taxonomy = component_of(nlp).taxonomy
    return taxonomy


def _scores(nlp: Language, examples: list[Example], samples: int) -> dict[str, Any]:
    """Of the pipeline's component, and intervals of the same counts. Annotates the examples."""
    component = component_of(nlp)
    docs = nlp.pipe([example.predicted for example in examples])
    annotated = [Example(doc, eg.reference) for doc, eg in zip(docs, examples, strict=True)]
    # By one name, wherever the component writes its entities
    found = component.score(annotated, prefix="ents")
    scores = {key: value for key, value in found.items() if key.startswith("ents_")}
    if samples:
        intervals = bootstrap(annotated, samples, taxonomy=component.taxonomy, read=component.read)
        scores["bootstrap"] = {"samples": samples, "level": 0.95, "intervals": intervals}
    return scores
