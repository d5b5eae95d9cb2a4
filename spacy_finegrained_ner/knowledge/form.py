"""The form in which a name and a text meet: both become the same sequence of units.

A unit is a run of letters and digits, or a symbol. So it makes no difference how a tokenizer cuts
"O'Brien", "COVID-19" or "St. Louis", and a name needs no tokenizer at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

SEPARATOR = " "
"""Stands behind each unit of a key, so that a key is a prefix of another at whole units only."""

_MARKS = re.compile("[\u0300-\u036f]")
"""Accents of Latin, Greek and Cyrillic letters; not the vowel signs of other scripts."""
_SYMBOLS = frozenset("#&@%*")
"""Punctuation to Unicode, but part of names: C#, AT&T."""
_NOTICES = str.maketrans(dict.fromkeys("™℠®©℗"))
"""Catalogues have them and texts have not. As letters, NFKC would add them to the word before."""
_UNSPACED = ("CJK ", "HIRAGANA", "KATAKANA", "THAI ", "LAO ", "KHMER ", "MYANMAR ")
"""How the names of characters begin that are written without spaces: each is a unit of its own."""


class _Cut(dict[int, str]):
    """For str.translate, which asks for a character once: what it becomes before the split."""

    def __init__(self, punctuation: bool) -> None:
        super().__init__()
        self.punctuation = punctuation

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if kind[0] in "LMN":
            alone = unicodedata.name(character, "").startswith(_UNSPACED)
        elif kind[0] == "P" and not self.punctuation:
            alone = character in _SYMBOLS
            character = character if alone else " "
        else:
            alone = kind[0] in "SP"
            character = character if alone else " "  # spaces, control characters
        self[code] = f" {character} " if alone else character
        return self[code]


@dataclass(frozen=True)
class Form:
    """What counts as the same. It is kept in the file of names, as the keys there depend on it.

    case, punctuation, diacritics: whether they have to be the same. articles: those that a name
    may also go without at its start, where two units are left.
    """

    case: bool = False
    punctuation: bool = False
    diacritics: bool = False
    articles: tuple[str, ...] = ("the", "a", "an")

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> Form:
        """The way back from `dataclasses.asdict` and a file, which has lists for tuples."""
        return cls(**{**values, "articles": tuple(values["articles"])})

    @cached_property
    def _cut(self) -> _Cut:
        return _Cut(self.punctuation)

    @cached_property
    def _articles(self) -> frozenset[str]:
        return frozenset(self.of(article).strip().casefold() for article in self.articles)

    def of(self, text: str) -> str:
        """The units of a text, each with a separator behind it; "" where there are none."""
        text = text if self.punctuation else text.translate(_NOTICES)
        text = unicodedata.normalize("NFKC", text)
        if not self.case:
            text = text.casefold()
        if not self.diacritics:
            text = _MARKS.sub("", unicodedata.normalize("NFD", text))
        units = unicodedata.normalize("NFC", text).translate(self._cut).split()
        return SEPARATOR.join([*units, ""]) if units else ""

    def keys(self, name: str) -> list[str]:
        """The keys of a name: its form, and that without an article."""
        key = self.of(name)
        first, _, rest = key.partition(SEPARATOR)
        if first.casefold() in self._articles and rest.count(SEPARATOR) >= 2:
            return [key, rest]
        return [key] if key else []
