"""Ten families of encoders, against transformers itself: what they put out, their gradients, and
what is left of them after two rounds through the disk."""

import math
import re
import shutil

import numpy as np
import pytest
import spacy
import torch
from encoders import TEXTS, examples, make_nlp
from families import FAMILIES, NO_DROPOUT, encoder_config, few_characters, make_docs
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers.span_getters import configure_strided_spans
from transformers import AutoConfig, AutoModel, AutoTokenizer

from spacy_finegrained_ner.training.optimizer import build_adamw_v1

LONGEST = 64  # wordpieces that the encoders take
LONG = " ".join(TEXTS * 3) + " xyzxyzxyzxyz" * 12  # the last windows have more


@pytest.fixture(scope="module", autouse=True)
def quick_canine():
    with few_characters():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    return {name: build(folder / name, LONGEST) for name, build in FAMILIES.items()}


@pytest.fixture(scope="module", params=FAMILIES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def nlp(name, folders):
    """Not to be trained."""
    return make(folders[name])


@pytest.fixture(scope="module")
def tokenizer(name, folders):
    return AutoTokenizer.from_pretrained(folders[name])


@pytest.fixture(scope="module")
def direct(name, folders):
    """The encoder in transformers' own hands."""
    return AutoModel.from_pretrained(folders[name]).eval()


def make(folder, **settings):
    return make_nlp(encoder_config(folder, **settings))


def vectors(doc):
    """Of each span: those of its wordpieces. *Shape:* (wordpieces, width)"""
    data = doc._.trf_data
    mask = data.wordpieces.attention_mask.astype(bool)
    rows = data.model_output.last_hidden_state
    return [row[places] for row, places in zip(rows, mask, strict=True)]


def expected(direct, tokenizer, texts):
    """As `vectors`, of each text alone. Canine's vectors depend on the padding, so all are padded
    to the longest there."""
    found = [
        {key: torch.tensor(row[:LONGEST])[None] for key, row in tokenizer(text).items()}
        for text in texts
    ]
    longest = max(row["input_ids"].shape[1] for row in found)
    rows = []
    for row in found:
        length = row["input_ids"].shape[1]
        if direct.config.model_type == "canine":
            row = {k: torch.nn.functional.pad(v, (0, longest - length)) for k, v in row.items()}
        with torch.no_grad():
            rows.append(direct(**row).last_hidden_state[0, :length].numpy())
    return rows


def assert_equal(found, wanted):
    assert [row.shape for row in found] == [row.shape for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("text", [*TEXTS, "tea"])
def test_a_text_alone_has_the_vectors_of_transformers(nlp, direct, tokenizer, text):
    doc = nlp(text)
    assert doc._.trf_data.wordpieces.input_ids.tolist() == [tokenizer(text).input_ids]
    assert_equal(vectors(doc), expected(direct, tokenizer, [text]))


def test_in_a_batch_it_has_them_too(nlp, direct, tokenizer):
    docs = list(nlp.pipe(TEXTS))
    assert len({doc._.trf_data.model_output.last_hidden_state.shape for doc in docs}) == 1
    found = [row for doc in docs for row in vectors(doc)]
    assert_equal(found, expected(direct, tokenizer, TEXTS))


def test_each_window_of_a_long_text_has_them_too(nlp, direct, tokenizer):
    doc = nlp(LONG)
    (spans,) = configure_strided_spans(12, 8)([doc])
    assert len(spans) == 6
    lengths = [len(tokenizer(span.text).input_ids) for span in spans]
    assert max(lengths) > LONGEST  # so it is cut
    assert_equal(vectors(doc), expected(direct, tokenizer, [span.text for span in spans]))
    (scores,) = nlp.get_pipe("tagger").model.predict([doc])
    assert scores.shape == (len(doc), 3)
    assert np.isfinite(scores).all()


def test_an_empty_doc_gets_nothing_and_changes_no_other(nlp, direct, tokenizer):
    assert "last_hidden_state" not in nlp("")._.trf_data.model_output
    first, doc, last = nlp.pipe(["", TEXTS[0], ""])
    for empty in (first, last):
        assert not empty._.trf_data.model_output
    assert_equal(vectors(doc), expected(direct, tokenizer, [TEXTS[0]]))


def test_a_doc_keeps_no_cache_and_no_other_layer(nlp):
    output = nlp(TEXTS[0])._.trf_data.model_output
    assert set(output) - {"pooler_output"} == {"last_hidden_state"}
    assert output[0] is output.last_hidden_state  # first, as spacy-transformers has it


def test_each_token_gets_its_own_wordpieces(nlp):
    doc = nlp(TEXTS[0])
    data = doc._.trf_data
    (strings,) = data.wordpieces.strings
    for token in doc:
        places = data.align[token.i].dataXd.ravel()
        text = "".join(strings[place].removeprefix("##").strip("▁Ġ ") for place in places)
        # SentencePiece counts the space before a word as its own: so the word before gets it too
        assert text == token.text or ("▁" in strings[places[-1]] and text.startswith(token.text))


def test_the_gradients_are_those_of_autograd(name, folders, tokenizer):
    """In a batch, padded."""
    ours = make(folders[name], transformer_config=NO_DROPOUT).get_pipe("transformer").model
    batch, backprop = ours.begin_update(make_docs())
    mask = batch.wordpieces.attention_mask.astype(bool)
    shape = tuple(batch.model_output.last_hidden_state.shape)
    gradient = np.random.default_rng(0).normal(size=shape).astype("float32") * mask[..., None]
    backprop(batch.unsplit_by_doc([[row[None]] for row in gradient]))

    config = AutoConfig.from_pretrained(folders[name], **NO_DROPOUT)
    theirs = AutoModel.from_pretrained(folders[name], config=config).train()
    padded = {
        "input_ids": batch.wordpieces.input_ids,
        "attention_mask": batch.wordpieces.attention_mask,
        "token_type_ids": batch.wordpieces.token_type_ids,
    }
    inputs = {key: torch.from_numpy(a) for key, a in padded.items() if a is not None}
    theirs(**inputs).last_hidden_state.backward(torch.from_numpy(gradient))
    grads = {key: p.grad for key, p in ours.transformer.named_parameters()}
    reached = 0
    for key, parameter in theirs.named_parameters():
        if parameter.grad is None:
            assert grads[key] is None
        else:
            reached += 1
            torch.testing.assert_close(
                grads[key].to_dense(), parameter.grad, atol=1e-4, rtol=1e-3, msg=key
            )
    assert reached > 10


def test_two_steps_of_training_move_all_of_it(name, folders):
    pipeline = make(folders[name])
    encoder = pipeline.get_pipe("transformer").model.transformer
    before = {key: p.detach().clone() for key, p in encoder.named_parameters()}
    optimizer = build_adamw_v1(1e-3)
    data = [*examples(pipeline), Example(Doc(pipeline.vocab), Doc(pipeline.vocab))]
    losses = []
    for _ in range(2):  # the tagger's own weights are 0 in the first
        losses.append(pipeline.update(data, sgd=False)["tagger"])
        for _, pipe in pipeline.pipeline:
            pipe.finish_update(optimizer)
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[1] < losses[0]
    same = [key for key, p in encoder.named_parameters() if torch.equal(p, before[key])]
    # Not used by the last hidden layer; and what softmax takes no notice of
    assert not [key for key in same if not re.search(r"pooler|mask_emb|\bk(ey\w*)?\.bias", key)]
    assert all(torch.isfinite(p).all() for p in encoder.parameters())


def test_saved_and_loaded_twice_it_has_the_same_vectors(name, tmp_path):
    """Without the folder that it came from, and without the first that it was saved to."""
    folder = FAMILIES[name](tmp_path / "encoder", LONGEST)
    pipeline = make(folder)
    pipeline.update(examples(pipeline), sgd=build_adamw_v1(1e-3))
    shutil.rmtree(folder)
    texts = [*TEXTS, LONG]
    wanted = [row for doc in pipeline.pipe(texts) for row in vectors(doc)]
    assert np.isfinite(np.concatenate(wanted)).all()
    for place in ("first", "second"):
        pipeline.to_disk(tmp_path / place)
        pipeline = spacy.load(tmp_path / place)
        shutil.rmtree(tmp_path / place)
        assert_equal([row for doc in pipeline.pipe(texts) for row in vectors(doc)], wanted)
