"""From scores to tags and to a loss."""

import numpy as np
import pytest
import torch
from enumeration import Case
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import TagSet, illegal_bio
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.decoder import Decoder

X = TagSet(("X",))  # O, B-X, I-X
XY = TagSet(("X", "Y"))
LEGAL_GOLD = [
    [[0, 1, 2], [1, 3], []],
    [[0, UNKNOWN, 2], [UNKNOWN, UNKNOWN], [UNKNOWN]],
    [[UNKNOWN, 4, 4], [0], [3, UNKNOWN, 1]],
]


def known(*tags) -> list[Gold]:
    """The gold of docs whose tag ids are given."""
    return [Gold.of_tags(np.array(ids, dtype=np.int64), len(XY)) for ids in tags]


def tags_of(scores, lengths: list[int], tag_set: TagSet = XY) -> list[list[int]]:
    """The tags that the decoded entities stand for."""
    found = Decoder(tag_set).decode(scores, lengths)
    return [tag_set.encode(n, doc).tolist() for n, doc in zip(lengths, found, strict=True)]


def crf_scores(lengths: list[int], seed: int = 0, scale: float = 1.0, tags: int = len(XY)):
    """Emissions, transitions, starts, ends."""
    rng = np.random.default_rng(seed)
    shapes = ((len(lengths), max(lengths), tags), (tags, tags), (tags,), (tags,))
    return tuple((scale * rng.normal(size=shape)).astype("f") for shape in shapes)


def as_case(scores, lengths: list[int], tag_set: TagSet = XY) -> Case:
    """In float64, with what is no legal BIO forbidden."""
    emissions, transitions, starts, ends = (torch.from_numpy(x).double() for x in scores)
    return Case(
        emissions,
        torch.tensor(lengths),
        transitions.masked_fill(~torch.from_numpy(tag_set.legal_transitions), -torch.inf),
        starts.masked_fill(~torch.from_numpy(tag_set.legal_starts), -torch.inf),
        ends,
    )


