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
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.colors import use_colors
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
        sure it is.
    """

    auxiliary: AuxiliaryTask | None = None
    certainty: Confidence | None = None
    name: str
    vocab: Vocab
    cfg: dict[str, Any]
    scorer: Callable[..., dict[str, Any]] | None
    _annotation: Annotation
    # Made when they are asked for: loading replaces cfg
    _tags = TagSet(())
    _types: Mapping[str, str] | None = None
    _tree: Taxonomy

    @property
    def labels(self) -> tuple[str, ...]:
        """The fine labels, sorted."""
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
        coarse_of = self.cfg["taxonomy"]
        for doc, prediction in zip(docs, predictions, strict=True):
            spans = self._annotation.write(doc, prediction, coarse_of)
            if self.certainty is not None:
                write_candidates(doc, self.certainty.candidates, prediction.candidates, coarse_of)
                write_back_off(doc, self.certainty.back_off, spans, coarse_of)

    def read(self, doc: Doc) -> Prediction:
        """What an annotated Doc says now, see `data.annotation.read_prediction`."""
        return self._annotation.read(doc, self.taxonomy)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores of what `annotate` says the component writes."""
        given = {
            "read": self.read,
            "prefix": self.score_prefix,
            **kwargs,
        }
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
            self._annotation.share(self.vocab, self.cfg["taxonomy"])
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
        self._annotation.share(self.vocab, taxonomy.coarse_of, replace=True)  # which may fail
        self.cfg |= {"labels": labels, "taxonomy": dict(taxonomy.coarse_of)}
        use_colors(taxonomy)
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
        self._annotation.share(self.vocab, self.cfg["taxonomy"], replace=replace)
        if self.cfg["taxonomy"]:
            use_colors(self._taxonomy)
