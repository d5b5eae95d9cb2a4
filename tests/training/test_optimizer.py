from copy import deepcopy

import numpy as np
import pytest
import torch
from spacy import registry
from thinc.api import Optimizer
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
        self.encoder = nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.GELU())
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.encoder(x))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def reference(module: nn.Module, *, learn_rate: float, head: float = 1.0, **settings):
    """torch.optim.AdamW, with a group for what decays and what does not, encoder and head."""
    s = DEFAULTS | settings
    return torch.optim.AdamW(
        [
            {
                "params": [p],
                "lr": learn_rate * (head if name.startswith("head") else 1.0),
                "weight_decay": s["weight_decay"] if p.dim() >= 2 else 0.0,
            }
            for name, p in module.named_parameters()
        ],
        betas=(s["beta1"], s["beta2"]),
        eps=s["eps"],
    )


def train_both(ours: Net, optimizer, theirs: Net, torch_optimizer, *, clip: float, steps: int):
    """The same batches through thinc and through torch; the parameters are equal at each step."""
    shim = PyTorchShim(ours)
    rng = torch.Generator().manual_seed(1)
    for step in range(steps):
        # Gradients of all sizes, so that some are clipped and some are not.
        x = torch.randn(8, 3, generator=rng)
        y = 10 ** (step % 3 - 1) * torch.randn(8, 2, generator=rng)
        for module in (ours, theirs):
            ((module(x) - y) ** 2).mean().backward()
        shim.finish_update(optimizer)
        optimizer.step_schedules()
        for parameter in theirs.parameters():
            if clip:
                nn.utils.clip_grad_norm_([parameter], clip)
        torch_optimizer.step()
        torch_optimizer.zero_grad()
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=f"{name}, step {step}")
            assert a.grad is None or not a.grad.any()


@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_torch_through_thinc(settings):
    ours, theirs = net(), net()
    start = deepcopy(ours.state_dict())
    train_both(
        ours,
        build_adamw_v1(0.01, **settings),
        theirs,
        reference(theirs, learn_rate=0.01, **settings),
        clip=(DEFAULTS | settings)["grad_clip"],
        steps=15,
    )
    moved = {k: (v - start[k]).abs().max() for k, v in ours.state_dict().items()}
    assert min(moved.values()) > 1e-3


def test_groups_equal_torch_with_two_rates():
    ours, theirs = net(), net()
    optimizer = build_adamw_v1(0.002, groups={"head": {"pattern": r"^head\.", "factor": 10}})
    torch_optimizer = reference(theirs, learn_rate=0.002, head=10.0)
    train_both(ours, optimizer, theirs, torch_optimizer, clip=1.0, steps=10)


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
    assert len(np.unique(weights)) == 1
    return -float(weights.flat[0])


def test_each_group_has_its_rate_and_the_first_that_matches_counts():
    optimizer = build_adamw_v1(
        0.01,
        groups={
            "bias": {"pattern": r"\.bias$", "factor": 0},
            "head": {"pattern": "^head", "factor": 10.0},
        },
    )
    rates = {
        name: first_step(optimizer, name)
        for name in ("head.weight", "head.bias", "encoder.head.weight", "encoder.bias")
    }
    expected = {
        "head.weight": 0.1,
        "head.bias": 0.0,
        "encoder.head.weight": 0.01,
        "encoder.bias": 0.0,
    }
    assert rates == pytest.approx(expected, rel=1e-4)
    assert first_step(build_adamw_v1(0.01), lr_scale=0.5) == pytest.approx(0.005, rel=1e-4)


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


def test_parameters_of_one_name_in_two_modules_are_kept_apart():
    optimizer = build_adamw_v1(0.01)
    assert first_step(optimizer, key=1) == pytest.approx(0.01, rel=1e-4)
    assert first_step(optimizer, key=2, shape=(3,)) == pytest.approx(0.01, rel=1e-4)


def test_the_schedule_is_followed():
    schedule = build_warmup_linear_v1(rate=2.0, warmup=0.5, total_steps=4)
    optimizer = build_adamw_v1(schedule, weight_decay=0.0)
    rates = []
    for key in range(5):
        rates.append(first_step(optimizer, key=key))
        optimizer.step_schedules()
    assert rates == pytest.approx([0.8, 1.6, 1.6, 0.8, 0.0], rel=1e-4)


