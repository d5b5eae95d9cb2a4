"""Attention over names, against a computation token by token."""

import math

import pytest
import torch
from torch.nn.functional import gelu

from spacy_finegrained_ner.nn.knowledge import PLACES, NameAttention

WIDTH, HIDDEN, TYPES = 6, 4, 3
TOKENS = 5
# Of each name: first token, behind the last, types and topics with weights, and three buckets
NAMES = (
    (0, 2, {1: 0.5, 2: 0.5}, {1: 1.0}, (1, 1, 0)),
    (1, 2, {0: 0.0}, {0: 1.0}, (0, 0, 2)),
    (1, 4, {3: 1.0}, {2: 0.25, 0: 0.75}, (2, 0, 1)),
    (3, 4, {}, {2: 1.0}, (0, 0, 0)),
)


def module(seed=0) -> NameAttention:
    torch.manual_seed(seed)
    made = NameAttention(width=WIDTH, hidden=HIDDEN, types=TYPES, topics=2, buckets=3)
    for parameter in made.head["names"]["worth"].parameters():  # 0 at the start
        torch.nn.init.normal_(parameter)
    return made.double().eval()


def arguments(names=NAMES) -> list[torch.Tensor]:
    def bag(which):
        rows = [row for name in names for row in name[which]]
        weights = [weight for name in names for weight in name[which].values()]
        sizes = [0, *(len(name[which]) for name in names)]
        starts = torch.tensor(sizes[:-1], dtype=torch.int64).cumsum(0)[: len(names)]
        return [torch.tensor(rows, dtype=torch.int64), torch.tensor(weights).double(), starts]

    buckets = [torch.tensor([name[4][i] for name in names], dtype=torch.int64) for i in range(3)]
    before = [start - 1 if start else TOKENS for start, *_ in names]
    after = [end if end < TOKENS else TOKENS for _, end, *_ in names]
    pairs = [
        (token, i, 3 if end - start == 1 else 0 if token == start else 2 if token == end - 1 else 1)
        for i, (start, end, *_) in enumerate(names)
        for token in range(start, end)
    ]
    columns = [torch.tensor(column, dtype=torch.int64) for column in zip(*pairs, strict=True)]
    columns = columns or [torch.empty(0, dtype=torch.int64)] * 3
    ends = [torch.tensor(some, dtype=torch.int64) for some in (before, after)]
    return [*buckets, *ends, *bag(2), *bag(3), *columns]


def vectors(seed=1) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(TOKENS, WIDTH, dtype=torch.float64)


def beside(x: torch.Tensor) -> torch.Tensor:
    """Vectors that no name has moved, beside scores of tags of which none says anything."""
    return torch.cat([x, x.new_zeros(len(x), 2 * TYPES)], dim=1)


def by_hand(made: NameAttention, x: torch.Tensor, names=NAMES) -> torch.Tensor:
    head = made.head["names"]
    context = [head["context"](row) for row in x]
    nowhere = torch.zeros(HIDDEN, dtype=torch.float64)
    values = []
    for start, end, types, topics, (length, ambiguity, sources) in names:
        known = head["length"].weight[length] + head["ambiguity"].weight[ambiguity]
        known = known + head["sources"].weight[sources]
        for row, weight in types.items():
            known = known + weight * head["types"].weight[row]
        for row, weight in topics.items():
            known = known + weight * head["topics"].weight[row]
        inside = sum(context[start:end]) / (end - start)
        before = context[start - 1] if start else nowhere
        after = context[end] if end < len(x) else nowhere
        together = head["name"](torch.cat([known, inside, before, after]))
        values.append(gelu(head["norm"](together)))
    out = head["out"].weight.view(WIDTH, PLACES, HIDDEN)
    moved = []
    for token, row in enumerate(x):
        covering = [i for i, (start, end, *_) in enumerate(names) if start <= token < end]
        powers = {i: math.exp(head["logit"](values[i]).item()) for i in covering}
        total = 1 + sum(powers.values())
        said = torch.zeros(2 * TYPES, dtype=torch.float64)
        for i in covering:
            start, end, types = names[i][:3]
            for kind, share in types.items():
                if kind:
                    worth = powers[i] / total * share * head["worth"](values[i])[0]
                    said[2 * (kind - 1) + (token > start)] += worth
            inner = 0 if token == start else 2 if token == end - 1 else 1
            place = 3 if end - start == 1 else inner
            row = row + powers[i] / total * out[:, place] @ values[i]
        moved.append(torch.cat([row, said]))
    return torch.stack(moved)


