"""Where names of a trie stand in a text: all of them, also those that overlap or lie in others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def find(
    trie: Any, forms: Sequence[str], longest: int, joined: Mapping[int, int] | None = None
) -> list[tuple[int, int, int]]:
    """First token, token behind the last, and number of each name, from left to right.

    trie: of keys that end with a separator. forms: of each token, see `Form.of`; one that is empty
    (punctuation) can be within a name, but neither first nor last. longest: characters of a key.
    joined: the token behind the last of some that have one form together, which is that of the
    first, by the first; the forms of the others are empty.
    """
    text, joined = "".join(forms), joined or {}
    ends: dict[int, int] = {}
    starts: list[tuple[int, int]] = []
    at = 0
    for i, form in enumerate(forms):
        if form:
            starts.append((i, at))
            at += len(form)
            ends[at] = joined.get(i, i + 1)
    found = []
    prefixes = trie.iter_prefixes_with_ids
    for i, at in starts:
        for key, number in prefixes(text[at : at + longest]):
            end = ends.get(at + len(key))  # None within a token
            if end is not None:
                found.append((i, end, number))
    return found
