"""Copies of an encoder, whoever makes them: as good as the original, and apart from it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from encoders import TEXTS, examples, make_nlp, tiny_bert
from families import NO_DROPOUT, encoder_config, learn, make_docs
from spacy_transformers.layers import split_trf_batch
from spacy_transformers.span_getters import configure_strided_spans
from thinc.api import Adam, chain, fix_random_seed

from spacy_finegrained_ner.ml.encoder import Encoder, build_transformer_layers_v1
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

OPTIMIZERS = {
    "adamw": lambda: build_adamw_v1(1e-3),
    "adamw-lazy-module": lambda: build_adamw_v1(1e-3, lazy=True, clip="module"),
    "thinc-adam": lambda: Adam(1e-3),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("copies") / "encoder", 64)


def make_model(folder):
    spans = configure_strided_spans(12, 8)
    model = build_transformer_layers_v1(
        str(folder), spans, 2, "concatenate", transformer_config=NO_DROPOUT
    )
    return model.initialize()


def vectors(model):
    """Of an encoder, or of a chain with one that splits its batch."""
    found = model.predict(make_docs())
    datas = getattr(found, "doc_data", found)
    return np.concatenate([data.model_output.last_hidden_state[0] for data in datas])


def assert_equal(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5)


def memory(model):
    """Where its weights, buffers and gradients are."""
    parameters = list(model.transformer.parameters())
    gradients = [p.grad for p in parameters if p.grad is not None]
    tensors = [*parameters, *gradients, *model.transformer.buffers()]
    assert len(tensors) > 30
    return {tensor.data_ptr() for tensor in tensors}


COPIES = {
    "copy": lambda model: model.copy(),
    "copy of a copy": lambda model: model.copy().copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "in a chain": lambda model: chain(model, split_trf_batch()).copy().layers[0],
}


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_as_good_as_the_original_and_shares_nothing(folder, how, trained):
    model = make_model(folder)
    if trained:  # it has gradients then, and a dense one of the word embeddings
        learn(model, build_adamw_v1(1e-2))
    before = vectors(model)
    copied = COPIES[how](model)
    assert type(copied) is Encoder
    assert copied.get_dim("nO") == model.get_dim("nO") == 64
    assert copied.attrs.keys() == model.attrs.keys()
    assert copied.attrs["name"] == str(folder)
    assert copied.tokenizer is not model.tokenizer
    assert copied.tokenizer(TEXTS[0]) == model.tokenizer(TEXTS[0])
    assert copied.transformer is copied.shim._model
    assert copied.shim._words is copied.transformer.get_input_embeddings()
    assert not memory(copied) & memory(model)
    assert_equal(vectors(copied), before)
    learn(copied, build_adamw_v1(1e-2))
    assert_equal(vectors(model), before)
    after = vectors(copied)
    assert not np.allclose(after, before, atol=1e-2)
    learn(model, build_adamw_v1(1e-2))
    assert_equal(vectors(model), after)  # the same step from the same weights
    assert_equal(vectors(copied), after)


@pytest.mark.parametrize("how", ["copy", "copy of a copy", "in a chain"])
def test_a_copy_of_thincs_has_ids_of_its_own(folder, how):
    """By which an optimizer knows what it keeps of a parameter."""
    model = make_model(folder)
    copied, fresh = COPIES[how](model), make_model(folder)
    assert copied._func is model._func
    assert len({m.shim.id for m in (model, copied, fresh)}) == 3
    assert len({m.id for m in (model, copied, fresh)}) == 3


def test_a_copied_chain_predicts_and_learns(folder):
    model = make_model(folder)
    copied = chain(model, split_trf_batch()).copy()
    before = vectors(model)
    assert_equal(vectors(copied), before)
    datas, backprop = copied.begin_update(make_docs())
    rng = np.random.default_rng(0)
    for data in datas:
        shape = data.model_output.last_hidden_state.shape
        data.model_output["last_hidden_state"] = rng.normal(size=shape).astype("float32")
    backprop(datas)
    copied.finish_update(build_adamw_v1(1e-2))
    assert not np.allclose(vectors(copied), before, atol=1e-2)
    assert_equal(vectors(model), before)


def update(nlp, *optimizers):
    """One for all pipes, or one for all but the last and another for the last."""
    nlp.update(examples(nlp), sgd=False)
    for i, (_, pipe) in enumerate(nlp.pipeline):
        pipe.finish_update(optimizers[0 if i < len(nlp.pipeline) - 1 else -1])
    for optimizer in optimizers:
        optimizer.step_schedules()


def test_a_copied_pipeline_listens_to_its_own_encoder(folder):
    nlp = make_nlp(encoder_config(folder))
    copied = copy.deepcopy(nlp)

    def scores(pipeline):
        return np.concatenate(pipeline.get_pipe("tagger").model.predict([pipeline(TEXTS[0])]))

    update(nlp, build_adamw_v1(1e-2))
    before = scores(nlp)
    update(copied, build_adamw_v1(1e-2))
    (listener,) = copied.get_pipe("transformer").listeners
    assert listener in list(copied.get_pipe("tagger").model.walk())
    models = [pipeline.get_pipe("transformer").model for pipeline in (nlp, copied)]
    assert not memory(models[0]) & memory(models[1])
    for _ in range(2):
        update(copied, build_adamw_v1(1e-2))
    assert not np.allclose(scores(copied), before, atol=1e-3)
    assert_equal(scores(nlp), before)


def replaced(folder):
    """RETURNS: a pipeline, the encoder of its transformer, and that of a tagger whose listener was
    replaced by a copy. Another tagger listens on."""
    nlp = make_nlp(encoder_config(folder, transformer_config=NO_DROPOUT))
    fix_random_seed(0)
    nlp.add_pipe("tagger", name="other", config={"model": nlp.get_pipe_config("tagger")["model"]})
    nlp.initialize(lambda: examples(nlp))
    nlp.replace_listeners("transformer", "other", ["model.tok2vec"])
    (copied,) = (n for n in nlp.get_pipe("other").model.walk() if isinstance(n, Encoder))
    return nlp, nlp.get_pipe("transformer").model, copied


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_encoder_and_its_copy_train_with_one_optimizer_as_with_two(folder, optimizer):
    found = []
    for count in (1, 2):
        nlp, *encoders = replaced(folder)
        assert not memory(encoders[0]) & memory(encoders[1])
        optimizers = [OPTIMIZERS[optimizer]() for _ in range(count)]
        for _ in range(3):
            # Like gradients would hide that both share what an optimizer keeps
            for encoder, scale in zip(encoders, (1.0, -3.0), strict=True):
                learn(encoder, scale=scale)
            update(nlp, *optimizers)
        found.append([encoder.transformer.state_dict() for encoder in encoders])
    for encoder, expected in zip(*found, strict=True):
        for key, weights in encoder.items():
            torch.testing.assert_close(weights, expected[key], rtol=1e-5, atol=1e-6)
    first, second = (weights["encoder.layer.0.output.dense.weight"] for weights in found[0])
    assert not torch.allclose(first, second, atol=1e-3)
