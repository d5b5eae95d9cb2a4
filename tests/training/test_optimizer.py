from copy import deepcopy
from itertools import islice, repeat

import numpy as np
import pytest
import torch
from pipelines import examples, make_nlp
from thinc.api import constant_then
from thinc.shims import PyTorchShim
from torch import nn

from spacy_finegrained_ner.training.optimizer import build_adamw_v1
from spacy_finegrained_ner.training.schedules import build_warmup_linear_v1

SETTINGS = [
    {},
    {"weight_decay": 0.3, "grad_clip": 0.0},
    {"beta1": 0.5, "beta2": 0.7, "eps": 1e-3, "weight_decay": 0.0, "grad_clip": 0.05},
]
DEFAULTS = {"weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "grad_clip": 1.0}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Linear(3, 5)
        self.layer = nn.ModuleList(
            nn.Sequential(nn.Linear(5, 5), nn.LayerNorm(5), nn.GELU()) for _ in range(2)
        )
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = self.embeddings(x)
        for layer in self.layer:
            x = x + layer(x)
        return self.head(x)


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def reference(module: nn.Module, *, decay_of=lambda name: None, **settings):
    """torch.optim.AdamW with a group for each parameter; its rate is set before each step."""
    s, groups = DEFAULTS | settings, []
    for name, p in module.named_parameters():
        decay = s["weight_decay"] if decay_of(name) is None else decay_of(name)
        groups.append({"params": [p], "weight_decay": decay if p.dim() >= 2 else 0.0})
    return torch.optim.AdamW(groups, lr=0.0, betas=(s["beta1"], s["beta2"]), eps=s["eps"])


def train_both(
    optimizer, *, rate, steps: int, decay_of=lambda name: None, accumulate: int = 1, **settings
) -> dict[str, float]:
    """The same batches through thinc and through torch; the parameters are equal at each step.

    rate: (name, step) -> what the rate has to be. RETURNS: how far each parameter went.
    """
    ours, theirs = net(), net()
    start = deepcopy(ours.state_dict())
    torch_optimizer = reference(theirs, decay_of=decay_of, **settings)
    clip = (DEFAULTS | settings)["grad_clip"]
    shim = PyTorchShim(ours)
    rng = torch.Generator().manual_seed(1)
    for step in range(steps):
        for _ in range(accumulate):
            # Gradients of all sizes, so that some are clipped and some are not.
            x = torch.randn(8, 3, generator=rng)
            y = 10 ** (step % 3 - 1) * torch.randn(8, 2, generator=rng)
            for module in (ours, theirs):
                ((module(x) - y) ** 2).mean().backward()
        shim.finish_update(optimizer)
        optimizer.step_schedules()
        for group, (name, parameter) in zip(
            torch_optimizer.param_groups, theirs.named_parameters(), strict=True
        ):
            group["lr"] = rate(name, step)
            if clip:
                nn.utils.clip_grad_norm_([parameter], clip)
        torch_optimizer.step()
        torch_optimizer.zero_grad()
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=f"{name}, step {step}")
            assert not a.grad.any()
    return {k: float((v - start[k]).abs().max()) for k, v in ours.state_dict().items()}


def lookup(values: dict, name: str, default):
    return next((v for prefix, v in values.items() if name.startswith(prefix)), default)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_torch_through_thinc(settings, accumulate):
    moved = train_both(
        build_adamw_v1(0.01, **settings),
        rate=lambda name, step: 0.01,
        steps=15,
        accumulate=accumulate,
        **settings,
    )
    assert min(moved.values()) > 1e-3


def test_groups_equal_torch_with_a_rate_and_a_decay_each():
    groups = {
        "head": {"pattern": r"^head\.", "factor": 10, "weight_decay": 0.5},
        "top": {"pattern": r"^layer\.1\.", "schedule": 0.03},
        "embeddings": {"pattern": "^emb", "weight_decay": 0.0},
    }
    rates = {"head": 0.02, "layer.1": 0.03}
    decays = {"head": 0.5, "embeddings": 0.0}
    train_both(
        build_adamw_v1(0.002, groups=groups, weight_decay=0.2),
        rate=lambda name, step: lookup(rates, name, 0.002),
        decay_of=lambda name: lookup(decays, name, None),
        steps=10,
        weight_decay=0.2,
    )


