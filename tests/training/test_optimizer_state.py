"""What AdamW keeps of a parameter belongs to it: not to its name, its key or its address."""

import gc
import pickle
from collections.abc import Callable, Iterator
from copy import deepcopy

import encoders
import numpy as np
import pytest
import torch
from pipelines import SENTENCES, make_nlp
from pipelines import examples as with_entities
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, Linear, fix_random_seed
from torch import nn

from spacy_finegrained_ner.ml.encoder import NAME as LAYERS
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

STOCK = "spacy-transformers.TransformerModel.v3"
NAME = "finegrained_ner"


def adamw(**settings):
    return build_adamw_v1(0.01, weight_decay=0.1, **settings)


def parameters(nlp: Language, only: str | None = None) -> dict[str, np.ndarray]:
    """Copies, of the torch modules and the thinc layers of all components or of one."""
    found = {}
    for name, pipe in nlp.pipeline:
        for i, node in enumerate(pipe.model.walk()):
            for param in node.param_names:
                found[f"{name} {i} {param}"] = np.array(node.get_param(param))
            for shim in node.shims:
                for param, value in shim._model.named_parameters():
                    found[f"{name} {i} {param}"] = value.detach().numpy().copy()
    return {key: value for key, value in found.items() if only in (None, key.split()[0])}


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def begin(nlp: Language, texts=SENTENCES) -> list[Example]:
    fix_random_seed(0)
    data = with_entities(nlp, texts)
    for example in data:  # for a tagger of spaCy's
        for token in example.reference:
            token.tag_ = "ABC"[len(token) % 3]
    nlp.initialize(lambda: data)
    return data


def take_steps(nlp: Language, data: list[Example], *optimizers, steps: int = 3) -> None:
    """optimizers: one for all components, or one for each."""
    of_each = optimizers * (len(nlp.pipeline) // len(optimizers))
    for step in range(steps):
        nlp.update(data[step % 2 :], sgd=False)
        for (_, pipe), optimizer in zip(nlp.pipeline, of_each, strict=True):
            pipe.finish_update(optimizer)
        for optimizer in optimizers:
            optimizer.step_schedules()


def with_encoder(folder, architecture: str) -> Language:
    """An encoder, and two that listen to it: spaCy's tagger and our component. No dropout."""
    config = {
        "@architectures": architecture,
        "name": str(encoders.tiny_bert(folder)),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        "transformer_config": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0},
    }
    if architecture == LAYERS:
        config |= {"layers": 1, "combine": "concatenate"}
    nlp = encoders.make_nlp(config)
    nlp.add_pipe(NAME, config={"model": {"dropout": 0.0, "sequence": None, "blending": None}})
    return nlp


@pytest.mark.parametrize("clip", ["module", "parameter"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(SENTENCES, SENTENCES[1:3]), (SENTENCES[1:3], SENTENCES), (SENTENCES, SENTENCES)],
    ids=["fewer labels", "more labels", "the same labels"],
)
def test_initialized_again_it_is_stepped_on_as_by_a_new_optimizer(before, after, clip):
    nlp, optimizer = make_nlp(), adamw(clip=clip)
    take_steps(nlp, begin(nlp, before), optimizer)
    tags = nlp.get_pipe(NAME).model.get_ref("tagger").get_dim("nO")
    data = begin(nlp, after)
    assert (tags != nlp.get_pipe(NAME).model.get_ref("tagger").get_dim("nO")) == (before != after)
    start = parameters(nlp)
    take_steps(nlp, data, optimizer)
    other = make_nlp()
    data = begin(other, after)
    assert_equal(start, parameters(other))
    take_steps(other, data, adamw(clip=clip))
    assert_equal(parameters(nlp), parameters(other))
    assert not any((value == start[name]).all() for name, value in parameters(nlp).items())


@pytest.mark.parametrize("kind", ["own tok2vec", LAYERS, STOCK])
def test_loaded_into_itself_it_is_stepped_on_as_by_a_new_optimizer(kind, tmp_path):
    def made():
        return make_nlp() if kind == "own tok2vec" else with_encoder(tmp_path, kind)

    nlp, optimizer = made(), adamw()
    data = begin(nlp)
    take_steps(nlp, data, optimizer)
    saved = nlp.to_bytes()
    take_steps(nlp, data, optimizer, steps=1)
    nlp.from_bytes(saved)
    take_steps(nlp, data, optimizer)
    other = made()
    data = begin(other)
    other.from_bytes(saved)
    take_steps(other, data, adamw())
    assert_equal(parameters(nlp), parameters(other))


@pytest.mark.parametrize(
    ("architecture", "make"),
    [(LAYERS, adamw), (STOCK, adamw), (LAYERS, lambda: Adam(0.01))],
    ids=["ours-AdamW", "stock-AdamW", "ours-Adam"],
)
def test_two_encoders_and_one_optimizer_are_each_with_an_optimizer_of_its_own(
    architecture, make, tmp_path
):
    """After `replace_listeners` one is a copy of the other; of the stock shim the id, too."""
    found = []
    for count in (1, 3):
        nlp = with_encoder(tmp_path, architecture)
        data = begin(nlp)
        optimizers = [make() for _ in range(count)]
        # So that there is something to be taken for the copy's
        take_steps(nlp, data, *optimizers, steps=2)
        nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
        before = parameters(nlp)
        take_steps(nlp, data, *optimizers, steps=3)
        found.append(parameters(nlp))
        for name, value in found[-1].items():
            assert (value == before[name]).all() == ("pooler" in name), name
    assert_equal(*found)
    one, other = (
        [v for n, v in parameters(nlp, only).items() if "word_embeddings" in n]
        for only in ("transformer", NAME)
    )
    assert not np.allclose(one, other)  # they have learned different things


