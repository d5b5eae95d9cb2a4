"""Temperatures that make the probabilities of a trained pipeline right on held-out data.

Two are fitted: "path" divides all scores of the CRF, and makes spans more or less sure; "label"
divides the log probabilities of the labels of a span against one another. Neither changes which
entities are found, or their labels; and the probability of a fine label stays at most that of its
coarse type, and that at most that of the span.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.contracts import ReportsEntities
from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.confidence import tempered
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.decoder import has_posteriors, log_posteriors
from spacy_finegrained_ner.scoring.judgements import Judgements, judge, right_of

Span = tuple[int, int, int, str]
"""The row of a text in its batch, start, end, label."""

_RANGE = (0.2, 8.0)
_ENOUGH = 10
"""Right ones and wrong ones, at least: fewer say nothing of a temperature."""


class NothingToCalibrate(UserError):
    """The component knows no probabilities, or finds too few entities on the data."""


def annotated(nlp: Language, name: str, gold: Iterable[Doc]) -> list[Example]:
    """The gold with what the pipeline finds on its tokens. Later components of this package are
    left out: facts of a place and label are those of the last that writes them."""
    gold = list(gold)
    names = nlp.pipe_names
    later = names[names.index(name) + 1 :]
    ours = [other for other in later if isinstance(nlp.get_pipe(other), ReportsEntities)]
    with nlp.select_pipes(disable=ours):
        docs = list(nlp.pipe([bare_copy(doc, nlp.vocab) for doc in gold]))
    return [Example(doc, reference) for doc, reference in zip(docs, gold, strict=True)]


def judged(nlp: Language, name: str, gold: Iterable[Doc]) -> Judgements:
    """What the component of this name finds, on the tokens of the gold, and what of it is right:
    its fine labels, as all probabilities are of those."""
    component: Any = nlp.get_pipe(name)
    with component.fine_labels():
        return judge(annotated(nlp, name, gold), component.taxonomy, component.read)


def fit_temperatures(nlp: Language, name: str, gold: Iterable[Doc]) -> dict[str, float]:
    """The temperatures under which what is right has the lowest cross-entropy (Guo et al. 2017):
    first "path", of whether the spans of the entities that are found are right; then "label", of
    whether their labels are.

    name: of the component in the pipeline. gold: data that it has not learned from.
    Raises NothingToCalibrate.
    """
    component: Any = nlp.get_pipe(name)
    if component.certainty is None:
        raise NothingToCalibrate(f"'{name}' knows no probabilities.")
    if not component.certainty.on:
        raise NothingToCalibrate(f"'{name}' has confidence = false: it gives no probabilities.")
    decoder = component.decoder
    if not has_posteriors(decoder):
        raise NothingToCalibrate(f"The decoder of '{name}' knows no probabilities (`posteriors`).")
    gold = list(gold)
    batches = list(_batches(nlp, name, gold))
    pairs = [pair for batch in batches for pair in batch[2]]
    if not pairs:
        raise NothingToCalibrate(f"'{name}' finds nothing in {len(gold)} texts. Give more data.")
    right = np.array([flags for _, flags in pairs], dtype=bool)
    labels = component.labels
    chosen = np.array([labels.index(span[3]) for span, _ in pairs])

    def posteriors(path: float) -> npt.NDArray[np.float64]:
        """Log, by label. *Shape:* (entities, labels)."""
        found = []
        for scores, lengths, of_batch in batches:
            if of_batch:
                all_spans = decoder.posteriors(scores, lengths, path)
                found.append(log_posteriors(all_spans, [span[:3] for span, _ in of_batch]))
        return np.concatenate(found)

    path = label = 1.0
    rows, right_span, right_label = np.arange(len(chosen)), right[:, 2], right[:, 0]
    if _tells(right_span):
        path = _lowest(
            lambda t: _cross_entropy(np.logaddexp.reduce(posteriors(t), axis=1), right_span)
        )
    if _tells(right_label):
        log = posteriors(path)
        label = _lowest(lambda t: _cross_entropy(tempered(log, t)[rows, chosen], right_label))
    if path == label == 1.0:
        raise NothingToCalibrate(
            f"of {len(right)} entities that '{name}' finds in {len(gold)} texts {right_span.sum()} "
            f"have the right span and {right_label.sum()} the right label: that says nothing of a "
            f"temperature, which takes {_ENOUGH} right and {_ENOUGH} wrong ones. Give more texts, "
            "or harder ones."
        )
    return {"path": path, "label": label}


def _tells(right: npt.NDArray[np.bool_]) -> bool:
    """Where nearly all are right, or wrong, any temperature that makes all sure is as good."""
    return min(right.sum(), (~right).sum()) >= _ENOUGH


def _batches(
    nlp: Language, name: str, gold: list[Doc]
) -> Iterator[tuple[Any, list[int], list[tuple[Span, list[bool]]]]]:
    """Scores, lengths, and the entities found (row, start, end, label), with what of each is
    right."""
    component: Any = nlp.get_pipe(name)
    names = nlp.pipe_names
    later = names[names.index(name) :]
    with nlp.select_pipes(disable=later):
        stream = iter(gold)
        while some := list(islice(stream, 256)):
            docs = list(nlp.pipe([bare_copy(doc, nlp.vocab) for doc in some]))
            for rows, batch, found in component.scored(docs):
                right = [
                    _right(Example(docs[i], some[i]), entities, component.taxonomy)
                    for i, entities in zip(rows, found, strict=True)
                ]
                spans = [
                    ((row, *entity), flags)
                    for row, of_text in enumerate(right)
                    for entity, flags in of_text.items()
                ]
                yield batch.tasks[0], batch.lengths, spans


def _right(
    example: Example, entities: list[Entity], taxonomy: Taxonomy
) -> dict[Entity, list[bool]]:
    if not example.reference.has_annotation("ENT_IOB"):
        return {}
    return right_of(example, taxonomy, lambda _: Prediction(entities))[0]


def _cross_entropy(log: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    log = np.minimum(log, 0.0)
    wrong = np.log(np.maximum(-np.expm1(log), 1e-12))
    return float(-np.where(right, np.maximum(log, np.log(1e-12)), wrong).mean())


def _lowest(loss: Callable[[float], float]) -> float:
    """The temperature of the lowest loss, to about a hundredth: a grid, made finer twice. 1 where
    that lies at the end of the range: the data does not bound it."""
    low, high = np.log(_RANGE)
    for number in range(3):
        grid = np.linspace(low, high, 11)
        best = int(np.argmin([loss(float(np.exp(x))) for x in grid]))
        if not number and best in (0, 10):
            return 1.0
        low, high = grid[max(0, best - 1)], grid[min(10, best + 1)]
    return round(float(np.exp(grid[best])), 4)
