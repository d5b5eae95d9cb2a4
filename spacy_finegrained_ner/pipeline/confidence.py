"""How sure the component is: settings, and the facts and candidates of a batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spacy_finegrained_ner.data.views import BackOff, Candidates
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.confidence import coarse_matrix, facts_of_entities, tempered
from spacy_finegrained_ner.labels.prediction import Facts
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.decoder import has_posteriors, log_posteriors


class Confidence:
    """What is asked for beside the entities.

    on: whether entities get their probabilities as facts. alternatives: how many labels of each.
    candidates: which other spans are written to a span group. back_off: which view of the entities
    is. See `data.views`.

    Raises a ValueError that names the setting. owner: the name of the component.
    """

    def __init__(
        self,
        owner: str,
        on: bool,
        alternatives: int,
        candidates: Mapping[str, Any],
        back_off: Mapping[str, Any],
    ) -> None:
        if not isinstance(on, bool):
            raise ValueError(f"confidence of '{owner}' is {on!r}, expected true or false.")
        if isinstance(alternatives, bool) or not isinstance(alternatives, int) or alternatives < 0:
            raise ValueError(
                f"alternatives of '{owner}' is {alternatives!r}, expected how many labels of an "
                "entity to keep with their probabilities: a whole number from 0 on."
            )
        self.on = on
        self.alternatives = alternatives
        self.candidates = Candidates.of(candidates, "candidates", owner)
        self.back_off = BackOff.of(back_off, "back_off", owner)
        if self.back_off.spans_key is not None and not on:
            raise ValueError(
                f"back_off.spans_key of '{owner}' is {self.back_off.spans_key!r}, which needs the "
                f"confidence of entities: set confidence = true in [components.{owner}], or "
                "spans_key = null."
            )

    def of_batch(
        self,
        decoder: Any,
        scores: Any,
        lengths: list[int],
        entities: Sequence[Sequence[Entity]],
        tag_set: TagSet,
        taxonomy: Taxonomy,
        temperatures: Mapping[str, float],
    ) -> tuple[list[list[Facts]], list[list[tuple[Entity, float]]]]:
        """For each text the facts of each of its entities, and its candidates.

        entities: of each text, as the decoder gives them. temperatures: see `calibration`.
        """
        facts: list[list[Facts]] = [[] for _ in lengths]
        candidates: list[list[tuple[Entity, float]]] = [[] for _ in lengths]
        spans = [(row, *entity) for row, found in enumerate(entities) for entity in found]
        others = self.candidates.spans_key is not None
        wanted = (self.on and spans) or others
        if not wanted or not has_posteriors(decoder):
            return facts, candidates
        posteriors = decoder.posteriors(scores, lengths, temperatures.get("path", 1.0))
        if self.on and spans:
            log = log_posteriors(posteriors, [span[:3] for span in spans])
            log = tempered(log, temperatures.get("label", 1.0))
            chosen = np.array([(tag_set.begin(span[3]) - 1) // 2 for span in spans])
            same = coarse_matrix(tag_set.labels, taxonomy)
            every = facts_of_entities(np.exp(log), chosen, tag_set.labels, same, self.alternatives)
            for (row, *_), some in zip(spans, every, strict=True):
                facts[row].append(some)
        if others:
            taken = set(spans)
            likely = posteriors.likely(self.candidates.at_least)
            for row, start, end, label, log_p in zip(*(x.tolist() for x in likely), strict=True):
                span = (start, end, tag_set.labels[label])
                if (row, *span) not in taken:
                    candidates[row].append((span, min(1.0, float(np.exp(log_p)))))
        return facts, candidates
