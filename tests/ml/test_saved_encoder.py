"""What an encoder is saved as: loaded as it was, also from what spacy-transformers has saved, and
without a word where nothing is lost."""

import io
import warnings

import numpy as np
import pytest
import srsly
import torch
from encoders import make_nlp
from families import FAMILIES, encoder_config, few_characters, learn, make_docs
from hypothesis import given
from hypothesis import strategies as st
from spacy_transformers.span_getters import configure_strided_spans
from transformers import AutoConfig, AutoModel

from spacy_finegrained_ner.ml.bytes_view import BytesView, split_off
from spacy_finegrained_ner.ml.encoder import build_transformer_layers_v1
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

STOCK = "spacy-transformers.TransformerModel.v3"


@pytest.fixture(scope="module", autouse=True)
def quick_canine():
    with few_characters():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    return {name: build(folder / name, 64) for name, build in FAMILIES.items()}


def build(folder):
    """Not initialized: as it is before it is loaded."""
    spans = configure_strided_spans(12, 8)
    return build_transformer_layers_v1(str(folder), spans, 1, "concatenate")


@pytest.fixture
def model(folders):
    return build(folders["bert"]).initialize()


def vectors(model):
    batch = model.predict(make_docs())
    mask = batch.wordpieces.attention_mask.astype(bool)
    return batch.model_output.last_hidden_state.numpy()[mask]


@pytest.mark.parametrize("name", FAMILIES)
def test_loaded_it_is_the_same_encoder(folders, name):
    """Its weights, its buffers, saved or not, its settings, and so what it computes."""
    model, loaded = build(folders[name]).initialize(), build("not there")
    learn(model, build_adamw_v1(1e-3))
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        loaded.from_bytes(model.to_bytes())
    assert torch.equal(torch.get_rng_state(), state)  # no weights were drawn, to be overwritten
    before, after = model.transformer, loaded.transformer
    for parts in ("named_parameters", "named_buffers"):
        ours, theirs = dict(getattr(after, parts)()), dict(getattr(before, parts)())
        assert ours.keys() == theirs.keys()
        for key, tensor in ours.items():
            assert tensor.dtype == theirs[key].dtype
            assert torch.equal(tensor, theirs[key]), key
    settings = [encoder.config.to_dict() | {"_name_or_path": ""} for encoder in (after, before)]
    assert settings[0] == settings[1]
    np.testing.assert_array_equal(vectors(loaded), vectors(model))
    assert all(p.requires_grad for p in after.parameters())


def test_made_anew_an_encoder_would_draw_its_weights(folders):
    """So that the test above can fail."""
    state = torch.get_rng_state()
    AutoModel.from_config(AutoConfig.from_pretrained(folders["bert"]))
    assert not torch.equal(torch.get_rng_state(), state)


def test_a_loaded_encoder_does_not_write_into_what_it_was_loaded_from(model):
    data = model.to_bytes()
    kept = bytes(bytearray(data))
    loaded = build("not there").from_bytes(data)
    learn(loaded, build_adamw_v1(0.1))
    assert data == kept
    assert not np.allclose(vectors(loaded), vectors(model))
    np.testing.assert_array_equal(vectors(build("not there").from_bytes(data)), vectors(model))


def make_stock(folder):
    config = encoder_config(folder)
    for setting in ("layers", "combine"):  # only ours has them
        del config[setting]
    return make_nlp({**config, "@architectures": STOCK}).get_pipe("transformer").model


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("name", ["bert", "roberta", "xlm_roberta", "deberta", "xlnet", "electra"])
def test_what_spacy_transformers_has_saved_is_loaded(folders, name, trained):
    stock = make_stock(folders[name])
    if trained:
        learn(stock, build_adamw_v1(1e-2))
    loaded = build("not there").from_bytes(stock.to_bytes())
    assert loaded.get_dim("nO") == 32
    assert loaded.attrs["has_transformer"]
    assert loaded.attrs["name"] == str(folders[name])
    np.testing.assert_allclose(vectors(loaded), vectors(stock), atol=1e-5)
    again = build("not there").from_bytes(loaded.to_bytes())
    np.testing.assert_array_equal(vectors(again), vectors(loaded))


def test_what_is_saved_is_loaded_by_spacy_transformers(folders, model):
    learn(model, build_adamw_v1(1e-2))
    stock = make_stock(folders["bert"])
    shim = next(shim for node in stock.walk() for shim in node.shims)
    shim.from_bytes(model.shim.to_bytes())
    for key, weights in model.transformer.state_dict().items():
        assert torch.equal(shim._model.state_dict()[key], weights)


