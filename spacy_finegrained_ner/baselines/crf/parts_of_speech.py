"""What comes before the component in its pipeline: parts of speech, and how to get them while
training."""

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.baselines.crf.gold import words_of

_SETS_POS = ("token.pos", "token.tag")


class PartsOfSpeech(NamedTuple):
    """Of the words of a Doc; empty where it has none of the kind."""

    pos: Sequence[str]
    tags: Sequence[str]

    @property
    def kinds(self) -> list[str]:
        """The attributes of a token that there are."""
        return ["token.pos_"] * bool(self.pos) + ["token.tag_"] * bool(self.tags)


NO_POS = PartsOfSpeech((), ())


def parts_of_speech(doc: Doc) -> PartsOfSpeech:
    """What `token.pos_` and `token.tag_` say of the words of a Doc."""
    words = words_of(doc)
    return PartsOfSpeech(
        [token.pos_ for token in words] if doc.has_annotation("POS") else (),
        [token.tag_ for token in words] if doc.has_annotation("TAG") else (),
    )


def annotated(
    examples: Iterable[Example], nlp: Language | None, component: Any
) -> Iterator[Example]:
    """Examples as the component will meet their texts: copies, annotated by what comes before it
    in the pipeline.

    spaCy disables frozen and sourced components while the others are initialized, though they are
    trained. Disabled components run, too, therefore: which are meant to be can't be told.

    nlp: None for texts that are annotated already.
    """
    examples, again = tee(examples)
    docs: Iterable[Doc] = (example.predicted.copy() for example in again)
    for _, pipe in _before(nlp, component):
        docs = pipe.pipe(docs, batch_size=256) if hasattr(pipe, "pipe") else map(pipe, docs)
    for doc, example in zip(docs, examples, strict=True):
        yield Example(doc, example.reference)


def _before(nlp: Language | None, component: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, pipe in [] if nlp is None else nlp.components:
        if pipe is component:
            return found
        found.append((name, pipe))
    return []  # not one of this pipeline


class PosCheck:
    """Says, once each, what is amiss with the parts of speech.

    owner: the name of the component.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._seen: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._told = False

    @property
    def kinds(self) -> list[str]:
        """The attributes of a token that there were in training."""
        return sorted(self._kinds)

    def count(self, found: PartsOfSpeech) -> None:
        """In training: what a Doc has."""
        self._kinds.update(found.kinds)
        self._seen.update(name for name in found.pos or found.tags if name)

    def after_training(self, nlp: Language | None, component: Any) -> None:
        """A warning if there were none, or only one (as from a tagger that is not trained)."""
        if len(self._seen) == 1 and self._seen.total() > 1:
            warnings.warn(
                f"'{self.owner}' found parts of speech in the training data, but all "
                f"{self._seen.total()} are {next(iter(self._seen))!r}: is the tagger before it "
                "trained already? The CRF is trained when the pipeline is initialized, so source "
                "the tagger from a trained pipeline (see configs/crf.cfg).",
                stacklevel=2,
            )
        if self._seen:
            return
        late = []
        if nlp is not None and any(pipe is component for _, pipe in nlp.components):
            first = [name for name, _ in _before(nlp, component)]
            late = [
                name
                for name, pipe in nlp.components
                if pipe is not component
                and name not in first
                and set(nlp.get_pipe_meta(name).assigns) & set(_SETS_POS)
            ]
        remedy = (
            f"{late} in the pipeline would set them but come(s) after it: move '{self.owner}' "
            "behind."
            if late
            else "Put a trained tagger before it in the pipeline, with attribute_ruler or "
            "morphologizer for token.pos_ (configs/crf.cfg shows how)."
        )
        warnings.warn(
            f"'{self.owner}' looked for parts of speech (token.pos_, token.tag_) and found none "
            f"in the training data; it is trained without. {remedy} Or set pos = false in "
            f"[components.{self.owner}.features] to go without them silently.",
            stacklevel=2,
        )

    def in_prediction(self, doc: Doc, missing: Sequence[str]) -> None:
        """A warning if the Doc lacks what the model was trained with.

        missing: such as `token.pos_`.
        """
        if self._told or not missing:
            return
        self._told = True
        warnings.warn(
            f"'{self.owner}' was trained with {' and '.join(missing)}, which the text "
            f"{doc.text[:60]!r} does not have: its tags will be worse. Have the tagger (and "
            "attribute_ruler or morphologizer) it was trained with in the pipeline, enabled and "
            f"before '{self.owner}'. This is said once.",
            stacklevel=2,
        )
