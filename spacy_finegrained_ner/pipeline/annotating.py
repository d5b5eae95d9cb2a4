"""What all components have in common that find entities by a taxonomy."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from spacy.errors import Errors
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_finegrained_ner.contracts import ReportsEntities
from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.data.views import write_back_off, write_candidates
from spacy_finegrained_ner.data.written import Names, names_of
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.colors import use_colors
from spacy_finegrained_ner.labels.confidence import WRITTEN
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask, CoarseTask
from spacy_finegrained_ner.pipeline.confidence import Confidence
from spacy_finegrained_ner.pipeline.labels import say_flat


class Annotating(ReportsEntities):
    """Stands before spaCy's class in the bases of a component, which sets these attributes.

    cfg: saved as JSON; its "labels" and "taxonomy" (fine to coarse) are there from the start, and
    "annotate" where `annotate` or `spans_key` was set later.
    auxiliary: of a component that learns another task beside. certainty: of one that knows how
        sure it is. written: which labels it writes, and under which names, see
        `data.written`.
    """

    auxiliary: AuxiliaryTask | None = None
    certainty: Confidence | None = None
    written: Mapping[str, Any] = WRITTEN
    name: str
    vocab: Vocab
    cfg: dict[str, Any]
    scorer: Callable[..., dict[str, Any]] | None
    _annotation: Annotation
    # Made when they are asked for: loading replaces cfg
    _tags = TagSet(())
    _types: Mapping[str, str] | None = None
    _tree: Taxonomy
    _named: tuple[Taxonomy, Mapping[str, Any], Names] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The fine labels, sorted; behind them those that it got later (`pipeline.growth`)."""
        return tuple(self.cfg["labels"])

    @property
    def taxonomy(self) -> Taxonomy:
        """Fine to coarse, with the spelling of the labels. A ValueError before `initialize`."""
        self._require_initialized()
        return self._taxonomy

    @property
    def _taxonomy(self) -> Taxonomy:
        types = self.cfg["taxonomy"]
        if self._types is not types:
            self._tree = Taxonomy(types, f"the taxonomy of {self.name!r}")
            self._types = types  # last, for another thread
        return self._tree

    @property
    def names(self) -> Names:
        """What it writes of its labels. A ValueError before `initialize`, and for a setting
        `written` that its labels don't fit."""
        taxonomy = self.taxonomy
        named = self._named
        if named is None or named[0] is not taxonomy or named[1] is not self.written:
            named = taxonomy, self.written, names_of(self.written, taxonomy, self.name)
            self._named = named
        return named[2]

    @contextmanager
    def fine_labels(self) -> Iterator[None]:
        """Within it, all labels are written as they are: for what is measured on them."""
        before, self.written = self.written, WRITTEN
        try:
            yield
        finally:
            self.written = before

    @property
    def _coarse_of(self) -> Mapping[str, str | None]:
        """Of its labels and of the names that it writes; of none before `initialize`."""
        return self.names.coarse_of if self.cfg["taxonomy"] else {}

    @property
    def _tag_set(self) -> TagSet:
        if self._tags.labels != self.labels:
            self._tags = TagSet(self.labels)
        return self._tags

    @property
    def auxiliary_is_off(self) -> bool:
        """Whether labels are flat: a coarse auxiliary task would be the fine head again."""
        known = isinstance(self.auxiliary, CoarseTask) and self.cfg["taxonomy"]
        return bool(known) and self._taxonomy.flat

    @property
    def annotate(self) -> str:
        """Where the entities go: "overwrite", "fill" or "spans", see `data.annotation.Annotation`.

        It can be set at any time, as where the component comes from another pipeline:
        `nlp.add_pipe(..., source=..., config=...)` ignores the config. What was set is saved with
        the component, and counts until the config says something else than it did then. A
        ValueError for another value.
        """
        return self._annotation.how

    @annotate.setter
    def annotate(self, how: str) -> None:
        self._set_annotation(how, self.spans_key)

    @property
    def spans_key(self) -> str:
        """Of doc.spans, for "spans". It can be set as `annotate` can."""
        return self._annotation.spans_key

    @spans_key.setter
    def spans_key(self, key: str) -> None:
        self._set_annotation(self.annotate, key)

    @property
    def score_prefix(self) -> str:
        """What the names of its scores begin with: "ents", or for a span group, as those of
        spancat, "spans_" and its key."""
        return self._annotation.score_prefix

    def set_annotations(self, docs: Iterable[Doc], predictions: Iterable[Prediction]) -> None:
        """Write the entities, where `annotate` says, and the span groups that are asked for."""
        coarse_of, names = self.cfg["taxonomy"], self.names
        for doc, found in zip(docs, predictions, strict=True):
            prediction = names.prediction(found)
            spans = self._annotation.write(doc, prediction, names.coarse_of)
            if self.certainty is not None:
                write_candidates(doc, self.certainty.candidates, prediction.candidates, coarse_of)
                write_back_off(doc, self.certainty.back_off, spans, coarse_of)

    def read(self, doc: Doc) -> Prediction:
        """What an annotated Doc says now, see `data.annotation.read_prediction`."""
        return self._annotation.read(doc, self.names.taxonomy)

    def answered(self, doc: Doc) -> bool:
        """Whether an annotated Doc says anything: no entity is an answer, a request that failed is
        none."""
        if self.annotate == "spans":
            return self.spans_key in doc.spans
        return not len(doc) or doc.has_annotation("ENT_IOB")

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores of what `annotate` says the component writes, under the names that it writes: the
        gold is named alike."""
        given = {"read": self.read, "prefix": self.score_prefix, **kwargs}
        if self.cfg["taxonomy"] and self.names.changes:
            names, taxonomy = self.names, self.taxonomy
            given["taxonomy"] = names.taxonomy
            examples = (
                Example(eg.predicted, names.gold(eg.reference, taxonomy)) for eg in examples
            )
        scores: dict[str, Any] = super().score(examples, **given)  # type: ignore[misc]
        return scores

    @property
    def _is_trained(self) -> bool:
        raise NotImplementedError

    def _require_initialized(self) -> None:
        if not self._is_trained:
            raise ValueError(
                Errors.E109.format(name=self.name)
                + " Train it with spacy train (python -m spacy_finegrained_ner init-config), "
                "call nlp.initialize with examples, or load a trained pipeline."
            )

    def _set_annotation(self, how: str, spans_key: str) -> None:
        before = [self.annotate, self.spans_key]
        self._annotation.set(how, spans_key)
        try:
            if self.certainty is not None:
                self.certainty.check_keys(self._annotation.group)
            self._annotation.share(self.vocab, self._coarse_of)
        except ValueError:  # another component disagrees on doc.ents; or two groups of one key
            self._annotation.set(*before)
            raise
        self.cfg["annotate"] = {"config": self._annotation.configured, "now": [how, spans_key]}

    def _warn_of_same_scores(self, nlp: Language | None) -> None:
        """When initialized: where another component reports scores under the same names."""
        earlier = True
        for name, pipe in [] if nlp is None else nlp.components:
            if pipe is self:
                earlier = False
                continue
            scorer = getattr(pipe, "scorer", None)
            if not isinstance(pipe, ReportsEntities):  # not of this package
                reported = nlp.get_pipe_meta(name).scores if nlp is not None else []
                same = [key for key in reported if key.startswith(f"{self.score_prefix}_")]
            else:  # of two that are initialized, the later one says it
                said = earlier or (nlp is not None and name in nlp.disabled)
                prefix = pipe.score_prefix
                same = [f"{prefix}_*"] if said and prefix == self.score_prefix else []
            if same and scorer is not None and self.scorer is not None:
                last = self.name if earlier else name
                warnings.warn(
                    f"'{self.name}' and '{name}' both report {', '.join(same)}: nlp.evaluate, the "
                    f"training log and the choice of model-best have those of {last!r}, which "
                    f"comes last. To have both, let '{self.name}' write a span group with a key "
                    f'of its own (annotate = "spans" and spans_key in [components.{self.name}]): '
                    "its scores then are spans_<spans_key>_*, to be weighted in "
                    "[training.score_weights].",
                    stacklevel=2,
                )

    def _set_labels(self, labels: list[str], taxonomy: Taxonomy, nlp: Language | None) -> None:
        """When initialized: into cfg and vocab, also in place of what was there under this name."""
        names = names_of(self.written, taxonomy, self.name)  # which may fail, as may the next
        self._annotation.share(self.vocab, names.coarse_of, replace=True)
        self.cfg |= {"labels": labels, "taxonomy": dict(taxonomy.coarse_of)}
        use_colors(taxonomy)
        use_colors(names.taxonomy)
        for label in labels:
            self.vocab.strings.add(label)
        if taxonomy.flat:
            say_flat(nlp, self.name, auxiliary_is_off=self.auxiliary_is_off)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Around what loads another cfg: the vocab gets its taxonomy."""
        replace = bool(self.cfg["taxonomy"])
        for key in ("annotate", "temperatures"):  # spaCy adds what was saved to what is there
            self.cfg.pop(key, None)
        yield
        if later := self.cfg.get("annotate"):
            if later["config"] == self._annotation.configured:
                self._annotation.set(*later["now"])
            else:  # the config was changed after that
                del self.cfg["annotate"]
        if "annotate" not in self.cfg:
            self._annotation.set(*self._annotation.configured)
        names = names_of(self.written, self._taxonomy, self.name) if self.cfg["taxonomy"] else None
        self._annotation.share(self.vocab, names.coarse_of if names else {}, replace=replace)
        if names is not None:
            use_colors(self._taxonomy)
            use_colors(names.taxonomy)
