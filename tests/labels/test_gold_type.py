"""Gold: tags, sets of tags and soft targets, and what becomes of them under another tag set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold

XY = TagSet(("X", "Y"))  # O, B-X, I-X, B-Y, I-Y
ONTO = np.array([0, 1, 2, 1, 2])
"""X and Y become one type."""


def sets(*allowed: set[int], size: int = 5) -> Gold:
    return Gold.of_sets(np.array([[tag in tags for tag in range(size)] for tags in allowed]))


@given(st.lists(st.integers(UNKNOWN, 4), max_size=6))
def test_tags_come_back_and_only_what_is_unknown_may_be_anything(tags):
    gold = Gold.of_tags(np.array(tags, dtype=np.int64), 5)
    assert gold.allowed.shape == (len(tags), 5)
    assert gold.tags.tolist() == tags
    assert gold.known.tolist() == [tag != UNKNOWN for tag in tags]
    assert gold.sets is None
    for tag, allowed in zip(tags, gold.allowed, strict=True):
        assert np.flatnonzero(allowed).tolist() == ([tag] if tag != UNKNOWN else [*range(5)])


def test_a_set_is_known_and_has_no_tag():
    gold = sets({0, 1}, {2}, {0, 1, 2, 3, 4})
    assert gold.tags.tolist() == [UNKNOWN, 2, UNKNOWN]
    assert gold.known.tolist() == [True, True, False]
    assert gold.sets is not None
    assert sets({1}, {0, 1, 2, 3, 4}).sets is None


def test_none_of_some_types():
    assert XY.none_of(["x"]).tolist() == [True, False, False, True, True]
    assert XY.none_of([]).all()
    assert XY.none_of(["Z"]).all()
    assert XY.none_of(["X", "Y"]).tolist() == [True, False, False, False, False]


@given(st.lists(st.sets(st.integers(0, 4), min_size=1).map(frozenset), min_size=1, max_size=5))
def test_mapped_what_is_allowed_is_what_an_allowed_tag_becomes(allowed):
    found = sets(*allowed).mapped(ONTO, 3).allowed
    for tags, there in zip(allowed, found, strict=True):
        assert set(np.flatnonzero(there).tolist()) == {int(ONTO[tag]) for tag in tags}


def test_mapped_soft_targets_add_up():
    rng = np.random.default_rng(0)
    marginals, transitions = rng.dirichlet(np.ones(5), 3), rng.dirichlet(np.ones(25), 2).sum(axis=0)
    transitions = transitions.reshape(5, 5)
    mapped = Gold.of_expectations(marginals, transitions).mapped(ONTO, 3)
    assert mapped.soft is not None
    assert mapped.known.all()
    for tag in range(3):
        expected = marginals[:, tag == ONTO].sum(axis=1)
        np.testing.assert_allclose(mapped.soft.marginals[:, tag], expected)
        for other in range(3):
            pairs = transitions[np.ix_(tag == ONTO, other == ONTO)]
            np.testing.assert_allclose(mapped.soft.transitions[tag, other], pairs.sum())
    alone = Gold.of_expectations(marginals).mapped(ONTO, 3)
    assert alone.soft is not None
    assert alone.soft.transitions is None


@pytest.mark.parametrize(
    ("marginals", "transitions"),
    [
        (np.full((2, 3), np.nan), None),
        (np.full((2, 3), 1.0), None),
        (np.zeros((2, 3)), None),
        (np.array([[1.5, -0.5, 0.0]]), None),
        (np.eye(3), -np.eye(3)),
        (np.eye(3), np.full((3, 3), np.nan)),
        (np.eye(3), np.eye(4)),
        (np.eye(3), np.eye(3)),  # of a batch: three transitions between three tokens
        (np.ones(3), None),
    ],
)
def test_what_can_be_no_expectations_is_refused(marginals, transitions):
    message = r"^Soft targets (must be prob.*away from 1|of 3 t|have marginals of the shape \(3,\))"
    with pytest.raises(ValueError, match=message):
        Gold.of_expectations(marginals, transitions)
    assert len(Gold.of_expectations(np.zeros((0, 3)), np.zeros((3, 3)))) == 0


def test_labels_in_any_case():
    tags = TagSet(("Real Madrid", "straße"))
    assert tags.spelled("REAL madrid") == "Real Madrid"
    assert tags.spelled("STRASSE") == "straße"
    assert tags.spelled("lyon") is None
