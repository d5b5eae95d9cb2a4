"""A causal language model of a few thousand weights, whose tokens are letters."""

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from spacy_finegrained_ner.baselines.llm.chat import Chat

TEMPLATE = (
    "{% for turn in messages %}<{{ turn.role }}>{{ turn.content }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
MARKS = ["<pad>", "<user>", "<assistant>", "<system>", "<end>"]


def tiny_tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    letters = [chr(code) for code in range(32, 127)] + ["\n"]
    ids = {piece: number for number, piece in enumerate([*MARKS, *letters])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<end>",
        additional_special_tokens=MARKS[1:4],
    )
    fast.chat_template = template
    return fast


def tiny_llm(folder: Path, template: str | None = TEMPLATE, dropout: float = 0.0) -> Path:
    """In a folder. dropout: of its attention."""
    tokenizer = tiny_tokenizer(template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        attention_dropout=dropout,
        initializer_range=0.3,  # its head is not learned, and has to tell words apart
        bos_token_id=None,
        eos_token_id=4,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def chats(number: int) -> list[Chat]:
    """Of several lengths."""
    return [
        Chat.model_validate(
            {
                "messages": [
                    {"role": "user", "content": "abc"[: 1 + n % 3] * (1 + n % 4)},
                    {"role": "assistant", "content": f'{{"text": "{"xyz"[n % 3] * (n % 5)}"}}'},
                ]
            }
        )
        for n in range(number)
    ]
