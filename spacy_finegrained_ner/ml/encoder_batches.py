"""From Docs to padded wordpieces, and from an encoder's output to what a Doc gets of it."""

from __future__ import annotations

from itertools import chain
from typing import Any, cast

import numpy as np
import torch
from spacy.tokens import Span
from spacy_transformers.align import get_alignment, get_alignment_via_offset_mapping
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from spacy_transformers.truncate import truncate_oversize_splits
from thinc.api import torch2xp
from thinc.types import Ragged
from transformers.file_utils import ModelOutput


def tokenize(tokenizer: Any, spans: list[Span]) -> tuple[WordpieceBatch, Ragged]:
    """The wordpieces of spans, as rows that are padded behind, whatever side the tokenizer pads and
    whether or not it has a piece for it; and which of them (in the rows, end to end) each token
    has. Those beyond the encoder's longest input are dropped."""
    found = tokenizer(
        [span.text for span in spans],
        return_offsets_mapping=tokenizer.is_fast,
        return_attention_mask=False,
        verbose=False,
    )
    ids = found["input_ids"]
    lengths = [len(row) for row in ids]
    pad = tokenizer.pad_token_id or 0
    types = found.get("token_type_ids")
    strings = (
        [one.tokens for one in found.encodings]
        if tokenizer.is_fast
        else [tokenizer.convert_ids_to_tokens(row) for row in ids]
    )
    if tokenizer.is_fast:
        offsets = _padded(found["offset_mapping"], lengths, 0, depth=2)
        align = get_alignment_via_offset_mapping(spans, offsets)
    else:
        width = max(lengths, default=0)
        pieces = [row + [""] * (width - len(row)) for row in strings]
        align = get_alignment(spans, pieces, tokenizer.all_special_tokens)
    wordpieces = WordpieceBatch(
        strings=strings,
        input_ids=_padded(ids, lengths, pad),
        attention_mask=_mask(lengths),
        lengths=lengths,
        token_type_ids=types and _padded(types, lengths, tokenizer.pad_token_type_id),
    )
    return truncate_oversize_splits(wordpieces, align, tokenizer.model_max_length)


def _mask(lengths: list[int]) -> Any:
    places = np.arange(max(lengths, default=0))
    return (places < np.array(lengths)[:, None]).astype(np.float32)


def _padded(rows: list[list[Any]], lengths: list[int], value: int, depth: int = 1) -> Any:
    """*Shape:* (rows, longest), or with a depth above 1 (rows, longest, depth)."""
    mask = _mask(lengths).astype(bool)
    padded = np.full((*mask.shape, depth), value, dtype=np.int64)
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=np.int64).reshape(-1, depth)
    return padded if depth > 1 else padded[:, :, 0]


class EncoderBatch(FullTransformerBatch):
    """As spacy-transformers', split without a loop over tokens. And what is known of each Doc knows
    the tokens that it was made of (`token_ids`, spaCy's ORTH): a component behind it may have
    merged or split some."""

    def split_by_doc(self) -> list[Any]:
        count = len(self.wordpieces.input_ids)
        arrays: dict[str, Any] = {}
        for name, output in self.model_output.items():
            if isinstance(output, torch.Tensor) and len(output) == count:
                arrays[name] = torch2xp(output.detach())
            elif isinstance(output, tuple) and all(_is_of(o, count) for o in output):
                arrays[name] = [torch2xp(o.detach()) for o in output]
        data = []
        row = token = piece = 0
        lengths: Any = self.align.lengths
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        for spans in self.spans:
            if not spans:
                data.append(TransformerData.empty())
                continue
            rows = slice(row, row + len(spans))
            first, last = token + spans[0].start, token + spans[-1].end
            align = Ragged(
                cast(Any, self.align.dataXd[bounds[first] : bounds[last]] - piece),
                lengths[first:last],
            )
            output = {
                name: [o[rows] for o in array] if isinstance(array, list) else array[rows]
                for name, array in arrays.items()
            }
            one: Any = TransformerData(self.wordpieces[rows], ModelOutput(output), align)
            one.token_ids = spans[0].doc.to_array("ORTH")
            data.append(one)
            row = rows.stop
            token += len(spans[0].doc)
            piece += one.wordpieces.input_ids.size
        return data


def _is_of(output: Any, count: int) -> bool:
    return isinstance(output, torch.Tensor) and len(output) == count
