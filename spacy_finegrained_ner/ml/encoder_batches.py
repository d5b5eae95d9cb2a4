"""From Docs to padded wordpieces, and from an encoder's output to what a Doc gets of it."""

from __future__ import annotations

from collections.abc import Callable
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
from torch import Tensor
from transformers.file_utils import ModelOutput


def wordpieces_of_tokens(tokenizer: Any, spans: list[Span]) -> Any:
    """How many wordpieces each token of a Doc has in its spans, before any is dropped."""
    return tokenize(tokenizer, spans, longest=10**9)[1].lengths


def tokenize(
    tokenizer: Any, spans: list[Span], longest: int | None = None
) -> tuple[WordpieceBatch, Ragged]:
    """The wordpieces of spans, as rows that are padded behind, whatever side the tokenizer pads and
    whether or not it has a piece for it; and which of them (in the rows, end to end) each token
    has. Those beyond the encoder's longest input are dropped.

    longest: that input; None for what the tokenizer knows of it."""
    found = tokenizer(
        [span.text for span in spans],
        return_offsets_mapping=tokenizer.is_fast,
        return_attention_mask=False,
        verbose=False,
    )
    ids = found["input_ids"]
    lengths = [len(row) for row in ids]
    # Without one: a piece that is there anyway, so that no other is learned of
    pad = next(chain.from_iterable(ids), 0) if (p := tokenizer.pad_token_id) is None else p
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
    most = tokenizer.model_max_length if longest is None else longest
    return truncate_oversize_splits(wordpieces, align, most)


def _mask(lengths: list[int]) -> Any:
    places = np.arange(max(lengths, default=0))
    return (places < np.array(lengths)[:, None]).astype(np.float32)


def _padded(rows: list[list[Any]], lengths: list[int], value: int, depth: int = 1) -> Any:
    """*Shape:* (rows, longest), or with a depth above 1 (rows, longest, depth)."""
    mask = _mask(lengths).astype(bool)
    padded = np.full((*mask.shape, depth), value, dtype=np.int64)
    padded[mask] = np.array(list(chain.from_iterable(rows)), dtype=np.int64).reshape(-1, depth)
    return padded if depth > 1 else padded[:, :, 0]


COMBINE: dict[str, Callable[[tuple[Tensor, ...]], Tensor]] = {
    # k of (spans, wordpieces, hidden) -> (spans, wordpieces, k * hidden)
    "concatenate": lambda layers: torch.cat(layers, dim=-1),
    # k of (spans, wordpieces, hidden) -> (spans, wordpieces, hidden)
    "average": lambda layers: torch.stack(layers).mean(dim=0),
}


def last_layers(output: Any, layers: int, combine: str) -> Tensor:
    """*Shape:* (spans, wordpieces, width)."""
    # hidden_states begins with the embeddings. Its end is last_hidden_state, or that before a
    # final norm: the model's own output is the better choice then, and the stock one.
    last = output["last_hidden_state"]
    if layers == 1:
        return cast(Tensor, last)
    chosen = (*output["hidden_states"][-layers:-1], last)
    if any(hidden.shape != last.shape for hidden in chosen):
        raise ValueError(
            f"layers of the encoder is {layers}, but its hidden layers have the shapes "
            f"{[tuple(hidden.shape) for hidden in chosen]}: expected 1, its output alone."
        )
    return COMBINE[combine](chosen)


def in_batches(
    encode: Callable[[WordpieceBatch], dict[str, Tensor]],
    wordpieces: WordpieceBatch,
    batches: list[tuple[Any, int]],
    device: torch.device,
) -> dict[str, Tensor]:
    """What `encode` gives for rows and widths of the wordpieces, as of all rows at once, padded
    with 0."""
    rows, width = wordpieces.input_ids.shape
    order = torch.from_numpy(np.concatenate([some for some, _ in batches]))
    order = order.to(device, non_blocking=True)
    found: dict[str, Tensor] = {}
    start = 0
    for some, longest in batches:
        types = wordpieces.token_type_ids
        output = encode(
            WordpieceBatch(
                strings=[],  # not used by the encoder
                input_ids=wordpieces.input_ids[some, :longest],
                attention_mask=wordpieces.attention_mask[some, :longest],
                lengths=[],
                token_type_ids=None if types is None else types[some, :longest],
            )
        )
        places = order[start : start + len(some)]
        start += len(some)
        for name, values in output.items():
            whole = values.dim() > 2  # of wordpieces; else of spans, such as pooler_output
            if name not in found:
                shape = (rows, width, *values.shape[2:]) if whole else (rows, *values.shape[1:])
                found[name] = values.new_zeros(shape)
            target = found[name][:, :longest] if whole else found[name]
            target.index_copy_(0, places, values)
    return found


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
            # All tokens of the Doc, also where the spans leave out its first or its last
            first, last = token, token + len(spans[0].doc)
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
