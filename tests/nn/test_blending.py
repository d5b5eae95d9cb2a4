from math import exp

import pytest
import torch
from torch.func import functional_call

from spacy_finegrained_ner.nn.blending import Average, Concatenate, Gated, Projected

WIDTH = 3
LENGTHS = [4, 1, 0, 2, 6]

KINDS = {
    "concatenate": lambda window: Concatenate(WIDTH, window),
    "average": lambda window: Average(WIDTH, window, learned=False),
    "learned": lambda window: Average(WIDTH, window, learned=True),
    "gated": lambda window: Gated(WIDTH, window),
    "concatenate emissions": lambda window: Projected(Concatenate(WIDTH, window), WIDTH),
    "average emissions": lambda window: Projected(Average(WIDTH, window, False), WIDTH),
    "gated emissions": lambda window: Projected(Gated(WIDTH, window), WIDTH),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
each_window = pytest.mark.parametrize("window", [1, 2, 3])


def build(kind: str, window: int) -> torch.nn.Module:
    """In float64, with parameters that are not those of the start."""
    module = KINDS[kind](window).double()
    rng = torch.Generator().manual_seed(window)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
    return module


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Padded with numbers that nobody would overlook."""
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(LENGTHS), max(LENGTHS), WIDTH, generator=rng, dtype=torch.float64)
    for row, n in zip(vectors, LENGTHS, strict=True):
        row[n:] = 1e6
    return vectors, torch.tensor(LENGTHS)


def around(sentence: list, i: int, window: int) -> list:
    """A token, then those at -1, +1, -2, +2 and so on; itself for those that are not there."""
    found = [sentence[i]]
    for distance in range(1, window + 1):
        places = (i - distance, i + distance)
        found += [sentence[j if 0 <= j < len(sentence) else i] for j in places]
    return found


def softmax(logits: list[float]) -> list[float]:
    return [exp(x) / sum(exp(y) for y in logits) for x in logits]


def affine(linear: torch.nn.Linear, vector: list[float]) -> list[float]:
    rows = zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
    return [sum(w * x for w, x in zip(row, vector, strict=True)) + b for row, b in rows]


def blended(module, kind: str, sentence: list, i: int, window: int) -> list[float]:
    """One token, in plain floats."""
    inner = getattr(module, "blending", module)
    near = around(sentence, i, window)
    flat = [x for vector in near for x in vector]
    if kind.startswith("concatenate"):
        result = flat
    else:
        if kind == "learned":
            weights = softmax(inner.logits.tolist())
        elif kind.startswith("gated"):
            weights = softmax(affine(inner.gate, flat))
        else:
            weights = [0.5] + [0.25 / window] * 2 * window
        result = [sum(w * v[d] for w, v in zip(weights, near, strict=True)) for d in range(WIDTH)]
    return affine(module.projection, result) if kind == "concatenate emissions" else result


@each_window
@each_kind
def test_equals_a_loop_over_each_sentence_on_its_own(kind, window):
    module = build(kind, window)
    vectors, lengths = batch()
    found = module(vectors, lengths)
    for row, n in enumerate(LENGTHS):
        sentence = vectors[row, :n].tolist()
        for i in range(n):
            expected = blended(module, kind, sentence, i, window)
            assert found[row, i].tolist() == pytest.approx(expected, rel=1e-6), (row, i)


@each_window
@each_kind
def test_padded_equals_unpadded_and_nothing_leaks_in_the_gradient_either(kind, window):
    module = build(kind, window)
    vectors, lengths = batch()
    vectors.requires_grad_()
    found = module(vectors, lengths)
    for row, n in enumerate(LENGTHS):
        alone = module(vectors[row : row + 1, :n], lengths[row : row + 1])
        torch.testing.assert_close(found[row, :n], alone[0])
        own = found[row, :n].square().sum()
        (gradient,) = torch.autograd.grad(own, vectors, retain_graph=True)
        assert gradient[row, :n].any(dim=1).all()
        gradient[row, :n] = 0.0
        assert not gradient.any()


@each_window
@each_kind
def test_gradients_equal_finite_differences(kind, window):
    module = build(kind, window)
    names = [name for name, _ in module.named_parameters()]
    lengths = torch.tensor([3, 1, 2])
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(3, 3, WIDTH, generator=rng, dtype=torch.float64)

    def function(vectors, *parameters):
        return functional_call(
            module, dict(zip(names, parameters, strict=True)), (vectors, lengths)
        )

    leaves = [vectors, *(p.detach().clone() for p in module.parameters())]
    assert torch.autograd.gradcheck(function, [leaf.requires_grad_() for leaf in leaves])


def test_at_the_edge_of_window_two_the_token_itself_stands_in_not_the_first():
    vectors = torch.tensor([[[1.0], [2.0], [3.0]]])
    found = Concatenate(1, 2)(vectors, torch.tensor([3]))
    #                            itself, -1, +1, -2, +2
    assert found[0].tolist() == [[1, 1, 2, 1, 3], [2, 1, 3, 2, 2], [3, 2, 3, 1, 3]]


def test_the_fixed_average_has_no_parameters_and_saves_nothing():
    average = Average(WIDTH, 1, learned=False)
    assert average.state_dict() == {}
    assert not list(average.parameters())


@pytest.mark.parametrize(
    ("window", "weights"), [(1, [0.5, 0.25, 0.25]), (2, [0.5, 0.125, 0.125, 0.125, 0.125])]
)
def test_what_is_learned_starts_as_the_fixed_average(window, weights):
    learned = Average(WIDTH, window, learned=True)
    assert [p.shape for p in learned.parameters()] == [(1 + 2 * window,)]
    assert learned.logits.softmax(dim=0).tolist() == pytest.approx(weights)
    vectors, lengths = batch()
    expected = Average(WIDTH, window, learned=False)(vectors, lengths)
    torch.testing.assert_close(learned(vectors, lengths), expected)
    torch.testing.assert_close(Gated(WIDTH, window).double()(vectors, lengths), expected)


def test_concatenated_emissions_start_as_the_tokens_own():
    vectors, lengths = batch()
    module = Projected(Concatenate(WIDTH, 2), WIDTH).double()
    torch.testing.assert_close(module(vectors, lengths), vectors)


@each_kind
def test_width_out_is_what_comes_out(kind):
    module = KINDS[kind](2)
    found = module(torch.zeros(1, 4, WIDTH), torch.tensor([4]))
    assert found.shape[2] == getattr(module, "width_out", WIDTH)
    assert found.shape[2] == (WIDTH * 5 if kind == "concatenate" else WIDTH)


@each_kind
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_blend(kind, shape):
    module = KINDS[kind](2)
    assert module(torch.zeros(*shape, WIDTH), torch.zeros(shape[0])).shape[:2] == shape