def test_a_thinc_layer_initialized_again_at_its_key_starts_anew():
    def steps(layer, optimizer):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            for name in layer.param_names:
                gradient = rng.normal(size=layer.get_param(name).shape).astype("f")
                layer.set_grad(name, gradient)
            layer.finish_update(optimizer)
            optimizer.step_schedules()
        return [layer.get_param(name).copy() for name in layer.param_names]

    layer, optimizer = Linear(3, 4), adamw()
    for _ in range(3):
        fix_random_seed(1)
        layer.initialize()
        found = steps(layer, optimizer)
        fix_random_seed(1)
        expected = steps(Linear(3, 4).initialize(), adamw())
        for array, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-5)


def test_an_address_that_is_used_again_is_another_parameter():
    optimizer = adamw(grad_clip=0.0)
    for sign in (1, -1) * 10:
        weights = np.zeros((33, 7), dtype="f")  # where the last one was, if nobody holds it
        optimizer((1, "W"), weights, np.full((33, 7), 10.0 * sign, dtype="f"))
        np.testing.assert_allclose(weights, -0.01 * sign, rtol=1e-4)  # as in a first step
        del weights


@pytest.fixture
def alive() -> Iterator[Callable[..., int]]:
    """Counts the tensors (of a shape) that are there and were not before the test."""

    def count(shape: tuple[int, ...] | None = None) -> int:
        gc.collect()
        tensors = [o for o in gc.get_objects() if type(o) in (torch.Tensor, nn.Parameter)]
        return sum(shape in (None, tuple(tensor.shape)) for tensor in tensors)

    gc.freeze()  # what is there: neither looked at nor counted
    yield count
    gc.unfreeze()


def test_what_is_kept_goes_with_the_module(alive):
    optimizer, shape = adamw(), (41, 37)
    modules = [nn.Linear(37, 41) for _ in range(3)]
    for module in modules:
        named = module.named_parameters()
        optimizer.step_parameters([(n, p, torch.ones_like(p)) for n, p in named])
    assert alive(shape) == 3 * 3  # the weight and two moments
    modules.pop()
    del module, named
    assert alive(shape) == 2 * 3
    copied = deepcopy(modules)  # which takes nothing along
    assert alive(shape) == 2 * 3 + 2
    del modules, copied
    assert alive(shape) == 0


def test_initialized_many_times_no_more_is_kept_than_the_first_time(alive):
    nlp, optimizer, counts = make_nlp(), adamw(), []
    for _ in range(3):
        take_steps(nlp, begin(nlp), optimizer, steps=1)
        counts.append(alive())
    assert counts[0] == counts[1] == counts[2] > 0


def step_on(optimizer, parameter: nn.Parameter, sizes=(1.0, -3.0, 0.5)) -> None:
    for size in sizes:
        optimizer.step_parameters([("w", parameter, torch.full_like(parameter, size).detach())])


def test_a_parameter_of_another_shape_starts_anew():
    optimizer = adamw()
    found, expected = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(2, 3))
    step_on(optimizer, found)
    found.data = torch.ones(2, 3)
    step_on(optimizer, found)
    step_on(adamw(), expected)
    torch.testing.assert_close(found, expected)


def test_a_parameter_in_other_memory_goes_on():
    """As after a step of a thinc optimizer, or the loading of a `state_dict`."""
    optimizer = adamw()
    found, expected = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(4, 3))
    step_on(optimizer, found)
    found.data = found.data.clone()
    step_on(optimizer, found)
    step_on(adamw(), expected, sizes=(1.0, -3.0, 0.5) * 2)
    torch.testing.assert_close(found, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_parameter_on_another_device_starts_anew():
    optimizer = adamw()
    found, expected = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(4, 3).cuda())
    step_on(optimizer, found)
    found.data = torch.ones(4, 3).cuda()
    step_on(optimizer, found)
    step_on(adamw(), expected)
    torch.testing.assert_close(found, expected)


def test_a_pickled_optimizer_goes_on_without_moments():
    optimizer = build_adamw_v1(0.01, groups={"head": {"pattern": "^head", "factor": 10}})
    first, second = (nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    optimizer.step_parameters([("head.w", first, torch.ones(2, 2))])
    again = pickle.loads(pickle.dumps(optimizer))
    fresh = build_adamw_v1(0.01, groups={"head": {"pattern": "^head", "factor": 10}})
    gradient = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
    again.step_parameters([("head.w", first, gradient.clone())])
    fresh.step_parameters([("head.w", second, gradient.clone())])
    torch.testing.assert_close(first - (1.0 - 0.1 * (1.0 + 0.01)), second - 1.0, atol=1e-3, rtol=0)


@pytest.mark.parametrize("make", [lambda: build_adamw_v1(1e-3), lambda: Adam(1e-3)])
def test_steps_leave_no_tensors_behind(make):
    """In thinc's shim each parameter holds on to its last tensor, and that to the one before."""
    nlp = make_nlp()
    data = with_entities(nlp)
    nlp.initialize(lambda: data)
    optimizer = make()

    def tensors_after(steps: int) -> int:
        for _ in range(steps):
            nlp.update(data, sgd=optimizer)
        gc.collect()
        return sum(type(one) is torch.Tensor for one in gc.get_objects())

    first = tensors_after(2)
    assert tensors_after(10) <= first
