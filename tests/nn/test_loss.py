from math import exp, log

import pytest
import torch

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.nn.loss import token_cross_entropy

TAGS = [
    pytest.param([[2, 0, 1], [1, 1, 0]], id="all known"),
    pytest.param([[2, UNKNOWN, 1], [1, UNKNOWN, UNKNOWN]], id="holes and padding"),
    pytest.param([[UNKNOWN, UNKNOWN, UNKNOWN], [0, 0, 0]], id="one sentence unknown"),
    pytest.param([[0]], id="one token"),
]


def emissions_for(tags):
    rng = torch.Generator().manual_seed(len(tags))
    shape = (len(tags), len(tags[0]), 3)
    return 3 * torch.randn(shape, generator=rng, dtype=torch.float64)


def loss_and_gradient(emissions, tags):
    leaf = emissions.clone().requires_grad_()
    loss = token_cross_entropy(leaf, tags)
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]


def by_hand(emissions, tags):
    """-log softmax at the gold tag, summed; gradient softmax - one-hot."""
    loss, gradient = 0.0, torch.zeros_like(emissions)
    for i, row in enumerate(tags):
        for j, gold in enumerate(row):
            if gold == UNKNOWN:
                continue
            exps = [exp(x) for x in emissions[i, j].tolist()]
            loss -= log(exps[gold] / sum(exps))
            for tag, value in enumerate(exps):
                gradient[i, j, tag] = value / sum(exps) - (tag == gold)
    return loss, gradient


@pytest.mark.parametrize("tags", TAGS)
def test_equals_the_formula(tags):
    emissions = emissions_for(tags)
    expected_loss, expected_gradient = by_hand(emissions, tags)
    loss, gradient = loss_and_gradient(emissions, torch.tensor(tags))
    assert loss.item() == pytest.approx(expected_loss, rel=1e-12)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("tags", TAGS)
def test_gradient_equals_finite_differences(tags):
    emissions, gold = emissions_for(tags), torch.tensor(tags)
    assert torch.autograd.gradcheck(
        lambda e: token_cross_entropy(e, gold), (emissions.clone().requires_grad_(),)
    )


def test_tokens_to_ignore_add_nothing_whatever_their_emissions():
    tags = torch.tensor([[2, UNKNOWN, 1]])
    emissions = emissions_for([[0, 0, 0]])
    loss, gradient = loss_and_gradient(emissions, tags)
    emissions[0, 1] = torch.tensor([1e6, -1e6, 0.0])
    changed_loss, changed_gradient = loss_and_gradient(emissions, tags)
    assert changed_loss == loss
    assert torch.equal(changed_gradient, gradient)
    assert gradient[0, 1].tolist() == [0, 0, 0]
    without, _ = loss_and_gradient(emissions[:, [0, 2]], tags[:, [0, 2]])
    assert without == loss


def test_sets_and_probabilities_equal_the_formula():
    """-log of the probability that an allowed tag is right; the cross-entropy of probabilities."""
    emissions = emissions_for([[0, 0, 0], [0, 0, 0]])
    p = emissions.softmax(dim=2)
    sets = torch.tensor([[[1, 0, 1], [0, 1, 0], [1, 1, 1]], [[1, 1, 0], [1, 1, 1], [1, 1, 1]]])
    loss, gradient = loss_and_gradient(emissions, sets.bool())
    right = (p * sets).sum(dim=2)
    assert loss.item() == pytest.approx(-right.log().sum().item(), rel=1e-12)
    torch.testing.assert_close(gradient, p - p * sets / right.unsqueeze(2))
    assert not gradient[1, 1:].any()
    soft = torch.rand(p.shape, generator=torch.Generator().manual_seed(0), dtype=p.dtype)
    soft = soft / soft.sum(dim=2, keepdim=True)
    soft[1, 2] = 0.0  # padding
    loss, gradient = loss_and_gradient(emissions, soft)
    assert loss.item() == pytest.approx(-(soft * p.log()).sum().item(), rel=1e-12)
    expected = p - soft
    expected[1, 2] = 0.0
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("tags", TAGS)
def test_one_allowed_tag_is_a_known_one(tags):
    ids = torch.tensor(tags)
    one = torch.nn.functional.one_hot(ids.clamp(min=0), 3).bool()
    sets = torch.where((ids == UNKNOWN).unsqueeze(2), True, one)
    emissions = emissions_for(tags)
    for found, expected in zip(
        loss_and_gradient(emissions, sets), loss_and_gradient(emissions, ids), strict=True
    ):
        torch.testing.assert_close(found, expected)