def test_a_group_follows_a_schedule_of_its_own():
    optimizer = build_adamw_v1(
        build_warmup_linear_v1(rate=0.02, warmup=0.5, total_steps=9),
        groups={
            # Exhausted after two steps: the last value stays, as in thinc
            "head": {"pattern": "^head", "schedule": iter([0.05, 0.01])},
            "layer": {"pattern": "^layer", "schedule": constant_then(0.04, 3, repeat(0.0))},
            "other": {"pattern": "^emb", "factor": 0.5},
        },
    )
    shared = list(islice(build_warmup_linear_v1(rate=0.02, warmup=0.5, total_steps=9), 6))

    def rate(name: str, step: int) -> float:
        if name.startswith("head"):
            return 0.05 if step == 0 else 0.01
        if name.startswith("layer"):
            return 0.04 if step < 3 else 0.0
        return 0.5 * shared[step]

    train_both(optimizer, rate=rate, steps=6)


def test_the_decay_over_layers_comes_on_top_of_the_groups():
    optimizer = build_adamw_v1(
        0.01,
        groups={
            "head": {"pattern": "^head", "factor": 10},
            "norm": {"pattern": r"^layer\.\d\.1\.", "schedule": 0.04},
        },
        layer_decay={"factor": 0.5, "layers": 2},
    )

    def rate(name: str, step: int) -> float:
        rate = 0.1 if name.startswith("head") else 0.04 if ".1." in name[6:] else 0.01
        return rate * lookup({"embeddings": 0.25, "layer.0": 0.5}, name, 1.0)

    train_both(optimizer, rate=rate, steps=8)


def test_a_plain_loop_of_updates_equals_torch():
    """With thinc's own layers, which add to the gradient that the optimizer leaves."""
    nlp = make_nlp()
    data = examples(nlp)
    nlp.initialize(lambda: data)
    optimizer = build_adamw_v1(0.01, weight_decay=0.1, grad_clip=0.02)
    theirs: dict = {}
    clipped = []

    def sgd(key, weights, gradient):
        if key not in theirs:
            parameter = nn.Parameter(torch.tensor(weights))
            decay = 0.1 if weights.ndim > 1 else 0.0
            theirs[key] = parameter, torch.optim.AdamW([parameter], lr=0.01, weight_decay=decay)
        parameter, torch_optimizer = theirs[key]
        parameter.grad = torch.tensor(gradient)
        clipped.append(bool(nn.utils.clip_grad_norm_([parameter], 0.02) > 0.02))
        torch_optimizer.step()
        new, left = optimizer(key, weights, gradient)
        np.testing.assert_allclose(new, parameter.detach().numpy(), rtol=1e-3, atol=1e-5)
        return new, left

    losses = []
    for _ in range(6):
        losses.append(nlp.update(data, sgd=sgd)["finegrained_ner"])
        for node in nlp.get_pipe("finegrained_ner").model.walk():
            assert not any(node.get_grad(name).any() for name in node.grad_names)
    assert {"W", "b", "E"} < {name for _, name in theirs}  # thinc's
    assert any(name.startswith("head.") for _, name in theirs)  # torch's
    assert set(clipped) == {True, False}
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("shape", [(3, 4), (4,), (1,)])
def test_equals_torch_on_plain_arrays(shape, settings):
    s = DEFAULTS | settings
    rng = np.random.default_rng(0)
    weights = rng.normal(size=shape).astype("float32")
    parameter = nn.Parameter(torch.from_numpy(weights.copy()))
    torch_optimizer = torch.optim.AdamW(
        [parameter],
        lr=0.01,
        betas=(s["beta1"], s["beta2"]),
        eps=s["eps"],
        weight_decay=s["weight_decay"] if len(shape) > 1 else 0.0,
    )
    optimizer = build_adamw_v1(0.01, **settings)
    for step in range(10):
        gradient = (10.0 ** (step % 4 - 2) * rng.normal(size=shape)).astype("float32")
        parameter.grad = torch.from_numpy(gradient.copy())
        if s["grad_clip"]:
            nn.utils.clip_grad_norm_([parameter], s["grad_clip"])
        torch_optimizer.step()
        new, returned = optimizer((1, "W"), weights, gradient)
        assert new is weights  # in place
        assert not returned.any()
        np.testing.assert_allclose(weights, parameter.detach().numpy(), rtol=1e-4, atol=1e-6)


