"""The boundary between lists of arrays and padded tensors."""

import numpy as np
import pytest
import torch
from thinc.api import Model

from spacy_finegrained_ner.ml.architectures import build_tagger_v1
from spacy_finegrained_ner.ml.blocks import (
    build_average_v1,
    build_bilstm_v1,
    build_concatenate_v1,
    build_gated_v1,
)
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

WIDTH, TAGS, OTHER_TAGS = 4, 5, 3

BLENDINGS = {
    "concatenate": build_concatenate_v1,
    "average": build_average_v1,
    "learned": lambda **where: build_average_v1(learned=True, **where),
    "gated": build_gated_v1,
}
ALL = [
    (decoder, blending, place)
    for decoder in ("linear", "crf")
    for blending in BLENDINGS
    for place in ("vectors", "sequence", "emissions")
]


def unbuilt(dropout: float = 0.0, **settings):
    """The layer behind the encoder; a linear one without settings."""
    encoder = Model("encoder", forward=lambda model, X, is_train: (X, lambda dX: dX))
    model = build_tagger_v1(encoder, dropout, **({"decoder": "linear"} | settings))
    return model.get_ref("tagger")


def variant(decoder: str, blending: str, place: str):
    return unbuilt(
        decoder=decoder, sequence=build_bilstm_v1(), blending=BLENDINGS[blending](place=place)
    )


def built(layer, auxiliary: int = 0):
    torch.manual_seed(0)
    layer.set_dim("nO", TAGS)
    layer.set_dim("nA", auxiliary)
    layer.initialize(X=vectors(3))
    return layer


def vectors(*lengths: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, WIDTH)).astype("f") for n in lengths]


def torch_module(layer):
    return layer.shims[0]._model


def weights(layer) -> tuple[np.ndarray, np.ndarray]:
    linear = torch_module(layer).head["fine"].emissions
    return linear.weight.detach().numpy(), linear.bias.detach().numpy()


def emissions(Y: list[ScoreBatch]) -> np.ndarray:
    (batch,) = Y
    return batch.tasks[0][0]


def gradient_of(Y: list[ScoreBatch], tasks: list) -> list[ScoreBatch]:
    return [ScoreBatch(tasks, Y[0].lengths, Y[0].rows)]


