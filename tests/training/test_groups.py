import logging
import re
from copy import deepcopy

import numpy as np
import pytest
from spacy import registry
from spacy.util import load_config_from_str
from thinc.api import Optimizer

from spacy_finegrained_ner.training.groups import read_groups, read_layer_decay
from spacy_finegrained_ner.training.optimizer import build_adamw_v1


def first_step(optimizer, name: str, *, key: int = 1) -> float:
    """How far a weight of 0 goes at a gradient of 1: the rate, as Adam's first step is its
    gradient by the absolute value of its gradient."""
    weights = np.zeros(1, dtype="float32")
    optimizer((key, name), weights, np.ones(1, dtype="float32"))
    return -float(weights[0])


def test_a_group_says_its_rate_and_its_decay():
    factor, number, plain, schedule = read_groups(  # by name, whatever their order
        {
            "plain": {"pattern": "a"},
            "factor": {"pattern": "b", "factor": 10, "weight_decay": 0},
            "number": {"pattern": "c", "schedule": 1},
            "schedule": {"pattern": "d", "schedule": iter([0.3, 0.2])},
        }
    )
    assert (plain.name, plain.factor, plain.rate, plain.weight_decay) == ("plain", 1.0, None, None)
    assert (factor.factor, factor.rate, factor.weight_decay) == (10.0, None, 0.0)
    rates = []
    for _ in range(3):
        rates.append((plain.rate, number.rate, schedule.rate))
        for group in (plain, number, schedule):
            group.step_schedule()
    assert rates == [(None, 1.0, 0.3), (None, 1.0, 0.2), (None, 1.0, 0.2)]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({}, "missing a required argument: 'pattern'. Expected a block of pattern, factor, sch"),
        ({"factor": 1.0}, "missing a required argument: 'pattern'"),
        ({"pattern": "x", "lr": 2}, "got an unexpected keyword argument 'lr'"),
        ({"pattern": "x", "factor": 1.0, "schedule": 0.1}, "has both 'factor' and 'schedule'"),
        ("^x", r"is '\^x': .* Expected a block of pattern"),
        ({"pattern": "(", "factor": 1.0}, r"pattern of .* is '\(', expected a regular expr"),
        ({"pattern": None}, r"pattern of .* is None, expected a regular expr"),
        ({"pattern": "x", "factor": -1}, r"factor of .* is -1, expected a number >= 0"),
        ({"pattern": "x", "factor": True}, "factor of .* is True"),
        ({"pattern": "x", "factor": "10"}, "factor of .* is '10'"),
        ({"pattern": "x", "factor": float("nan")}, "factor of .* is nan"),
        ({"pattern": "x", "factor": None}, "factor of .* is None"),
        (
            {"pattern": "x", "weight_decay": -0.1},
            "weight_decay of .* is -0.1, expected a number >= 0",
        ),
        ({"pattern": "x", "weight_decay": float("inf")}, "weight_decay of .* is inf"),
        (
            {"pattern": "x", "schedule": "0.1"},
            "schedule of .* is '0.1', expected a number >= 0 or a sch",
        ),
        ({"pattern": "x", "schedule": [0.1]}, r"schedule of .* is \[0.1\], expected"),
        ({"pattern": "x", "schedule": -0.1}, "schedule of .* is -0.1"),
        ({"pattern": "x", "schedule": iter([-0.1])}, "schedule of .* is -0.1"),
        ({"pattern": "x", "schedule": iter([])}, "schedule of .* is None"),
    ],
)
def test_bad_groups_are_named(group, message):
    with pytest.raises(ValueError, match=message) as error:
        read_groups({"g": group})
    assert "[training.optimizer.groups.g]" in str(error.value)


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        # The names of BERT, alone and within a wrapper; an embedding matrix of DeBERTa's encoder
        ("embeddings.word_embeddings.weight", 0.125),
        ("model.embeddings.LayerNorm.bias", 0.125),
        ("encoder.layer.0.attention.self.query.weight", 0.25),
        ("encoder.layer.1.output.LayerNorm.bias", 0.5),
        ("layer.2.output.dense.weight", 1.0),
        ("encoder.rel_embeddings.weight", 1.0),
        ("pooler.dense.weight", 1.0),
        ("head.weight", 1.0),
        ("player.7.weight", 1.0),
    ],
)
def test_the_rate_falls_from_the_top_layer_to_the_embeddings(name, factor):
    assert read_layer_decay({"factor": 0.5, "layers": 3})(name) == factor


