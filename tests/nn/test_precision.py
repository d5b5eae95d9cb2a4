"""In which numbers encoder and tagger compute, and that weights stay float32."""

from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from encoders import examples as encoder_examples
from encoders import make_nlp as make_encoder
from encoders import tiny_bert
from pipelines import HASH_EMBED, LINEAR, examples, make_nlp
from thinc.api import fix_random_seed

from spacy_finegrained_ner.ml.architectures import build_tagger_v1
from spacy_finegrained_ner.ml.encoder import (
    NAME,
    TOK2VEC,
    build_tok2vec_transformer_layers_v1,
    build_transformer_layers_v1,
)
from spacy_finegrained_ner.nn.precision import tf32
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
BILSTM = {"@layers": "spacy-finegrained-ner.BiLSTM.v1"}
TAGGERS = {
    "linear": LINEAR,
    "CRF": HASH_EMBED | {"sequence": None},
    "BiLSTM and CRF": HASH_EMBED | {"sequence": BILSTM},
}


@pytest.fixture(autouse=True)
def setting_of_the_process():
    before = torch.get_float32_matmul_precision()
    yield
    assert torch.get_float32_matmul_precision() == before


def tagger(model: dict, precision: str):
    fix_random_seed(0)
    nlp = make_nlp(model=model | {"precision": precision})
    data = examples(nlp)
    nlp.initialize(lambda: data)
    return nlp, data


def scores(nlp, data) -> list[np.ndarray]:
    """Of prediction and of training."""
    model = nlp.get_pipe("finegrained_ner").model
    docs = [example.predicted for example in data]
    (predicted,), (trained,) = model.predict(docs), model.begin_update(docs)[0]
    assert predicted.lengths == trained.lengths
    found = [array for task in (*predicted.tasks, *trained.tasks) for array in task]
    assert {array.dtype for array in found} == {np.dtype("float32")}
    return found


def watch(module: torch.nn.Module) -> list[tuple[torch.dtype, str]]:
    """What its linear layers put out from now on, and the setting of the process then."""
    seen: list = []
    for child in module.modules():
        if isinstance(child, torch.nn.Linear):
            child.register_forward_hook(
                lambda m, i, output: seen.append(
                    (output.dtype, torch.get_float32_matmul_precision())
                )
            )
    return seen


@pytest.mark.parametrize("kind", TAGGERS)
def test_a_tagger_in_bf16_trains_and_predicts_near_float32(kind):
    (nlp, data), (plain, _) = (tagger(TAGGERS[kind], name) for name in ("bf16", "fp32"))
    module = nlp.get_pipe("finegrained_ner").model.get_ref("tagger").shims[0]._model
    seen = watch(module)
    for found, expected in zip(scores(nlp, data), scores(plain, data), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0.05, atol=0.05)
    assert {dtype for dtype, _ in seen} == {torch.bfloat16}
    losses = []
    for one in (nlp, plain):
        optimizer = build_adamw_v1(0.02, clip="module")
        losses.append([one.update(data, sgd=optimizer)["finegrained_ner"] for _ in range(25)])
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=0.02)
    for course in losses:
        assert course[-1] < 0.2 * course[0]
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    gold = [[(e.text, e.label_) for e in example.reference.ents] for example in data]
    docs = list(nlp.pipe([example.predicted for example in data]))
    assert [[(e.text, e.label_) for e in doc.ents] for doc in docs] == gold


def encoder(folder, precision: str, **settings):
    spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    config = {
        "@architectures": NAME,
        "name": str(tiny_bert(folder)),
        "get_spans": spans,
        "transformer_config": NO_DROPOUT,
        "precision": precision,
        "layers": 2,
        "combine": "concatenate",
        **settings,
    }
    nlp = make_encoder(config)
    return nlp, encoder_examples(nlp)


def vectors(nlp, data) -> list[np.ndarray]:
    """Of prediction and of training, a Doc at a time."""
    model = nlp.get_pipe("transformer").model
    docs = [example.predicted for example in data]
    found = [d for batch in (model.predict(docs), model(docs, True)[0]) for d in batch.doc_data]
    arrays = [data.model_output.last_hidden_state for data in found]
    assert {array.dtype for array in arrays} == {np.dtype("float32")}
    return arrays


def train_encoder(nlp, data, steps: int) -> list[float]:
    """RETURNS: the losses."""
    optimizer, losses = build_adamw_v1(0.005, clip="module", lazy=True), []
    for _ in range(steps):
        losses.append(nlp.update(data, sgd=False)["tagger"])
        gradients = [p.grad for p in nlp.get_pipe("transformer").model.transformer.parameters()]
        assert {g.dtype for g in gradients if g is not None} == {torch.float32}
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        optimizer.step_schedules()
    return losses


