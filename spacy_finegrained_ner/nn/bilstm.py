"""The sequence layer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu


class BiLSTM(nn.Module):
    """A bidirectional LSTM, then leaky ReLU (as the paper's code has it).

    The backward direction is an LSTM over the reversed sentences, so that it begins at the last
    token and not in the padding. torch's own way to that, packed sequences, takes about twice as
    long in training on a CPU: they miss its fused kernel.

    width: of the input. hidden: of each direction. dropout: between the layers.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width] + [2 * hidden] * (layers - 1)
        self.ahead = nn.ModuleList(nn.LSTM(w, hidden, batch_first=True) for w in widths)
        self.back = nn.ModuleList(nn.LSTM(w, hidden, batch_first=True) for w in widths)
        self.dropout = nn.Dropout(dropout)
        self.width_out = 2 * hidden

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width), (batch,) -> (batch, tokens, 2 * hidden).

        What comes out behind the end of a sentence has no meaning.
        """
        batch, tokens, _ = vectors.shape
        if not batch or not tokens:
            return vectors.new_zeros((batch, tokens, self.width_out))
        lengths = lengths.to(vectors.device).unsqueeze(1)  # (batch, 1)
        place = torch.arange(tokens, device=vectors.device)
        reverse = torch.where(place < lengths, lengths - 1 - place, place)  # (batch, tokens)
        rows = torch.arange(batch, device=vectors.device).unsqueeze(1)
        on_cpu = vectors.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        exact = on_cpu and not _in_bf16()
        if exact:
            vectors = vectors.float()
        with torch.autocast("cpu", enabled=False) if exact else nullcontext():
            for i, (ahead, back) in enumerate(zip(self.ahead, self.back, strict=True)):
                if i:
                    vectors = self.dropout(vectors)
                # Reversing twice is the identity
                backward = back(vectors[rows, reverse])[0][rows, reverse]
                vectors = torch.cat([ahead(vectors)[0], backward], dim=2)
            return leaky_relu(vectors)


def _in_bf16() -> bool:
    """Whether torch's LSTM computes in bfloat16 on this CPU. Where MKLDNN can't, torch 2.13 raises
    a RuntimeError and does not compute in another way; built without MKLDNN, it does."""
    if not torch.backends.mkldnn.is_available():
        return True
    supported: Any = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return bool(supported())
