"""Sets of allowed tags and soft targets through the decoder, with a CRF and with a linear head."""

import numpy as np
import pytest
import torch
from enumeration import Case
from test_decoder import XY, as_case, crf_scores, known

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.decoder import Decoder
from spacy_finegrained_ner.nn.crf import expectations

HEADS = {"crf": 4, "linear": 1}
"""How many scores each has."""


def sets(*allowed: set[int]) -> Gold:
    return Gold.of_sets(np.array([[tag in tags for tag in range(len(XY))] for tags in allowed]))


def told(case: Case, row: int, transitions: bool = True) -> Gold:
    """Soft targets: what the CRF of a case expects of one of its sequences."""
    n = int(case.lengths[row])
    found = expectations(
        case.emissions[row : row + 1, :n], case.lengths[row : row + 1], *case.parameters
    )
    pairs = found.transitions.numpy() if transitions else None
    return Gold.of_expectations(found.marginals[0].numpy(), pairs)


@pytest.mark.parametrize("head", HEADS)
def test_a_batch_of_all_kinds_is_the_sum_of_its_docs(head):
    lengths = [2, 3, 0, 2, 3, 2]
    scores = crf_scores(lengths)[: HEADS[head]]
    teacher = as_case(crf_scores(lengths, seed=9), lengths)
    gold = [
        sets({0, 1}, {2, 3}),
        *known([1, UNKNOWN, 0], []),
        told(teacher, 3),
        told(teacher, 4, transitions=False),
        *known([UNKNOWN, UNKNOWN]),
    ]
    counts = [2, 2, 0, 2, 3, 0]
    loss, gradients = Decoder(XY).loss(scores, lengths, gold)
    total, expected = 0.0, [np.zeros_like(score) for score in scores]
    for i, (n, count) in enumerate(zip(lengths, counts, strict=True)):
        if not count:
            continue
        own = (scores[0][i : i + 1, :n], *scores[1:])
        part, some = Decoder(XY).loss(own, [n], [gold[i]], weight=count)
        total += count * part
        expected[0][i, :n] += some[0][0]
        for whole, one in zip(expected[1:], some[1:], strict=True):
            if one is not None:
                whole += one
    assert loss == pytest.approx(total / sum(counts), rel=1e-5)
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs / sum(counts), rtol=1e-4, atol=1e-6)


def test_a_crf_sums_over_the_legal_paths_of_the_sets():
    lengths = [3]
    scores = crf_scores(lengths)
    gold = sets({0, 1}, {2, 3}, {0, 1, 2, 3, 4})
    loss, _ = Decoder(XY).loss(scores, lengths, [gold])
    case = as_case(scores, lengths)
    paths, of_paths = case.paths(0), case.scores(0)
    legal = of_paths > -torch.inf
    inside = torch.from_numpy(gold.allowed)[torch.arange(3), paths].all(dim=1)
    expected = of_paths[legal].logsumexp(0) - of_paths[legal & inside].logsumexp(0)
    assert loss == pytest.approx(expected.item() / 2, rel=1e-5)  # of two tokens something is known


