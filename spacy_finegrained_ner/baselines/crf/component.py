"""The component `crf_ner`: a CRF over hand-made features, trained in `initialize`."""

import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab

from spacy_finegrained_ner.baselines.crf.crfsuite import (
    CrfModel,
    TrainingSettings,
    require_pycrfsuite,
    train_crf,
)
from spacy_finegrained_ner.baselines.crf.features import (
    Features,
    FeatureSettings,
    sentence_features,
)
from spacy_finegrained_ner.baselines.crf.gazetteer import Gazetteer, read_gazetteer
from spacy_finegrained_ner.baselines.crf.gold import Counts, gold_sequences, words_of
from spacy_finegrained_ner.baselines.crf.parts_of_speech import (
    NO_POS,
    PartsOfSpeech,
    PosCheck,
    annotated,
    parts_of_speech,
)
from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.written import check_written
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.confidence import EVIDENCE, NAMES, WITHOUT_CONFIDENCE, WRITTEN
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.readers import TaxonomySetting
from spacy_finegrained_ner.pipeline.annotating import Annotating
from spacy_finegrained_ner.pipeline.labels import find_taxonomy
from spacy_finegrained_ner.scoring.scorer import score_entities
from spacy_finegrained_ner.settings import settings_of


class CrfNER(Annotating, Pipe):
    """Fine-grained named-entity recognition as it was done before neural networks.

    After `nlp(text)`, `doc.ents` holds entities with fine labels, and `ent._.coarse_label` is the
    coarse label of each, as with `finegrained_ner`. A Doc is one sentence to the CRF, which does
    not see whitespace tokens. All of the training is in `initialize`; `nlp.update` changes
    nothing.

    vocab: the shared vocabulary. name: of the component. features: see `FeatureSettings`.
    training: see `TrainingSettings`. annotate, spans_key, extensions: where the entities go, and
    names of extension attributes, see `data.annotation`. written: which labels are written, and
    under which names, see `data.written`. scorer: called by `nlp.evaluate` with the
    examples and the taxonomy.

    Raises a ValueError for a wrong setting, an ImportError where python-crfsuite is missing.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "crf_ner",
        *,
        features: Mapping[str, Any],
        training: Mapping[str, Any],
        annotate: str = "overwrite",
        spans_key: str = "crf_ner",
        extensions: Mapping[str, str | None] = NAMES,
        written: Mapping[str, Any] = WRITTEN,
        scorer: Callable[..., dict[str, Any]] | None = score_entities,
    ) -> None:
        require_pycrfsuite()  # before anything that takes long
        self.vocab = vocab
        self.name = name
        self.features: FeatureSettings = settings_of(
            FeatureSettings, features, f"[components.{name}.features]"
        )
        self.training: TrainingSettings = settings_of(
            TrainingSettings, training, f"[components.{name}]"
        )
        self.scorer = scorer
        self.written = check_written(written, name)
        # Saved as JSON beside the model.
        self.cfg: dict[str, Any] = {"labels": [], "taxonomy": {}, "pos": [], "trained_on": {}}
        self._model: CrfModel | None = None
        self._gazetteer = Gazetteer({})
        self._annotation = Annotation(
            annotate,
            spans_key,
            name,
            {**extensions, **WITHOUT_CONFIDENCE, EVIDENCE: None},
        )
        self._pos = PosCheck(name)

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        taxonomy: TaxonomySetting | None = None,
        gazetteer: str | Path | None = None,
    ) -> None:
        """Train on all examples.

        get_examples: gives the training data, each time it is called.
        nlp: the pipeline; what comes before the component in it annotates copies of the texts.
        taxonomy: in a config the block `[initialize.components.crf_ner.taxonomy]`. None: the one
            it has; the packaged one, if that has all labels; flat labels, if it has none.
        gazetteer: a file of names, see `read_gazetteer`; they are saved with the component. Names
            from the training data would teach the CRF to trust the list too much. Where there is
            no such file, a component that was saved keeps the names that it was saved with.

        Raises a TaxonomyError that names a label which the taxonomy does not cover, and a
        ValueError if there is nothing to learn from, or for a gazetteer that can't be read.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        places = labels_of(eg.reference for eg in get_examples())
        labels = sorted(places)
        if not labels:
            raise ValueError(
                f"'{self.name}' found no entities in the training data, so there is nothing to "
                "learn. Expected examples with doc.ents on the gold side."
            )
        tree = find_taxonomy(taxonomy, places, self.cfg["taxonomy"], self.name)
        names = self._find_names(gazetteer, nlp)
        if nlp is not None and nlp.config["training"].get("max_epochs") == -1:
            warnings.warn(
                f"'{self.name}' is trained on 100 texts at most: with [training] max_epochs = -1 "
                "spaCy initializes with no more. Set max_epochs = 0.",
                stacklevel=2,
            )
        counts, pos = Counts(), PosCheck(self.name)

        def featurize(doc: Doc) -> list[Features]:
            found = parts_of_speech(doc) if self.features.pos else NO_POS
            pos.count(found)
            return self._featurize(doc, found, names)

        examples = annotated(get_examples(), nlp, self)
        sequences = gold_sequences(examples, TagSet(tuple(labels)), featurize, counts)
        self._model, known = train_crf(sequences, self.training, self.name)
        self._gazetteer = names
        self._pos = pos
        self._set_labels(labels, tree, nlp)
        self._warn_of_same_scores(nlp)
        self.cfg |= {"pos": pos.kinds, "trained_on": asdict(counts) | known}
        counts.warn(self.name)
        if self.features.pos:
            pos.after_training(nlp, self)

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The prediction of each Doc. The Docs are not changed."""
        self._require_initialized()
        return [Prediction(self._entities(doc)) for doc in docs]

    def __call__(self, doc: Doc) -> Doc:
        """Write the entities of a Doc into it. RETURNS: the Doc."""
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The trained component, without its settings (they are in the config)."""
        return util.to_bytes(self._parts(), exclude)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "CrfNER":
        """The way back. A ValueError where the model is not the one that was saved. RETURNS: the
        component itself."""
        util.from_bytes(data, self._readers(), exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Into a folder: `cfg`, `model` (of CRFsuite; empty before the training), `gazetteer`."""
        Path(path).mkdir(parents=True, exist_ok=True)
        for name, get in self._parts().items():
            if name not in exclude:
                (Path(path) / name).write_bytes(get())

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "CrfNER":
        """The way back. A ValueError where the model is not the one that was saved. RETURNS: the
        component itself."""
        for name, put in self._readers().items():
            if name not in exclude:
                put((Path(path) / name).read_bytes())
        return self

    def _parts(self) -> dict[str, Callable[[], bytes]]:
        return {
            "cfg": lambda: _json(self.cfg | {"digest": self._model and self._model.digest}),
            "model": lambda: b"" if self._model is None else self._model.data,
            "gazetteer": lambda: _json(self._gazetteer.to_lines()),
        }

    def _readers(self) -> dict[str, Callable[[bytes], None]]:
        def read_cfg(data: bytes) -> None:
            with self._loading():
                self.cfg = json.loads(data)
            self._pos = PosCheck(self.name)

        def read_model(data: bytes) -> None:
            digest = self.cfg.get("digest")
            if data and digest is None:
                warnings.warn(
                    f"'{self.name}' was saved without a digest of its model: whether it is damaged "
                    "can't be seen, and a damaged one may end the process. Save it again with this "
                    "version (nlp.to_disk), if it comes from where you trust it.",
                    stacklevel=2,
                )
            try:
                self._model = CrfModel(data, digest) if data or digest else None
            except ValueError as error:
                raise ValueError(f"'{self.name}' can't be loaded: {error}") from None

        def read_names(data: bytes) -> None:
            self._gazetteer = Gazetteer.from_lines(json.loads(data))

        return {"cfg": read_cfg, "model": read_model, "gazetteer": read_names}

    def _find_names(self, path: str | Path | None, nlp: Language | None) -> Gazetteer:
        if path is None:
            return Gazetteer({})
        if self._gazetteer.names and not Path(path).exists():
            util.logger.warning(
                "'%s': the gazetteer %s is not there: it takes the names that it was saved with",
                self.name,
                path,
            )
            return self._gazetteer
        if nlp is None:
            return read_gazetteer(path)
        # As the pipeline tokenizes a name
        return read_gazetteer(path, lambda name: [t.text for t in words_of(nlp.make_doc(name))])

    def _featurize(self, doc: Doc, found: PartsOfSpeech, names: Gazetteer) -> list[Features]:
        words = [token.text for token in words_of(doc)]
        marks = names.marks(words) if names.names else ()
        return sentence_features(
            words, self.features, pos=found.pos, tags=found.tags, gazetteer=marks
        )

    def _entities(self, doc: Doc) -> list[Entity]:
        words = words_of(doc)
        if not words:
            return []
        found = NO_POS
        if self.cfg["pos"]:  # what it was not trained with, it would not know
            found = parts_of_speech(doc)
            self._pos.in_prediction(doc, [k for k in self.cfg["pos"] if k not in found.kinds])
        assert self._model is not None
        tags = self._model.tag(self._featurize(doc, found, self._gazetteer))
        ids = [self._tag_set.ids[tag] for tag in tags]
        # CRFsuite learns which tag follows which, and forbids nothing
        entities = self._tag_set.decode(ids, lenient=True)
        # Whitespace within an entity belongs to it.
        return [(words[start].i, words[end - 1].i + 1, label) for start, end, label in entities]

    @property
    def _is_trained(self) -> bool:
        return self._model is not None


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=0).encode()
