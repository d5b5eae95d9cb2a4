"""From names in texts to the numbers that a model reads, by hand."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge_names import builder, names_file, words
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_finegrained_ner.knowledge.evidence import (
    BEGIN,
    INSIDE,
    LAST,
    WHOLE,
    Vocabulary,
    evidence,
)
from spacy_finegrained_ner.knowledge.found import Found
from spacy_finegrained_ner.knowledge.live import LiveNames
from spacy_finegrained_ner.scoring.names import names_report

LIVE = LiveNames(builder().names())
VOCABULARY = Vocabulary(["athlete", "Drink", "Food", "HumanSettlement"], ["player", "beverage"])


def told(texts, live=LIVE, vocabulary=VOCABULARY, topics_seen=None):
    tokens = [words(text) for text in texts]
    now = live.now
    found = live.find(tokens, now)
    return evidence(found, now.parts, vocabulary, [len(t) for t in tokens], topics_seen)


def bag(rows, weights, starts, i) -> dict[int, float]:
    """What name i has in each row."""
    end = starts[i + 1] if i + 1 < len(starts) else len(rows)
    found: dict[int, float] = {}
    for row, weight in zip(rows[starts[i] : end], weights[starts[i] : end], strict=True):
        found[int(row)] = found.get(int(row), 0.0) + float(weight)
    return {row: round(weight, 4) for row, weight in found.items() if weight}


def test_by_hand():
    one = told(["in lyon", "", "new york city tea"])
    # in, lyon; new york, new york city, york, tea
    assert one.tokens == 6
    assert one.length.tolist() == [0, 0, 1, 2, 0, 0]
    assert one.before.tolist() == [6, 0, 6, 6, 2, 4]  # 6: none
    assert one.after.tolist() == [1, 6, 4, 5, 4, 6]
    assert list(zip(one.token.tolist(), one.name.tolist(), one.place.tolist(), strict=True)) == [
        *((0, 0, WHOLE), (1, 1, WHOLE)),
        *((2, 2, BEGIN), (3, 2, LAST)),
        *((2, 3, BEGIN), (3, 3, INSIDE), (4, 3, LAST)),
        *((3, 4, WHOLE), (5, 5, WHOLE)),
    ]
    assert one.ambiguity.tolist() == [0, 1, 0, 0, 0, 1]  # lyon: a city or a player; tea
    assert one.sources.tolist() == [0, 0, 0, 0, 0, 0]
    types = (one.type_rows, one.type_weights, one.type_starts)
    assert bag(*types, 0) == {4: 1.0}
    assert bag(*types, 1) == {4: 0.5, 1: 0.5}  # "Athlete" in the file
    assert bag(*types, 5) == {2: 0.6667, 3: 0.3333}  # the likeliest first
    topics = (one.topic_rows, one.topic_weights, one.topic_starts)
    assert bag(*topics, 0) == {0: 1.0}  # no row for cities
    assert bag(*topics, 1) == {0: 0.5, 1: 0.5}
    assert bag(*topics, 5) == {2: 1.0}


def test_sources_and_types_that_are_not_known():
    one = told(["marie curie and at&t"])
    assert one.sources.tolist() == [1, 0, 0]  # marie curie, curie, at&t
    assert one.ambiguity.tolist() == [0, 0, 0]  # none that it knows counts as one
    for i in range(3):
        assert bag(one.type_rows, one.type_weights, one.type_starts, i) == {}


def test_topics_that_are_hidden():
    one = told(["lyon tea"], topics_seen=np.array([False, True]))
    assert one.topic_rows.tolist() == [0, 0, 2]
    assert bag(one.type_rows, one.type_weights, one.type_starts, 0) == {4: 0.5, 1: 0.5}


def test_of_what_was_added():
    live = LiveNames(builder().names())
    live.add("Kestrel 4", "beverage")
    live.add("Lyon", "bar", ["drink"])
    one = told(["kestrel 4 in lyon"], live)
    types = (one.type_rows, one.type_weights, one.type_starts)
    assert bag(*types, 0) == {2: 0.6667, 3: 0.3333}
    assert bag(*types, 1) == {4: 1.0}
    assert bag(*types, 2) == {4: 0.3333, 1: 0.3333, 2: 0.3333}
    assert one.sources.tolist() == [0, 0, 1]
    assert bag(one.topic_rows, one.topic_weights, one.topic_starts, 0) == {2: 1.0}


def test_of_nothing():
    one = told(["nothing here", ""])
    assert one.tokens == 2
    empty = evidence(Found(), LIVE.now.parts, VOCABULARY, [])
    for name, column in vars(one).items():
        if name != "tokens":
            assert column.shape == getattr(empty, name).shape == (0,)
            assert column.dtype in (np.int64, np.float32)


def test_a_vocabulary_can_be_pickled():
    again = pickle.loads(pickle.dumps(VOCABULARY))
    for one, other in zip(again.tables(LIVE.file), VOCABULARY.tables(LIVE.file), strict=True):
        np.testing.assert_array_equal(one, other)


TEXT = st.lists(
    st.sampled_from(["in", "lyon", "new", "york", "city", "tea", "x", "marie", "curie", "pelé"]),
    max_size=6,
).map(" ".join)


@given(st.lists(TEXT, max_size=4))
def test_a_text_is_told_the_same_alone(texts):
    """But for where it begins among the tokens."""
    together = told(texts)
    first = names = entries = 0
    for text in texts:
        alone = told([text])
        size = len(alone.length)
        for name in ("length", "ambiguity", "sources"):
            column = getattr(together, name)[names : names + size]
            assert column.tolist() == getattr(alone, name).tolist()
        for name in ("before", "after"):
            none = {together.tokens: -1}
            column = getattr(together, name)[names : names + size].tolist()
            column = [none.get(i, i - first) for i in column]
            own = [-1 if i == alone.tokens else i for i in getattr(alone, name).tolist()]
            assert column == own
        ends = slice(entries, entries + len(alone.topic_rows))
        assert together.topic_rows[ends].tolist() == alone.topic_rows.tolist()
        np.testing.assert_allclose(together.topic_weights[ends], alone.topic_weights)
        names, entries, first = names + size, ends.stop, first + alone.tokens
    assert names == len(together.length)


@pytest.mark.parametrize("label", ["Scientist", "SCIENTIST"])
def test_a_list_is_right_in_any_spelling_of_a_type(tmp_path, label):
    doc = Doc(Vocab(), words=["marie", "curie"], ents=[f"B-{label}", f"I-{label}"])
    rows = names_report(LiveNames(names_file(tmp_path / "names")), [doc])["topics"]
    assert {topic: row["right"] for topic, row in rows.items()} == {"scientist": 1, "film": 0}
