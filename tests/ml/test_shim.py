"""A torch module in thinc's hands: any optimizer steps it, and mixed precision is unscaled once."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from encoders import examples as encoder_examples
from encoders import make_nlp as make_encoder
from encoders import tiny_bert
from pipelines import examples, make_nlp
from thinc.api import (
    SGD,
    Adam,
    ArgsKwargs,
    Linear,
    PyTorchGradScaler,
    PyTorchShim,
    PyTorchWrapper,
    RAdam,
    chain,
    fix_random_seed,
)
from torch import nn

from spacy_finegrained_ner.ml.encoder import NAME
from spacy_finegrained_ner.ml.shim import ModuleShim
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

OPTIMIZERS = {
    "Adam": lambda: Adam(1e-2, L2=1e-2, grad_clip=0.5),
    "Adam, L2 in the gradient": lambda: Adam(
        1e-2, L2=1e-2, grad_clip=0.5, L2_is_weight_decay=False
    ),
    "RAdam": lambda: RAdam(1e-2, L2=1e-2, grad_clip=0.5),
    "SGD": lambda: SGD(1e-1, L2=1e-2, grad_clip=0.5),
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


class Scaler(PyTorchGradScaler):
    """thinc's, but it scales tensors of a CPU, too."""

    calls = 0
    factor = 1.0  # beside the scale; inf makes a gradient overflow

    def scale(self, tensors, inplace=False):
        scaled = [tensor * (self._scale * self.factor) for tensor in tensors]
        if inplace:
            for tensor, other in zip(tensors, scaled, strict=True):
                tensor.copy_(other)
        return scaled

    def unscale(self, tensors):
        self.calls += 1
        return super().unscale(tensors)


class EncoderScaler(Scaler):
    """An encoder refuses to be trained with an enabled one on a CPU."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self._enabled = False

    def unscale(self, tensors):
        self._enabled = True
        found = super().unscale(tensors)
        self._enabled = False
        return found

    def update(self):
        self._enabled = True
        super().update()
        self._enabled = False


class Recorder:
    """An optimizer that only keeps the gradients of each step."""

    def __init__(self):
        self.steps = []

    def step_parameters(self, parameters):
        self.steps.append({name: grad.clone() for name, _, grad in parameters})


def shim_with(scaler=None) -> ModuleShim:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return ModuleShim(module, grad_scaler=scaler)


def learn(shim, seed: int, rows: int = 5, factor: float = 1.0) -> torch.Tensor:
    """A part of a batch. RETURNS: the outputs."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 3, generator=rng).requires_grad_()
    output, backprop = shim.begin_update(ArgsKwargs(args=(x,), kwargs={}))
    grad = factor * torch.randn(output.shape, generator=rng)
    backprop(ArgsKwargs(args=((output,),), kwargs={"grad_tensors": [grad]}))
    return output


def weights(shim) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in shim._model.named_parameters()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_thincs_takes_the_steps_of_the_stock_shim_on_the_tagger(name):
    found = []
    for stock in (True, False):
        fix_random_seed(0)
        nlp = make_nlp()
        data = examples(nlp)
        nlp.initialize(lambda data=data: data)
        layer = nlp.get_pipe("finegrained_ner").model.get_ref("tagger")
        if stock:
            layer.shims[0] = PyTorchShim(layer.shims[0]._model)
        before, optimizer = weights(layer.shims[0]), OPTIMIZERS[name]()
        for step in range(4):
            nlp.update(data[step % 3 :], sgd=optimizer)
            optimizer.step_schedules()
        found.append(weights(layer.shims[0]))
        assert not any(torch.equal(value, before[key]) for key, value in found[-1].items())
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_of_thincs_takes_the_steps_of_the_stock_shim_on_an_encoder(name, tmp_path):
    """Whose word embeddings have a sparse gradient in ours."""
    folder, found = tiny_bert(tmp_path), []
    for settings in (
        {"@architectures": "spacy-transformers.TransformerModel.v3"},
        {"@architectures": NAME, "layers": 1, "combine": "concatenate"},
    ):
        spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
        nlp = make_encoder(
            {**settings, "name": str(folder), "get_spans": spans, "transformer_config": NO_DROPOUT}
        )
        data, optimizer = encoder_examples(nlp), OPTIMIZERS[name]()
        for step in range(4):
            nlp.update(data[step % 3 :][:1], sgd=False)
            for _, pipe in nlp.pipeline:
                pipe.finish_update(optimizer)
            optimizer.step_schedules()
        found.append(dict(nlp.get_pipe("transformer").model.transformer.named_parameters()))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("clip", ["module", "parameter"])