def test_a_linear_head_sums_over_the_allowed_tags_of_each_token():
    (scores,) = crf_scores([2])[:1]
    loss, (gradient,) = Decoder(XY).loss((scores,), [2], [sets({0, 1}, {2, 3, 4})])
    p = np.exp(scores[0]) / np.exp(scores[0]).sum(axis=1, keepdims=True)
    right = np.array([p[0, :2].sum(), p[1, 2:].sum()])
    assert loss == pytest.approx(-np.log(right).mean(), rel=1e-5)
    inside = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]]) * p / right[:, None]
    np.testing.assert_allclose(gradient[0], (p - inside) / 2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("transitions", [True, False])
@pytest.mark.parametrize("head", HEADS)
def test_soft_targets_of_one_path_give_the_gradient_of_its_tags(head, transitions):
    scores = crf_scores([3])[: HEADS[head]]
    tags = np.array([1, 2, 0])
    marginals = np.eye(5)[tags]
    pairs = np.zeros((5, 5))
    np.add.at(pairs, (tags[:-1], tags[1:]), 1)
    soft = Gold.of_expectations(marginals, pairs if transitions else None)
    _, found = Decoder(XY).loss(scores, [3], [soft])
    _, hard = Decoder(XY).loss(scores, [3], known(tags))
    for i, (ours, theirs) in enumerate(zip(found, hard, strict=True)):
        if i and not transitions:
            assert ours is None  # transitions, starts, ends: not known, so no gradient
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_a_head_that_expects_what_the_teacher_does_learns_nothing(head):
    scores = crf_scores([3])[: HEADS[head]]
    if head == "crf":
        soft = told(as_case(scores, [3]), 0)
    else:
        p = np.exp(scores[0][0])
        soft = Gold.of_expectations(p / p.sum(axis=1, keepdims=True))
    loss, gradients = Decoder(XY).loss(scores, [3], [soft])
    assert loss > 0  # the teacher's entropy
    for gradient in gradients:
        np.testing.assert_allclose(gradient, 0, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_a_new_type_that_alone_is_labelled_is_not_learned_everywhere(head):
    """Of five tokens the second is an entity of the new type Y, and of X nothing is labelled. "Y on
    every token" has to be worse than "Y where it is labelled", whatever the rest is."""
    gold = sets({0, 1, 2}, {3}, *[{0, 1, 2}] * 3)
    shape = [1, 5, 5]
    flat = [np.zeros((5, 5), "f"), np.zeros(5, "f"), np.zeros(5, "f")][: HEADS[head] - 1]

    def loss(*tags: int) -> float:
        emissions = np.zeros(shape, "f")
        emissions[0, np.arange(5), tags] = 5.0
        return Decoder(XY).loss((emissions, *flat), [5], [gold])[0]

    right, everywhere = loss(0, 3, 0, 0, 0), loss(3, 3, 3, 3, 3)
    assert right < 0.3
    assert loss(0, 3, 1, 2, 0) < 0.3  # the old type may be anywhere else
    assert everywhere > right + 3
    gold = known([UNKNOWN, 3, UNKNOWN, UNKNOWN, UNKNOWN])[0]
    assert max(loss(0, 3, 0, 0, 0), loss(3, 3, 3, 3, 3)) < 0.1  # with "any tag" both are right


@pytest.mark.parametrize(
    ("head", "gold"),
    [("crf", [{0}, set()]), ("crf", [{2}, {0}]), ("linear", [{0}, set()])],
)
def test_what_allows_no_legal_path_is_refused(gold, head):
    scores = crf_scores([2])[: HEADS[head]]
    with pytest.raises(ValueError, match="no legal BIO"):
        Decoder(XY).loss(scores, [2], [sets(*gold)])


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tag", [5, -2])
def test_ids_that_are_no_tags_are_named(tag, head):
    with pytest.raises(ValueError, match=r"tag ids from .*, expected some from 0 to 4"):
        Decoder(XY).loss(crf_scores([2])[: HEADS[head]], [2], known([0, tag]))
    with pytest.raises(ValueError, match=r"tag ids from .*, expected some from 0 to 4"):
        Decoder(XY).loss(
            crf_scores([2, 1])[: HEADS[head]], [2, 1], [*known([0, tag]), sets({0, 1})]
        )


@pytest.mark.parametrize("tags", [[1], [1, 0, 0]])
def test_gold_of_another_number_of_tokens_or_tags_is_named(tags):
    with pytest.raises(ValueError, match=r"shape \(\d, 5\), expected \(2, 5\)"):
        Decoder(XY).loss(crf_scores([2]), [2], known(tags))
    with pytest.raises(ValueError, match=r"shape \(2, 5\), expected \(2, 3\)"):
        Decoder(TagSet(("X",))).loss(crf_scores([2], tags=3), [2], known([0, 0]))
