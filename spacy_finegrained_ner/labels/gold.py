"""Gold: what is known of the tags of a text. The losses take nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spacy_finegrained_ner.contracts import UNKNOWN

Tags = npt.NDArray[np.int64]
Sets = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SoftTargets:
    """What a teacher expects of a text, as `nn.crf.expectations` gives it for a batch of one.

    marginals: the probability of each tag at each token, *Shape:* (tokens, tags).
    transitions: how often each transition is expected in the text, *Shape:* (tags, tags); None
        where the teacher does not tell: then a student's transitions learn nothing of it.
    """

    marginals: npt.NDArray[np.floating[Any]]
    transitions: npt.NDArray[np.floating[Any]] | None = None

    def __post_init__(self) -> None:
        """Raises a ValueError for what can be no expectations."""
        if self.marginals.ndim != 2:
            raise ValueError(
                f"Soft targets have marginals of the shape {self.marginals.shape}, expected "
                "(tokens, tags): those of one text."
            )
        tokens, size = self.marginals.shape
        least = self.marginals.min(initial=0)
        off = abs(self.marginals.sum(axis=1) - 1).max(initial=0)
        if not (least >= 0 and off < 0.01):  # NaN is neither
            raise ValueError(
                "Soft targets must be probabilities that add to 1 at each token. Found "
                f"{least} as the least of them, and a sum that is {off} away from 1."
            )
        pairs = self.transitions
        if pairs is None:
            return
        if pairs.shape != (size, size):
            raise ValueError(
                f"Soft targets of {size} tags have transitions of the shape {pairs.shape}, "
                f"expected {(size, size)}."
            )
        count = max(0, tokens - 1)
        if not (pairs.min(initial=0) >= 0 and abs(pairs.sum() - count) < 0.01 * tokens + 1e-6):
            raise ValueError(
                f"Soft targets of {tokens} tokens expect {pairs.sum()} transitions (the least "
                f"{pairs.min(initial=0)}), expected {count} in all, none below 0. Take the "
                "expectations of one text at a time: over a batch they are summed."
            )


@dataclass(frozen=True, eq=False)
class Gold:
    """Which tags may be the right ones, at each token of a text; or soft targets in their place.
    Made by `of_tags`, `of_sets` and `of_expectations`.

    tags: *Shape:* (tokens,). Ids; UNKNOWN where more than one tag is allowed.
    size: how many tags there are.
    sets: *Shape:* (tokens, tags). Whether a tag is allowed; None where at each token one is, or all
        of them are.
    soft: the text's soft targets. What is allowed does not count then: to restrict a teacher to
        that, restrict the lattice that the expectations are taken of (`nn.crf_loss.within`).
    """

    tags: Tags
    size: int
    sets: Sets | None = None
    soft: SoftTargets | None = None

    @classmethod
    def of_tags(cls, tags: Tags, size: int) -> Gold:
        """tags: *Shape:* (tokens,), ids, UNKNOWN for any tag. size: how many tags there are."""
        return cls(tags, size)

    @classmethod
    def of_sets(cls, allowed: Sets) -> Gold:
        """allowed: *Shape:* (tokens, tags). One tag is a known tag, all of them are any tag."""
        counts, size = allowed.sum(axis=1), allowed.shape[1]
        tags = np.where(counts == 1, allowed.argmax(axis=1), UNKNOWN)
        has_sets = bool(((counts != 1) & (counts != size)).any())
        return cls(tags, size, allowed if has_sets else None)

    @classmethod
    def of_expectations(
        cls,
        marginals: npt.NDArray[np.floating[Any]],
        transitions: npt.NDArray[np.floating[Any]] | None = None,
    ) -> Gold:
        """Soft targets: see `SoftTargets`."""
        soft = SoftTargets(marginals, transitions)
        tokens, size = marginals.shape
        return cls(np.full(tokens, UNKNOWN), size, None, soft)

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def known(self) -> Sets:
        """*Shape:* (tokens,). Where not every tag would do."""
        if self.soft is not None:
            return np.ones(len(self), dtype=bool)
        if self.sets is not None:
            return np.asarray(~self.sets.all(axis=1))
        return np.asarray(self.tags != UNKNOWN)

    @property
    def allowed(self) -> Sets:
        """*Shape:* (tokens, tags). Whether a tag may be the right one."""
        if self.sets is not None:
            return self.sets
        allowed: Sets = (self.tags[:, None] == np.arange(self.size)) | (self.tags == UNKNOWN)[
            :, None
        ]
        return allowed

    def mapped(self, table: Tags, size: int) -> Gold:
        """The gold of other tags of the same tokens, of which each tag here is one.

        table: *Shape:* (tags,), the id there for each id here; each id there has one here.
        size: how many there are. What is allowed there is what an allowed tag is mapped to.
        """
        if self.sets is None and self.soft is None:
            return Gold(np.where(self.tags == UNKNOWN, UNKNOWN, table[self.tags]), size)
        onto = (table[:, None] == np.arange(size)).astype(np.float32)
        if self.soft is None:
            return Gold.of_sets(self.allowed.astype(np.float32) @ onto > 0)
        pairs = self.soft.transitions
        return Gold.of_expectations(
            self.soft.marginals @ onto, None if pairs is None else onto.T @ pairs @ onto
        )