def test_other_names_of_layers():
    decay = read_layer_decay(
        {"factor": 0.5, "layers": 12, "pattern": r"^h\.(\d+)\.", "embeddings": r"^w[tp]e\."}
    )
    assert [decay(name) for name in ("h.11.w", "h.9.w", "wte.w")] == [1.0, 0.25, 0.5**12]


@pytest.mark.parametrize("layers", [1, 3])
def test_a_wrong_number_of_layers_is_named(layers):
    decay = read_layer_decay({"factor": 0.5, "layers": layers})
    names = ["encoder.layer.0.bias", "encoder.layer.1.bias"]
    if layers == 1:
        with pytest.raises(ValueError, match=r"layer_decay\] layers = 1, but encoder\.layer\.1\."):
            [decay(name) for name in names]
    else:
        assert [decay(name) for name in names] == [0.25, 0.5]
        message = r"layer_decay\] layers = 3, .*of layer 2, .* finds: \[0, 1\].* are: encoder\."
        with pytest.raises(ValueError, match=message):
            decay.check_top(names)


def test_embeddings_without_any_layer_are_named():
    decay = read_layer_decay({"factor": 0.5, "layers": 3})
    decay("embeddings.word.weight")
    with pytest.raises(ValueError, match=r"layer_decay\] .* finds: \[\]\. The parameters are: e$"):
        decay.check_top(["e"])


def test_an_encoder_may_be_frozen_at_first(caplog):
    optimizer = build_adamw_v1(0.01, layer_decay={"factor": 0.5, "layers": 2})
    first_step(optimizer, "head.bias")
    for _ in range(2):
        optimizer.step_schedules()
    (message,) = caplog.messages  # once is enough
    assert re.search(r"layer_decay\] .* are: head\.bias\. .* is frozen", message)
    # It has thawed, but not from the top
    first_step(optimizer, "layer.0.bias")
    with pytest.raises(ValueError, match=r"finds: \[0\].* are: head\.bias, layer\.0\.bias"):
        optimizer.step_schedules()
    assert first_step(optimizer, "layer.1.bias") == pytest.approx(0.01, rel=1e-4)
    optimizer.step_schedules()


def test_a_layer_without_a_number_is_named():
    decay = read_layer_decay({"factor": 0.5, "layers": 3, "pattern": r"layer\.(\w+)"})
    with pytest.raises(
        ValueError, match=r"layer_decay\] pattern = .* finds 'top' in layer\.top\.b"
    ):
        decay("layer.top.b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factor": 0}, "factor of .* is 0, expected a number > 0, at most 1"),
        ({"factor": 1.1}, "factor of .* is 1.1, expected a number"),
        ({"factor": "1"}, "factor of .* is '1', expected a number"),
        ({"layers": 0}, "layers of .* is 0, expected a whole number >= 1"),
        ({"layers": 2.0}, "layers of .* is 2.0, expected a whole number"),
        ({"layers": True}, "layers of .* is True, expected a whole number"),
        ({"pattern": r"layer\.\d+"}, "with 0 capture groups, expected one"),
        ({"pattern": r"(layer)\.(\d+)"}, "with 2 capture groups, expected one"),
        ({"pattern": "("}, r"pattern of .* is '\(', expected a regular expression"),
        ({"embeddings": 3}, "embeddings of .* is 3, expected a regular expression"),
        ({"rate": 1}, "got an unexpected keyword argument 'rate'"),
    ],
)
def test_a_bad_decay_over_layers_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        read_layer_decay({"factor": 0.9, "layers": 6} | change)


