"""The forms of the tokens of a text, as the matcher takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from spacy_finegrained_ner.knowledge.form import Form

_MOST = 1 << 16


class Spaced(Protocol):
    """What is asked of a Doc of spaCy: its tokens, and what is known of them as numbers."""

    def __iter__(self) -> Iterator[Any]: ...

    def to_array(self, names: list[int | str], /) -> Any: ...


Tokens = Sequence[str] | Spaced
"""Words with spaces between them, or a Doc."""


class Forms(dict[str, str]):
    """The form of each word that was met."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def __missing__(self, word: str) -> str:
        if len(self) >= _MOST:
            self.clear()
        form = self[word] = self.form.of(word)
        return form

    def of(self, text: Tokens) -> tuple[list[str], dict[int, int]]:
        """Of each token, and which have one together, see `matcher.find`: tokenizers cut within
        letters and digits, too ("do" + "n't", "10" + "km")."""
        if isinstance(text, Sequence):
            return [self[word] for word in text], {}
        words = [token.text for token in text]
        found = [self[word] for word in words]
        joined: dict[int, int] = {}
        first = 0
        spaces = text.to_array(["SPACY"]).reshape(-1)
        for i in np.flatnonzero(spaces[:-1] == 0).tolist():
            if joined.get(first) != i + 1:
                first = i
            if found[first] and found[i + 1]:
                whole = self.form.of("".join(words[first : i + 2]))
                if whole != found[first] + found[i + 1]:
                    found[first], found[i + 1] = whole, ""
                    joined[first] = i + 2
        return found, joined
