"""What all components have in common that find entities by a taxonomy."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask, CoarseTask
from spacy_finegrained_ner.pipeline.labels import say_flat


# By its types, not by component: loading replaces them
@lru_cache
def _taxonomy_of(types: tuple[tuple[str, str], ...], owner: str) -> Taxonomy:
    return Taxonomy(dict(types), f"the taxonomy of {owner!r}")


class Annotating:
    """Stands before spaCy's class in the bases of a component, which sets these attributes.

    cfg: saved as JSON; its "labels" and "taxonomy" (fine to coarse) are there from the start.
    auxiliary: of a component that learns another task beside.
    """

    auxiliary: AuxiliaryTask | None = None
    name: str
    vocab: Vocab
    cfg: dict[str, Any]
    _annotation: Annotation
    _require_initialized: Callable[[], Any]

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
        return _taxonomy_of(tuple(self.cfg["taxonomy"].items()), self.name)

    @property
    def auxiliary_is_off(self) -> bool:
        """Whether labels are flat: a coarse auxiliary task would be the fine head again."""
        known = isinstance(self.auxiliary, CoarseTask) and self.cfg["taxonomy"]
        return bool(known) and self._taxonomy.flat

    def set_annotations(self, docs: Iterable[Doc], predictions: Iterable[Prediction]) -> None:
        """Write the entities, where `annotate` says."""
        for doc, prediction in zip(docs, predictions, strict=True):
            self._annotation.write(doc, prediction, self.cfg["taxonomy"])

    def read(self, doc: Doc) -> Prediction:
        """What an annotated Doc says now, see `data.annotation.read_prediction`."""
        return self._annotation.read(doc, self.taxonomy)

    def score(self, examples: Iterable[Example], **kwargs: Any) -> dict[str, Any]:
        """Scores of what `annotate` says the component writes."""
        read = partial(self._annotation.read, taxonomy=self.taxonomy)
        scores: dict[str, Any] = super().score(examples, **{"read": read, **kwargs})  # type: ignore[misc]
        return scores

    def _set_labels(self, labels: list[str], taxonomy: Taxonomy, nlp: Language | None) -> None:
        """When initialized: into cfg and vocab, also in place of what was there under this name."""
        self._annotation.share(self.vocab, taxonomy.coarse_of, replace=True)  # which may fail
        self.cfg |= {"labels": labels, "taxonomy": dict(taxonomy.coarse_of)}
        for label in labels:
            self.vocab.strings.add(label)
        if taxonomy.flat:
            say_flat(nlp, self.name, auxiliary_is_off=self.auxiliary_is_off)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Around what loads another cfg: the vocab gets its taxonomy."""
        replace = bool(self.cfg["taxonomy"])
        yield
        self._annotation.share(self.vocab, self.cfg["taxonomy"], replace=replace)
