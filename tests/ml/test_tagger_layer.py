"""The boundary between lists of arrays and padded tensors."""

import numpy as np
import pytest
import torch
from thinc.api import Model

from spacy_finegrained_ner.labels.bio import UNKNOWN, TagSet
from spacy_finegrained_ner.ml.architectures import build_tagger_v1
from spacy_finegrained_ner.ml.decoder import LinearDecoder
from spacy_finegrained_ner.ml.tagger import Emissions, build_tagger

WIDTH, TAGS = 4, 5


def make_layer(seed: int = 0):
    torch.manual_seed(seed)
    layer = build_tagger(0.0)
    layer.set_dim("nO", TAGS)
    layer.initialize(X=vectors(3))
    return layer


def vectors(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, WIDTH)).astype("f") for n in lengths]


def weights(layer) -> tuple[np.ndarray, np.ndarray]:
    linear = layer.shims[0]._model.head["emissions"]
    return linear.weight.detach().numpy(), linear.bias.detach().numpy()


@pytest.mark.parametrize("lengths", [(3,), (1, 4, 2), (0, 2), (2, 0, 0, 1)])
def test_forward_and_backward_equal_the_formula_on_each_doc(lengths):
    layer = make_layer()
    X = vectors(*lengths)
    W, b = weights(layer)
    Y, backprop = layer.begin_update(X)
    assert Y.lengths == list(lengths)
    for i, x in enumerate(X):
        np.testing.assert_allclose(Y.scores[i, : len(x)], x @ W.T + b, rtol=1e-5, atol=1e-6)
    dY = np.random.default_rng(1).normal(size=Y.scores.shape).astype("f")
    dX = backprop(Emissions(dY, Y.lengths))
    for i, x in enumerate(X):
        np.testing.assert_allclose(dX[i], dY[i, : len(x)] @ W, rtol=1e-5, atol=1e-6)


def test_an_empty_doc_of_the_listener_has_no_width():
    layer = make_layer()
    X = [np.zeros((0, 0), dtype="f"), *vectors(2)]
    Y, backprop = layer.begin_update(X)
    dX = backprop(Emissions(np.ones_like(Y.scores), Y.lengths))
    assert [len(d) for d in dX] == [0, 2]


def test_predict_equals_training_without_dropout_and_batch_equals_singles():
    layer = make_layer()
    X = vectors(3, 1, 5)
    together = layer.predict(X).scores
    np.testing.assert_allclose(together, layer.begin_update(X)[0].scores, rtol=1e-5)
    for i, x in enumerate(X):
        np.testing.assert_allclose(
            together[i, : len(x)], layer.predict([x]).scores[0], rtol=1e-5, atol=1e-6
        )


def test_dropout_acts_in_training_only():
    layer = build_tagger(0.5)
    layer.set_dim("nO", TAGS)
    X = vectors(50)
    layer.initialize(X=X)
    W, b = weights(layer)
    np.testing.assert_allclose(layer.predict(X).scores[0], X[0] @ W.T + b, rtol=1e-5, atol=1e-6)
    assert not np.allclose(layer.begin_update(X)[0].scores[0], X[0] @ W.T + b, atol=1e-2)


@pytest.mark.parametrize("built", [True, False])
def test_bytes_before_and_after_initialize(built):
    layer = make_layer() if built else build_tagger(0.0)
    again = build_tagger(0.0).from_bytes(layer.to_bytes())
    if built:
        X = vectors(2, 3)
        np.testing.assert_array_equal(layer.predict(X).scores, again.predict(X).scores)
    else:
        again.set_dim("nO", TAGS)
        again.initialize(X=vectors(2))
        assert again.predict(vectors(2)).scores.shape == (1, 2, TAGS)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 2])
def test_dropout_out_of_range_is_told(dropout):
    with pytest.raises(
        ValueError, match=f"dropout of spacy-finegrained-ner.Tagger.v1 is {dropout}"
    ):
        build_tagger_v1(Model("tok2vec", forward=lambda m, X, t: (X, lambda d: d)), dropout)


def test_decoder_loss_and_gradient_by_hand():
    """Two docs, one token unknown: mean over the three known tokens of -log softmax."""
    decoder = LinearDecoder(TagSet(("X", "Y")))
    scores = np.random.default_rng(0).normal(size=(2, 2, 5)).astype("f")
    gold = [np.array([1, 2]), np.array([0, UNKNOWN])]
    loss, gradient = decoder.loss(Emissions(scores, [2, 2]), gold)
    p = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    known = [(0, 0, 1), (0, 1, 2), (1, 0, 0)]
    assert loss == pytest.approx(-np.mean([np.log(p[at]) for at in known]), rel=1e-5)
    expected = np.zeros_like(p)
    for doc, token, tag in known:
        expected[doc, token] = p[doc, token] / 3
        expected[doc, token, tag] -= 1 / 3
    np.testing.assert_allclose(gradient.scores, expected, rtol=1e-4, atol=1e-6)


def test_decoder_picks_the_best_legal_path():
    decoder = LinearDecoder(TagSet(("X",)))  # O, B-X, I-X
    # I-X alone is best everywhere, but may not begin: B-X I-X (3 + 9) beats O O (4 + 4).
    scores = np.array([[[4, 3, 9], [4, 0, 9]]], dtype="f")
    assert decoder.decode(Emissions(scores, [2]))[0].tolist() == [1, 2]
    scores[0, 1] = [9, 0, 9]
    assert decoder.decode(Emissions(scores, [2]))[0].tolist() == [0, 0]
