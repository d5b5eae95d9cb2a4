from math import exp, log

import pytest
import torch

from spacy_finegrained_ner.nn.loss import IGNORE, token_cross_entropy

TAGS = [
    pytest.param([[2, 0, 1], [1, 1, 0]], id="all known"),
    pytest.param([[2, IGNORE, 1], [1, IGNORE, IGNORE]], id="holes and padding"),
    pytest.param([[IGNORE, IGNORE, IGNORE], [0, 0, 0]], id="one sentence unknown"),
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
    """-log softmax at the gold tag, averaged over known tokens; gradient softmax - one-hot."""
    known = sum(tag != IGNORE for row in tags for tag in row)
    loss, gradient = 0.0, torch.zeros_like(emissions)
    for i, row in enumerate(tags):
        for j, gold in enumerate(row):
            if gold == IGNORE:
                continue
            exps = [exp(x) for x in emissions[i, j].tolist()]
            loss -= log(exps[gold] / sum(exps)) / known
            for tag, value in enumerate(exps):
                gradient[i, j, tag] = (value / sum(exps) - (tag == gold)) / known
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
    tags = torch.tensor([[2, IGNORE, 1]])
    emissions = emissions_for([[0, 0, 0]])
    loss, gradient = loss_and_gradient(emissions, tags)
    emissions[0, 1] = torch.tensor([1e6, -1e6, 0.0])
    changed_loss, changed_gradient = loss_and_gradient(emissions, tags)
    assert changed_loss == loss
    assert torch.equal(changed_gradient, gradient)
    assert gradient[0, 1].tolist() == [0, 0, 0]
    without, _ = loss_and_gradient(emissions[:, [0, 2]], tags[:, [0, 2]])
    assert without == loss


def test_a_batch_and_the_same_batch_twice_have_the_same_loss():
    tags = torch.tensor([[2, IGNORE, 1], [1, IGNORE, IGNORE]])
    emissions = emissions_for(tags.tolist())
    once, _ = loss_and_gradient(emissions, tags)
    twice, gradient = loss_and_gradient(emissions.repeat(2, 1, 1), tags.repeat(2, 1))
    assert twice.item() == pytest.approx(once.item(), rel=1e-12)
    torch.testing.assert_close(gradient[:2], gradient[2:])


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (2, 0), (0, 0)])
def test_where_nothing_is_known_the_loss_and_its_gradient_are_zero(shape):
    emissions = torch.full((*shape, 3), 7.0)
    loss, gradient = loss_and_gradient(emissions, torch.full(shape, IGNORE))
    assert loss.item() == 0.0
    assert torch.equal(gradient, torch.zeros_like(emissions))


def test_scores_200_apart_stay_exact():
    emissions = torch.tensor([[[0.0, 200.0, -200.0]]])
    loss, gradient = loss_and_gradient(emissions, torch.tensor([[2]]))
    assert loss.item() == 400.0
    torch.testing.assert_close(gradient, torch.tensor([[[0.0, 1.0, -1.0]]]))
