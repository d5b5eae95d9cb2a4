"""The counts that the paper's code has in its dev figure: of what is predicted on the training
batches of an epoch, with the weights as they are then and dropout on. One metric object is shared
there by training and validation, and so adds the two up."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from spacy_finegrained_ner.data.gold import gold_of

Counts = dict[str, list[int]]
"""True positives, false positives and false negatives, by type."""


class OnBatches:
    """Watches what a component learns of; `counts` are those of the last `batches` of them."""

    def __init__(self, component: Any, batches: int) -> None:
        self._batches: list[Counts] = []
        self._last = batches
        learn: Any = component._losses

        def watched(examples: Any, scores: Any, divisor: int) -> Any:
            self._count(component, examples, scores)
            return learn(examples, scores, divisor)

        component._losses = watched

    @property
    def counts(self) -> Counts:
        total: Counts = defaultdict(lambda: [0, 0, 0])
        for batch in self._batches:
            for label, some in batch.items():
                total[label] = [a + b for a, b in zip(total[label], some, strict=True)]
        return dict(sorted(total.items()))

    def _count(self, component: Any, examples: Any, scores: Any) -> None:
        tags = component._tag_set
        batch: Counts = defaultdict(lambda: [0, 0, 0])
        found = component.decoder.decode(scores.tasks[0], scores.lengths)
        for example, entities in zip(examples, found, strict=True):
            gold = set(tags.decode(gold_of(example, tags).tags))
            for start, end, label in gold | set(entities):
                entity = (start, end, label)
                kind = (
                    0 if entity in gold and entity in entities else 1 if entity in entities else 2
                )
                batch[label][kind] += 1
        self._batches = [*self._batches, batch][-self._last :]