def first_step(optimizer, name: str = "W", *, shape=(2, 2), key: int = 1, **kwargs) -> float:
    """How far a weight of 0 goes at a gradient of 1: the rate, as Adam's first step is its
    gradient by the absolute value of its gradient."""
    weights = np.zeros(shape, dtype="float32")
    optimizer((key, name), weights, np.ones(shape, dtype="float32"), **kwargs)
    return -float(weights.flat[0])


@pytest.mark.parametrize(("shape", "decays"), [((3,), False), ((1,), False), ((1, 3), True)])
def test_decay_by_hand(shape, decays):
    weights = np.full(shape, 4.0, dtype="float32")
    optimizer = build_adamw_v1(0.1, weight_decay=0.5)
    optimizer((1, "W"), weights, np.zeros(shape, dtype="float32"))
    np.testing.assert_allclose(weights, 4.0 * (1 - 0.1 * 0.5) if decays else 4.0)


@pytest.mark.parametrize(("clip", "norm"), [(0.0, 50.0), (5.0, 5.0), (100.0, 50.0)])
def test_clipping_by_hand(clip, norm):
    # With an eps this large Adam's first step is the gradient by eps.
    optimizer = build_adamw_v1(1e6, eps=1e6, grad_clip=clip, weight_decay=0.0)
    weights = np.zeros(2, dtype="float32")
    optimizer((1, "W"), weights, np.array([30.0, 40.0], dtype="float32"))
    np.testing.assert_allclose(weights, [-0.6 * norm, -0.8 * norm], rtol=1e-3)


def test_parameters_of_one_name_in_two_modules_are_kept_apart_and_the_rate_is_scaled():
    optimizer = build_adamw_v1(0.01)
    assert first_step(optimizer, key=0, lr_scale=0.5) == pytest.approx(0.005, rel=1e-4)
    assert first_step(optimizer, key=1) == pytest.approx(0.01, rel=1e-4)
    assert first_step(optimizer, key=2, shape=(3,)) == pytest.approx(0.01, rel=1e-4)


def test_what_has_no_gradient_is_left_alone():
    module = net()
    before = deepcopy(module.layer.state_dict())
    module.head(torch.ones(1, 5)).sum().backward()
    PyTorchShim(module).finish_update(build_adamw_v1(0.1))
    assert all(torch.equal(v, before[k]) for k, v in module.layer.state_dict().items())
    empty = np.zeros((0, 3), dtype="float32")
    assert build_adamw_v1(0.1)((1, "W"), empty, empty) == (empty, empty)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learn_rate": -0.1}, "learn_rate"),
        ({"learn_rate": float("nan")}, "learn_rate"),
        ({"weight_decay": -0.1}, r"weight_decay of .*AdamW\.v1 is -0.1, expected a number >= 0"),
        ({"weight_decay": float("nan")}, "weight_decay of .* is nan"),
        ({"beta1": 1.0}, "beta1 of .* is 1.0, expected a number >= 0 and < 1"),
        ({"beta1": -0.1}, "beta1 of .* is -0.1"),
        ({"beta2": 1.5}, "beta2 of .* is 1.5, expected a number >= 0 and < 1"),
        ({"eps": -1e-8}, "eps of .* is -1e-08"),
        ({"grad_clip": -1.0}, "grad_clip of .* is -1.0"),
        ({"grad_clip": float("inf")}, "grad_clip of .* is inf"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        build_adamw_v1(**({"learn_rate": 0.1} | settings))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_has_the_consequences_of_torch(value):
    weights = np.zeros(2, dtype="float32")
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, value])
    nn.utils.clip_grad_norm_([parameter], 1.0)
    torch.optim.AdamW([parameter], lr=0.1).step()
    build_adamw_v1(0.1)((1, "W"), weights, np.array([1.0, value], dtype="float32"))
    np.testing.assert_array_equal(weights, parameter.detach().numpy())
    assert np.isnan(weights).any()


def test_arrays_that_are_not_contiguous_are_named():
    square = np.zeros((2, 3), dtype="float32").T
    with pytest.raises(ValueError, match=r"\(1, 'W'\): .* must be C-contiguous"):
        build_adamw_v1(0.1)((1, "W"), square, square)
