"""Gold labels that are most likely wrong, by what a model that has not seen them makes of them.

A label is the more suspicious, the more probable another one is for the same span than it, and the
more probable that other one is at all: the log of p(other) / p(gold) * p(other), all exact
posteriors of spans. So a span that the model would not find says nothing of its label.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import srsly
from spacy.language import Language
from spacy.tokens import Doc

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import entities_of
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.ml.decoder import log_posteriors

OUTSIDE = "O"
LOWEST = -50.0
"""Log probabilities below are taken as that: -inf has no order."""


@dataclass(frozen=True)
class Suspect:
    """text: number of the text. start, end: tokens, end exclusive. gold, suggested: labels; gold
    may be OUTSIDE. score: the higher, the more suspicious. ratio: log p(suggested) / p(gold)."""

    text: int
    start: int
    end: int
    gold: str
    suggested: str
    score: float
    ratio: float


@dataclass(frozen=True)
class Row:
    """A suspect as it is written. where: file and line, or file and number of the text."""

    score: float
    where: str
    entity: str
    gold: str
    suggested: str
    sentence: str


def find_suspects(nlp: Language, name: str, gold: Sequence[Doc]) -> list[Suspect]:
    """All labels, and predictions where gold says O, for which another is more probable, the most
    suspicious first.

    name: of the component. gold: Docs that it has not learned from.
    """
    found: list[Suspect] = []
    for batch in _judged(nlp, name, gold):
        found += (suspect for suspect in batch if suspect.ratio > 0.0)
    return by_score(found)


def by_score(suspects: Sequence[Suspect]) -> list[Suspect]:
    return sorted(suspects, key=lambda x: (-x.score, x.text, x.start))


def _judged(nlp: Language, name: str, gold: Sequence[Doc]) -> Iterator[list[Suspect]]:
    component: Any = nlp.get_pipe(name)
    later = nlp.pipe_names[nlp.pipe_names.index(name) :]
    stream = iter(gold)
    first = 0
    with nlp.select_pipes(disable=later):
        while some := list(islice(stream, 256)):
            docs = list(nlp.pipe([bare_copy(doc, nlp.vocab) for doc in some]))
            for rows, batch, found in component.scored(docs):
                posteriors = component.decoder.posteriors(batch.tasks[0], batch.lengths)
                asked = [
                    (row, first + i, *entity, is_gold)
                    for row, (i, entities) in enumerate(zip(rows, found, strict=True))
                    for entity, is_gold in _asked(some[i], entities, component)
                ]
                if asked:
                    log = log_posteriors(posteriors, [(row, s, e) for row, _, s, e, *_ in asked])
                    yield _suspects(log, component.labels, [one[1:] for one in asked])
            first += len(some)


def _asked(doc: Doc, predicted: Sequence[Entity], component: Any) -> Iterator[tuple[Entity, bool]]:
    """What is judged of a text: the gold entities of labels that the component has, and what is
    predicted where gold says O; and whether it is gold."""
    spelled = component._tag_set.spelled
    for entity in entities_of(doc.ents, lambda span: spelled(span.label_) or ""):
        if entity[2]:
            yield entity, True
    for entity in predicted:
        if all(token.ent_iob_ == OUTSIDE for token in doc[entity[0] : entity[1]]):
            yield entity, False


def _suspects(
    log: npt.NDArray[np.float64],
    names: Sequence[str],
    asked: Sequence[tuple[int, int, int, str, bool]],
) -> list[Suspect]:
    """log: posteriors of spans by label. *Shape:* (spans, labels). asked: of each span its text,
    start, end and label, and whether that is gold or a prediction."""
    rows = np.arange(len(log))
    is_gold = np.array([one[4] for one in asked])
    column = np.array([names.index(one[3]) for one in asked])
    others = log.copy()
    others[rows, column] = -np.inf
    best = np.where(is_gold, others.argmax(axis=1), column)
    # Of O no more is known than that it is at most as probable as no entity exactly here
    none = np.log1p(-np.minimum(np.exp(log).sum(axis=1), 1.0 - 1e-12))
    gold = np.maximum(np.where(is_gold, log[rows, column], none), LOWEST)
    suggested = np.maximum(log[rows, best], LOWEST)
    return [
        Suspect(text, start, end, label if gold_too else OUTSIDE, names[int(b)], 2 * s - g, s - g)
        for (text, start, end, label, gold_too), b, s, g in zip(
            asked, best, suggested.tolist(), gold.tolist(), strict=True
        )
    ]


def write_suspects(rows: Sequence[Row], path: Path) -> None:
    """As TSV, or as JSON, by the end of the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [asdict(row) | {"score": round(row.score, 3)} for row in rows]
    if path.suffix == ".json":
        srsly.write_json(path, table)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        names = list(Row.__dataclass_fields__)
        writer = csv.DictWriter(file, names, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for one in table:
            writer.writerow({key: " ".join(str(value).split()) for key, value in one.items()})
