"""Tag sets and BIO (IOB2): tags <-> spans, and which tag may follow which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

OUTSIDE = 0
"""The id of the tag O in every tag set."""

Entity = tuple[int, int, str]
"""Start token, end token (exclusive), label."""


@dataclass(frozen=True)
class TagSet:
    """The BIO tags of some labels: O is 0, then B-X and I-X of each label in turn."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"A label stands twice in {list(self.labels)}.")

    def __len__(self) -> int:
        return 1 + 2 * len(self.labels)

    @cached_property
    def _begin(self) -> dict[str, int]:
        return {label: 1 + 2 * i for i, label in enumerate(self.labels)}

    @property
    def tags(self) -> tuple[str, ...]:
        """The names of the tags, by id."""
        return ("O", *(f"{prefix}-{label}" for label in self.labels for prefix in "BI"))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each tag, by its name."""
        return {tag: i for i, tag in enumerate(self.tags)}

    def begin(self, label: str) -> int:
        """The id of B-label; the id of I-label is one more. KeyError for a foreign label."""
        return self._begin[label]

    @cached_property
    def _spelling(self) -> dict[str, str]:
        return {label.casefold(): label for label in self.labels}

    def spelled(self, label: str) -> str | None:
        """The label as it is spelled here; None for one that is not here in any case."""
        return label if label in self._begin else self._spelling.get(label.casefold())

    def none_of(self, labels: Iterable[str]) -> npt.NDArray[np.bool_]:
        """*Shape:* (tags,). Which tags belong to none of the labels: O, and those of others."""
        others = np.ones(len(self), dtype=bool)
        for label in labels:
            spelled = self.spelled(label)
            if spelled is not None:
                others[self.begin(spelled) : self.begin(spelled) + 2] = False
        return others

    def label_of(self, tag: int) -> str:
        """The label of a tag other than O."""
        return self.labels[(tag - 1) // 2]

    @cached_property
    def legal_transitions(self) -> npt.NDArray[np.bool_]:
        """*Shape:* (tags, tags). Whether the tag of the column may follow that of the row:
        I-X only follows B-X and I-X."""
        legal = np.ones((len(self), len(self)), dtype=bool)
        inside = np.arange(2, len(self), 2)
        legal[:, inside] = False
        legal[inside - 1, inside] = True
        legal[inside, inside] = True
        return legal

    @cached_property
    def legal_starts(self) -> npt.NDArray[np.bool_]:
        """*Shape:* (tags,). Whether a sequence may begin with the tag: not with I-X."""
        legal = np.ones(len(self), dtype=bool)
        legal[2::2] = False
        return legal

    def encode(self, length: int, entities: Iterable[Entity]) -> npt.NDArray[np.int64]:
        """Spans to tag ids. *Shape:* (length,). Everything outside of the spans is O.

        Raises a ValueError if spans overlap or leave the sequence.
        """
        tags = np.full(length, OUTSIDE, dtype=np.int64)
        for start, end, label in entities:
            if not 0 <= start < end <= length:
                raise ValueError(f"The span {start}:{end} does not lie in 0:{length}.")
            if tags[start:end].any():
                raise ValueError(f"The span {start}:{end} ({label}) overlaps another.")
            tags[start] = self.begin(label)
            tags[start + 1 : end] = self.begin(label) + 1
        return tags

    def decode(
        self, tags: Sequence[int] | npt.NDArray[np.int64], *, lenient: bool = False
    ) -> list[Entity]:
        """Tag ids to spans. The tags must be legal BIO without UNKNOWN (ValueError if not).

        lenient: an I- that goes on with nothing begins an entity, as conlleval has it.
        """
        tags = np.asarray(tags, dtype=np.int64)
        entities: list[Entity] = []
        # Nearly all tokens are outside: only the others are looked at one by one.
        for i in np.flatnonzero(tags).tolist():
            tag = int(tags[i])
            if tag < 0:
                raise ValueError(f"The tag of token {i} is not known.")
            goes_on = i > 0 and tags[i - 1] in (tag, tag - 1)
            if tag % 2 or (lenient and not goes_on):
                entities.append((i, i + 1, self.label_of(tag)))
            elif not goes_on:
                raise ValueError(f"Token {i} has the tag {self.tags[tag]}, but nothing goes on.")
            else:
                start, _, label = entities[-1]
                entities[-1] = (start, i + 1, label)
        return entities


def illegal_bio(tags: Sequence[str]) -> tuple[int, str] | None:
    """The first place where a sequence of strings is not IOB2, and what is wrong there; None if
    all is well. `-` (not known) may stand anywhere, and after it any tag may follow."""
    before = "O"
    for i, tag in enumerate(tags):
        if tag not in ("O", "-") and (tag[:2] not in ("B-", "I-") or not tag[2:].strip()):
            return i, (
                f"{tag!r} is not an IOB2 tag (expected O, B-Label, I-Label, or - for not known; "
                "spacy finegrained-ner convert reads other schemes)"
            )
        if tag.startswith("I-") and before != "-" and before[2:] != tag[2:]:
            return i, (
                f"{tag!r} follows {before!r}: in IOB2 an entity begins with {'B-' + tag[2:]!r}, "
                "and I- only goes on with the same label"
            )
        before = tag
    return None