def test_linear_loss_and_gradient_by_hand():
    """Two docs, one token unknown: mean over the three known tokens of -log softmax."""
    scores = np.random.default_rng(0).normal(size=(2, 2, 5)).astype("f")
    gold = known([1, 2], [0, UNKNOWN])
    loss, (gradient,) = Decoder(XY).loss((scores,), [2, 2], gold)
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    places = [(0, 0, 1), (0, 1, 2), (1, 0, 0)]
    assert loss == pytest.approx(-np.mean([np.log(p[at]) for at in places]), rel=1e-5)
    expected = np.zeros_like(p)
    for doc, token, tag in places:
        expected[doc, token] = p[doc, token] / 3
        expected[doc, token, tag] -= 1 / 3
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gold", LEGAL_GOLD)
def test_crf_loss_and_gradients_equal_those_over_all_legal_paths(gold):
    """What is not known is summed over, never read as O."""
    lengths = [len(tags) for tags in gold]
    scores = crf_scores(lengths)
    loss, gradients = Decoder(XY).loss(scores, lengths, known(*gold))
    case = as_case(scores, lengths)
    padded = torch.full(case.emissions.shape[:2], -1)
    for row, tags in zip(padded, gold, strict=True):
        row[: len(tags)] = torch.tensor(tags)
    leaves = [x.requires_grad_() for x in (case.emissions, *case.parameters)]
    tokens = sum(tag != UNKNOWN for tags in gold for tag in tags)
    expected = -case.log_likelihood(padded) / tokens
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for found, by_enumeration in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
        np.testing.assert_allclose(found, by_enumeration, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decoder", ["linear", "crf"])
def test_the_weight_is_on_the_gradient_and_not_on_the_loss(decoder):
    scores = crf_scores([2, 3])[: 1 if decoder == "linear" else 4]
    gold = known([1, 2], [0, UNKNOWN, 3])
    loss, gradients = Decoder(XY).loss(scores, [2, 3], gold)
    weighted_loss, weighted = Decoder(XY).loss(scores, [2, 3], gold, 0.25)
    assert weighted_loss == loss
    for ours, whole in zip(weighted, gradients, strict=True):
        assert whole.any()
        np.testing.assert_allclose(ours, 0.25 * whole, rtol=1e-6)


def test_linear_emissions_of_unknown_tokens_get_no_gradient():
    scores = crf_scores([3, 2])[:1]
    gold = known([1, UNKNOWN, 0], [UNKNOWN, UNKNOWN])
    _, (gradient,) = Decoder(XY).loss(scores, [3, 2], gold)
    assert gradient.any(axis=2).tolist() == [[True, False, True], [False, False, False]]


@pytest.mark.parametrize("decoder", ["linear", "crf"])
def test_where_nothing_is_known_nothing_is_learned(decoder):
    scores = crf_scores([2, 3], scale=10.0)[: 1 if decoder == "linear" else 4]
    gold = known([UNKNOWN] * 2, [UNKNOWN] * 3)
    # No gradient at all: with one of zeros, an optimizer would still move and decay the weights
    assert Decoder(XY).loss(scores, [2, 3], gold) == (0.0, None)


@pytest.mark.parametrize("decoder", ["linear", "crf"])
def test_the_padding_gets_no_gradient_and_has_no_part_in_the_loss(decoder):
    lengths, gold = [1, 3], known([3], [0, 1, 2])
    scores = crf_scores(lengths)[: 1 if decoder == "linear" else 4]
    loss, gradients = Decoder(XY).loss(scores, lengths, gold)
    scores[0][0, 1:] = 1e30
    again, changed = Decoder(XY).loss(scores, lengths, gold)
    assert again == loss
    assert not gradients[0][0, 1:].any()
    for ours, theirs in zip(changed, gradients, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("gold", [[2, 0, 0], [0, 2, 0], [1, 4, 0], [0, 4, UNKNOWN]])
def test_a_crf_refuses_gold_that_is_no_legal_bio_and_says_what_to_do(gold):
    lengths = [3, 2]
    with pytest.raises(ValueError, match=r"no legal BIO.*I-.*not known \(-\), or as B-"):
        Decoder(XY).loss(crf_scores(lengths), lengths, known(gold, [0, 0]))


def test_linear_decoding_picks_the_best_legal_path():
    # I-X alone is best everywhere, but may not begin: B-X I-X (3 + 9) beats O O (4 + 4).
    scores = np.array([[[4, 3, 9], [4, 0, 9]]], dtype="f")
    assert tags_of((scores,), [2], X)[0] == [1, 2]
    scores[0, 1] = [9, 0, 9]
    assert tags_of((scores,), [2], X)[0] == [0, 0]


def test_crf_decoding_picks_the_best_legal_path_with_transitions_and_ends():
    for seed in range(20):
        lengths = [3, 1, 2]
        scores = crf_scores(lengths, seed, scale=3.0)
        case = as_case(scores, lengths)
        found = tags_of(scores, lengths)
        assert [tuple(path) for path in found] == [case.best(i) for i in range(3)]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([0.01, 1.0, 200.0, 1e30]))
def test_whatever_the_scores_the_tags_are_legal(seed, tokens, scale):
    scores = crf_scores([tokens], seed, scale)
    scores[0][:, :, 2::2] += scale * (seed % 3)  # I- is tempting
    for own in (scores, scores[:1]):
        (tags,) = tags_of(own, [tokens])
        assert illegal_bio([XY.tags[tag] for tag in tags]) is None


def test_docs_have_entities_in_their_own_tokens_only():
    lengths = [2, 0, 3]
    scores = crf_scores(lengths)
    scores[0][:, :, 1] = 1e6  # B-X everywhere, in the padding too
    found = Decoder(XY).decode(scores, lengths)
    assert [len(entities) for entities in found] == lengths


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", range(4))
def test_scores_that_are_not_finite_are_an_error_not_a_tag(part, value):
    scores = crf_scores([2])
    scores[part].flat[0] = value
    with pytest.raises(ValueError, match=r"not finite.*earlier checkpoint"):
        Decoder(XY).decode(scores, [2])
