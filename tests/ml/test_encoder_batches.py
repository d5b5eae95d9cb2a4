"""Batches by wordpieces in prediction, against spacy-transformers' own forward pass."""

import numpy as np
import pytest
import torch
from encoders import make_nlp, tiny_bert, tiny_roberta
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy_transformers.layers.transformer_model import forward as stock_forward

from spacy_finegrained_ner.ml.by_length import by_length
from spacy_finegrained_ner.ml.encoder import NAME

TEXTS = [
    "marie curie met serena williams in lyon",
    "",
    "tea",
    "zzzzzzzzzzzz qqqqqqqqqqqqqqqqqqqqqqqqq",  # few tokens, many wordpieces
    "green tea ? " * 12,  # several windows
    "nothing to see",
]


SPANS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 12, "stride": 8}


def make(folder, **settings):
    config = {"@architectures": NAME, "name": str(folder), "get_spans": SPANS, **settings}
    return make_nlp({**config, "layers": 1, "combine": "concatenate"})


def make_stock(folder):
    stock = "spacy-transformers.TransformerModel.v3"
    return make_nlp({"@architectures": stock, "name": str(folder), "get_spans": SPANS})


@pytest.mark.parametrize("most", [1, 16, 64, 4096])
@pytest.mark.parametrize("encoder", [tiny_bert, tiny_roberta])
def test_each_doc_gets_what_the_stock_forward_pass_gives(tmp_path, encoder, most):
    folder = encoder(tmp_path / "encoder")
    nlp, stock = make(folder, max_batch_wordpieces=most), make_stock(folder)
    docs = [nlp.make_doc(text) for text in TEXTS]
    expected, _ = stock_forward(stock.get_pipe("transformer").model, docs, False)
    found = nlp.get_pipe("transformer").model.predict(docs)
    assert found.model_output.keys() == expected.model_output.keys()
    for ours, theirs in zip(found.doc_data, expected.doc_data, strict=True):
        np.testing.assert_array_equal(ours.align.dataXd, theirs.align.dataXd)
        np.testing.assert_array_equal(ours.align.lengths, theirs.align.lengths)
        np.testing.assert_array_equal(ours.wordpieces.input_ids, theirs.wordpieces.input_ids)
        for name, values in ours.model_output.items():
            if name == "last_hidden_state":  # what stands in the padding differs
                mask = ours.wordpieces.attention_mask.astype(bool)
                values, other = values[mask], theirs.model_output[name][mask]
            else:
                other = theirs.model_output[name]
            np.testing.assert_allclose(values, other, atol=1e-5)


@pytest.mark.parametrize("setting", ["output_hidden_states", "output_attentions"])
def test_who_asks_transformers_for_more_gets_it(tmp_path, setting):
    nlp = make(tiny_bert(tmp_path / "encoder"), transformer_config={setting: True})
    output = nlp(TEXTS[0])._.trf_data.model_output
    assert {"output_hidden_states": "hidden_states", "output_attentions": "attentions"}[
        setting
    ] in output


def test_it_pads_behind_whatever_the_tokenizer_does(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"))
    texts = TEXTS[:1] + TEXTS[2:4]
    expected = [doc._.trf_data for doc in nlp.pipe(texts)]
    tokenizer = nlp.get_pipe("transformer").model.tokenizer
    tokenizer.padding_side = "left"
    tokenizer.pad_token = None
    found = [doc._.trf_data for doc in nlp.pipe(texts)]
    for ours, theirs in zip(found, expected, strict=True):
        mask = ours.wordpieces.attention_mask
        assert (np.diff(mask) <= 0).all()
        assert 0 < mask.sum() < mask.size or len(ours.wordpieces.strings[0]) == mask.size
        np.testing.assert_array_equal(mask, theirs.wordpieces.attention_mask)
        np.testing.assert_array_equal(ours.align.dataXd, theirs.align.dataXd)
        real = mask.astype(bool)
        np.testing.assert_allclose(
            ours.model_output.last_hidden_state[real],
            theirs.model_output.last_hidden_state[real],
            atol=1e-6,
        )


def test_no_more_wordpieces_at_a_time_than_said(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"), max_batch_wordpieces=40)
    sizes = []
    encoder = nlp.get_pipe("transformer").model.transformer
    encoder.register_forward_pre_hook(
        lambda module, args, kwargs: sizes.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    docs = list(nlp.pipe(TEXTS * 3))
    assert [doc.text for doc in docs] == TEXTS * 3
    assert len(sizes) > 3
    assert all(rows == 1 or rows * width <= 40 for rows, width in sizes)


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 60))
def test_by_length_gives_each_row_once_and_keeps_the_bound(lengths, most):
    batches = list(by_length(lengths, most))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(lengths)))
    widths = [width for _, width in batches]
    assert widths == sorted(widths, reverse=True)
    for rows, width in batches:
        assert max(lengths[row] for row in rows) == width
        assert len(rows) == 1 or len(rows) * max(1, width) <= most


def test_gradients_are_not_tracked_in_prediction(tmp_path):
    nlp = make(tiny_bert(tmp_path / "encoder"))
    output = nlp.get_pipe("transformer").predict([Doc(nlp.vocab, words=["tea"])])
    assert isinstance(output.model_output.last_hidden_state, torch.Tensor)
    assert not output.model_output.last_hidden_state.requires_grad
