"""An encoder whose word embeddings are those of a second module, too (BART); odd settings."""

import pytest
import torch
from encoders import examples, make_nlp, tiny_bert, tiny_roberta
from transformers import BartConfig, BartModel

from spacy_finegrained_ner.ml.encoder import NAME
from spacy_finegrained_ner.training.optimizer import build_adamw_v1


@pytest.fixture
def nlp(tmp_path):
    folder = tiny_roberta(tmp_path / "encoder", max_length=60)
    config = BartConfig(
        vocab_size=300,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        decoder_start_token_id=2,
        dropout=0.0,
    )
    torch.manual_seed(0)
    (folder / "model.safetensors").unlink()
    BartModel(config).save_pretrained(folder)
    spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    model = {"@architectures": NAME, "name": str(folder), "get_spans": spans}
    # Without "return_dict" there would be no names to the outputs
    model["transformer_config"] = {"return_dict": False}
    return make_nlp({**model, "layers": 1, "combine": "average"})


def step(nlp) -> dict[str, torch.Tensor]:
    optimizer = build_adamw_v1(0.01, lazy=True)
    nlp.update(examples(nlp), sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    module = nlp.get_pipe("transformer").model.transformer
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def test_they_stay_one_when_loaded_and_learn_the_same(nlp):
    again = type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())
    before = dict(nlp.get_pipe("transformer").model.transformer.named_parameters())
    kept = {name: p.detach().clone() for name, p in before.items()}
    ours, loaded = step(nlp), step(again)
    assert ours.keys() == loaded.keys()
    for name, parameter in ours.items():
        torch.testing.assert_close(loaded[name], parameter)
    words = next(name for name in ours if name.endswith(("shared.weight", "embed_tokens.weight")))
    assert not torch.equal(ours[words], kept[words])


def test_a_setting_that_the_encoder_does_not_know_is_told(tmp_path):
    spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    model = {"@architectures": NAME, "name": str(tiny_bert(tmp_path / "encoder"))}
    model |= {"get_spans": spans, "layers": 1, "combine": "average"}
    with pytest.warns(UserWarning, match=r"transformer_config .* \['hidden_dropuot_prob'\]"):
        make_nlp({**model, "transformer_config": {"hidden_dropuot_prob": 0.0}})
