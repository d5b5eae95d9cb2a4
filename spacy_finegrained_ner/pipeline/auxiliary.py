"""Auxiliary tasks: other tags of the same tokens, which the tagger learns beside the fine ones."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from spacy.training import Example

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import OUTSIDE, TagSet
from spacy_finegrained_ner.labels.gold import Gold, Tags
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

UNIVERSAL_POS = (
    *("ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON"),
    *("PROPN", "PUNCT", "SCONJ", "SPACE", "SYM", "VERB", "X"),
)
"""Those of Universal Dependencies, and spaCy's for whitespace."""


@runtime_checkable
class AuxiliaryTask(Protocol):
    """What the component asks of an auxiliary task. Another task is another class that has these
    two methods, registered under a name of its own (registry `misc`)."""

    def tag_set(self, fine: TagSet, taxonomy: Taxonomy) -> TagSet:
        """The tags of the task, given the fine ones. Only the labels of this pipeline count, so
        that a loaded pipeline finds the same."""
        ...

    def gold(
        self,
        examples: Sequence[Example],
        fine_gold: Sequence[Gold],
        fine: TagSet,
        taxonomy: Taxonomy,
    ) -> list[Gold]:
        """The gold of each Example, on the tokens of its predicted Doc.

        fine_gold: of the fine tags.
        """
        ...


class _Relabelled(ABC):
    """A task whose entities are the fine ones under other labels."""

    @abstractmethod
    def label(self, fine: str, taxonomy: Taxonomy) -> str:
        """The label of the task for a fine label."""

    def tag_set(self, fine: TagSet, taxonomy: Taxonomy) -> TagSet:
        return TagSet(tuple(sorted({self.label(label, taxonomy) for label in fine.labels})))

    def gold(
        self,
        examples: Sequence[Example],
        fine_gold: Sequence[Gold],
        fine: TagSet,
        taxonomy: Taxonomy,
    ) -> list[Gold]:
        tags = self.tag_set(fine, taxonomy)
        begin = np.array([tags.begin(self.label(label, taxonomy)) for label in fine.labels])
        table = np.append(OUTSIDE, np.stack([begin, begin + 1], axis=1))  # by fine tag id
        return [gold.mapped(table, len(tags)) for gold in fine_gold]


class CoarseTask(_Relabelled):
    """The coarse types of the taxonomy, as BIO (the paper's auxiliary task)."""

    def label(self, fine: str, taxonomy: Taxonomy) -> str:
        return taxonomy.coarse_label(fine)


class MentionTask(_Relabelled):
    """Where entities begin and end, whatever their type."""

    def label(self, fine: str, taxonomy: Taxonomy) -> str:
        return "MENTION"


class PosTask:
    """The part of speech of each token (`token.pos_` of the gold), as an entity of one token: the
    tag of a noun is B-NOUN."""

    def tag_set(self, fine: TagSet, taxonomy: Taxonomy) -> TagSet:
        return TagSet(UNIVERSAL_POS)

    def gold(
        self,
        examples: Sequence[Example],
        fine_gold: Sequence[Gold],
        fine: TagSet,
        taxonomy: Taxonomy,
    ) -> list[Gold]:
        tags = self.tag_set(fine, taxonomy)
        found = [_pos_tags(example, tags) for example in examples]
        if found and all((ids == UNKNOWN).all() for ids in found):
            warnings.warn(
                "spacy-finegrained-ner.PosTask.v1 finds no part of speech in the gold of "
                f"{len(examples)} texts such as {examples[0].text[:60]!r}, and learns nothing of "
                "them. Annotate the corpus first: run a pipeline with a tagger over its Docs and "
                "save them with their entities.",
                stacklevel=2,
            )
        return [Gold.of_tags(ids, len(tags)) for ids in found]


def _pos_tags(example: Example, tags: TagSet) -> Tags:
    """UNKNOWN where the gold has none, and where a token is not one of the gold's."""
    aligned = example.get_aligned("POS", as_string=True)
    return np.array(
        [tags.begin(pos) if pos in UNIVERSAL_POS else UNKNOWN for pos in aligned], dtype=np.int64
    )


def build_coarse_task_v1() -> CoarseTask:
    """Registered as `spacy-finegrained-ner.CoarseTask.v1` (misc)."""
    return CoarseTask()


def build_mention_task_v1() -> MentionTask:
    """Registered as `spacy-finegrained-ner.MentionTask.v1` (misc)."""
    return MentionTask()


def build_pos_task_v1() -> PosTask:
    """Registered as `spacy-finegrained-ner.PosTask.v1` (misc)."""
    return PosTask()