def test_adamw_steps_the_stock_shim_and_thincs_layers_as_torch_does(clip):
    """Clipped by parameter in any case: thinc shows one at a time."""
    fix_random_seed(0)
    ours = chain(Linear(4, 3), PyTorchWrapper(nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 2))))
    ours.initialize()
    linear, module = ours.layers[0], ours.layers[1].shims[0]._model
    theirs = nn.Sequential(nn.Linear(3, 4), *deepcopy(module))
    with torch.no_grad():
        theirs[0].weight.copy_(torch.from_numpy(linear.get_param("W")))
        theirs[0].bias.copy_(torch.from_numpy(linear.get_param("b")))
    optimizer = build_adamw_v1(0.01, weight_decay=0.1, grad_clip=1.0, clip=clip)
    groups = [
        {"params": [p], "weight_decay": 0.1 if p.dim() > 1 else 0.0} for p in theirs.parameters()
    ]
    reference, norms = torch.optim.AdamW(groups, lr=0.01), []
    rng = np.random.default_rng(0)
    for step in range(8):
        X = rng.normal(size=(6, 3)).astype("f")
        dY = (10.0 ** (step % 3 - 2) * rng.normal(size=(6, 2))).astype("f")
        ours.begin_update(X)[1](dY.copy())
        ours.finish_update(optimizer)
        optimizer.step_schedules()
        theirs(torch.from_numpy(X)).backward(torch.from_numpy(dY))
        norms += [float(nn.utils.clip_grad_norm_([p], 1.0)) for p in theirs.parameters()]
        reference.step()
        reference.zero_grad()
        found = [torch.from_numpy(linear.get_param(name)) for name in ("W", "b")]
        found += [p.detach() for p in module.parameters()]
        for one, other in zip(found, theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other.detach(), rtol=1e-4, atol=1e-6)
    assert min(norms) < 1.0 < max(norms)


def test_parts_of_a_batch_under_mixed_precision_give_the_gradient_of_the_whole():
    found = []
    for scaler in (Scaler(enabled=True), None):
        shim, recorder = shim_with(scaler), Recorder()
        for seed, rows in ((1, 5), (2, 3), (3, 9)):
            learn(shim, seed, rows)
        shim.finish_update(recorder)
        assert all(p.grad is None for p in shim._model.parameters())
        found += recorder.steps
    assert len(found) == 2
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_an_overflow_in_one_part_skips_the_step_and_lowers_the_scale(part):
    scaler = Scaler(enabled=True, init_scale=1024.0)
    shim, plain = shim_with(scaler), shim_with()
    optimizers = [build_adamw_v1(0.01, weight_decay=0.1) for _ in range(2)]
    before = weights(shim)
    for number in range(3):
        scaler.factor = torch.inf if number == part else 1.0
        learn(shim, seed=number)
    shim.finish_update(optimizers[0])
    torch.testing.assert_close(weights(shim), before, rtol=0, atol=0)
    assert all(p.grad is None for p in shim._model.parameters())
    assert float(scaler._scale) == 512.0
    scaler.factor = 1.0
    for seed in (5, 6):  # as if nothing had been
        for one, optimizer in zip((shim, plain), optimizers, strict=True):
            learn(one, seed)
            one.finish_update(optimizer)
        torch.testing.assert_close(weights(shim), weights(plain), rtol=1e-4, atol=1e-6)
    assert not torch.equal(weights(shim)["0.weight"], before["0.weight"])
    assert float(scaler._scale) == 512.0


