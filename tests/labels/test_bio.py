from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import OUTSIDE, TagSet, illegal_bio

TAGS = TagSet(("Artist", "Food"))
NAMES = ("O", "B-Artist", "I-Artist", "B-Food", "I-Food")


def follows(before: str, after: str) -> bool:
    """IOB2, as its definition says it."""
    return after[0] != "I" or before in ("B" + after[1:], "I" + after[1:])


@st.composite
def sentences(draw):
    """A length, and entities that do not overlap, from left to right."""
    length = draw(st.integers(0, 12))
    cuts = sorted(draw(st.sets(st.integers(0, length))))
    spans = [pair for pair in pairwise(cuts) if draw(st.booleans())]
    return length, [(s, e, draw(st.sampled_from(TAGS.labels))) for s, e in spans]


def test_ids_and_names():
    assert TAGS.tags == NAMES
    assert len(TAGS) == 5
    assert [TAGS.begin(label) for label in TAGS.labels] == [1, 3]
    assert [TAGS.label_of(tag) for tag in range(1, 5)] == ["Artist", "Artist", "Food", "Food"]
    assert TagSet(()).tags == ("O",)
    with pytest.raises(KeyError, match="Drink"):
        TAGS.begin("Drink")


def test_a_label_stands_once():
    with pytest.raises(ValueError, match=r"stands twice in \['A', 'B', 'A'\]"):
        TagSet(("A", "B", "A"))


def test_legal_transitions_and_starts_are_those_of_the_definition():
    expected = [[follows(before, after) for after in NAMES] for before in NAMES]
    np.testing.assert_array_equal(TAGS.legal_transitions, expected)
    np.testing.assert_array_equal(TAGS.legal_starts, [follows("O", tag) for tag in NAMES])


def test_encode_by_hand():
    tags = TAGS.encode(7, [(4, 6, "Artist"), (0, 1, "Food"), (1, 4, "Food")])
    assert tags.tolist() == [3, 3, 4, 4, 1, 2, OUTSIDE]
    assert TAGS.encode(0, []).tolist() == []


@given(sentences())
def test_decode_gives_back_what_was_encoded(sentence):
    length, entities = sentence
    tags = TAGS.encode(length, entities)
    assert illegal_bio([TAGS.tags[tag] for tag in tags]) is None
    assert TAGS.decode(tags) == entities
    assert TAGS.decode(tags.tolist()) == entities


@pytest.mark.parametrize("length", [1, 2, 3])
def test_every_sequence_is_decoded_or_refused(length):
    legal = 0
    for tags in product(range(len(TAGS)), repeat=length):
        names = [NAMES[tag] for tag in tags]
        if all(map(follows, ["O", *names], names)):
            legal += 1
            assert illegal_bio(names) is None
            assert TAGS.encode(length, TAGS.decode(tags)).tolist() == list(tags)
        else:
            assert illegal_bio(names) is not None
            with pytest.raises(ValueError, match="but nothing goes on"):
                TAGS.decode(tags)
    assert legal == {1: 3, 2: 11, 3: 41}[length]


@pytest.mark.parametrize(
    ("length", "entities", "message"),
    [
        (3, [(0, 2, "Food"), (1, 3, "Artist")], r"1:3 \(Artist\) overlaps"),
        (3, [(0, 2, "Food"), (0, 2, "Food")], r"0:2 \(Food\) overlaps"),
        (3, [(0, 3, "Food"), (1, 2, "Food")], r"1:2 \(Food\) overlaps"),
        (3, [(1, 2, "Food"), (0, 3, "Artist")], r"0:3 \(Artist\) overlaps"),
        (3, [(2, 4, "Food")], "2:4 does not lie in 0:3"),
        (3, [(-1, 1, "Food")], "-1:1 does not lie in 0:3"),
        (3, [(1, 1, "Food")], "1:1 does not lie in 0:3"),
        (0, [(0, 1, "Food")], "0:1 does not lie in 0:0"),
    ],
)
def test_encode_refuses(length, entities, message):
    with pytest.raises(ValueError, match=message):
        TAGS.encode(length, entities)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([0, 2], "Token 1 has the tag I-Artist"),
        ([4], "Token 0 has the tag I-Food"),
        ([1, 4], "Token 1 has the tag I-Food"),
        ([0, UNKNOWN], "tag of token 1 is not known"),
    ],
)
def test_decode_refuses(tags, message):
    with pytest.raises(ValueError, match=message):
        TAGS.decode(tags)


@pytest.mark.parametrize(
    "tags",
    [
        [],
        ["-", "I-X", "I-X"],
        ["B-X", "-", "I-Y", "-"],
        ["B-a-b", "I-a-b"],
        ["B-Medication/Vaccine", "B-Medication/Vaccine"],
    ],
)
def test_legal_with_unknown_tags_and_odd_labels(tags):
    assert illegal_bio(tags) is None


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["O", "I-X"], ["'I-X' follows 'O'", "begins with 'B-X'"]),
        (["B-Y", "I-X"], ["'I-X' follows 'B-Y'"]),
        (["-", "O", "I-X"], ["'I-X' follows 'O'"]),
        (["X"], ["'X' is not an IOB2 tag", "expected O, B-Label, I-Label, or -"]),
        (["B-"], ["'B-' is not an IOB2 tag"]),
        (["I- "], ["'I- ' is not an IOB2 tag"]),
        ([""], ["'' is not an IOB2 tag"]),
        (["U-X"], ["'U-X' is not an IOB2 tag"]),
        (["b-X"], ["'b-X' is not an IOB2 tag"]),
    ],
)
def test_what_is_illegal_is_said(tags, said):
    illegal = illegal_bio(tags)
    assert illegal is not None
    at, message = illegal
    assert at == len(tags) - 1
    assert [part for part in said if part not in message] == []