def test_an_encoder_in_bf16_trains_and_predicts_near_float32(tmp_path):
    (nlp, data), (plain, _) = (encoder(tmp_path, name) for name in ("bf16", "fp32"))
    transformer = nlp.get_pipe("transformer").model.transformer
    before = {name: p.detach().clone() for name, p in transformer.named_parameters()}
    seen = watch(transformer)
    for found, expected in zip(vectors(nlp, data), vectors(plain, data), strict=True):
        np.testing.assert_allclose(found, expected, atol=0.05)
        assert not np.array_equal(found, expected)
    assert {dtype for dtype, _ in seen} == {torch.bfloat16}
    found, expected = (train_encoder(one, data, 20) for one in (nlp, plain))
    np.testing.assert_allclose(found[:3], expected[:3], rtol=0.05)
    assert found[-1] < 0.5 * found[0]
    for name, p in transformer.named_parameters():
        assert p.dtype == torch.float32
        assert torch.equal(p, before[name]) == ("pooler" in name), name


@pytest.mark.parametrize(
    "settings",
    [
        {"combine": "average"},
        {"layers": 1, "transformer_config": NO_DROPOUT | {"output_hidden_states": True}},
    ],
    ids=["average", "hidden states"],
)
def test_all_that_a_doc_has_of_an_encoder_in_bf16_is_float32(settings, tmp_path):
    nlp, data = encoder(tmp_path, "bf16", **settings)
    for doc in nlp.pipe([example.predicted for example in data]):
        output = doc._.trf_data.model_output
        arrays = [output.last_hidden_state, output.pooler_output, *output.get("hidden_states", ())]
        assert {array.dtype for array in arrays} == {np.dtype("float32")}


def test_tf32_on_a_cpu_is_float32(tmp_path):
    (nlp, data), (plain, _) = (encoder(tmp_path, name) for name in ("tf32", "fp32"))
    seen = watch(nlp.get_pipe("transformer").model.transformer)
    for found, expected in zip(vectors(nlp, data), vectors(plain, data), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert set(seen) == {(torch.float32, torch.get_float32_matmul_precision())}
    assert train_encoder(nlp, data, 2) == train_encoder(plain, data, 2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_matrix_products_on_a_gpu_in_here_are_rounded():
    torch.manual_seed(0)
    one, other = (torch.randn(256, 256, device="cuda") for _ in range(2))
    exact = one @ other
    with tf32():
        rounded = one @ other
    assert 1e-4 < (rounded - exact).abs().max() < 0.2
    assert torch.equal(one @ other, exact)


BUILD = {
    "Tagger.v1": lambda precision: build_tagger_v1(None, precision=precision),
    NAME: lambda precision, **rest: build_transformer_layers_v1(
        "", None, 1, "average", precision=precision, **rest
    ),
    TOK2VEC: lambda precision, **rest: build_tok2vec_transformer_layers_v1(
        "", None, 1, "average", None, precision=precision, **rest
    ),
}


@pytest.mark.parametrize("value", ["fp16", "BF16", "", "float32", None, 16, True])
@pytest.mark.parametrize("name", BUILD)
def test_an_unknown_precision_is_named(name, value):
    kind = "Tagger" if "Tagger" in name else "TransformerLayers"
    message = rf"precision of .*{kind}\.v1 is {value!r}, expected one of 'fp32', 'tf32', 'bf16'"
    with pytest.raises(ValueError, match=message):
        BUILD[name](value)


@pytest.mark.parametrize("value", ["bf16", "tf32"])
@pytest.mark.parametrize("name", [NAME, TOK2VEC])
def test_a_precision_beside_mixed_precision_is_an_error(name, value):
    message = rf"has mixed_precision = true and precision = '{value}'.*mixed_precision = false"
    with pytest.raises(ValueError, match=message):
        BUILD[name](value, mixed_precision=True)
    BUILD[NAME]("fp32", mixed_precision=True)


@pytest.mark.parametrize("before", ["highest", "medium", "high"])
def test_the_setting_is_as_before_when_the_last_one_has_left(before):
    kept = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(before)
    try:
        with tf32():
            with tf32():
                assert torch.get_float32_matmul_precision() == "high"
            assert torch.get_float32_matmul_precision() == "high"
        assert torch.get_float32_matmul_precision() == before
    finally:
        torch.set_float32_matmul_precision(kept)


def test_an_error_in_here_leaves_no_setting_behind():
    before = torch.get_float32_matmul_precision()
    with tf32():
        with pytest.raises(ZeroDivisionError), tf32():
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
    with pytest.raises(ZeroDivisionError), tf32():
        raise ZeroDivisionError
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("first_to_leave", [0, 1])
def test_threads_overlap_in_here(first_to_leave):
    before, seen = torch.get_float32_matmul_precision(), {}
    steps = [Barrier(2, timeout=20) for _ in range(4)]

    def work(number: int) -> None:
        if number:
            steps[0].wait()  # the other one is in
        with tf32():
            if not number:
                steps[0].wait()
            steps[1].wait()  # both are in
            if number != first_to_leave:
                steps[2].wait()  # the other one has left
                seen["in"] = torch.get_float32_matmul_precision()
        if number == first_to_leave:
            steps[2].wait()
        steps[3].wait()
        seen[number] = torch.get_float32_matmul_precision()

    threads = [Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"in": "high", 0: before, 1: before}
