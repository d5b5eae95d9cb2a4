"""A pipeline whose component listens to a tiny transformer."""

from pathlib import Path

import spacy
from encoders import tiny_bert
from spacy.language import Language


def make_listening(
    folder: Path, max_length: int = 512, window: int = 128, stride: int = 96, **config
) -> Language:
    """Not initialized. folder: for the encoder. config: of the component; the model is small and
    without dropout."""
    nlp = spacy.blank("xx")
    spans = {
        "@span_getters": "spacy-transformers.strided_spans.v1",
        "window": window,
        "stride": stride,
    }
    model = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(tiny_bert(folder, max_length)),
        "tokenizer_config": {"use_fast": True},
        "get_spans": spans,
    }
    nlp.add_pipe("transformer", config={"model": model})
    small = {"dropout": 0.0, "sequence": None, "blending": None}
    nlp.add_pipe("finegrained_ner", config={"model": small, **config})
    return nlp
