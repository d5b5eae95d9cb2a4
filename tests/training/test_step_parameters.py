"""A step on all parameters of a torch module at once: the numbers of torch's AdamW."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from spacy_finegrained_ner.training.optimizer import build_adamw_v1

SETTINGS = [
    {"grad_clip": 1.0},
    {"grad_clip": 0.0, "weight_decay": 0.3},
    {"grad_clip": 0.05, "weight_decay": 0.0, "beta1": 0.5, "beta2": 0.7, "eps": 1e-3},
]
DEFAULTS = {"weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
SHAPES = {
    "embeddings.words": (7, 3),
    "layer.0.weight": (4, 3),
    "layer.0.bias": (4,),
    "layer.1.weight": (2, 2, 3),
    "layer.1.bias": (1,),
    "head.scale": (),
    "head.weight": (5, 4),
}
every_clip = pytest.mark.parametrize("clip", ["module", "parameter"])

Parameters = dict[str, nn.Parameter]


def both() -> tuple[Parameters, Parameters]:
    """The same parameters twice."""
    torch.manual_seed(0)
    ours = {name: nn.Parameter(torch.randn(shape)) for name, shape in SHAPES.items()}
    return ours, deepcopy(ours)


def torch_step(reference, parameters: list[nn.Parameter], bound: float, clip: str) -> list[bool]:
    """RETURNS: whether each norm was above the bound."""
    reached = [p for p in parameters if p.grad is not None]
    groups = [reached] if clip == "module" else [[p] for p in reached]
    norms = [nn.utils.clip_grad_norm_(group, bound) for group in groups if bound]
    reference.step()
    return [bool(norm > bound) for norm in norms]


def train_both(optimizer, clip: str, *, rate=lambda name: 0.01, decay=None, **settings) -> None:
    """Gradients of all sizes, and in each step but the first one parameter has none; equal after
    each step.

    rate: name -> what it has to be. decay: the same of parameters of two dimensions and more.
    """
    s, (ours, theirs) = DEFAULTS | settings, both()
    groups = [
        {
            "params": [p],
            "lr": rate(name),
            "weight_decay": (decay(name) if decay else s["weight_decay"]) if p.dim() > 1 else 0.0,
        }
        for name, p in theirs.items()
    ]
    reference = torch.optim.AdamW(groups, betas=(s["beta1"], s["beta2"]), eps=s["eps"])
    clipped = []
    for step in range(10):
        torch.manual_seed(step)
        for number, (name, p) in enumerate(theirs.items()):
            size = 10.0 ** (number % 3 + 3 * (step % 3) - 6)
            idle = number == step - 1
            p.grad = None if idle else size * torch.randn(p.shape)
            ours[name].grad = deepcopy(p.grad)
        reached = [(name, p, p.grad) for name, p in ours.items() if p.grad is not None]
        optimizer.step_parameters(reached)
        optimizer.step_schedules()
        clipped += torch_step(reference, list(theirs.values()), s["grad_clip"], clip)
        for name, p in ours.items():
            torch.testing.assert_close(p, theirs[name], rtol=1e-4, atol=1e-6, msg=f"{name} {step}")
    assert not s["grad_clip"] or set(clipped) == {True, False}


@every_clip
@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_torch_clipped_over_the_module_or_each_parameter(clip, settings):
    train_both(build_adamw_v1(0.01, clip=clip, **settings), clip, **settings)


@every_clip
def test_groups_and_the_decay_over_layers_equal_torch_with_a_rate_and_a_decay_each(clip):
    rates = {"embeddings.words": 0.25 * 0.004, "layer.0.weight": 0.5 * 0.03, "head.weight": 0.04}
    rates |= {"layer.0.bias": 0.5 * 0.004, "head.scale": 0.04}
    decays = {"embeddings.words": 0.0, "layer.0.weight": 0.5}
    optimizer = build_adamw_v1(
        0.004,
        weight_decay=0.2,
        clip=clip,
        layer_decay={"factor": 0.5, "layers": 2},
        groups={
            "head": {"pattern": "^head", "factor": 10},
            "low": {"pattern": r"\.0\.weight$", "schedule": 0.03, "weight_decay": 0.5},
            "words": {"pattern": "words", "weight_decay": 0.0},
        },
    )
    train_both(
        optimizer,
        clip,
        rate=lambda name: rates.get(name, 0.004),
        decay=lambda name: decays.get(name, 0.2),
        grad_clip=1.0,
    )


@pytest.mark.parametrize(
    ("clip", "expected"), [("module", [-0.6, -0.8]), ("parameter", [-1.0, -1.0])]
)
def test_clipping_by_hand(clip, expected):
    # With an eps this large Adam's first step is the gradient by eps
    optimizer = build_adamw_v1(1e6, eps=1e6, weight_decay=0.0, clip=clip)
    a, b = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer.step_parameters([("a", a, torch.tensor([3.0])), ("b", b, torch.tensor([4.0]))])
    torch.testing.assert_close(torch.cat([a, b]).detach(), torch.tensor(expected))


@every_clip
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_no_number_has_the_consequences_of_torch(value, clip):
    ours, theirs = both()
    for step in range(2):
        for name, p in theirs.items():
            torch.manual_seed(step)
            p.grad = torch.randn(p.shape)
            if name == "layer.0.weight" and not step:
                p.grad[1, 2] = value
            ours[name].grad = p.grad.clone()
        if not step:
            reference = torch.optim.AdamW(list(theirs.values()), lr=0.1, weight_decay=0.0)
            optimizer = build_adamw_v1(0.1, weight_decay=0.0, clip=clip)
        torch_step(reference, list(theirs.values()), 1.0, clip)
        optimizer.step_parameters([(name, p, p.grad) for name, p in ours.items()])
        for name, p in ours.items():
            torch.testing.assert_close(p, theirs[name], equal_nan=True, msg=f"{name} {step}")
    broken = {name for name, p in ours.items() if p.isnan().any()}
    everywhere = clip == "module" and value != value
    assert broken == (set(SHAPES) if everywhere else {"layer.0.weight"})


@every_clip
def test_rows_that_a_sparse_gradient_reaches_count_in_the_norm_of_the_module(clip):
    """As if they were a parameter of their own."""
    torch.manual_seed(0)
    words, other = nn.Parameter(torch.randn(9, 3)), nn.Parameter(torch.randn(4))
    reached = torch.tensor([1, 4, 7])
    rows, same = nn.Parameter(words.detach()[reached].clone()), nn.Parameter(other.detach().clone())
    reference = torch.optim.AdamW(
        [{"params": [rows], "weight_decay": 0.2}, {"params": [same], "weight_decay": 0.0}], lr=0.01
    )
    optimizer = build_adamw_v1(0.01, weight_decay=0.2, clip=clip, lazy=True)
    clipped = []
    for step in range(8):
        # Row 4 comes twice: its gradient is the sum, and so is its part in the norm
        index, values = torch.tensor([[4, 1, 7, 4]]), 10.0 ** (step % 3 - 2) * torch.randn(4, 3)
        grad = torch.sparse_coo_tensor(index, values, words.shape, check_invariants=True)
        same.grad, rows.grad = 0.1 * torch.randn(4), grad.to_dense()[reached]
        optimizer.step_parameters(
            [("embeddings.words", words, grad), ("bias", other, same.grad.clone())]
        )
        clipped += torch_step(reference, [rows, same], 1.0, clip)
        torch.testing.assert_close(words[reached], rows, rtol=1e-4, atol=1e-6, msg=f"step {step}")
        torch.testing.assert_close(other, same, rtol=1e-4, atol=1e-6, msg=f"step {step}")
    assert set(clipped) == {True, False}


def test_lazy_rows_equal_torchs_sparse_adam():
    torch.manual_seed(0)
    ours = nn.Embedding(20, 3, sparse=True)
    theirs = deepcopy(ours)
    optimizer = build_adamw_v1(0.01, weight_decay=0.0, eps=1e-12, grad_clip=0.0, lazy=True)
    reference = torch.optim.SparseAdam(list(theirs.parameters()), lr=0.01, eps=1e-12)
    for step in range(8):
        rows = torch.randint(0, 12, (5,))  # some twice, some never
        scale = torch.randn(5, 1)
        for module in (ours, theirs):
            (scale * module(rows)).pow(3).sum().backward()
        optimizer.step_parameters([("weight", ours.weight, ours.weight.grad)])
        optimizer.step_schedules()
        reference.step()
        ours.weight.grad = theirs.weight.grad = None
        torch.testing.assert_close(ours.weight, theirs.weight, msg=f"step {step}")


def test_lazy_rows_are_adamw_on_what_the_gradient_reaches():
    torch.manual_seed(0)
    weight, reached = nn.Parameter(torch.randn(6, 3)), torch.tensor([1, 4])
    start, dense = weight.detach().clone(), weight.detach()[reached].clone()
    lazy, plain = (build_adamw_v1(0.01, weight_decay=0.5, grad_clip=0.7) for _ in range(2))
    for _ in range(4):
        values = torch.randn(2, 3)
        gradient = torch.zeros(6, 3).index_add_(0, reached, values)
        lazy.step_parameters([("w", weight, gradient.to_sparse(1))])
        plain((1, "w"), dense.numpy(), values.numpy())
    torch.testing.assert_close(weight.detach()[reached], dense)
    others = torch.tensor([0, 2, 3, 5])
    assert torch.equal(weight.detach()[others], start[others])
    assert not torch.equal(weight.detach()[reached], start[reached])


@every_clip
def test_no_parameters_and_those_without_elements_take_no_step(clip):
    optimizer = build_adamw_v1(0.1, clip=clip)
    optimizer.step_parameters([])
    empty, one = nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.zeros(1))
    optimizer.step_parameters([("a", empty, torch.zeros(0, 3)), ("b", one, torch.ones(1))])
    torch.testing.assert_close(one.detach(), torch.tensor([-0.1]))


@pytest.mark.parametrize("clip", [None, "", "norm", True, 1.0])
def test_an_unknown_clip_is_named(clip):
    with pytest.raises(ValueError, match=r"clip of .*AdamW\.v1 is .*expected 'module' or 'param"):
        build_adamw_v1(0.1, clip=clip)