@pytest.mark.parametrize("bias", [-3.0, 0.0, 4.0, 60.0])
def test_by_hand(bias):
    made, x = module(), vectors()
    made.head["names"]["logit"].bias.data.fill_(bias)
    found = made(x, *arguments())
    torch.testing.assert_close(found, by_hand(made, x))
    assert (found[4] == beside(x)[4]).all()  # in no name
    assert not torch.allclose(found[:4, :WIDTH], x[:4])


def test_closed_it_is_not_there():
    made, x = module(), vectors()
    made.head["names"]["logit"].weight.data.zero_()
    made.head["names"]["logit"].bias.data.fill_(-1e9)
    assert (made(x, *arguments()) == beside(x)).all()


def test_without_names_nothing_is_computed():
    made, x = module(), vectors()
    assert (made(x, *arguments(())) == beside(x)).all()


@torch.no_grad()
def test_it_starts_nearly_closed():
    """About a quarter: e^-1 / (1 + e^-1), but for what the weights add; and it says nothing of the
    tags."""
    made, x = module(), vectors()
    made.head["names"]["logit"].weight.data.zero_()
    one = (NAMES[3],)
    for parameter in made.head["names"]["worth"].parameters():
        assert not NameAttention(**made.sizes).head["names"]["worth"].weight.any()
        parameter.zero_()
    moved = made(x, *arguments(one)) - beside(x)
    assert not moved[:, WIDTH:].any()
    moved = moved[:, :WIDTH]
    made.head["names"]["logit"].bias.data.fill_(1e9)
    whole = made(x, *arguments(one))[:, :WIDTH] - x
    assert (moved[3] / whole[3]).mean() == pytest.approx(1 / (1 + math.exp(1)))


def test_a_vector_of_zeros_stays():
    made, x = module(), vectors()
    x[1] = 0
    found = made(x, *arguments())
    assert not found[1].any()
    assert (found[0, :WIDTH] != x[0]).any()


def test_many_names_move_a_token_no_further_than_one():
    made, x = module(), vectors()
    made.head["names"]["logit"].bias.data.fill_(50.0)
    one = made(x, *arguments((NAMES[0],))) - beside(x)
    many = made(x, *arguments((NAMES[0],) * 40)) - beside(x)
    torch.testing.assert_close(one, many)


@torch.no_grad()
def test_names_do_not_shut_themselves_off_as_weights_grow():
    """At the rate of a head they do grow, and what a name is worth would follow."""
    made, x = module(), vectors()
    before = made(x, *arguments())
    for parameter in made.head["names"]["name"].parameters():
        parameter *= 1000
    torch.testing.assert_close(made(x, *arguments()), before, atol=1e-3, rtol=1e-3)


def test_gradients():
    made = module()
    x = vectors().requires_grad_()
    given = arguments()
    assert torch.autograd.gradcheck(lambda x: made(x, *given), (x,))
    made(x, *given).pow(2).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
        assert name.startswith("head.names.")


def test_in_bf16():
    made = module().float()
    given = [one.float() if one.dtype == torch.float64 else one for one in arguments()]
    x = vectors().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made(x, *given)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, made(x, *given), atol=0.05, rtol=0.05)


def test_it_is_made_anew_from_its_sizes():
    made = module()
    again = NameAttention(**made.sizes)
    again.load_state_dict(made.float().state_dict())


def test_of_a_blurred_token_half_of_the_vector_is_dropped_and_its_gradient():
    made, blurred = module(), torch.tensor([True, False] * 2 + [True])
    x = torch.ones(TOKENS, WIDTH, dtype=torch.float64, requires_grad=True)
    args = arguments([])  # without names the vectors are what comes out
    torch.manual_seed(0)
    rows = torch.stack([made(x, *args, blurred)[:, :WIDTH] for _ in range(500)])
    assert (rows[:, ~blurred] == 1).all()
    assert set(rows[:, blurred].unique().tolist()) == {0.0, 2.0}
    assert abs(rows[:, blurred].mean() - 1) < 0.05
    row = made(x, *args, blurred)[:, :WIDTH]
    row.sum().backward()
    assert torch.equal(x.grad, row.detach())
    names = arguments()
    assert torch.equal(made(x, *names, torch.zeros(TOKENS, dtype=torch.bool)), made(x, *names))
    assert not torch.equal(made(x, *names, blurred), made(x, *names))
