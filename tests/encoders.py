"""Tiny randomly initialised encoders on disk, of the classes that the configs name, and a
pipeline on one of them."""

from pathlib import Path

import spacy
import torch
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2TokenizerFast,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizerFast,
)

WORDS = "marie curie met in lyon serena williams drinks green tea is there ? wrote to nothing see"
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]


def tiny_bert(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """A BERT of width 32 with an uncased vocabulary of a few words and of letters."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *(f"##{c}" for c in LETTERS)]
    vocabulary += [word for word in WORDS.split() if word not in vocabulary]
    ids = {word: i for i, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=max_length,
    ).save_pretrained(folder)
    return _save(
        folder,
        BertModel,
        BertConfig(vocab_size=len(vocabulary), max_position_embeddings=max_length),
        layers,
    )


def tiny_roberta(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """A RoBERTa of width 32 with a byte-level BPE of single bytes and a few merges."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = [("t", "e"), ("te", "a"), ("\u0120", "m"), ("i", "n")]
    pieces += [*("".join(pair) for pair in merges), "<mask>"]
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(ids, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=max_length).save_pretrained(
        folder
    )
    # Positions are counted from pad_token_id + 1 on.
    config = RobertaConfig(
        vocab_size=len(ids), max_position_embeddings=max_length + 2, type_vocab_size=1
    )
    return _save(folder, RobertaModel, config, layers)


def tiny_xlm_roberta(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """An XLM-RoBERTa of width 32 with a unigram vocabulary of a few words and of letters."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer, size = _unigram(special, "<mask>")
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    XLMRobertaTokenizerFast(
        vocab_file=_unread(folder / "sentencepiece.bpe.model"),
        tokenizer_object=tokenizer,
        model_max_length=max_length,
    ).save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=size, max_position_embeddings=max_length + 2, type_vocab_size=1
    )
    return _save(folder, XLMRobertaModel, config, layers)


def tiny_deberta(folder: Path, max_length: int = 512, layers: int = 2) -> Path:
    """A DeBERTa (v3: as v2, with the attention settings of `deberta-v3-base`) of width 32 with a
    unigram vocabulary of a few words and of letters."""
    tokenizer, size = _unigram(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[MASK]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    DebertaV2TokenizerFast(
        vocab_file=_unread(folder / "spm.model"),
        tokenizer_object=tokenizer,
        model_max_length=max_length,
    ).save_pretrained(folder)
    config = DebertaV2Config(
        vocab_size=size,
        max_position_embeddings=max_length,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type="p2c|c2p",
        position_biased_input=False,
    )
    return _save(folder, DebertaV2Model, config, layers)


TEXTS = ("marie curie met serena williams in lyon", "green tea ?", "nothing to see")


def make_nlp(model: dict) -> Language:
    """An encoder of this config, and a tagger of spaCy's own that listens to it, initialized."""
    fix_random_seed(0)
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config={"model": model})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
        "grad_factor": 1.0,
    }
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    nlp.add_pipe("tagger", config={"model": tagger})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def examples(nlp: Language) -> list[Example]:
    """Tags by the length of a word."""
    docs = [nlp.make_doc(text) for text in TEXTS]
    return [
        Example.from_dict(doc, {"tags": ["ABC"[len(token) % 3] for token in doc]}) for doc in docs
    ]


def _save(
    folder: Path, model: type[PreTrainedModel], config: PretrainedConfig, layers: int
) -> Path:
    config.update(
        {
            "hidden_size": 32,
            "num_hidden_layers": layers,
            "num_attention_heads": 2,
            "intermediate_size": 64,
        }
    )
    torch.manual_seed(0)
    model(config).save_pretrained(folder)
    return folder


def _unigram(special: list[str], mask: str) -> tuple[Tokenizer, int]:
    """A tokenizer as SentencePiece makes them, and its number of pieces; the last of `special` is
    the unknown piece."""
    pieces = [*special, "\u2581", *LETTERS, *(f"\u2581{word}" for word in WORDS.split()), mask]
    scores = [0.0 if piece in special else -float(5 - len(piece) / 10) for piece in pieces]
    vocabulary = list(zip(pieces, scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(vocabulary, len(special) - 1, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer, len(vocabulary)


def _unread(file: Path) -> str:
    """The file of the slow tokenizer. A fast one never reads it, but spacy-transformers saves it
    with the pipeline."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not read")
    return str(file)