def like(scores: tuple, seed: int) -> tuple:
    """A gradient."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=array.shape).astype("f") for array in scores)


def gradients(layer) -> dict[str, torch.Tensor]:
    """By the names of the parameters that have one."""
    named = torch_module(layer).named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize("lengths", [(3,), (1, 4, 2), (0, 2), (2, 0, 0, 1)])
def test_forward_and_backward_equal_the_formula_on_each_doc(lengths):
    layer = built(unbuilt())
    X = vectors(*lengths)
    W, b = weights(layer)
    Y, backprop = layer.begin_update(X)
    assert Y[0].lengths == list(lengths)
    for i, x in enumerate(X):
        np.testing.assert_allclose(emissions(Y)[i, : len(x)], x @ W.T + b, rtol=1e-5, atol=1e-6)
    (dY,) = like(Y[0].tasks[0], 1)
    dX = backprop(gradient_of(Y, [(dY,)]))
    for i, x in enumerate(X):
        np.testing.assert_allclose(dX[i], dY[i, : len(x)] @ W, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("variant_of", ALL, ids="-".join)
def test_an_empty_doc_of_the_listener_has_no_width(variant_of):
    layer = built(variant(*variant_of), OTHER_TAGS)
    X = [np.zeros((0, 0), dtype="f"), *vectors(2)]
    Y, backprop = layer.begin_update(X)
    dX = backprop(gradient_of(Y, [like(scores, 1) for scores in Y[0].tasks]))
    assert [len(d) for d in dX] == [0, 2]


@pytest.mark.parametrize("variant_of", ALL, ids="-".join)
def test_predict_equals_training_without_dropout_and_batch_equals_singles(variant_of):
    layer = built(variant(*variant_of), OTHER_TAGS)
    X = vectors(3, 1, 5)
    together = emissions(layer.predict(X))
    trained = layer.begin_update(X)[0]
    assert len(trained[0].tasks) == 2
    np.testing.assert_allclose(together, emissions(trained), rtol=1e-5, atol=1e-6)
    for i, x in enumerate(X):
        alone = emissions(layer.predict([x]))[0]
        np.testing.assert_allclose(together[i, : len(x)], alone, rtol=1e-5, atol=1e-6)


def test_dropout_acts_in_training_only():
    layer = built(unbuilt(0.5))
    X = vectors(50)
    W, b = weights(layer)
    np.testing.assert_allclose(emissions(layer.predict(X))[0], X[0] @ W.T + b, rtol=1e-5, atol=1e-6)
    assert not np.allclose(emissions(layer.begin_update(X)[0])[0], X[0] @ W.T + b, atol=1e-2)


@pytest.mark.parametrize("decoder", ["linear", "crf"])
def test_gradients_of_all_scores_reach_their_parameters(decoder):
    """The same sum of scores times gradients, by torch alone."""
    layer = built(variant(decoder, "gated", "emissions"), OTHER_TAGS)
    X = vectors(3, 3)
    Y, backprop = layer.begin_update(X)
    dY = [like(scores, seed) for seed, scores in enumerate(Y[0].tasks)]
    dX = backprop(gradient_of(Y, dY))
    found = gradients(layer)
    module = torch_module(layer)
    module.train().zero_grad()
    leaf = torch.tensor(np.stack(X)).requires_grad_()
    total = torch.zeros(())
    for scores, d_scores in zip(module(leaf, torch.tensor([3, 3])), dY, strict=True):
        for score, d_score in zip(scores, d_scores, strict=True):
            total = total + (score * torch.from_numpy(d_score)).sum()
    total.backward()
    torch.testing.assert_close(torch.from_numpy(np.stack(dX)), leaf.grad)
    torch.testing.assert_close(found, gradients(layer))
    assert set(found) == {name for name, _ in module.named_parameters()}
    if decoder == "crf":
        crf = found["head.auxiliary.crf.end_transitions"]
        torch.testing.assert_close(crf, torch.from_numpy(dY[1][3]))


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_task_without_a_gradient_is_left_out_of_the_backward_pass(left_out):
    layer = built(variant("crf", "gated", "emissions"), OTHER_TAGS)
    Y, backprop = layer.begin_update(vectors(3, 2))
    dY = [like(scores, seed) for seed, scores in enumerate(Y[0].tasks)]
    backprop(gradient_of(Y, [None if i == left_out else d for i, d in enumerate(dY)]))
    names = ("head.fine.", "head.auxiliary.")
    assert not any(name.startswith(names[left_out]) for name in gradients(layer))
    assert any(name.startswith(names[1 - left_out]) for name in gradients(layer))
    assert any(name.startswith("head.sequence.") for name in gradients(layer))


def test_after_a_step_the_gradients_are_gone_and_not_zero():
    layer = built(variant("crf", "concatenate", "sequence"), OTHER_TAGS)
    optimizer = build_adamw_v1(0.1, weight_decay=0.5)
    before = {k: v.clone() for k, v in torch_module(layer).state_dict().items()}

    def step(*parts: bool):
        Y, backprop = layer.begin_update(vectors(3))
        dY = [
            like(s, i) if part else None
            for i, (s, part) in enumerate(zip(Y[0].tasks, parts, strict=True))
        ]
        backprop(gradient_of(Y, dY))
        layer.finish_update(optimizer)
        return {k: v.clone() for k, v in torch_module(layer).state_dict().items()}

    both = step(True, True)
    assert not gradients(layer)
    assert not any(torch.equal(both[name], before[name]) for name in both)
    fine_only = step(True, False)
    for name in both:
        moved = not torch.equal(fine_only[name], both[name])
        assert moved == (not name.startswith("head.auxiliary.")), name


@pytest.mark.parametrize("auxiliary", [0, OTHER_TAGS])
@pytest.mark.parametrize("variant_of", ALL, ids="-".join)
def test_bytes_give_the_same_predictions_and_the_same_sizes(variant_of, auxiliary):
    layer = built(variant(*variant_of), auxiliary)
    again = variant(*variant_of).from_bytes(layer.to_bytes())
    X = vectors(2, 3)
    for ours, theirs in zip(
        layer.predict(X)[0].tasks[0], again.predict(X)[0].tasks[0], strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    sizes = {"width": WIDTH, "tags": [TAGS, auxiliary] if auxiliary else [TAGS]}
    assert torch_module(again).sizes == torch_module(layer).sizes == sizes
    assert len(again.begin_update(X)[0][0].tasks) == len(sizes["tags"])


def test_bytes_before_initialize_leave_a_layer_that_can_be_initialized():
    again = unbuilt().from_bytes(unbuilt().to_bytes())
    assert emissions(built(again).predict(vectors(2))).shape == (1, 2, TAGS)


def test_initialize_again_builds_for_the_new_sizes():
    layer = built(unbuilt(), OTHER_TAGS)
    layer.set_dim("nO", 9, force=True)
    layer.set_dim("nA", 0, force=True)
    layer.initialize(X=vectors(2))
    assert torch_module(layer).sizes == {"width": WIDTH, "tags": [9]}


def test_the_width_is_not_read_off_an_empty_doc():
    layer = unbuilt()
    layer.set_dim("nO", TAGS)
    layer.set_dim("nA", 0)
    layer.initialize(X=[np.zeros((0, 0), "f"), *vectors(0, 3)])
    assert layer.get_dim("nI") == WIDTH
    assert emissions(layer.predict(vectors(2))).shape == (1, 2, TAGS)


def test_scores_without_a_gradient_are_left_out_of_the_backward_pass():
    """Under soft targets without transitions only the emissions learn."""
    layer = built(unbuilt(decoder="crf"))
    Y, backprop = layer.begin_update(vectors(3))
    d_emissions = like(Y[0].tasks[0], seed=1)[0]
    (dX,) = backprop(gradient_of(Y, [(d_emissions, None, None, None)]))
    assert dX.any()
    assert gradients(layer).keys() == {"head.fine.emissions.weight", "head.fine.emissions.bias"}
