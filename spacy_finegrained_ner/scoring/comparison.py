"""Pipelines side by side on the same gold: what they find, how fast, and at what cost."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.contracts import ReportsCost
from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.bootstrap import intervals, sentence_counts
from spacy_finegrained_ner.scoring.evaluation import NoComponent, component_of, model_name
from spacy_finegrained_ner.scoring.scorer import score_entities

WARM_UP = 32
"""Texts before the clock starts: the first ones pay for memory and caches."""
MILLION = 1_000_000


class _Ents:
    """In place of a component of this package, where a pipeline has none. known: the labels that
    count, casefolded; what it has of others is none of the types that are compared."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known

    def counts(self, label: str) -> bool:
        return label.casefold() in self._known

    def fine_labels(self) -> AbstractContextManager[None]:
        return nullcontext()

    def read(self, doc: Doc) -> Prediction:
        ents = [ent for ent in doc.ents if self.counts(ent.label_)]
        return Prediction([(ent.start, ent.end, ent.label_) for ent in ents])

    def answered(self, doc: Doc) -> bool:
        return True


def is_ours(nlp: Language) -> bool:
    """Whether a component of this package is in a pipeline. Raises a `UserError` where one is not
    trained."""
    try:
        component_of(nlp)
    except NoComponent:
        return False
    return True


def compared(
    nlp: Language,
    gold: Sequence[Doc],
    taxonomy: Taxonomy,
    samples: int = 1000,
    hourly: float | None = None,
) -> dict[str, Any]:
    """A pipeline on gold tokens, by its fine labels; one without a component of this package by
    what it writes into `doc.ents`, of which labels that neither the taxonomy nor the gold has are
    left out, with a warning.

    samples: of the bootstrap over sentences. hourly: the price of this machine.
    RETURNS: `model`; `micro` and `macro` F1, each with its 95% interval; `unanswered`, texts of
        which it said nothing; `words_per_second`, None where answers came from a cache; and
        `cost_per_million`, of texts, None where no price is known: what the pipeline reports, or
        the machine's time.
    """
    known = {label.casefold() for label in (*taxonomy.fine, *labels_of(gold))}
    component: Any = component_of(nlp)[1] if is_ours(nlp) else _Ents(known)
    remote = component if isinstance(component, ReportsCost) else None
    if remote is None:
        for _ in nlp.pipe(bare_copy(doc, nlp.vocab) for doc in gold[:WARM_UP]):
            pass
    with component.fine_labels():  # one measure for all, whatever names each writes
        return _compared(nlp, component, remote, gold, taxonomy, samples, hourly)


def _compared(
    nlp: Language,
    component: Any,
    remote: ReportsCost | None,
    gold: Sequence[Doc],
    taxonomy: Taxonomy,
    samples: int,
    hourly: float | None,
) -> dict[str, Any]:
    before = remote.costs() if remote else {}
    bare = [bare_copy(doc, nlp.vocab) for doc in gold]
    start = perf_counter()
    found = list(nlp.pipe(bare))
    seconds = perf_counter() - start
    if isinstance(component, _Ents):
        _tell_others(nlp, found, component)
    after = remote.costs() if remote else {}
    examples = [Example(doc, other) for doc, other in zip(found, gold, strict=True)]
    scores = score_entities(examples, taxonomy=taxonomy, read=component.read)
    ranges = intervals(sentence_counts(examples, taxonomy, component.read), samples)
    asked = len(gold) - int(after.get("cached", 0) - before.get("cached", 0))
    cost = None
    if remote is None:
        cost = hourly and hourly * seconds / 3600 / max(1, len(gold)) * MILLION
    elif after["cost"] is not None and asked:
        cost = (after["cost"] - (before["cost"] or 0.0)) / asked * MILLION
    whole = asked == len(gold)
    return {
        "model": model_name(nlp),
        "micro": [scores["ents_f"], ranges["ents_f"]],
        "macro": [scores["ents_macro_f"], ranges["ents_macro_f"]],
        "unanswered": sum(not component.answered(doc) for doc in found),
        "words_per_second": sum(map(len, gold)) / seconds if whole and seconds else None,
        "cost_per_million": cost,
    }


def _tell_others(nlp: Language, found: Sequence[Doc], component: _Ents) -> None:
    labels = (ent.label_ for doc in found for ent in doc.ents)
    if others := [label for label in labels if not component.counts(label)]:
        warnings.warn(
            f"{model_name(nlp)} finds {len(others):,} entities of labels that are none of "
            f"the types compared, and that are left out: {', '.join(sorted(set(others)))}.",
            stacklevel=4,
        )