def test_an_overflow_calls_no_optimizer_of_thincs():
    scaler = Scaler(enabled=True)
    shim, before = shim_with(scaler), weights(shim_with())
    scaler.factor = torch.inf
    learn(shim, 1)
    shim.finish_update(Adam(0.1, L2=0.1))
    torch.testing.assert_close(weights(shim), before, rtol=0, atol=0)


def test_the_scale_grows_with_steps_that_were_taken_and_not_without_a_backward_pass():
    scaler = Scaler(enabled=True, init_scale=8.0, growth_interval=2)
    shim = shim_with(scaler)
    scales = []
    for step in range(6):
        if step != 1:
            learn(shim, step)
        shim.finish_update(Recorder())
        scales.append(float(scaler._scale))
    assert scales == [8.0, 8.0, 16.0, 16.0, 32.0, 32.0]
    assert scaler.calls == 5


@pytest.mark.filterwarnings("ignore:CUDA is not available", "ignore:Sparse invariant checks")
@pytest.mark.parametrize("lazy", [False, True])
def test_an_encoder_under_mixed_precision_takes_the_steps_of_float32(lazy, tmp_path):
    """What is scaled alone: on a CPU nothing is computed in float16."""
    folder, found = tiny_bert(tmp_path), []
    for mixed in (False, True):
        config = {"@architectures": NAME, "layers": 1, "combine": "concatenate"}
        spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
        nlp = make_encoder(
            {**config, "name": str(folder), "get_spans": spans, "transformer_config": NO_DROPOUT}
        )
        shim = nlp.get_pipe("transformer").model.shim
        if mixed:
            shim._mixed, shim._scaler = True, EncoderScaler()
        data, optimizer = encoder_examples(nlp), build_adamw_v1(1e-3, lazy=lazy, clip="module")
        for step in range(5):
            skipped = step == 3
            if mixed:
                shim._scaler.factor = torch.inf if skipped else 1.0
            for part in range(2 if mixed or not skipped else 0):  # of which nothing shall be left
                nlp.update(data[(step + part) % 3 :][:1], sgd=False)
            before = weights(shim)["embeddings.LayerNorm.weight"]
            nlp.get_pipe("transformer").finish_update(optimizer)
            # spaCy's tagger starts with weights of 0, and passes on no gradient at first
            same = torch.equal(weights(shim)["embeddings.LayerNorm.weight"], before)
            assert same == (skipped or not step)
            nlp.get_pipe("tagger").finish_update(SGD(0.0) if skipped else optimizer)
        found.append(weights(shim))
    assert float(shim._scaler._scale) == 2.0**15
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-6)


def test_without_a_gradient_there_is_no_step():
    shim, recorder = shim_with(), Recorder()
    x = torch.ones(2, 3).requires_grad_()
    for _ in range(2):
        _, backprop = shim.begin_update(ArgsKwargs(args=(x,), kwargs={}))
        (d_x,) = backprop(ArgsKwargs(args=([],), kwargs={"grad_tensors": []})).args
        assert torch.equal(d_x, torch.zeros(2, 3))
        shim.finish_update(recorder)
        assert not recorder.steps
        shim.finish_update(recorder)


def test_a_module_is_at_rest_in_evaluation_mode_also_after_an_error():
    shim = shim_with()
    learn(shim, 1)
    assert not shim._model.training
    with pytest.raises(RuntimeError):
        shim.begin_update(ArgsKwargs(args=(torch.ones(2, 7),), kwargs={}))
    assert not any(module.training for module in shim._model.modules())
