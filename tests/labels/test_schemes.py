import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.labels.bio import illegal_bio
from spacy_finegrained_ner.labels.schemes import (
    ILLEGAL,
    SCHEMES,
    UNKNOWN_TAG,
    find_scheme,
    spans_of_tags,
)


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("O O", None),
        ("O - O", None),
        ("B-A O B-A", "IOB2"),
        ("B-A I-A O", "IOB2"),
        ("B-A B-A", "IOB2"),
        ("O I-A I-A O I-B", "IO"),
        ("I-A I-B", "IO"),
        ("I-A B-A I-A O", "IOB1"),
        ("B-A E-A O S-B", "IOBES"),
        ("O S-A", "IOBES"),
        ("B-A L-A U-B", "BILUO"),
        ("O U-A", "BILUO"),
        ("person-actor person-actor O", "labels"),
        ("O PER", "labels"),
        ("- I-A B-A", "IOB2"),  # what I- goes on from is not known
        # A few wrong tags among many
        ("B-A O B-A O B-A I-A O I-A", "IOB2"),
        ("B-A O B-A O B-A O E-A", "IOB2"),
        ("B-A O B-A O S-A", "IOB2"),
        ("B-A I-A O PER", "IOB2"),
        ("I-A O I-B O I-A B-A O B-A", "IOB1"),
    ],
)
def test_the_scheme_is_found_by_the_tags_that_occur(tags, scheme):
    assert find_scheme([tags.split()]) == scheme
    assert find_scheme([["O"], tags.split(), []]) == scheme


@pytest.mark.parametrize(
    ("scheme", "tags", "entities", "unknown", "problems"),
    [
        ("IOB2", "B-A I-A O B-B B-B", [(0, 2, "A"), (3, 4, "B"), (4, 5, "B")], [], []),
        ("IOB2", "O I-A I-A O", [], [1, 2], [(1, "'I-A' follows 'O'")]),
        ("IOB2", "B-A I-B O B-A", [(3, 4, "A")], [0, 1], [(1, "'I-B' follows 'B-A'")]),
        ("IOB2", "B-A - I-A B-B", [(0, 1, "A"), (3, 4, "B")], [1, 2], []),
        ("IOB2", "B-A E-A X O", [(0, 1, "A")], [1, 2], [(1, None), (2, None)]),
        ("IOB2", "I-A", [], [0], [(0, "'I-A' follows 'O'")]),
        ("IOB1", "I-A I-A B-A O I-B", [(0, 2, "A"), (2, 3, "A"), (4, 5, "B")], [], []),
        ("IOB1", "O B-A I-A", [(1, 3, "A")], [], []),  # it can't be meant otherwise
        ("IOB1", "- I-A I-A I-B", [(3, 4, "B")], [0, 1, 2], []),
        ("IO", "I-A I-A I-B", [(0, 2, "A"), (2, 3, "B")], [], []),
        ("labels", "A A O S-Bahn", [(0, 2, "A"), (3, 4, "S-Bahn")], [], []),
        ("IOBES", "B-A I-A E-A S-B", [(0, 3, "A"), (3, 4, "B")], [], []),
        ("IOBES", "B-A I-A O S-B", [(3, 4, "B")], [0, 1], [(0, "'B-A' is not ended before 'O'")]),
        ("IOBES", "O B-A", [], [1], [(1, "'B-A' is not ended")]),
        ("IOBES", "I-A E-A O", [], [0, 1], [(0, "'I-A' follows 'O'")]),
        ("BILUO", "B-A L-A U-B", [(0, 2, "A"), (2, 3, "B")], [], []),
        ("BILUO", "B-A - L-A", [], [0, 1, 2], []),
    ],
)
def test_spans_of_tags(scheme, tags, entities, unknown, problems):
    found = spans_of_tags(tags.split(), scheme)
    assert found.entities == entities
    assert sorted(found.unknown) == unknown
    at = [(i, message if kind == ILLEGAL else None) for i, kind, message in found.problems]
    assert at == problems
    assert {kind for _, kind, _ in found.problems} <= {ILLEGAL, UNKNOWN_TAG}


TAGS = st.sampled_from(
    ["O", "-", "", *(f"{x}-{label}" for x in "BIELSUM" for label in "AB"), "A", "Q-A", "B-"]
)


@given(tags=st.lists(TAGS, max_size=9), scheme=st.sampled_from(SCHEMES))
def test_no_tag_is_lost_in_silence(tags, scheme):
    """Each token is O, in one entity, or not known; and one that is not known is so because of a
    tag that is not, or of a problem."""
    found = spans_of_tags(tags, scheme)
    inside = [i for start, end, _ in found.entities for i in range(start, end)]
    outside = [i for i, tag in enumerate(tags) if tag == "O"]
    assert sorted([*inside, *outside, *found.unknown]) == list(range(len(tags)))
    if found.unknown and not {"-", ""} & set(tags):
        assert found.problems
    assert {i for i, _, _ in found.problems} <= found.unknown


@given(tags=st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=8))
def test_iob2_is_without_problems_where_it_is_legal(tags):
    assert bool(spans_of_tags(tags, "IOB2").problems) == (illegal_bio(tags) is not None)