def test_a_decay_over_layers_needs_the_number_of_layers():
    with pytest.raises(ValueError, match=r"layer_decay\] .*missing a required argument: 'layers'"):
        read_layer_decay({"factor": 0.9})


@pytest.fixture(autouse=True)
def spacy_log_reaches_caplog(monkeypatch):
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)


def said(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records]


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


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"hed": "^hed"}, r"groups\.hed\] pattern = '\^hed' matches no parameter"),
        ({"all": "", "head": "^head"}, r"groups\.head\] .*an earlier group has"),
    ],
)
def test_a_group_that_matches_nothing_is_named_once_with_the_parameters(groups, message, caplog):
    groups = {name: {"pattern": pattern, "factor": 1.0} for name, pattern in groups.items()}
    optimizer = build_adamw_v1(0.01, groups=groups)
    first_step(optimizer, "head.weight")
    first_step(optimizer, "encoder.bias", key=2)
    for _ in range(2):
        optimizer.step_schedules()
    (warning,) = said(caplog)
    assert re.search(message + r".* are: head\.weight, encoder\.bias$", warning)


def test_a_first_step_without_any_parameter_says_nothing_of_the_groups(caplog):
    optimizer = build_adamw_v1(0.01, groups={"head": {"pattern": "^head", "factor": 1.0}})
    optimizer.step_schedules()  # a batch of empty docs
    first_step(optimizer, "head.weight")
    optimizer.step_schedules()
    assert not said(caplog)


def test_on_a_gpu_a_module_may_leave_out_the_first_steps(caplog):
    optimizer = build_adamw_v1(0.01, groups={"encoder": {"pattern": "^encoder"}})
    first_step(optimizer, "head.weight")
    optimizer._on_gpu = True
    for _ in range(19):
        optimizer.step_schedules()
    assert not said(caplog)
    optimizer.step_schedules()
    assert re.search(r"groups\.encoder\] .*matches no parameter", said(caplog)[0])


CONFIG = """
[training]
max_steps = 4

[training.optimizer]
@optimizers = "spacy-finegrained-ner.AdamW.v1"
learn_rate = 0.01

[training.optimizer.groups]

[training.optimizer.groups.head]
pattern = "^head\\\\."
weight_decay = 0.5

[training.optimizer.groups.head.schedule]
@schedules = "spacy-finegrained-ner.warmup_linear.v1"
rate = 2.0
warmup = 0.5
total_steps = ${training.max_steps}

[training.optimizer.layer_decay]
factor = 0.5
layers = 2
"""


def test_from_a_config():
    config = load_config_from_str(CONFIG, interpolate=True)["training"]
    optimizer = registry.resolve(config)["optimizer"]
    assert isinstance(optimizer, Optimizer)
    assert optimizer.averages is None
    assert optimizer.learn_rate == 0.01
    rates = [first_step(optimizer, "layer.1.bias"), first_step(optimizer, "layer.0.bias")]
    assert rates == pytest.approx([0.01, 0.005], rel=1e-4)
    rates = []
    for key in range(5):
        rates.append(first_step(optimizer, "head.bias", key=key))
        optimizer.step_schedules()
    assert rates == pytest.approx([0.8, 1.6, 1.6, 0.8, 0.0], rel=1e-4)


def test_nothing_of_one_optimizer_is_in_the_next():
    """`spacy train` makes one for `nlp.initialize` and another for the training."""
    config = load_config_from_str(CONFIG, interpolate=True)["training"]
    before = deepcopy(config)
    for _ in range(2):
        optimizer = registry.resolve(config)["optimizer"]
        # The first value of the schedule, the first step of Adam, and what has been seen
        assert first_step(optimizer, "head.bias") == pytest.approx(0.8, rel=1e-4)
        first_step(optimizer, "layer.0.bias")
        with pytest.raises(ValueError, match=r"the layers that it finds: \[0\]"):
            optimizer.step_schedules()
        first_step(optimizer, "layer.1.bias")
        optimizer.step_schedules()
    assert config == before