def test_what_has_no_gradient_is_left_alone():
    module = net()
    before = deepcopy(module.encoder.state_dict())
    module.head(torch.ones(1, 5)).sum().backward()
    PyTorchShim(module).finish_update(build_adamw_v1(0.1))
    assert all(torch.equal(v, before[k]) for k, v in module.encoder.state_dict().items())
    empty = np.zeros((0, 3), dtype="float32")
    assert build_adamw_v1(0.1)((1, "W"), empty, empty) == (empty, empty)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"hed": "^hed"}, r"groups\.hed\] pattern = '\^hed' matches no parameter"),
        ({"all": "", "head": "^head"}, r"groups\.head\] .*an earlier group has"),
    ],
)
def test_a_group_that_matches_nothing_is_named_with_the_parameters(groups, message):
    groups = {name: {"pattern": pattern, "factor": 1.0} for name, pattern in groups.items()}
    optimizer = build_adamw_v1(0.01, groups=groups)
    first_step(optimizer, "head.weight")
    first_step(optimizer, "encoder.bias", key=2)
    for _ in range(2):  # not only once
        with pytest.raises(ValueError, match=message + r".* are: head\.weight, encoder\.bias$"):
            optimizer.step_schedules()


def test_a_first_step_without_any_parameter_says_nothing_of_the_groups():
    optimizer = build_adamw_v1(0.01, groups={"head": {"pattern": "^head", "factor": 1.0}})
    optimizer.step_schedules()  # a batch of empty docs
    first_step(optimizer, "head.weight")
    optimizer.step_schedules()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learn_rate": -0.1}, "learn_rate"),
        ({"learn_rate": float("nan")}, "learn_rate"),
        ({"weight_decay": -0.1}, r"weight_decay of .*AdamW\.v1 is -0.1, expected 0 <="),
        ({"weight_decay": float("nan")}, "weight_decay of .* is nan"),
        ({"beta1": 1.0}, "beta1 of .* is 1.0, expected 0 <= beta1 < 1.0"),
        ({"beta1": -0.1}, "beta1 of .* is -0.1"),
        ({"beta2": 1.5}, "beta2 of .* is 1.5, expected 0 <= beta2 < 1.0"),
        ({"eps": -1e-8}, "eps of .* is -1e-08"),
        ({"grad_clip": -1.0}, "grad_clip of .* is -1.0"),
        ({"grad_clip": float("inf")}, "grad_clip of .* is inf"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        build_adamw_v1(**({"learn_rate": 0.1} | settings))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"pattern": "x"}, r"groups\.g\] has \['pattern'\], expected 'factor' and 'pattern'"),
        ({"pattern": "x", "factor": 1.0, "lr": 2}, r"groups\.g\] has .*'lr'"),
        ({"pattern": "(", "factor": 1.0}, r"groups\.g\] pattern = '\(' is no regular expr"),
        ({"pattern": None, "factor": 1.0}, r"groups\.g\] pattern = None is no regular expr"),
        ({"pattern": "x", "factor": -1}, r"groups\.g\] factor = -1, expected a number >= 0"),
        ({"pattern": "x", "factor": True}, r"groups\.g\] factor = True"),
        ({"pattern": "x", "factor": "10"}, r"groups\.g\] factor = '10'"),
        ({"pattern": "x", "factor": float("nan")}, r"groups\.g\] factor = nan"),
    ],
)
def test_bad_groups_are_named(group, message):
    with pytest.raises(ValueError, match=message):
        build_adamw_v1(0.1, groups={"g": group})


def test_from_a_config():
    block = {"@optimizers": "spacy-finegrained-ner.AdamW.v1", "learn_rate": 0.01}
    block["groups"] = {"head": {"pattern": "^head", "factor": 10.0}}
    optimizer = registry.resolve({"optimizer": block})["optimizer"]
    assert isinstance(optimizer, Optimizer)
    assert optimizer.averages is None
    assert first_step(optimizer, "head.weight") == pytest.approx(0.1, rel=1e-4)
