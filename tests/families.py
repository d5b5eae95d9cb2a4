"""Tiny random encoders of ten families: those of encoders.py, and others that differ in what they
put out, in their padding, their embeddings or their tokenizer. And what to do with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from encoders import (
    LETTERS,
    TEXTS,
    WORDS,
    _save,
    _unigram,
    _unread,
    tiny_bert,
    tiny_deberta,
    tiny_roberta,
    tiny_xlm_roberta,
)
from spacy.tokens import Doc
from spacy.vocab import Vocab
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertModel,
    AlbertTokenizerFast,
    AutoTokenizer,
    CanineConfig,
    CanineModel,
    CanineTokenizer,
    ElectraConfig,
    ElectraModel,
    GPT2Config,
    GPT2Model,
    GPT2TokenizerFast,
    MPNetConfig,
    MPNetModel,
    MPNetTokenizerFast,
    XLNetConfig,
    XLNetModel,
    XLNetTokenizerFast,
)

from spacy_finegrained_ner.ml.encoder import NAME


def tiny_electra(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """An ELECTRA of width 32, with embeddings of width 16 and BERT's tokenizer. No pooler."""
    size = len(AutoTokenizer.from_pretrained(tiny_bert(folder, max_length)))
    config = ElectraConfig(vocab_size=size, embedding_size=16, max_position_embeddings=max_length)
    return _save(folder, ElectraModel, config, layers)


def tiny_mpnet(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """An MPNet of width 32: word pieces as BERT's, special pieces and positions as RoBERTa's."""
    pieces = ["<s>", "<pad>", "</s>", "[UNK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    pieces += [word for word in WORDS.split() if word not in pieces] + ["<mask>"]
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    MPNetTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length).save_pretrained(
        folder
    )
    config = MPNetConfig(vocab_size=len(ids), max_position_embeddings=max_length + 2)
    return _save(folder, MPNetModel, config, layers)


def tiny_albert(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """An ALBERT of width 32, whose layers share their weights, with embeddings of width 16."""
    tokenizer, size = _unigram(["<pad>", "[CLS]", "[SEP]", "<unk>"], "[MASK]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    AlbertTokenizerFast(
        vocab_file=_unread(folder / "spiece.model"),
        tokenizer_object=tokenizer,
        model_max_length=max_length,
    ).save_pretrained(folder)
    config = AlbertConfig(vocab_size=size, embedding_size=16, max_position_embeddings=max_length)
    return _save(folder, AlbertModel, config, layers)


def tiny_xlnet(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """An XLNet of width 32. Its special pieces stand at the end, <cls> in a segment of its own, its
    tokenizer pads in front, and it puts out a tuple of memories."""
    tokenizer, _ = _unigram(["<cls>", "<sep>", "<pad>", "<unk>"], "<mask>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2", special_tokens=[("<cls>", 0), ("<sep>", 1)]
    )
    fast = XLNetTokenizerFast(
        vocab_file=_unread(folder / "spiece.model"),
        tokenizer_object=tokenizer,
        model_max_length=max_length,
    )
    fast.save_pretrained(folder)
    config = XLNetConfig(vocab_size=len(fast), d_model=32, n_layer=layers, n_head=2, d_inner=64)
    return _save(folder, XLNetModel, config, layers)


def tiny_gpt2(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """A GPT-2 of width 32. Its tokenizer adds no special piece and has none to pad with, and it
    puts out a cache."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "te", "tea", "in", "<|endoftext|>"]
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(ids, [("t", "e"), ("te", "a"), ("i", "n")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    GPT2TokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length).save_pretrained(
        folder
    )
    return _save(folder, GPT2Model, GPT2Config(vocab_size=len(ids), n_positions=max_length), layers)


def tiny_canine(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """A Canine of width 32: it hashes characters, has no word embeddings, and no fast tokenizer."""
    CanineTokenizer(model_max_length=max_length).save_pretrained(folder)
    config = CanineConfig(
        max_position_embeddings=max_length, num_hash_buckets=128, local_transformer_stride=16
    )
    return _save(folder, CanineModel, config, layers)


@contextmanager
def few_characters() -> Iterator[None]:
    """In here Canine's tokenizer lists the characters of the first plane only: it lists all that
    Unicode could have, twice, whenever one is made, which takes seconds."""
    with patch("transformers.models.canine.tokenization_canine.UNICODE_VOCAB_SIZE", 2**16):
        yield


FAMILIES = {
    "bert": tiny_bert,
    "roberta": tiny_roberta,
    "xlm_roberta": tiny_xlm_roberta,
    "deberta": tiny_deberta,
    "mpnet": tiny_mpnet,
    "electra": tiny_electra,
    "albert": tiny_albert,
    "xlnet": tiny_xlnet,
    "gpt2": tiny_gpt2,
    "canine": tiny_canine,
}

# Whichever of them a config has; transformers ignores the others
NO_DROPOUT = dict.fromkeys(
    [
        *("hidden_dropout_prob", "attention_probs_dropout_prob"),
        *("dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop"),
    ],
    0.0,
)


def encoder_config(folder: Path, layers: int = 1, **settings: Any) -> dict[str, Any]:
    """Of our architecture, with windows of 12 tokens."""
    return {
        "@architectures": NAME,
        "name": str(folder),
        "get_spans": {
            "@span_getters": "spacy-transformers.strided_spans.v1",
            "window": 12,
            "stride": 8,
        },
        "layers": layers,
        "combine": "concatenate",
        **settings,
    }


_VOCAB = Vocab()


def make_docs(texts: tuple[str, ...] = TEXTS) -> list[Doc]:
    return [Doc(_VOCAB, words=text.split()) for text in texts]


def learn(model: Any, optimizer: Any = None, scale: float = 1.0) -> None:
    """A backward pass of an encoder from a gradient that is always the same, padding left out; and
    a step."""
    batch, backprop = model.begin_update(make_docs())
    mask = batch.wordpieces.attention_mask.astype(bool)
    shape = tuple(batch.model_output.last_hidden_state.shape)
    gradient = scale * np.random.default_rng(0).normal(size=shape).astype("float32")
    gradient[~mask] = 0.0
    backprop(batch.unsplit_by_doc([[row[None]] for row in gradient]))
    if optimizer is not None:
        model.finish_update(optimizer)
