"""Entities that a pipeline is sure of to some degree, and which of them are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from spacy.training import Example

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.confidence import COARSE_CONFIDENCE, CONFIDENCE, SPAN_CONFIDENCE
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import Read, entity_spans

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
LEVELS = {"fine": CONFIDENCE, "coarse": COARSE_CONFIDENCE, "span": SPAN_CONFIDENCE}
"""What of an entity may be right, and the fact that says how probable that is."""


@dataclass(frozen=True)
class Judgements:
    """Predicted entities on gold tokens.

    sentence: of which text each is. *Shape:* (entities,).
    probability: how sure the pipeline is at each of the LEVELS. *Shape:* (entities, 3).
    right: whether exactly this span is an entity of that fine label, of that coarse type, of any.
        *Shape:* (entities, 3).
    gold: the number of entities that there are in each text. *Shape:* (texts,).
    others: how many predicted entities have no confidence, as those of rules, and are left out.
    """

    sentence: npt.NDArray[np.int64]
    probability: Floats
    right: Bools
    gold: npt.NDArray[np.int64]
    others: int = 0

    def drawn(self, rng: np.random.Generator) -> Judgements:
        """A bootstrap sample: as many texts, with replacement."""
        texts = len(self.gold)
        drawn = rng.integers(max(texts, 1), size=texts)
        times = np.bincount(drawn, minlength=texts)
        rows = np.repeat(np.arange(len(self.sentence)), times[self.sentence])
        return Judgements(
            self.sentence[rows], self.probability[rows], self.right[rows], self.gold[drawn]
        )


def right_of(
    example: Example, taxonomy: Taxonomy, read: Read
) -> tuple[dict[Entity, list[bool]], int]:
    """For each entity found in a text what of it is right, by LEVELS, and how many there are.

    example: annotated, with the tokens of the gold. Entities of which the gold says nothing are
    left out.
    """
    predicted, there = entity_spans(example, taxonomy, read)
    # Of flat labels, the gold may have others than the training data
    coarse_of = taxonomy.coarse_of
    coarse = {(start, end): coarse_of.get(label, label) for start, end, label in there}
    right = {
        (start, end, label): [
            (start, end, label) in there,
            coarse.get((start, end), "") == coarse_of[label],
            (start, end) in coarse,
        ]
        for start, end, label in sorted(predicted)
    }
    return right, len(there)


def judge(examples: Iterable[Example], taxonomy: Taxonomy, read: Read) -> Judgements:
    """examples: annotated, with the tokens of the gold. read: the component's.

    Raises a UserError where no entity has a confidence.
    """
    rows: list[tuple[int, list[float], list[bool]]] = []
    gold: list[int] = []
    others = 0
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            continue  # nothing is known of this text
        right, count = right_of(example, taxonomy, read)
        facts = read(example.predicted).facts
        for entity, flags in right.items():
            if CONFIDENCE not in facts.get(entity, {}):
                others += 1
                continue
            rows.append((len(gold), [facts[entity][key] for key in LEVELS.values()], flags))
        gold.append(count)
    if others and not rows:
        raise UserError(
            f"None of {others} entities has a confidence: set confidence = true in the block of "
            "the component, and let no other component replace all of its entities."
        )
    return Judgements(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, len(LEVELS)),
        np.array([row[2] for row in rows], dtype=bool).reshape(-1, len(LEVELS)),
        np.array(gold, dtype=np.int64),
        others,
    )
