"""The trainable component: tags tokens, writes `doc.ents` and the coarse label of each entity."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

from spacy.errors import Errors
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from spacy_finegrained_ner.data.alignment import gold_tags
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy
from spacy_finegrained_ner.ml.by_length import by_length
from spacy_finegrained_ner.ml.decoder import Tags
from spacy_finegrained_ner.ml.forks import one_thread_in_forks
from spacy_finegrained_ner.ml.tagger import Emissions, is_built
from spacy_finegrained_ner.pipeline.annotation import Annotation
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask
from spacy_finegrained_ner.pipeline.objective import decoder_of, not_finite, task_losses
from spacy_finegrained_ner.pipeline.upstream import Upstream
from spacy_finegrained_ner.scoring.scorer import score_entities

_PADDED_TOKENS = 2048
"""Of a batch of the tagger in prediction: a long Doc shall not pad the others to its length."""


def fine_plus_weighted(w: float) -> tuple[float, float]:
    """fine + w * auxiliary."""
    return 1.0, w


class FineGrainedNER(TrainablePipe):
    """Fine-grained named-entity recognition.

    After `nlp(text)`, `doc.ents` holds entities with fine labels, and `ent._.coarse_label` is the
    coarse label of each by the taxonomy.

    vocab: the shared vocabulary. model: from Docs to emissions. name: of the component, also the
    key of its loss. auxiliary: the auxiliary task, or None. auxiliary_weight: its weight w in the
    loss, 0 to 1; set `auxiliary_weight` of the component to change it as training goes on.
    loss: from w to the factors on the fine and the auxiliary loss. annotate, spans_key: where
    the entities go, see `pipeline.annotation`. scorer: called by `nlp.evaluate` with the examples
    and the taxonomy.
    """

    def __init__(
        self,
        vocab: Vocab,
        model: Model[list[Doc], Emissions],
        name: str = "finegrained_ner",
        *,
        auxiliary: AuxiliaryTask | None = None,
        auxiliary_weight: float = 0.0,
        loss: Callable[[float], tuple[float, float]] = fine_plus_weighted,
        annotate: str = "overwrite",
        spans_key: str = "finegrained_ner",
        scorer: Callable[..., dict[str, Any]] | None = score_entities,
    ) -> None:
        # The type: confection 1.x lets "0.1" through.
        if not (isinstance(auxiliary_weight, int | float) and 0.0 <= auxiliary_weight <= 1.0):
            raise ValueError(
                f"auxiliary_weight of '{name}' is {auxiliary_weight!r}, expected 0 to 1."
            )
        if auxiliary is not None and not isinstance(auxiliary, AuxiliaryTask):
            raise ValueError(
                f"auxiliary of '{name}' is {auxiliary!r}, expected an auxiliary task such as "
                "spacy-finegrained-ner.CoarseTask.v1, or null."
            )
        self.vocab = vocab
        self.model = model
        self.name = name
        self.auxiliary = auxiliary
        self.auxiliary_weight = auxiliary_weight
        self.combine_losses = loss
        self.scorer = scorer
        # Saved as JSON beside the weights.
        self.cfg: dict[str, Any] = {"labels": [], "taxonomy": {}}
        self._annotation = Annotation(annotate, spans_key, name)
        self._upstream = Upstream(name)

    @property
    def labels(self) -> tuple[str, ...]:
        """The fine labels, sorted."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> list[str]:
        """What `spacy init labels` writes and `initialize(labels=...)` takes."""
        return list(self.cfg["labels"])

    @property
    def taxonomy(self) -> Taxonomy:
        """Fine to coarse, with the spelling of the labels. A ValueError before `initialize`."""
        self._require_initialized()
        return Taxonomy(self.cfg["taxonomy"], f"the taxonomy of {self.name!r}")

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: Iterable[str] | None = None,
        taxonomy: Taxonomy | None = None,
    ) -> None:
        """Find the labels, check them against the taxonomy, and build the model.

        get_examples: gives a representative sample of the training data.
        labels: the fine labels; None to collect them from the examples.
        taxonomy: None for the packaged taxonomy of MultiCoNER II. In a config it is the block
            `[initialize.components.finegrained_ner.taxonomy]`.

        Raises a TaxonomyError that names a label which the taxonomy does not cover, and a
        ValueError if there are no labels at all.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        if labels is None:
            labels = {ent.label_ for eg in get_examples() for ent in eg.reference.ents}
        found = sorted(labels)
        if not found:
            raise ValueError(
                f"'{self.name}' found no entities in the training data, so there are no labels to "
                "learn. Expected Docs with doc.ents, or labels in [initialize.components."
                f"{self.name}.labels]." + _hint_at_spans(get_examples())
            )
        taxonomy = (taxonomy or read_taxonomy()).spelled_as(found)
        self.cfg["labels"] = found
        self.cfg["taxonomy"] = dict(taxonomy.coarse_of)
        for label in found:
            self.vocab.strings.add(label)
        self._upstream.require_width(self.model)
        sample = [eg.reference for eg in islice(get_examples(), 10)]
        # Initialized before, perhaps with other labels: it starts anew, as spaCy's components do.
        tagger = self.model.get_ref("tagger")
        tagger.set_dim("nO", len(self._tag_set), force=True)
        tagger.set_dim("nA", len(self._auxiliary_tag_set or ()), force=True)
        self.model.initialize(X=sample or None)

    def add_label(self, label: str) -> int:
        """Labels come with `initialize`: the number of tags can't change later (ValueError)."""
        if label in self.cfg["labels"]:
            return 0
        raise ValueError(
            f"The label {label!r} can't be added to '{self.name}' on its own: a fine label needs a "
            "coarse type. Give all labels to nlp.initialize, by the training data or by "
            f"[initialize.components.{self.name}.labels], with a taxonomy that covers them."
        )

    def predict(self, docs: Iterable[Doc]) -> list[Tags]:
        """Tag ids of each Doc, legal BIO. The Docs are not changed."""
        docs = list(docs)
        self._require_initialized()
        tags = [self._tag_set.encode(0, ()) for _ in docs]
        full = [i for i, doc in enumerate(docs) if len(doc)]
        if not full:
            return tags
        one_thread_in_forks()
        self._upstream.check(self.model, docs)
        decoder = decoder_of(self._tag_set)
        for places, _ in by_length([len(docs[i]) for i in full], _PADDED_TOKENS):
            rows = [full[place] for place in places]
            some = [docs[i] for i in rows]
            vectors = self.model.get_ref("tok2vec").predict(some)
            self._upstream.count_cut(self.model, some, vectors)
            emissions = self.model.get_ref("tagger").predict(vectors)
            fine = emissions.tasks[0]
            assert fine is not None
            for i, found in zip(rows, decoder.decode(fine, emissions.lengths), strict=True):
                tags[i] = found
        return tags

    def set_annotations(self, docs: Iterable[Doc], tags: list[Tags]) -> None:
        """Write the entities and their coarse labels."""
        for doc, doc_tags in zip(docs, tags, strict=True):
            self._annotation.write(doc, self._tag_set.decode(doc_tags), self.cfg["taxonomy"])

    @property
    def cut_tokens(self) -> int:
        """How many tokens had to be tagged without a vector so far: `pipeline.upstream`."""
        return self._upstream.cut_tokens

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores of what `annotate` says the component writes."""

        def read(doc: Doc) -> list[Span]:
            return self._annotation.read(doc, self.cfg["taxonomy"])

        return super().score(examples, **{"entities": read, **kwargs})

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
            weight 0 is not computed, and adds nothing.
        drop: reaches the thinc layers of the tok2vec; the tagger's own dropout is a setting of
            the architecture.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        examples = list(examples)
        validate_examples(examples, f"{type(self).__name__}.update")
        self._require_initialized()
        if not any(len(eg.predicted) for eg in examples):
            return losses  # the transformer does not run on such a batch either
        set_dropout_rate(self.model, drop)
        emissions, backprop = self.model.begin_update([eg.predicted for eg in examples])
        parts, gradient = self._losses(examples, emissions)
        backprop(gradient)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += sum(weight * loss for weight, loss in parts.values())
        if self.auxiliary is not None:
            for task, (_, loss) in parts.items():
                key = f"{self.name}_{task}"
                losses[key] = losses.get(key, 0.0) + loss
        return losses

    def rehearse(self, examples: Iterable[Example], **_: Any) -> dict[str, float]:
        """Not there: a NotImplementedError, where spaCy would do nothing in silence."""
        raise NotImplementedError(
            f"'{self.name}' has no rehearse. To keep what it has learned, mix older examples into "
            f"nlp.update; to rehearse the others: nlp.rehearse(..., exclude=['{self.name}'])."
        )

    def get_loss(
        self, examples: Iterable[Example], emissions: Emissions
    ) -> tuple[float, Emissions]:
        """The combined loss of a batch (each per token with a known gold tag), and its gradient.

        emissions: of `model.begin_update`, which has those of the auxiliary task.
        """
        parts, gradient = self._losses(list(examples), emissions)
        return sum(weight * loss for weight, loss in parts.values()), gradient

    def _losses(
        self, examples: list[Example], emissions: Emissions
    ) -> tuple[dict[str, tuple[float, float]], Emissions]:
        """Weight and loss of each task that takes part, and the gradient of their sum."""
        built, expected = (
            self.model.get_ref("tagger").get_dim("nA"),
            len(self._auxiliary_tag_set or ()),
        )
        if built != expected:
            raise ValueError(
                f"'{self.name}' was initialized with {built} tags of an auxiliary task, but what "
                f"is set as auxiliary has {expected}. To go on training, set it as it was then "
                "(null for 0 tags); for another task call nlp.initialize."
            )
        fine = self._tag_set
        gold = [gold_tags(example, fine) for example in examples]
        tasks = {"fine": (fine, gold)}
        weights = {"fine": 1.0}
        if self.auxiliary is not None:
            tag_set = self._auxiliary_tag_set
            assert tag_set is not None
            other = self.auxiliary.gold(examples, gold, fine, self.taxonomy)
            tasks["auxiliary"] = (tag_set, other)
            weights["fine"], weights["auxiliary"] = self.combine_losses(self.auxiliary_weight)
        try:
            return task_losses(emissions, tasks, weights)
        except FloatingPointError:
            raise ValueError(not_finite(self.name, examples)) from None

    def _require_initialized(self) -> None:
        if not self.cfg["labels"] or not is_built(self.model.get_ref("tagger")):
            raise ValueError(
                Errors.E109.format(name=self.name)
                + " Train it with spacy train or call nlp.initialize with examples, or load a "
                "trained pipeline."
            )

    @property
    def _tag_set(self) -> TagSet:
        return _tag_set(self.labels)

    @property
    def _auxiliary_tag_set(self) -> TagSet | None:
        if self.auxiliary is None:
            return None
        return self.auxiliary.tag_set(
            self._tag_set, Taxonomy(self.cfg["taxonomy"], f"the taxonomy of {self.name!r}")
        )


# By labels, not by component: `from_disk` replaces cfg, and workers need nothing pickled.
@lru_cache
def _tag_set(labels: tuple[str, ...]) -> TagSet:
    return TagSet(labels)


def _hint_at_spans(examples: Iterable[Example]) -> str:
    keys = sorted({key for eg in examples for key in eg.reference.spans if eg.reference.spans[key]})
    if not keys:
        return ""
    return (
        f" There are spans in doc.spans ({keys}), which are not read: where they do not overlap, "
        "set them with doc.set_ents (spacy.util.filter_spans leaves the longest of those that "
        "do); for nested or overlapping spans take spaCy's spancat."
    )
