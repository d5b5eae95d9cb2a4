"""Predictions into a Doc and out of it, beside other components that write `doc.ents`."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.coarse import share_taxonomy
from spacy_finegrained_ner.data.entities import entity_of
from spacy_finegrained_ner.data.extensions import (
    check_extensions,
    facts_of,
    keep_facts,
    register_extensions,
)
from spacy_finegrained_ner.data.views import SCORES
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.confidence import CONFIDENCE, NAMES
from spacy_finegrained_ner.labels.prediction import Facts, Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

COARSE = "coarse_labels"
"""Of the attrs of a span group: the coarse label of each of its spans."""


def read_prediction(doc: Doc, taxonomy: Taxonomy, spans_key: str | None = None) -> Prediction:
    """What an annotated Doc says now: the entities with labels of this taxonomy, whoever wrote
    them, and the facts that are kept for their places and labels.

    It works on any Doc, be it from a DocBin, from another process or made by hand.

    spans_key: of the group in `doc.spans` to read; None for `doc.ents`.
    """
    spans: Iterable[Span] = doc.ents if spans_key is None else doc.spans.get(spans_key, ())
    entities: list[Entity] = []
    facts: dict[Entity, Facts] = {}
    for span in spans:
        label = taxonomy.spelled(span.label_)
        entity = None if label is None else entity_of(span, label)
        if entity is not None:
            entities.append(entity)
            if found := facts_of(span):
                facts[entity] = found
    return Prediction(entities, facts)


class Annotation:
    """Where the predictions of a component go.

    how: "overwrite": `doc.ents`, replacing what is there. "fill": `doc.ents`; what is there stays
        and wins, and tokens that were blocked (`doc.set_ents(blocked=...)`) stay outside.
        "spans": `doc.spans[spans_key]`, and `doc.ents` is left alone.
    owner: the name of the component, for messages.
    extensions: names of the extension attributes, see `data.extensions`.

    What somebody else has written and this replaces is told by a warning, once.

    The coarse label of an entity follows from its label by a table in the vocab (`data.coarse`).
    For "spans" they are in the `attrs["coarse_labels"]` of the group, one for each span: two
    components may give one span two coarse labels. There `attrs["scores"]` has their confidence,
    as spancat has it.

    Raises a ValueError that names the setting.
    """

    def __init__(
        self, how: str, spans_key: str, owner: str, extensions: Mapping[str, Any] = NAMES
    ) -> None:
        self.owner = owner
        self.set(how, spans_key)
        self.configured = [how, spans_key]
        self.extensions = check_extensions(extensions, owner)
        register_extensions(self.extensions, owner)

    def set(self, how: str, spans_key: str) -> None:
        """Other settings from now on. `configured` are those that it was made with."""
        if how not in ("overwrite", "fill", "spans"):
            raise ValueError(
                f"annotate of '{self.owner}' is {how!r}, expected 'overwrite', 'fill' or 'spans'."
            )
        if how == "spans" and not (isinstance(spans_key, str) and spans_key):
            found = "empty" if spans_key == "" else repr(spans_key)
            raise ValueError(
                f"spans_key of '{self.owner}' is {found}, expected a key of doc.spans for "
                "annotate = 'spans'."
            )
        self.how, self.spans_key = how, spans_key
        self._told = False

    @property
    def group(self) -> str | None:
        """The key of the span group that it writes; None where it writes `doc.ents`."""
        return self.spans_key if self.how == "spans" else None

    @property
    def score_prefix(self) -> str:
        """Of the names of scores, as spaCy's components have them: one for each place."""
        return "ents" if self.group is None else f"spans_{self.group}"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        register_extensions(self.extensions, self.owner)  # unpickled in another process

    def share(
        self, vocab: Vocab, coarse_of: Mapping[str, str | None], *, replace: bool = False
    ) -> None:
        """Let the entities of Docs with this vocab have their coarse labels: see
        `data.coarse.share_taxonomy`."""
        if self.how != "spans" and coarse_of:
            share_taxonomy(vocab, self.owner, coarse_of, replace=replace)

    def write(
        self, doc: Doc, prediction: Prediction, coarse_of: Mapping[str, str | None]
    ) -> list[Span]:
        """Write a prediction into a Doc. coarse_of: the taxonomy of the component, and of the names
        that it writes.

        RETURNS: the entities that there was room for.
        """
        spans = [Span(doc, *entity) for entity in prediction.entities]
        if self.how != "fill" and not self._told:
            self._tell_replaced(doc, prediction.entities)
        if self.how == "spans":
            attrs: dict[str, Any] = {COARSE: [coarse_of[span.label_] for span in spans]}
            facts = [prediction.facts.get(entity, {}) for entity in prediction.entities]
            if all(CONFIDENCE in some for some in facts):
                attrs[SCORES] = np.array([some[CONFIDENCE] for some in facts], dtype="float32")
            stale = []  # facts there may be those of doc.ents
            doc.spans[self.spans_key] = SpanGroup(
                doc, name=self.spans_key, spans=spans, attrs=attrs
            )
        else:
            self.share(doc.vocab, coarse_of)
            if self.how == "overwrite":
                stale = [*doc.ents, *spans]
                doc.set_ents(spans, default="outside")
            else:
                stale = spans = _fill(doc, spans)
        for span in stale:  # facts of an earlier annotation
            if facts_of(span):
                keep_facts(span, {})
        for span in spans:
            known = prediction.facts.get((span.start, span.end, span.label_))
            if known:
                keep_facts(span, known)
        return spans

    def _tell_replaced(self, doc: Doc, entities: list[Entity]) -> None:
        """Not what is found again, as where a Doc of its own is annotated once more."""
        there: Iterable[Span] = doc.ents
        if self.how == "spans":
            there = doc.spans.get(self.spans_key, ())
        found = {*entities}
        gone = [span for span in there if (span.start, span.end, span.label_) not in found]
        if not gone:
            return
        self._told = True
        if self.how == "spans":
            place, setting, value = f"doc.spans[{self.spans_key!r}]", "spans_key", "another one"
        else:
            place, setting, value = "doc.ents", "annotate", '"fill" (they win) or "spans"'
        warnings.warn(
            f"'{self.owner}' replaces {len(gone)} entities that were in {place} of the text "
            f"{doc.text[:60]!r} and that it does not find itself: the first is "
            f"{gone[0].text[:30]!r} ({gone[0].label_}). Where another component wrote them, and "
            f"they are to stay, set {setting} in [components.{self.owner}] to {value}; of a "
            f"component that is there already, nlp.get_pipe({self.owner!r}).{setting}. This is "
            "said once.",
            stacklevel=2,
        )

    def read(self, doc: Doc, taxonomy: Taxonomy) -> Prediction:
        """What counts as prediction of the component in an annotated Doc: see
        `read_prediction`."""
        return read_prediction(doc, taxonomy, self.group)


def _fill(doc: Doc, spans: list[Span]) -> list[Span]:
    """RETURNS: those that there was room for."""
    iob = doc.to_array("ENT_IOB")
    taken = (iob == 1) | (iob == 3)  # I and B; blocked is B without a label
    spans = [span for span in spans if not taken[span.start : span.end].any()]
    kept = list(doc.ents)
    for ent in kept:
        taken[ent.start : ent.end] = False
    blocked = [doc[i : i + 1] for i in np.flatnonzero(taken).tolist()]
    doc.set_ents([*kept, *spans], blocked=blocked, default="outside")
    return spans
