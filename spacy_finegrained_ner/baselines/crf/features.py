"""From words and their parts of speech to the features of each word: plain functions of strings.

A feature is a string that is there or not. What begins with `0:` is about the word itself, with
`-1:` about the word before, with `-1,0:` about these two.

- bias: `bias`, on every word.
- words: `0:lower=paris`, `-1:lower=in`, as far as `window` goes; `0:word=Paris` only where it is
  another string.
- `affixes`: `0:prefix1=p` to `0:prefix4=pari`, `0:suffix1=s` to `0:suffix4=aris`; of the
  lower-case form, and shorter than it.
- `shape`: `0:shape=Xxxxx` (spaCy's), `0:short=Xx`, `-1:short=x` (each run as one character).
- `flags`: `0:is=title`, `upper`, `digits` (nothing else), `digit` (among others), `hyphen` (among
  others), `punct` (nothing else).
- `pos`: `0:pos=PROPN` (coarse), `0:tag=NNP` (fine), `-1:pos=ADP` and so on.
- `bigrams`: `-1,0:lower=in paris`, `-1,0:pos=ADP PROPN`, `-1,0:tag=IN NNP`, within the window.
- `ends`: `begin` on the first word, `end` on the last.
- gazetteer: `0:gazetteer=B-HumanSettlement`, with `I-` on the other words of the name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Annotated

from pydantic import Field
from spacy.lang.lex_attrs import is_punct, word_shape

from spacy_finegrained_ner.settings import Switch

Features = list[str]
"""Of one word."""

Reach = Annotated[int, Field(ge=0, le=20), "a whole number from 0 (none) to 20"]


@dataclass(frozen=True)
class FeatureSettings:
    """Which features there are; see the list of this module.

    affixes: the longest prefix and suffix, in characters; 0 for none. window: neighbours to each
    side; 0 for none. The others: whether the group is there.
    """

    affixes: Reach = 4
    shape: Switch = True
    flags: Switch = True
    pos: Switch = True
    window: Reach = 2
    bigrams: Switch = True
    ends: Switch = True


def sentence_features(
    words: Sequence[str],
    settings: FeatureSettings,
    *,
    pos: Sequence[str] = (),
    tags: Sequence[str] = (),
    gazetteer: Sequence[Sequence[str]] = (),
) -> list[Features]:
    """The features of each word of a sentence.

    pos, tags: the coarse and the fine part of speech of each word, "" where there is none; empty
        where nothing is known. gazetteer: for each word such as `["B-Artist", "B-Athlete"]`;
        empty where there is no gazetteer.
    """
    lower = [word.lower() for word in words]
    columns: dict[str, Sequence[str]] = {"lower": lower}
    if settings.shape:
        columns["short"] = [_short(word) for word in words]
    if settings.pos:
        columns |= {name: some for name, some in (("pos", pos), ("tag", tags)) if some}
    pairs: dict[str, Sequence[str]] = {}
    if settings.bigrams:
        pairs = {
            name: [f"{one} {other}" for one, other in pairwise(values)]
            for name, values in columns.items()
            if name != "short"
        }
    reach = range(-settings.window, settings.window + 1)
    singles = [(offset, name, values) for offset in reach for name, values in columns.items()]
    doubles = [(offset, name, values) for offset in reach[:-1] for name, values in pairs.items()]
    found = []
    for i, word in enumerate(words):
        features = ["bias", *_alone(word, settings.affixes, settings.shape, settings.flags)]
        for offset, name, values in singles:
            if 0 <= i + offset < len(words) and values[i + offset]:
                features.append(f"{_place(offset)}:{name}={values[i + offset]}")
        for offset, name, values in doubles:
            if 0 <= i + offset < len(words) - 1:
                places = f"{_place(offset)},{_place(offset + 1)}"
                features.append(f"{places}:{name}={values[i + offset]}")
        if settings.ends:
            features += ["begin"] * (i == 0) + ["end"] * (i == len(words) - 1)
        if gazetteer:
            features += ["0:gazetteer=" + part for part in gazetteer[i]]
        found.append(features)
    return found


def _place(offset: int) -> str:
    return f"{offset:+d}" if offset else "0"


@lru_cache(maxsize=1 << 16)
def _alone(word: str, affixes: int, shape: bool, flags: bool) -> tuple[str, ...]:
    """What the word says of itself, without its lower-case form."""
    lower = word.lower()
    features = [] if word == lower else ["0:word=" + word]
    for size in range(1, min(affixes, len(lower) - 1) + 1):
        features += [f"0:prefix{size}={lower[:size]}", f"0:suffix{size}={lower[-size:]}"]
    if shape:
        features.append("0:shape=" + word_shape(word))
    if flags:
        features += ["0:is=" + name for name, holds in _flags(word).items() if holds]
    return tuple(features)


def _flags(word: str) -> dict[str, bool]:
    punct = all(is_punct(character) for character in word)
    return {
        "title": word.istitle(),
        "upper": word.isupper(),
        "digits": word.isdigit(),
        "digit": not word.isdigit() and any(character.isdigit() for character in word),
        "hyphen": "-" in word and not punct,
        "punct": punct,
    }


@lru_cache(maxsize=1 << 16)
def _short(word: str) -> str:
    return "".join(character for character, _ in groupby(word_shape(word)))
