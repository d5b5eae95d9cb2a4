"""Gold: what is known of the tags of a text. The losses take nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.labels.bio import UNKNOWN

Tags = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """What a teacher expects of a text, as `nn.crf.expectations` gives it.

    marginals: the probability of each tag at each token, *Shape:* (tokens, tags).
    transitions: how often each transition is expected in the text, *Shape:* (tags, tags); None
        where the teacher does not tell: then a student's transitions learn nothing of it.
    """

    marginals: npt.NDArray[np.floating[Any]]
    transitions: npt.NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, eq=False)
class Gold:
    """Which tags may be the right ones, at each token of a text; or soft targets in their place.

    allowed: *Shape:* (tokens, tags). One tag is a known tag, all of them are "any tag".
    soft: the text's soft targets. `allowed` does not count then: to restrict a teacher to what is
        allowed, restrict the lattice that the expectations are taken of (`nn.crf.within`).
    """

    allowed: npt.NDArray[np.bool_]
    soft: SoftTargets | None = None

    @classmethod
    def of_tags(cls, tags: Tags, size: int) -> Gold:
        """tags: *Shape:* (tokens,), ids, UNKNOWN for any tag. size: how many tags there are."""
        return cls((tags[:, None] == np.arange(size)) | (tags == UNKNOWN)[:, None])

    @classmethod
    def of_expectations(
        cls,
        marginals: npt.NDArray[np.floating[Any]],
        transitions: npt.NDArray[np.floating[Any]] | None = None,
    ) -> Gold:
        """Soft targets: see `SoftTargets`."""
        return cls(np.ones(marginals.shape, dtype=bool), SoftTargets(marginals, transitions))

    def __len__(self) -> int:
        return len(self.allowed)

    @cached_property
    def tags(self) -> Tags:
        """*Shape:* (tokens,). The id of the tag where only one is allowed, else UNKNOWN."""
        one = self._counts == 1
        tags: Tags = np.where(one, self.allowed.argmax(axis=1), UNKNOWN)
        return tags

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """*Shape:* (tokens,). Where not every tag would do."""
        if self.soft is not None:
            return np.ones(len(self), dtype=bool)
        return self._counts < self.allowed.shape[1]

    @cached_property
    def has_sets(self) -> bool:
        """Whether some token has neither one tag nor all of them."""
        return self.soft is None and bool((self.known & (self.tags == UNKNOWN)).any())

    def mapped(self, table: Tags, size: int) -> Gold:
        """The gold of other tags of the same tokens, of which each tag here is one.

        table: *Shape:* (tags,), the id there for each id here. size: how many there are. What is
        allowed there is what an allowed tag is mapped to.
        """
        onto = (table[:, None] == np.arange(size)).astype(np.float32)
        allowed = self.allowed.astype(np.float32) @ onto > 0
        if self.soft is None:
            return Gold(allowed)
        pairs = self.soft.transitions
        return Gold(
            allowed,
            SoftTargets(
                self.soft.marginals @ onto, None if pairs is None else onto.T @ pairs @ onto
            ),
        )

    @cached_property
    def _counts(self) -> npt.NDArray[np.int64]:
        counts: npt.NDArray[np.int64] = self.allowed.sum(axis=1)
        return counts
