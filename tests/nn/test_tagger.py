import pytest
import torch

from spacy_finegrained_ner.nn.tagger import LinearHead


def head(*, dropout: float, seed: int = 0) -> LinearHead:
    torch.manual_seed(seed)
    return LinearHead(width=4, tags=3, dropout=dropout)


def test_emissions_are_weights_times_vector_plus_bias():
    module = head(dropout=0.5).eval()
    weight = module.state_dict()["head.emissions.weight"].tolist()
    bias = module.state_dict()["head.emissions.bias"].tolist()
    vectors = torch.randn(2, 3, 4)
    emissions = module(vectors)
    for doc in range(2):
        for token in range(3):
            vector = vectors[doc, token].tolist()
            by_hand = [
                sum(w * x for w, x in zip(row, vector, strict=True)) + b
                for row, b in zip(weight, bias, strict=True)
            ]
            assert emissions[doc, token].tolist() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.2, 0.9])
def test_dropout_zeroes_that_part_of_the_vectors_and_scales_up_the_rest(dropout):
    torch.manual_seed(0)
    module = LinearHead(width=50, tags=50, dropout=dropout)
    module.load_state_dict(
        {"head.emissions.weight": torch.eye(50), "head.emissions.bias": torch.zeros(50)}
    )
    vectors = torch.ones(20, 10, 50)
    values, counts = module.train()(vectors).unique(return_counts=True)
    kept = 1 / (1 - dropout)
    assert values.tolist() == pytest.approx([0.0, kept] if dropout else [1.0])
    if dropout:
        assert counts[0].item() / vectors.numel() == pytest.approx(dropout, abs=0.02)
    assert torch.equal(module.eval()(vectors), vectors)


def test_every_parameter_is_called_head_and_learns():
    module = head(dropout=0.0)
    module(torch.ones(1, 2, 4)).sum().backward()
    gradients = {name: p.grad.tolist() for name, p in module.named_parameters()}
    # Two tokens of ones: each weight is used twice, and so is each bias.
    assert gradients == {
        "head.emissions.weight": [[2.0] * 4] * 3,
        "head.emissions.bias": [2.0] * 3,
    }


def test_a_head_of_the_same_sizes_takes_the_weights_over():
    trained = head(dropout=0.5, seed=1).eval()
    assert trained.sizes == {"width": 4, "tags": 3}
    other = LinearHead(**trained.sizes, dropout=0.1).eval()
    vectors = torch.randn(1, 2, 4)
    assert not torch.equal(other(vectors), trained(vectors))
    other.load_state_dict(trained.state_dict())
    assert torch.equal(other(vectors), trained(vectors))
