"""Names that are words: counted in gold data, for each text without its own gold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge_names import builder, words

from spacy_finegrained_ner.knowledge.common import ENTITY, NONE, UNKNOWN, Counts, Gold
from spacy_finegrained_ner.knowledge.found import OF_FILE
from spacy_finegrained_ner.knowledge.live import LiveNames

LIVE = LiveNames(builder().names())


def gold(text: str, *spans: tuple[int, int], unknown: tuple[int, ...] = ()) -> Gold:
    known = np.ones(len(words(text)), np.bool_)
    known[list(unknown)] = False
    return Gold(text, spans, known)


@pytest.mark.parametrize(
    ("span", "kind"),
    [
        ((1, 3), ENTITY),
        ((2, 3), UNKNOWN),  # within a longer one, which may be in no list
        ((0, 1), NONE),
        ((0, 2), NONE),  # half of one
        ((2, 4), NONE),
        ((5, 6), UNKNOWN),
        ((4, 6), UNKNOWN),
        ((0, 6), UNKNOWN),
    ],
)
def test_whether_a_name_is_an_entity(span, kind):
    assert gold("in new york city to lyon", (1, 3), unknown=(5,)).is_entity(*span) == kind


TEXTS = [
    ("in lyon", (1, 2)),
    ("tea in lyon", (0, 1), (2, 3)),
    ("in and in", (2, 3)),  # in: once an entity, once not
    ("tea to tea",),
    ("to york", (1, 2)),
]


def counted(least: float, texts=TEXTS) -> Counts:
    counts = Counts(LIVE.file, least)
    found = LIVE.find([words(text) for text, *_ in texts], training=True)
    counts.add(found, [gold(text, *spans) for text, *spans in texts])
    return counts


@pytest.mark.parametrize(
    ("least", "common"),
    [
        # (entities + 1) / (met + 2): in 2 / 6, tea 2 / 5, to 1 / 4, lyon 3 / 4, york 2 / 3
        (0.0, set()),
        (0.3, {"to "}),
        (0.35, {"to ", "in "}),
        (0.45, {"to ", "in ", "tea "}),
        (1.0, {"to ", "in ", "tea ", "lyon ", "york "}),
    ],
)
def test_words(least, common):
    found = counted(least).common()
    assert {LIVE.file.key(number) for number in found.tolist()} == common


def test_a_text_counts_once_also_in_capitals():
    once, twice = counted(0.45), counted(0.45, [*TEXTS, *((t.upper(), *s) for t, *s in TEXTS)])
    assert once.common().tolist() == twice.common().tolist()


def brute(text: int, number: int, texts, least: float) -> bool:
    """Whether a name is one, counted anew in all other texts."""
    met = entities = 0
    for i, (other, *spans) in enumerate(texts):
        found = LIVE.find([words(other)], training=True)
        for start, end, one in zip(found.start, found.end, found.number, strict=True):
            kind = gold(other, *spans).is_entity(int(start), int(end))
            if i != text and one == number and kind != UNKNOWN:
                met += 1
                entities += kind == ENTITY
    return met == 0 or (entities + 1) / (met + 2) >= least


WORD = st.sampled_from(["in", "to", "tea", "green", "lyon", "new", "york", "city", "x"])


@st.composite
def texts(draw):
    several = []
    for _ in range(draw(st.integers(1, 4))):
        text = draw(st.lists(WORD, min_size=1, max_size=5))
        starts = draw(st.sets(st.integers(0, len(text) - 1), max_size=2))
        cuts = [*sorted(starts), len(text)]
        spans = [(start, draw(st.integers(start + 1, end))) for start, end in pairwise(cuts)]
        several.append((" ".join(text), *spans))
    return list({text: (text, *spans) for text, *spans in several}.values())


@given(texts(), st.sampled_from([0.3, 0.4, 0.5]))
def test_each_text_is_left_out_of_its_counts(several, least):
    counts = counted(least, several)
    found = LIVE.find([words(text) for text, *_ in several], training=True)
    kept = counts.names(found, [gold(text, *spans) for text, *spans in several])
    rows = zip(found.text.tolist(), found.number.tolist(), strict=True)
    assert kept.tolist() == [brute(text, number, several, least) for text, number in rows]


def test_the_gold_of_a_text_changes_nothing_for_it():
    text, *spans = TEXTS[0]
    found = LIVE.find([words(text)], training=True)
    others = counted(0.45, TEXTS[1:])
    expected = others.names(found, [gold(text, *spans)]).tolist()
    assert expected == [False, True]  # in, lyon
    # Counted with its own gold, whatever that is; or not counted, and whatever it is told
    for own in ((), [(0, 1)], [(0, 2)], [(1, 2)]):
        counts = counted(0.45, [(text, *own), *TEXTS[1:]])
        assert counts.names(found, [gold(text, *own)]).tolist() == expected
        assert others.names(found, [gold(text, *own)]).tolist() == expected


def test_what_was_added_is_a_name():
    live = LiveNames(builder().names())
    live.add("to", "film")
    counts = counted(1.0)
    found = live.find([words("to tea")], training=True)
    kept = counts.names(found, [gold("to tea")])
    assert kept.tolist() == (found.part != OF_FILE).tolist() == [True, False]
