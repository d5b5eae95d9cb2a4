"""The sparse gradient of the word embeddings: the same training as with spacy-transformers."""

import pytest
import torch
from encoders import examples, make_nlp, tiny_bert, tiny_roberta
from thinc.api import Adam

from spacy_finegrained_ner.ml.encoder import NAME
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
OPTIMIZERS = {
    "adamw": lambda: build_adamw_v1(1e-3, weight_decay=0.1),
    "thinc-adam": lambda: Adam(1e-3, L2=0.0, grad_clip=1.0),
}


def make(folder, architecture, **settings):
    config = {
        "@architectures": architecture,
        "name": str(folder),
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 12,
            "stride": 8,
        },
        "transformer_config": NO_DROPOUT,
        **settings,
    }
    if architecture == NAME:
        config |= {"layers": 1, "combine": "concatenate"}
    return make_nlp(config)


def parameters(nlp):
    return dict(nlp.get_pipe("transformer").model.transformer.named_parameters())


def train(nlp, optimizer, accumulate):
    """Three steps, each on the gradients of `accumulate` batches of other words."""
    data = examples(nlp)
    for step in range(3):
        for part in range(accumulate):
            nlp.update(data[(step + part) % len(data) :][:2], sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        optimizer.step_schedules()
    return parameters(nlp)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("encoder", [tiny_bert, tiny_roberta])
def test_it_takes_the_steps_of_the_stock_shim(tmp_path, encoder, optimizer, accumulate):
    folder = encoder(tmp_path / "encoder")
    stock = make(folder, "spacy-transformers.TransformerModel.v3")
    ours = make(folder, NAME)
    before = {name: p.detach().clone() for name, p in parameters(ours).items()}
    expected = train(stock, OPTIMIZERS[optimizer](), accumulate)
    found = train(ours, OPTIMIZERS[optimizer](), accumulate)
    assert found.keys() == expected.keys()
    for name, parameter in found.items():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-4, atol=1e-6)
    words = next(name for name in found if "word_embeddings" in name)
    assert not torch.equal(found[words], before[words])


def test_the_gradient_is_sparse_on_a_cpu_and_dense_with_mixed_precision(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"), NAME)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    for mixed in (False, True, False):
        shim._mixed = mixed
        nlp.update(examples(nlp)[:2], sgd=False)
        gradients = {name: p.grad for name, p in parameters(nlp).items() if p.grad is not None}
        sparse = [name for name, gradient in gradients.items() if gradient.is_sparse]
        assert sparse == ([] if mixed else ["embeddings.word_embeddings.weight"])
        for parameter in parameters(nlp).values():
            parameter.grad = None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_mixed_precision_without_a_gpu_is_named(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"), NAME, mixed_precision=True)
    with pytest.raises(ValueError, match=r"mixed_precision is true .* on the CPU.*--gpu-id 0"):
        nlp.update(examples(nlp), sgd=False)


def test_no_gradient_is_left_over_and_frozen_embeddings_stay(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"), NAME)
    shim = nlp.get_pipe("transformer").model.layers[0].shims[0]
    optimizer = OPTIMIZERS["adamw"]()
    nlp.update(examples(nlp), sgd=False)
    nlp.get_pipe("transformer").finish_update(optimizer)
    assert not shim._dense.any()
    weight = shim._model.get_input_embeddings().weight
    assert weight.grad is None
    weight.requires_grad_(False)
    kept = weight.detach().clone()
    nlp.update(examples(nlp), sgd=False)
    nlp.get_pipe("transformer").finish_update(optimizer)
    assert torch.equal(weight, kept)


def test_with_a_lazy_optimizer_words_that_no_batch_has_stay(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"), NAME)
    words = nlp.get_pipe("transformer").model.transformer.get_input_embeddings().weight
    before = words.detach().clone()
    optimizer = build_adamw_v1(1e-2, weight_decay=0.5, lazy=True)
    data = examples(nlp)[1:2]
    for mixed in (False, True):  # sparse, and dense
        nlp.get_pipe("transformer").model.layers[0].shims[0]._mixed = mixed
        nlp.update(data, sgd=False)
        nlp.get_pipe("transformer").finish_update(optimizer)
        optimizer.step_schedules()
    moved = (words != before).any(dim=1)
    wordpieces = nlp.get_pipe("transformer").predict([data[0].predicted]).wordpieces
    assert set(moved.nonzero().squeeze(1).tolist()) == set(wordpieces.input_ids.ravel().tolist())
