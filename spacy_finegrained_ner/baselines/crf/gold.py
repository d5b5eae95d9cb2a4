"""From annotated Docs to sequences that CRFsuite can learn from."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc, Token
from spacy.training import Example

from spacy_finegrained_ner.baselines.crf.features import Features
from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import TagSet


@dataclass
class Counts:
    """What the training data had, and what could not be used of it. Tokens are those that the CRF
    sees, without whitespace."""

    texts: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    cut_texts: int = 0
    texts_without_annotation: int = 0

    def warn(self, owner: str) -> None:
        """A warning, if something was left out."""
        if self.texts_without_annotation:
            warnings.warn(
                f"'{owner}': {self.texts_without_annotation} texts of the training data have no "
                "entity annotation (not even that there are no entities) and are left out.",
                stacklevel=2,
            )
        if self.unknown_tokens:
            warnings.warn(
                f"'{owner}': the gold tag of {self.unknown_tokens} of {self.tokens} tokens is not "
                "known (not annotated, or not for all types, or tokenized in another way than the "
                "gold). CRFsuite can't "
                "learn from sentences with holes: these tokens are left out, and "
                f"{self.cut_texts} of {self.texts} texts are cut there.",
                stacklevel=2,
            )


def words_of(doc: Doc) -> list[Token]:
    """The tokens that the CRF sees: no whitespace."""
    return [token for token in doc if not token.is_space]


def gold_sequences(
    examples: Iterable[Example],
    tag_set: TagSet,
    featurize: Callable[[Doc], list[Features]],
    counts: Counts,
) -> Iterator[tuple[list[Features], list[str]]]:
    """Features and gold tags of the stretches with known tags.

    featurize: gives the features of `words_of` a Doc; a stretch has those it has in its sentence.
    counts: goes up meanwhile.
    """
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            counts.texts_without_annotation += 1
            continue
        words = words_of(example.predicted)
        counts.texts += 1
        counts.tokens += len(words)
        if not words:
            continue
        tags = gold_of(example, tag_set).tags[[token.i for token in words]]
        unknown = int((tags == UNKNOWN).sum())
        counts.unknown_tokens += unknown
        counts.cut_texts += unknown > 0
        features, names = featurize(example.predicted), tag_set.tags
        for start, end in _known(tags):
            yield features[start:end], [names[tag] for tag in tags[start:end]]


def _known(tags: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Where stretches of known tags begin and end (exclusive)."""
    bounds = [-1, *np.flatnonzero(tags == UNKNOWN).tolist(), len(tags)]
    for before, after in pairwise(bounds):
        if after > before + 1:
            yield before + 1, after
