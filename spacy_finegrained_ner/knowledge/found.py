"""What was found in some texts, as columns; and what training changes in it, so that a model does
not lean on lists that are always right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

OF_FILE, ADDED = 0, 1
"""Where a name comes from: the file, or what was added to it since."""


def _none() -> Ints:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Found:
    """Names in texts, those of one text after those of the other. *Shape* of each: (names,).

    text: in which text, by its place. start, end: first token there, and that behind the last.
    part: OF_FILE or ADDED. number: of the name in that part.
    """

    text: Ints = field(default_factory=_none)
    start: Ints = field(default_factory=_none)
    end: Ints = field(default_factory=_none)
    part: Ints = field(default_factory=_none)
    number: Ints = field(default_factory=_none)

    def __len__(self) -> int:
        return len(self.text)

    def only(self, kept: Bools) -> Found:
        return Found(*(getattr(self, column.name)[kept] for column in fields(Found)))

    def and_others(self, others: Found) -> Found:
        """Both, in the order of the texts."""
        columns = [
            np.concatenate([getattr(self, column.name), getattr(others, column.name)])
            for column in fields(Found)
        ]
        order = np.argsort(columns[0], kind="stable")
        return Found(*(column[order] for column in columns))


@dataclass(frozen=True)
class Noise:
    """What training does to what it finds, each with a probability.

    hide: a name is not seen. hide_text: none of a text is. replace: a name has the topics of a
    name drawn from the file. invent: for each token, that a name drawn from the file seems to
    begin there. hide_topics: of a name the topics are not seen, but its types. blur: a text is read
    as if the encoder knew it less well. It learns the training data by heart, and where it does,
    names have nothing to add: what they are worth for a text that it does not know is not learned
    (weight undertraining; Sutton, Sindelar, McCallum 2006).
    """

    hide: float
    hide_text: float
    replace: float
    invent: float
    hide_topics: float
    blur: float

    def apply(
        self, found: Found, lengths: Sequence[int], names: int, rng: np.random.Generator
    ) -> tuple[Found, Bools]:
        """What is left and what is made up, and of each name whether its topics are seen.

        lengths: tokens of each text. names: how many the file has.
        """
        texts = np.asarray(lengths, dtype=np.int64)
        hidden_texts = rng.random(len(texts)) < self.hide_text
        kept = found.only(rng.random(len(found)) >= self.hide)
        replaced = rng.random(len(kept)) < self.replace
        drawn = rng.integers(0, max(names, 1), len(kept))
        kept = Found(
            kept.text,
            kept.start,
            kept.end,
            np.where(replaced, OF_FILE, kept.part),
            np.where(replaced, drawn, kept.number),
        )
        places = np.flatnonzero(rng.random(int(texts.sum())) < self.invent)
        first = np.cumsum(texts) - texts
        text = np.searchsorted(first, places, side="right") - 1
        start = places - first[text]
        end = np.minimum(start + rng.geometric(0.5, len(places)), texts[text])
        made = rng.integers(0, max(names, 1), len(places))
        kept = kept.and_others(Found(text, start, end, np.full(len(text), OF_FILE), made))
        kept = kept.only(~hidden_texts[kept.text])
        return kept, rng.random(len(kept)) >= self.hide_topics

    def blurred(self, lengths: Sequence[int], rng: np.random.Generator) -> Bools:
        """Of each token of the texts, whether it is in one that is blurred."""
        return np.repeat(rng.random(len(lengths)) < self.blur, lengths)
