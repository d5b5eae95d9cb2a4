import pytest
import torch

from spacy_finegrained_ner.nn.dropout import Dropout


def run(p: float, shape=(200, 301), training: bool = True, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(p).train(training)(torch.ones(shape))


@pytest.mark.parametrize("p", [0.1, 0.2, 0.5, 0.9])
def test_it_drops_the_share_it_says_and_scales_what_is_left(p):
    found = run(p)
    kept = found[found != 0]
    assert abs(len(kept) / found.numel() - (1 - p)) < 4 * (p * (1 - p) / found.numel()) ** 0.5
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-4, atol=0)
    # Neither rows nor columns are dropped as a whole: elements are independent
    for dim in (0, 1):
        share = (found != 0).float().mean(dim=dim)
        assert share.std() < 2 * (p * (1 - p) / found.shape[dim]) ** 0.5


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (7,), (2, 3, 5)])
def test_any_shape(shape):
    assert run(0.5, shape).shape == shape


def test_the_same_seed_drops_the_same_and_another_does_not():
    assert torch.equal(run(0.3), run(0.3))
    assert not torch.equal(run(0.3), run(0.3, seed=1))


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.3, False), (1.0, True)])
def test_otherwise_it_is_torchs(p, training):
    expected = torch.nn.Dropout(p).train(training)(torch.ones(3, 4))
    assert torch.equal(run(p, (3, 4), training), expected)


def test_the_gradient_is_the_mask():
    torch.manual_seed(0)
    vectors = torch.randn(50, 40, requires_grad=True)
    out = Dropout(0.4)(vectors)
    (gradient,) = torch.autograd.grad(out.sum(), vectors)
    torch.testing.assert_close(out, gradient * vectors)
