"""The modules evaluate unless a pass of training is on, and gradient checkpointing, whose second
forward pass is such a one."""

import copy
import json

import pipelines
import pytest
import spacy
import torch
from encoders import make_nlp, tiny_bert
from families import NO_DROPOUT, encoder_config, learn
from thinc.api import PyTorchShim

from spacy_finegrained_ner.training.optimizer import build_adamw_v1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("rest") / "encoder", 64)


def make_ner(folder):
    """An encoder and our own component: both have torch modules."""
    nlp = spacy.blank("en")
    nlp.add_pipe("transformer", config={"model": encoder_config(folder)})
    nlp.add_pipe("finegrained_ner")
    nlp.initialize(lambda: pipelines.examples(nlp))
    return nlp


def modules(nlp):
    """The encoder and the tagger."""
    nodes = [node for _, pipe in nlp.pipeline for node in pipe.model.walk()]
    shims = [shim for node in nodes for shim in node.shims if isinstance(shim, PyTorchShim)]
    encoder, tagger = (shim._model for shim in shims)
    return encoder, tagger


def assert_at_rest(nlp):
    for module in modules(nlp):
        assert len(list(module.modules())) > 5
        assert not [part for part in module.modules() if part.training]


def test_they_train_in_an_update_alone(folder, tmp_path):
    nlp = make_ner(folder)
    nlp.to_disk(tmp_path / "model")
    for pipeline in (nlp, spacy.load(tmp_path / "model"), copy.deepcopy(nlp)):
        assert_at_rest(pipeline)
        seen = []
        for module in modules(pipeline):
            module.register_forward_hook(lambda module, *_, seen=seen: seen.append(module.training))
        data = pipelines.examples(pipeline)
        pipeline.update(data, sgd=build_adamw_v1(1e-3))
        assert seen == [True, True]
        assert_at_rest(pipeline)
        pipeline("marie curie")
        assert seen == [True, True, False, False]
        pipeline.evaluate(data)
        assert_at_rest(pipeline)
        assert not any(seen[2:])


def fail(*_):
    raise ArithmeticError("in the middle")


def in_backward(find):
    def break_it(module):
        def hook(module, inputs, output):
            find(output).register_hook(fail)

        module.register_forward_hook(hook)

    return break_it


def in_the_second_forward_pass(encoder):
    encoder.gradient_checkpointing_enable()
    passes = []

    def hook(*_):
        passes.append(0)
        if len(passes) == 2:
            fail()

    encoder.encoder.layer[0].attention.register_forward_hook(hook)


FAILURES = {
    "forward pass of a layer": (0, lambda m: m.encoder.layer[1].register_forward_hook(fail)),
    "forward pass of the encoder": (0, lambda m: m.register_forward_hook(fail)),
    "backward pass of the encoder": (0, in_backward(lambda out: out.last_hidden_state)),
    "second forward pass of the encoder": (0, in_the_second_forward_pass),
    "forward pass of the tagger": (1, lambda m: m.register_forward_hook(fail)),
    "backward pass of the tagger": (1, in_backward(lambda out: out[0][0])),
}


@pytest.mark.parametrize("where", [*FAILURES, "loss", "optimizer"])
def test_after_an_update_that_fails_they_are_at_rest(folder, where, monkeypatch):
    nlp = make_ner(folder)
    optimizer = build_adamw_v1(1e-3)
    if where == "loss":
        monkeypatch.setattr(nlp.get_pipe("finegrained_ner"), "_losses", fail)
    elif where == "optimizer":
        monkeypatch.setattr(type(optimizer), "step_parameters", fail)
    else:
        place, break_it = FAILURES[where]
        break_it(modules(nlp)[place])
    with pytest.raises(ArithmeticError, match="in the middle"):
        nlp.update(pipelines.examples(nlp), sgd=optimizer)
    assert_at_rest(nlp)


def encoder_of(folder, **settings):
    return make_nlp(encoder_config(folder, 2, **settings)).get_pipe("transformer").model


def with_checkpointing(folder, copied):
    """The same encoder with the setting in its own config."""
    for file in folder.iterdir():
        (copied / file.name).write_bytes(file.read_bytes())
    settings = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(settings | {"gradient_checkpointing": True}))
    return copied


def gradients(model):
    """Of a pass whose dropout has always the same seed."""
    torch.manual_seed(1)
    learn(model)
    found = {k: p.grad for k, p in model.transformer.named_parameters() if p.grad is not None}
    return {key: gradient.to_dense() for key, gradient in found.items()}


@pytest.mark.filterwarnings("ignore:Passing `gradient_checkpointing`")
@pytest.mark.parametrize("where", ["settings", "folder"])
def test_with_gradient_checkpointing_the_gradients_are_the_same(folder, tmp_path, where):
    plain = encoder_of(folder)
    if where == "settings":
        model = encoder_of(folder, transformer_config={"gradient_checkpointing": True})
    else:
        model = encoder_of(with_checkpointing(folder, tmp_path))
    assert model.transformer.is_gradient_checkpointing
    assert not plain.transformer.is_gradient_checkpointing
    passes = []
    for one in (plain, model):
        one.transformer.encoder.layer[0].attention.register_forward_hook(
            lambda module, *_: passes.append(module.training)
        )
    expected, found = gradients(plain), gradients(model)
    assert passes == [True] * 3  # one forward pass, and two
    without = gradients(encoder_of(folder, transformer_config=NO_DROPOUT))
    assert found.keys() == expected.keys() == without.keys()
    for key, gradient in found.items():
        torch.testing.assert_close(gradient, expected[key], rtol=1e-4, atol=1e-4)
    key = "encoder.layer.0.output.dense.weight"
    assert not torch.allclose(without[key], expected[key], rtol=0.1, atol=0.1)
