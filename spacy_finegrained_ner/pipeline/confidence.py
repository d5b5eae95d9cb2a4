"""How sure the component is: settings, and the facts and candidates of a batch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spacy_finegrained_ner.data.views import BackOff, Candidates
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.confidence import coarse_matrix, facts_of_entities, tempered
from spacy_finegrained_ner.labels.prediction import Facts
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.decoder import has_posteriors, log_posteriors
from spacy_finegrained_ner.settings import CountOrZero, Switch, check


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
        on: Switch,
        alternatives: CountOrZero,
        candidates: Mapping[str, Any],
        back_off: Mapping[str, Any],
    ) -> None:
        check(f"'{owner}'", Confidence.__init__, {"on": on, "alternatives": alternatives})
        self.owner = owner
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

    def check_keys(self, own: str | None) -> None:
        """A ValueError where two span groups would have one key. own: that of the entities."""
        groups = {
            "spans_key": own,
            "candidates.spans_key": self.candidates.spans_key,
            "back_off.spans_key": self.back_off.spans_key,
        }
        there: dict[str, str] = {}
        for setting, key in groups.items():
            if key is not None and there.setdefault(key, setting) != setting:
                raise ValueError(
                    f"{there[key]} and {setting} of '{self.owner}' are both {key!r}, expected a "
                    "key for each: one span group would take the place of the other."
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
        path, label = temperatures.get("path", 1.0), temperatures.get("label", 1.0)
        posteriors = decoder.posteriors(scores, lengths, path)
        if self.on and spans:
            log = log_posteriors(posteriors, [span[:3] for span in spans])
            log = tempered(log, label)
            chosen = np.array([(tag_set.begin(span[3]) - 1) // 2 for span in spans])
            same = coarse_matrix(tag_set.labels, taxonomy)
            every = facts_of_entities(log, chosen, tag_set.labels, same, self.alternatives)
            for (row, *_), some in zip(spans, every, strict=True):
                facts[row].append(some)
        if others:
            taken = set(spans)
            for row, entity, p in self._likely(posteriors, tag_set.labels, label):
                if (row, *entity) not in taken:
                    candidates[row].append((entity, p))
        return facts, candidates

    def _likely(
        self, posteriors: Any, labels: Sequence[str], temperature: float
    ) -> Iterator[tuple[int, Entity, float]]:
        """All spans and labels that are probable enough, with their text."""
        bound = self.candidates.at_least
        # One label of a span has that share of its probability at least, whatever the temperature
        least = bound if temperature == 1.0 else bound / len(labels)
        rows, starts, ends, *_ = posteriors.likely(least)
        found = sorted({*zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)})
        if not found:
            return
        every = np.exp(tempered(log_posteriors(posteriors, found), temperature))
        for span, number in zip(*np.nonzero(every >= bound), strict=True):
            row, start, end = found[span]
            yield row, (start, end, labels[number]), min(1.0, float(every[span, number]))
