"""What training changes in what is found."""

import numpy as np
import pytest
from knowledge_names import builder, words

from spacy_finegrained_ner.knowledge.found import ADDED, OF_FILE, Found, Noise
from spacy_finegrained_ner.knowledge.live import LiveNames

NONE = dict.fromkeys(("hide", "hide_text", "replace", "invent", "hide_topics", "blur"), 0.0)
LENGTHS = [7] * 4000
"""So many texts of 7 tokens, each with three names."""
FOUND = Found(
    np.repeat(np.arange(4000), 3),
    np.tile([0, 2, 2], 4000),
    np.tile([1, 5, 6], 4000),
    np.tile([OF_FILE, OF_FILE, ADDED], 4000),
    np.tile([0, 1, 2], 4000),
)
NAMES = 1000


def applied(seed=0, **rates):
    return Noise(**NONE | rates).apply(FOUND, LENGTHS, NAMES, np.random.default_rng(seed))


def columns(found: Found) -> list[list[int]]:
    return [getattr(found, name).tolist() for name in ("text", "start", "end", "part", "number")]


def test_without_any_nothing_changes():
    found, topics_seen = applied()
    assert columns(found) == columns(FOUND)
    assert topics_seen.all()


def share(count, of) -> object:
    """Five standard deviations of a share of a half."""
    return pytest.approx(count / of, abs=2.5 / np.sqrt(of))


def test_names_are_hidden_one_by_one():
    found, _ = applied(hide=0.3)
    assert share(len(found), len(FOUND)) == 0.7
    alone = np.bincount(found.text, minlength=4000)
    assert {0, 1, 2, 3} == set(alone.tolist())  # not all of a text


def test_all_names_of_a_text_are_hidden():
    found, _ = applied(hide_text=0.2)
    left = np.bincount(found.text, minlength=4000)
    assert set(left.tolist()) == {0, 3}
    assert share((left == 0).sum(), 4000) == 0.2
    invented, _ = applied(hide_text=0.2, invent=0.3)  # also what is made up
    assert share((np.bincount(invented.text, minlength=4000) == 0).sum(), 4000) == 0.2


def test_names_get_those_of_others():
    found, _ = applied(replace=0.25)
    assert (found.start == FOUND.start).all()
    assert (found.end == FOUND.end).all()
    changed = (found.number != FOUND.number) | (found.part != FOUND.part)
    assert share(changed.sum(), len(FOUND)) == 0.25
    assert (found.part[changed] == OF_FILE).all()
    drawn = found.number[changed]
    assert 0 <= drawn.min() < 20
    assert NAMES - 20 < drawn.max() < NAMES


def test_names_are_made_up():
    found, _ = applied(invent=0.1)
    made = len(found) - len(FOUND)
    assert share(made, sum(LENGTHS)) == 0.1
    assert (np.diff(found.text) >= 0).all()
    assert (found.start >= 0).all()
    assert (found.end <= 7).all()
    assert (found.start < found.end).all()
    assert len(set((found.end - found.start).tolist())) >= 4
    # Those that were there are there
    before = set(zip(*columns(FOUND), strict=True))
    assert before <= set(zip(*columns(found), strict=True))


def test_topics_are_hidden():
    _, topics_seen = applied(hide_topics=0.4)
    assert share((~topics_seen).sum(), len(FOUND)) == 0.4


def test_whole_texts_are_blurred():
    noise = Noise(**NONE | {"blur": 0.3})
    blurred = noise.blurred(LENGTHS, np.random.default_rng(0)).reshape(-1, LENGTHS[0])
    assert (blurred.any(axis=1) == blurred.all(axis=1)).all()
    assert share(blurred.all(axis=1).sum(), len(LENGTHS)) == 0.3
    assert noise.blurred([], np.random.default_rng(0)).shape == (0,)


def test_a_seed_is_all_that_it_depends_on():
    rates = dict.fromkeys(NONE, 0.2)
    assert columns(applied(1, **rates)[0]) == columns(applied(1, **rates)[0])
    assert columns(applied(1, **rates)[0]) != columns(applied(2, **rates)[0])


def test_texts_without_tokens_or_names():
    noise = Noise(**dict.fromkeys(NONE, 0.5))
    rng = np.random.default_rng(0)
    assert len(noise.apply(Found(), [], 5, rng)[0]) == 0
    assert len(noise.apply(Found(), [0, 0], 5, rng)[0]) == 0
    found, _ = noise.apply(Found(), [0, 50, 0], 5, rng)
    assert set(found.text.tolist()) <= {1}
    live = LiveNames(builder().names())
    found, seen = noise.apply(live.find([[], words("in lyon")]), [0, 2], len(live.file), rng)
    assert len(found) == len(seen)
