"""Prediction of a Hugging Face encoder in batches with little padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc
from spacy_transformers.align import get_alignment, get_alignment_via_offset_mapping
from spacy_transformers.data_classes import FullTransformerBatch, WordpieceBatch
from spacy_transformers.layers.transformer_model import forward as stock_forward
from spacy_transformers.layers.transformer_model import huggingface_tokenize
from spacy_transformers.truncate import truncate_oversize_splits
from torch import Tensor
from transformers.file_utils import ModelOutput

from spacy_finegrained_ner.ml.by_length import by_length


def forward(
    model: Any,
    docs: list[Doc],
    is_train: bool,
    *,
    max_batch_wordpieces: int,
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    """The forward pass of spacy-transformers, and in prediction with other batches.

    spacy-transformers puts Docs of about as many tokens together. How many wordpieces they have
    varies: on names, a third of such a batch is padding. Here spans are put together by the
    number of their wordpieces, which is known once they are tokenized. At most
    `max_batch_wordpieces` of them, padding included, are in the encoder at a time, which bounds
    its memory (a single span may have more).

    model: spacy-transformers' TransformerModel, or what its `copy` makes of it.
    """
    tokenizer, config = model.tokenizer, model.transformer.config
    more = config.output_hidden_states or config.output_attentions
    if is_train or more or tokenizer.padding_side != "right":
        return stock_forward(model, docs, is_train)
    nested = model.attrs["get_spans"](docs)
    spans = [span for doc_spans in nested for span in doc_spans]
    encoding = huggingface_tokenize(tokenizer, [span.text for span in spans])
    wordpieces = WordpieceBatch.from_batch_encoding(encoding)
    if "offset_mapping" in encoding:
        align = get_alignment_via_offset_mapping(spans, encoding["offset_mapping"])
    else:
        align = get_alignment(spans, wordpieces.strings, tokenizer.all_special_tokens)
    wordpieces, align = truncate_oversize_splits(wordpieces, align, tokenizer.model_max_length)
    encoder = model.layers[0]
    found: dict[str, Tensor] = {}
    lengths = np.asarray(wordpieces.attention_mask.sum(axis=1)).astype(int)
    for rows, width in by_length(lengths, max_batch_wordpieces):
        output, _ = encoder(_some(wordpieces, rows, width), False)
        for name, values in output.items():
            if name not in found:
                sizes = (wordpieces.input_ids.shape[1],) if values.dim() > 2 else ()
                shape = (len(spans), *sizes, *values.shape[1 + len(sizes) :])
                found[name] = values.new_zeros(shape)
            if values.dim() > 2:  # of wordpieces; else of spans, such as pooler_output
                found[name][rows, :width] = values
            else:
                found[name][rows] = values
    batch = _Batch(nested, wordpieces, ModelOutput(found), align)
    return batch, lambda gradient: docs


class _Batch(FullTransformerBatch):
    """What is known of each Doc knows the tokens that it was made of (`token_ids`, spaCy's ORTH): a
    component behind it may have merged or split some."""

    def split_by_doc(self) -> list[Any]:
        data: list[Any] = super().split_by_doc()
        for one, spans in zip(data, self.spans, strict=True):
            if spans:
                one.token_ids = spans[0].doc.to_array("ORTH")
        return data


def _some(wordpieces: Any, rows: npt.NDArray[np.intp], width: int) -> WordpieceBatch:
    types = wordpieces.token_type_ids
    return WordpieceBatch(
        strings=[],  # not used by the encoder
        input_ids=wordpieces.input_ids[rows, :width],
        attention_mask=wordpieces.attention_mask[rows, :width],
        lengths=[],
        token_type_ids=None if types is None else types[rows, :width],
    )
