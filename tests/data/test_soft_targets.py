"""Soft targets on a Doc: what comes back of them, from a DocBin and under another tag set."""

from itertools import pairwise

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.data.soft_targets import (
    LEAST,
    SOFT_TARGETS,
    keep_soft_targets,
    soft_targets_of,
)
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import SoftTargets

AB = TagSet(("A", "B"))
NLP = spacy.blank("en")


def drawn(seed: int, tokens: int, sharp: float = 1.0) -> SoftTargets:
    rng = np.random.default_rng(seed)
    marginals = rng.dirichlet(np.full(len(AB), sharp), size=tokens)
    pairs = sum(
        (np.outer(a, b) for a, b in pairwise(marginals)),
        np.zeros((len(AB), len(AB))),
    )
    return SoftTargets(marginals, pairs)


def doc_of(soft: SoftTargets) -> Doc:
    doc = Doc(NLP.vocab, words=["word"] * len(soft.marginals))
    keep_soft_targets(doc, AB.tags, soft)
    return doc


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), tokens=st.integers(0, 12), sharp=st.sampled_from([0.02, 1.0]))
def test_what_comes_back_is_what_was_kept_but_for_what_is_tiny(seed, tokens, sharp):
    soft = drawn(seed, tokens, sharp)
    back = soft_targets_of(doc_of(soft), AB)
    lost = len(AB) * LEAST
    np.testing.assert_allclose(back.marginals, soft.marginals, atol=lost)
    # Of the transitions more may be left out, but never more than there are
    assert abs(back.transitions - soft.transitions).max(initial=0) <= len(AB) ** 2 * LEAST + 1e-5
    if sharp == 1.0 and tokens > 1:
        assert back.transitions.sum() == pytest.approx(tokens - 1, abs=1e-4)
        np.testing.assert_allclose(back.marginals.sum(axis=1), 1.0, atol=1e-6)


def test_a_docbin_keeps_them_and_another_order_of_labels_is_no_matter(tmp_path):
    soft = drawn(3, 5)
    docs = DocBin(docs=[doc_of(soft)], store_user_data=True)
    docs.to_disk(tmp_path / "taught.spacy")
    (example,) = Corpus(tmp_path / "taught.spacy")(NLP)
    gold = gold_of(example, TagSet(("B", "C", "A")))
    assert gold.soft is not None
    assert gold.known.all()
    expected = soft_targets_of(doc_of(soft), AB)
    own = [0, 5, 6, 1, 2]  # where the tags of AB are there
    np.testing.assert_allclose(gold.soft.marginals[:, own], expected.marginals, atol=1e-6)
    assert (gold.soft.marginals[:, 3:5] == 0).all()
    np.testing.assert_allclose(
        gold.soft.transitions[np.ix_(own, own)], expected.transitions, atol=1e-6
    )


def test_without_transitions():
    doc = doc_of(SoftTargets(drawn(1, 4).marginals))
    assert soft_targets_of(doc, AB).transitions is None


def test_their_labels_are_labels_of_the_data():
    soft = np.zeros((1, 5))
    soft[0, [0, 1]] = 0.5
    assert list(labels_of([doc_of(SoftTargets(soft))])) == ["A"]


def test_a_label_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"label 'B', which is not one of those .*\['A'\]"):
        soft_targets_of(doc_of(drawn(0, 4)), TagSet(("A",)))


def test_of_another_doc():
    doc = Doc(NLP.vocab, words=["one"])
    doc.user_data[SOFT_TARGETS] = doc_of(drawn(0, 4)).user_data[SOFT_TARGETS]
    with pytest.raises(ValueError, match="belong to another Doc"):
        soft_targets_of(doc, AB)


def test_other_tokens_learn_of_the_entities_and_are_warned_of():
    reference = doc_of(drawn(0, 2))
    predicted = Doc(NLP.vocab, words=["wordword"])
    with pytest.warns(UserWarning, match="other tokens"):
        assert gold_of(Example(predicted, reference), AB).soft is None


def test_a_bare_copy_has_none():
    assert soft_targets_of(bare_copy(doc_of(drawn(0, 2)), NLP.vocab), AB) is None
