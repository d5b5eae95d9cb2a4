"""The last k hidden layers, against transformers itself, and through everything spaCy does to a
model: saving, loading, copying, replacing listeners."""

import encoders
import numpy as np
import pytest
import spacy
import torch
from encoders import TEXTS, examples
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers.layers import TransformerListener
from transformers import AutoModel, AutoTokenizer

from spacy_finegrained_ner.ml.encoder import NAME, TOK2VEC

DEPTH, WIDTH = 4, 32  # of the tiny encoders
CLASSES = ("bert", "roberta", "xlm_roberta", "deberta")
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    return {
        name: getattr(encoders, f"tiny_{name}")(folder / name, max_length=64, layers=DEPTH)
        for name in CLASSES
    }


def assert_equal_scores(found, expected):
    """Some versions of torch round by where an array lies in memory: 1e-8 here."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def encoder_config(folder, layers, combine, **settings):
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 12, "stride": 8}
    return {
        "@architectures": NAME,
        "name": str(folder),
        "get_spans": spans,
        "layers": layers,
        "combine": combine,
        **settings,
    }


def make_nlp(folder, layers=3, combine="concatenate", **settings):
    return encoders.make_nlp(encoder_config(folder, layers, combine, **settings))


def scores(nlp):
    """What the tagger gives each token: as numbers, so that a small difference shows."""
    docs = list(nlp.pipe(TEXTS))
    return np.concatenate(nlp.get_pipe("tagger").model.predict(docs))


def expected(hf_model, wordpieces, layers, combine):
    """The combination, from transformers itself. *Shape:* (windows, wordpieces, width)"""
    ids = torch.from_numpy(np.asarray(wordpieces.input_ids, dtype="int64"))
    mask = torch.from_numpy(wordpieces.attention_mask)
    hidden = hf_model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    last = hidden[len(hidden) - layers :]
    return torch.cat(last, dim=2) if combine == "concatenate" else sum(last) / layers


@pytest.mark.parametrize("combine", ["concatenate", "average"])
@pytest.mark.parametrize("name", CLASSES)
def test_the_vectors_are_those_of_transformers(folders, name, combine):
    nlp = make_nlp(folders[name], 3, combine)
    hf_model = AutoModel.from_pretrained(folders[name]).eval()
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    long = " ".join(TEXTS * 3)  # several windows
    for text in (*TEXTS, long):
        data = nlp(text)._.trf_data
        with torch.no_grad():
            direct = expected(hf_model, data.wordpieces, 3, combine)
        vectors = data.model_output.last_hidden_state
        assert vectors.shape[0] == (1 if text != long else 5)
        mask = data.wordpieces.attention_mask.astype(bool)
        np.testing.assert_allclose(vectors[mask], direct.numpy()[mask], atol=1e-5)
        if text != long:
            assert data.wordpieces.input_ids[0].tolist() == tokenizer(text).input_ids


@pytest.mark.parametrize("layers", [1, 2, DEPTH])
def test_any_number_of_layers(folders, layers):
    nlp = make_nlp(folders["bert"], layers)
    data = nlp(TEXTS[0])._.trf_data
    with torch.no_grad():
        direct = expected(
            AutoModel.from_pretrained(folders["bert"]).eval(),
            data.wordpieces,
            layers,
            "concatenate",
        )
    assert direct.shape[2] == layers * WIDTH
    np.testing.assert_allclose(data.model_output.last_hidden_state, direct, atol=1e-5)


@pytest.mark.parametrize("combine", ["concatenate", "average"])
@pytest.mark.parametrize("name", CLASSES)
def test_the_gradients_are_those_of_autograd(folders, name, combine):
    nlp = make_nlp(folders[name], 3, combine, transformer_config=NO_DROPOUT)
    model = nlp.get_pipe("transformer").model
    batch, backprop = model.begin_update([nlp.make_doc(text) for text in TEXTS])
    rng = np.random.default_rng(0)
    gradients = [
        rng.normal(size=data.model_output.last_hidden_state.shape).astype("float32")
        for data in batch.doc_data
    ]
    backprop(batch.unsplit_by_doc([[gradient] for gradient in gradients]))

    hf_model = AutoModel.from_pretrained(folders[name], **NO_DROPOUT)
    direct = expected(hf_model, batch.wordpieces, 3, combine)
    direct.backward(torch.from_numpy(np.concatenate(gradients)))
    grads = {key: p.grad for key, p in model.transformer.named_parameters()}
    ours = {key: g.to_dense() if g is not None else None for key, g in grads.items()}
    for key, parameter in hf_model.named_parameters():
        if parameter.grad is None:
            assert "pooler" in key
            assert ours[key] is None
        else:
            torch.testing.assert_close(ours[key], parameter.grad, atol=1e-4, rtol=1e-3)


def test_each_layer_gets_its_part_of_the_gradient(folders):
    nlp = make_nlp(folders["bert"], 2)
    model = nlp.get_pipe("transformer").model
    batch, backprop = model.begin_update([nlp.make_doc(TEXTS[0])])
    gradient = np.zeros_like(batch.doc_data[0].model_output.last_hidden_state)
    # The first half: the last layer but one. Not a constant, which no layer norm lets through
    gradient[..., :WIDTH] = np.random.default_rng(0).normal(size=(*gradient.shape[:2], WIDTH))
    backprop(batch.unsplit_by_doc([[gradient]]))
    layers = model.transformer.encoder.layer
    reached = [
        any(p.grad is not None and bool(p.grad.any()) for p in layer.parameters())
        for layer in layers
    ]
    assert reached == [True, True, True, False]


@pytest.mark.parametrize(("combine", "width"), [("concatenate", 3 * WIDTH), ("average", WIDTH)])
def test_listeners_know_the_width(folders, tmp_path, combine, width):
    nlp = make_nlp(folders["bert"], 3, combine)
    nlp.to_disk(tmp_path / "model")
    for pipeline in (nlp, spacy.load(tmp_path / "model")):
        (listener,) = pipeline.get_pipe("transformer").listeners
        assert isinstance(listener, TransformerListener)
        assert listener.get_dim("nO") == width
        assert pipeline.get_pipe("transformer").model.get_dim("nO") == width
        assert pipeline(TEXTS[0])._.trf_data.width == width


def test_docs_keep_no_other_layer(folders):
    output = make_nlp(folders["bert"])(TEXTS[0])._.trf_data.model_output
    assert sorted(output) == ["last_hidden_state", "pooler_output"]  # as the stock model has it


def update(nlp, steps):
    sgd = nlp.resume_training()
    for _ in range(steps):
        nlp.update(examples(nlp), sgd=sgd)


@pytest.mark.parametrize("name", CLASSES)
def test_saved_and_loaded_it_predicts_the_same(folders, tmp_path, name, recwarn):
    nlp = make_nlp(folders[name])
    before = scores(nlp)
    update(nlp, 2)
    after = scores(nlp)
    assert not np.allclose(before, after)
    nlp.to_disk(tmp_path / "model")
    assert_equal_scores(scores(spacy.load(tmp_path / "model")), after)
    from_bytes = type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert_equal_scores(scores(from_bytes), after)
    assert not [w for w in recwarn if "state_dict" in str(w.message)]


def test_a_loaded_pipeline_trains_on(folders, tmp_path):
    nlp = make_nlp(folders["bert"], transformer_config=NO_DROPOUT)
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    for pipeline in (nlp, again):
        update(pipeline, 2)
    np.testing.assert_allclose(scores(again), scores(nlp), atol=1e-6)


@pytest.mark.parametrize("name", ["bert", "deberta"])
def test_replaced_listeners_predict_the_same(folders, tmp_path, name):
    nlp = make_nlp(folders[name])
    update(nlp, 2)
    before = scores(nlp)
    nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
    config = nlp.get_pipe_config("tagger")["model"]["tok2vec"]
    assert config["@architectures"] == TOK2VEC
    assert (config["layers"], config["combine"]) == (3, "concatenate")
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path / "model")
    loaded = spacy.load(tmp_path / "model")
    from_bytes = type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())
    for pipeline in (nlp, loaded, from_bytes):
        assert_equal_scores(scores(pipeline), before)
    # It trains on, and the weights are its own: the copy is deep.
    update(loaded, 2)
    assert not np.allclose(scores(loaded), before)
    assert_equal_scores(scores(nlp), before)


def test_replaced_listeners_can_be_initialized(folders):
    """The copy of the stock model forgets that it is initialized, and the name of its encoder."""
    nlp = make_nlp(folders["bert"])
    expected = nlp(TEXTS[0])._.trf_data.model_output.last_hidden_state[0]  # not pooled
    nlp.replace_listeners("transformer", "tagger", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    fresh = type(nlp).from_config(nlp.config)
    for pipeline in (nlp, fresh):
        pipeline.initialize(lambda: examples(nlp))
        encoder = pipeline.get_pipe("tagger").model.get_ref("tok2vec").layers[0]
        (data,) = encoder.predict([nlp.make_doc(TEXTS[0])])
        np.testing.assert_array_equal(data.model_output.last_hidden_state[0], expected)
        assert encoder.layers[0].get_dim("nO") == 3 * WIDTH


def test_a_pipe_can_be_sourced(folders):
    nlp = make_nlp(folders["bert"])
    other = spacy.blank("en")
    other.add_pipe("transformer", source=nlp)
    other.add_pipe("tagger", source=nlp)
    assert_equal_scores(scores(other), scores(nlp))


def test_initialized_twice_it_is_the_same_encoder(folders):
    nlp = make_nlp(folders["bert"])
    before = nlp(TEXTS[0])._.trf_data.model_output.last_hidden_state
    nlp.initialize(lambda: examples(nlp))
    after = nlp(TEXTS[0])._.trf_data.model_output.last_hidden_state
    assert_equal_scores(before, after)
    assert scores(nlp).shape == (13, 3)


def test_saved_before_it_is_initialized(folders, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("transformer", config={"model": encoder_config(folders["bert"], 2, "average")})
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    again.initialize()
    assert again.get_pipe("transformer").model.get_dim("nO") == WIDTH
    assert again(TEXTS[0])._.trf_data.width == WIDTH


@pytest.mark.parametrize("name", CLASSES)
def test_empty_docs_and_long_ones(folders, name):
    nlp = make_nlp(folders[name])
    # Longer than a window in tokens, and longer than the encoder can take in wordpieces.
    texts = ["", TEXTS[0], " ".join(TEXTS * 5), "", "xyzxyzxyzxyz " * 12]
    docs = list(nlp.pipe(texts))
    assert [len(doc) for doc in docs] == [0, 7, 65, 0, 12]
    assert "last_hidden_state" not in docs[0]._.trf_data.model_output
    model = nlp.get_pipe("tagger").model
    for doc, together in zip(docs, model.predict(docs), strict=True):
        assert len(together) == len(doc)
        if len(doc):
            alone = model.predict([nlp(doc.text)])[0]
            np.testing.assert_allclose(together, alone, atol=1e-5)
    losses = nlp.update([Example(Doc(nlp.vocab), Doc(nlp.vocab)), *examples(nlp)])
    assert losses["tagger"] > 0.0
    assert nlp.update([Example(Doc(nlp.vocab), Doc(nlp.vocab))])["tagger"] == 0.0


def test_the_config_is_filled_and_not_written_to(folders):
    nlp = make_nlp(folders["bert"])
    block = nlp.config["components"]["transformer"]["model"]
    for key in ("tokenizer_config", "transformer_config", "grad_scaler_config"):
        assert block[key] == {}
    assert (block["layers"], block["combine"]) == (3, "concatenate")
    assert "output_hidden_states" not in str(nlp.config)


def test_more_layers_than_there_are(folders):
    with pytest.raises(ValueError, match=r"is 5, expected at most 4: .*bert has no more hidden"):
        make_nlp(folders["bert"], 5)


@pytest.mark.parametrize("content", [None, {}, {"config.json": "{}"}, {"config.json": "no JSON"}])
def test_a_missing_or_broken_encoder_is_named(tmp_path, content):
    folder = tmp_path / "encoder"
    if content is not None:
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_text(text)
    with pytest.raises(OSError, match=r"encoder' can't be loaded. Expected .* --paths.encoder"):
        make_nlp(folder)
