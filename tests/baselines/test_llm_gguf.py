"""A model in a GGUF file, as llama.cpp and Ollama have them, and the way of an adapter into one."""

import json

import gguf
import numpy as np
import pytest
import torch
from peft import PeftModel
from tokenizers import pre_tokenizers
from transformers import Qwen2Config, Qwen2ForCausalLM

from spacy_finegrained_ner.baselines.llm.lora.model import add_lora, load_model, save
from spacy_finegrained_ner.errors import UserError
from study.plan.stages import StudyError
from study.runs.gguf import write_adapter

CPU = torch.device("cpu")
TEMPLATE = "{% for turn in messages %}{{ turn.content }}<end>{% endfor %}"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A model, and the same one in a file."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<end>", "in", "th"]
    config = Qwen2Config(
        vocab_size=len(pieces),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(2)
    writer.add_context_length(128)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(pieces)
    writer.add_token_types([1] * len(pieces))
    writer.add_token_merges(["i n", "t h"])  # transformers does not read a list of one
    writer.add_eos_token_id(pieces.index("<end>"))
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, 2)
    for key, weight in model.state_dict().items():
        if key != "lm_head.weight":
            writer.add_tensor(names.get_name(key, (".weight", ".bias")), weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model, path


def test_a_gguf_file_is_the_model_that_it_was_made_of(both):
    model, path = both
    found, tokenizer = load_model(str(path), "float32", CPU)
    assert tokenizer.chat_template == TEMPLATE
    assert tokenizer.decode(tokenizer("in lyon é")["input_ids"]) == "in lyon é"
    ids = torch.tensor([[1, 50, 100, 200]])
    with torch.no_grad():
        torch.testing.assert_close(found(input_ids=ids).logits, model(input_ids=ids).logits)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "odd.gguf").write_bytes(b"nothing of the kind" * 10)
    with pytest.raises(UserError, match=r"odd\.gguf: can't be loaded"):
        load_model(str(tmp_path / "odd.gguf"), "float32", CPU)


def test_an_adapter_has_the_names_and_the_weights_that_llama_cpp_looks_for(both, tmp_path):
    _, path = both
    model, tokenizer = load_model(str(path), "float32", CPU)
    tuned = add_lora(model, 3, 0)
    assert isinstance(tuned, PeftModel)
    weights = {name: weight.detach().numpy() for name, weight in tuned.named_parameters()}
    save(tuned, tokenizer, tmp_path, merged=False)
    write_adapter(tmp_path / "adapter", path, tmp_path / "adapter.gguf")
    found = gguf.GGUFReader(tmp_path / "adapter.gguf")
    assert found.fields["general.type"].contents() == "adapter"
    assert found.fields["adapter.lora.alpha"].contents() == 6.0
    tensors = {tensor.name: tensor.data for tensor in found.tensors}
    assert len(tensors) == 2 * 7 * 2  # sides, linear layers, blocks
    layer = "base_model.model.model.layers.1.mlp.down_proj.lora_{}.default.weight"
    for side in "AB":
        np.testing.assert_array_equal(
            tensors[f"blk.1.ffn_down.weight.lora_{side.lower()}"], weights[layer.format(side)]
        )


def test_an_adapter_of_another_architecture_is_refused(both, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 1}))
    with pytest.raises(StudyError, match=r"other\.gguf: its architecture is 'llama'"):
        write_adapter(tmp_path, tmp_path / "other.gguf", tmp_path / "adapter.gguf")
