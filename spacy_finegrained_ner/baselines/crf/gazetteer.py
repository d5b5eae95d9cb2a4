"""Lists of names: which words of a sentence are, in lower case, a name of a list."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import marisa_trie

from spacy_finegrained_ner.knowledge.matcher import find
from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK

_SEPARATOR = "\x1f"
"""Behind each token of a key."""

Names = Mapping[tuple[str, ...], Sequence[str]]
"""Types by the lower-case tokens of a name."""


class Gazetteer:
    """Finds names, the longest at each place, from left to right.

    names: the types of each name; empty for a gazetteer that finds nothing.
    """

    def __init__(self, names: Names) -> None:
        self.names = {tokens: sorted(set(types)) for tokens, types in names.items()}
        keys = [_key(tokens) for tokens in self.names]
        self._trie = marisa_trie.Trie(keys)
        self._longest = max(map(len, keys), default=0)
        self._types = dict(zip((self._trie[key] for key in keys), self.names.values(), strict=True))

    def marks(self, words: Sequence[str]) -> list[list[str]]:
        """For each word `B-` or `I-` with each type of the name it is in; `[]` where it is in
        none."""
        forms = [_key([word.lower()]) for word in words]
        # The shorter first: the last at a place is the longest
        longest = {i: (end, name) for i, end, name in find(self._trie, forms, self._longest)}
        marks: list[list[str]] = [[] for _ in words]
        covered = 0
        for start, (end, name) in longest.items():
            if start < covered:
                continue
            covered = end
            for i in range(start, end):
                mark = "B" if i == start else "I"
                marks[i] = [f"{mark}-{type_}" for type_ in self._types[name]]
        return marks

    def to_lines(self) -> list[list[str]]:
        """As JSON has it: for each name its tokens, a "" and its types."""
        return [[*tokens, "", *types] for tokens, types in self.names.items()]

    @staticmethod
    def from_lines(lines: Iterable[Sequence[str]]) -> "Gazetteer":
        """The way back."""
        names = {}
        for line in lines:
            cut = list(line).index("")
            names[tuple(line[:cut])] = list(line[cut + 1 :])
        return Gazetteer(names)


def _key(tokens: Iterable[str]) -> str:
    return "".join(token + _SEPARATOR for token in tokens)


def read_gazetteer(
    path: str | Path, tokenize: Callable[[str], Sequence[str]] | None = None
) -> Gazetteer:
    """Read a UTF-8 file with a name, a tab and a type on each line; a name may stand on several
    lines. Blank lines and byte order marks are left out.

    tokenize: the tokens of a name in running text. The name cut at its spaces is found as well:
        annotated data often has tokens of its own.

    Raises a ValueError that names file and line.
    """
    path = Path(path)
    form = "expected a name, a tab and a type on each line, such as: Green tea\tDrink"
    try:
        lines = path.read_text(encoding="utf-8").replace(BYTE_ORDER_MARK, "").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The gazetteer {path} can't be read: {error}; {form}") from None
    names: dict[tuple[str, ...], list[str]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = [part.strip() for part in line.split("\t")]
        if len(parts) != 2 or not all(parts):
            raise ValueError(f"{path}:{number}: found {line[:80]!r}, {form}.")
        lower = parts[0].lower()
        ways = {tuple(lower.split())}
        if tokenize is not None:
            ways.add(tuple(tokenize(lower)))
        for tokens in ways:
            names.setdefault(tokens, []).append(parts[1])
    if not names:
        raise ValueError(f"The gazetteer {path} is empty; {form}.")
    return Gazetteer(names)