def changed(shim, change):
    """The bytes of a shim whose state was changed."""
    message = srsly.msgpack_loads(shim.to_bytes())
    state = torch.load(io.BytesIO(message["state"]), weights_only=True)
    change(state)
    file = io.BytesIO()
    torch.save(state, file)
    return srsly.msgpack_dumps(message | {"state": file.getvalue()})


def test_a_parameter_that_was_not_saved_is_named(model):
    name = "encoder.layer.1.output.dense.bias"
    data = changed(model.shim, lambda state: (state.pop(name), state.update(other=torch.ones(1))))
    with pytest.raises(ValueError, match=rf"BertModel lacks 1 param.*'{name}'.*\['other'\]"):
        build("not there").shim.from_bytes(data)
    lost = changed(model.shim, lambda state: [state.pop(k) for k in list(state) if "bias" in k])
    with pytest.raises(ValueError, match=r"lacks 18 parameters .*'embeddings.LayerNorm.bias'"):
        build("not there").shim.from_bytes(lost)


def test_a_parameter_of_another_shape_is_named(model):
    name = "encoder.layer.1.output.dense.bias"
    data = changed(model.shim, lambda state: state.update({name: torch.ones(7)}))
    with pytest.raises(RuntimeError, match=rf"size mismatch for {name}"):
        build("not there").shim.from_bytes(data)


def test_weights_that_are_not_used_are_warned_about(model):
    data = changed(model.shim, lambda state: state.update({"lm_head.bias": torch.ones(3)}))
    loaded = build("not there")
    with pytest.warns(UserWarning, match=r"BertModel has 1 weights .*\['lm_head.bias'\]"):
        loaded.shim.from_bytes(data)
    for key, weights in loaded.transformer.state_dict().items():
        assert torch.equal(weights, model.transformer.state_dict()[key])


def test_a_buffer_that_older_versions_saved_is_a_weight_that_is_not_used(model):
    data = changed(
        model.shim, lambda state: state.update({"embeddings.position_ids": torch.ones(1, 64)})
    )
    loaded = build("not there")
    with pytest.warns(UserWarning, match="embeddings.position_ids"):
        loaded.shim.from_bytes(data)
    assert torch.equal(loaded.transformer.embeddings.position_ids, torch.arange(64)[None])


def test_saved_before_it_is_initialized_it_keeps_its_settings(folders):
    settings = {"hidden_dropout_prob": 0.5}
    spans = configure_strided_spans(12, 8)
    model = build_transformer_layers_v1(
        str(folders["bert"]), spans, 1, "average", None, {"use_fast": True}, settings
    )
    loaded = build(folders["bert"]).from_bytes(model.to_bytes())
    assert not loaded.attrs["has_transformer"]
    loaded.initialize()
    assert loaded.transformer.config.hidden_dropout_prob == 0.5
    assert loaded.shim.tokenizer_config == {"use_fast": True}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, 70000])
def test_the_state_is_split_off_a_message_of_any_size(size):
    """MessagePack has three ways to count bytes. What marks the state may come again behind it."""
    mark = b"\xa5state\xc6" if size > 65535 else b"\xa5state"
    state = (mark * size)[:size]
    settings = {"state": "of the art", "layer_norm_eps": 1e-12}
    message = {"config": settings, "state": state, "tokenizer": {"tokenizer.json": mark}}
    found, view = split_off(srsly.msgpack_dumps(message))
    assert bytes(view) == state
    del message["state"]
    assert {key: value for key, value in found.items() if key != "state"} == message


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 30)),
        st.tuples(st.just("readinto"), st.integers(0, 30)),
        st.tuples(st.just("seek"), st.integers(-30, 30), st.sampled_from([0, 1, 2])),
        st.tuples(st.just("readline"), st.just(-1)),
    ),
    max_size=12,
)


@given(st.binary(max_size=40), STEPS)
def test_the_view_reads_as_a_file_of_bytes(data, steps):
    ours, theirs = BytesView(memoryview(data)), io.BytesIO(data)
    assert ours.readable()
    assert ours.seekable()
    assert not ours.writable()
    for step, argument, *whence in steps:
        if step == "readinto":
            buffers = bytearray(argument), bytearray(argument)
            assert ours.readinto(buffers[0]) == theirs.readinto(buffers[1])
            assert buffers[0] == buffers[1]
        elif step == "seek":
            start = (0, theirs.tell(), len(data))[whence[0]]
            if start + argument >= 0:
                assert ours.seek(argument, *whence) == theirs.seek(argument, *whence)
        else:
            assert getattr(ours, step)(argument) == getattr(theirs, step)(argument)
        assert ours.tell() == theirs.tell()
