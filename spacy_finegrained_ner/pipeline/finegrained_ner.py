"""The trainable component: from Docs to entities, and from Examples to what is learned of them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from spacy_finegrained_ner.contracts import AnyCombination, factors_of
from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.data.entities import trimmed_entity
from spacy_finegrained_ner.data.written import check_written
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.confidence import (
    BACK_OFF,
    CANDIDATES,
    EVIDENCE,
    NAMES,
    WITHOUT_CONFIDENCE,
    WRITTEN,
)
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.readers import TaxonomySetting
from spacy_finegrained_ner.ml.knowledge import knowledge_of
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch, is_built
from spacy_finegrained_ner.pipeline.annotating import Annotating
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask
from spacy_finegrained_ner.pipeline.confidence import Confidence
from spacy_finegrained_ner.pipeline.knowing import Knowing
from spacy_finegrained_ner.pipeline.labels import find_labels, find_taxonomy
from spacy_finegrained_ner.pipeline.learning import Learning
from spacy_finegrained_ner.pipeline.listeners import ListenerCheck
from spacy_finegrained_ner.pipeline.settings import check_settings
from spacy_finegrained_ner.scoring.scorer import score_entities


def additive_combination(w: float) -> tuple[float, float]:
    """fine + w * auxiliary."""
    return 1.0, w


class FineGrainedNER(Knowing, Learning, Annotating, TrainablePipe):
    """Fine-grained named-entity recognition.

    After `nlp(text)`, `doc.ents` holds entities with fine labels, and `ent._.coarse_label` is the
    coarse label of each by the taxonomy.

    vocab: the shared vocabulary. model: from Docs to scores. name: of the component, also the
    key of its loss. auxiliary: the auxiliary task, or None. auxiliary_weight: its weight w in the
    loss, 0 to 1; set `auxiliary_weight` of the component to change it as training goes on.
    loss: from w to the factors on the fine and the auxiliary loss. annotate, spans_key,
    extensions: where the entities go, and names of extension attributes, see `data.annotation`.
    written: which labels are written, and under which names, see `data.written`.
    confidence, alternatives, candidates, back_off: what is told beside them, see
    `pipeline.confidence`; the attribute `certainty` has them.
    scorer: called by `nlp.evaluate` with the examples and the taxonomy.
    """

    certainty: Confidence

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], list[ScoreBatch]],
        name: str = "finegrained_ner",
        *,
        auxiliary: AuxiliaryTask | None = None,
        auxiliary_weight: float = 0.0,
        loss: AnyCombination = additive_combination,
        annotate: str = "overwrite",
        spans_key: str = "finegrained_ner",
        extensions: Mapping[str, str | None] = NAMES,
        written: Mapping[str, Any] = WRITTEN,
        confidence: bool = True,
        alternatives: int = 3,
        candidates: Mapping[str, Any] = CANDIDATES,
        back_off: Mapping[str, Any] = BACK_OFF,
        scorer: Callable[..., dict[str, Any]] | None = score_entities,
    ) -> None:
        check_settings(name, model, auxiliary, auxiliary_weight, scorer)
        for w in (float(auxiliary_weight), 0.0, 1.0):
            factors_of(loss, w)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.auxiliary = auxiliary
        self.auxiliary_weight = auxiliary_weight
        self.combination = loss
        self.scorer = scorer
        self.written = check_written(written, name)
        self.cfg: dict[str, Any] = {"labels": [], "taxonomy": {}}  # saved as JSON
        if not confidence:
            extensions = {**extensions, **WITHOUT_CONFIDENCE}
        if knowledge_of(model) is None:
            extensions = {**extensions, EVIDENCE: None}
        self._annotation = Annotation(annotate, spans_key, name, extensions)
        self.certainty = Confidence(name, confidence, alternatives, candidates, back_off)
        self.certainty.check_keys(self._annotation.group)
        self.listener_check = ListenerCheck(name)
        # Whether nothing was known of any batch since the last step; None if there was no batch
        self._nothing_known: bool | None = None
        # What the losses of all batches of a step are divided by: see `_losses`
        self._divisor = 0
        self._decoders: dict[TagSet, Any] = {}

    @property
    def label_data(self) -> list[str]:
        """What `spacy init labels` writes and `initialize(labels=...)` takes."""
        return list(self.cfg["labels"])

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        taxonomy: TaxonomySetting | None = None,
    ) -> None:
        """Find the labels and their taxonomy, and build the model.

        get_examples: gives a representative sample of the training data.
        labels: the fine labels; None to collect them from the examples.
        taxonomy: in a config the block `[initialize.components.finegrained_ner.taxonomy]`. None:
            the one it has; the packaged one, if that has all labels; flat labels, if it has none.

        Raises a TaxonomyError that names a label which the taxonomy does not cover, and a
        ValueError if there are no labels at all, or for a listener without what it listens to.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        self.listener_check.place.set(nlp)
        self.listener_check.require_width(self.model)
        found = find_labels(get_examples, labels, self.name)
        tree = find_taxonomy(taxonomy, found, self.cfg["taxonomy"], self.name)
        self._set_labels(list(found), tree, nlp)
        self.cfg.pop("temperatures", None)
        self._warn_of_same_scores(nlp)
        self._learn_names(get_examples)
        self._nothing_known, self._divisor = None, 0
        examples = list(islice((eg for eg in get_examples() if len(eg.reference)), 10))
        sample = [eg.reference for eg in examples] or [Doc(self.vocab, words=["hello"])]
        # Initialized before, perhaps with other labels: it starts anew, as spaCy's components do.
        tagger = self.model.get_ref("tagger")
        tagger.set_dim("nO", len(self._tag_set), force=True)
        tagger.set_dim("nA", len(self._auxiliary_tag_set or ()), force=True)
        try:
            self.model.initialize(X=sample)
        except (IndexError, RuntimeError):
            self._try_tok2vec(sample)  # whose vectors may be none
            raise
        self._try_tok2vec(sample)
        self._try_out(examples)

    def add_label(self, label: str) -> int:
        """Labels come with `initialize`: the number of tags can't change later (ValueError)."""
        if label in self.cfg["labels"]:
            return 0
        raise ValueError(
            f"The label {label!r} can't be added to '{self.name}' on its own: a fine label needs a "
            "coarse type. Give all labels to nlp.initialize, by the training data or by "
            f"[initialize.components.{self.name}.labels], with a taxonomy that covers them."
        )

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The prediction of each Doc. The Docs are not changed."""
        docs = list(docs)
        self._require_initialized()
        predictions = [Prediction() for _ in docs]
        with self._remembering() as seen:
            for rows, batch, found in self.scored(docs):
                facts, candidates = self.certainty.of_batch(
                    self.decoder,
                    batch.tasks[0],
                    batch.lengths,
                    found,
                    self._tag_set,
                    self._taxonomy,
                    self.temperatures,
                )
                for i, entities, known, others in zip(rows, found, facts, candidates, strict=True):
                    whole = [one for one in others if trimmed_entity(docs[i], one[0]) == one[0]]
                    predictions[i] = Prediction(
                        entities, dict(zip(entities, known, strict=False)), whole
                    )
        return self._with_evidence(seen, docs, predictions)

    def scored(self, docs: list[Doc]) -> Iterator[tuple[list[int], ScoreBatch, list[list[Entity]]]]:
        """In batches the Docs that have tokens: their places, their scores, and their entities,
        without whitespace at the ends."""
        full = [i for i, doc in enumerate(docs) if len(doc)]
        if not full:
            return
        self.listener_check.check(self.model, docs)
        for batch in self.model.predict([docs[i] for i in full]):
            rows = [full[place] for place in batch.rows]
            some = [docs[i] for i in rows]
            self.listener_check.require_lengths(self.model, some, batch.lengths)
            found = self.decoder.decode(batch.tasks[0], batch.lengths)
            bounds = [
                [trimmed_entity(doc, e) for e in es] for doc, es in zip(some, found, strict=True)
            ]
            yield rows, batch, [[e for e in entities if e[0] < e[1]] for entities in bounds]
            self.listener_check.count_without_vector(self.model, some, batch.blank)

    @property
    def cut_tokens(self) -> int:
        """How many tokens were beyond the encoder's longest input so far, and had to be tagged
        without a vector: see `pipeline.without_vector`."""
        return self.listener_check.without_vector.cut

    @property
    def uncovered_tokens(self) -> int:
        """How many were in none of the spans that the encoder reads, and had to be, too."""
        return self.listener_check.without_vector.uncovered

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch.

        losses: the combined loss is added under the name of the component; with an auxiliary
            task also the two it is made of, as `<name>_fine` and `<name>_auxiliary`. A task of
            weight 0 is not computed, and adds nothing. One of which nothing is known adds 0.
        drop: reaches the thinc layers of the tok2vec; the tagger's own dropout is a setting of
            the architecture.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        self._require_initialized()
        nothing_before = self._nothing_known is not False
        if not any(len(eg.predicted) for eg in examples):
            self._nothing_known = nothing_before
            return losses  # the transformer does not run on such a batch either
        set_dropout_rate(self.model, drop)
        docs = [eg.predicted for eg in examples]
        with self.listener_check.same_tokens(self.model), self._telling_gold(examples):
            scores, backprop = self.model.begin_update(docs)
        self.listener_check.require_lengths(self.model, docs, scores[0].lengths)
        parts, gradient, divisor = self._losses(examples, scores[0], self._divisor)
        nothing = all(task is None for task in gradient.tasks)
        if not (nothing and self.listener_check.alone(self.model)):
            backprop([gradient])
        # Not before: of an update that fails nothing shall be left
        self._nothing_known, self._divisor = nothing_before and nothing, divisor
        if sgd not in (None, False):  # as spaCy has it: False for a step that comes later
            self.finish_update(sgd)
        losses[self.name] += sum(weight * loss for weight, loss in parts.values())
        for task, key in self.task_losses.items():
            if task in parts:
                losses[key] = losses.get(key, 0.0) + parts[task][1]
        return losses

    def finish_update(self, sgd: Optimizer) -> None:
        """Take a step, unless nothing was known of all that was seen since the last one: with a
        gradient of 0, weights would still decay, and move by their moments."""
        if not self._nothing_known:
            super().finish_update(sgd)
            self.cfg.pop("temperatures", None)  # they are of other weights
        self._nothing_known = None
        self._divisor = 0

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "FineGrainedNER":
        """Load what `to_bytes` gives. RETURNS: the component itself."""
        self._nothing_known, self._divisor = None, 0
        with self._loading():
            super().from_bytes(data, exclude=exclude)
        return self

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "FineGrainedNER":
        """Load what `to_disk` writes. RETURNS: the component itself."""
        self._nothing_known, self._divisor = None, 0
        with self._loading():
            super().from_disk(path, exclude=exclude)
        return self

    @property
    def _is_trained(self) -> bool:
        return bool(self.labels) and is_built(self.model.get_ref("tagger"))
