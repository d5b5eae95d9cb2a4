"""The lengths of padded sequences."""

from __future__ import annotations

import torch
from torch import Tensor


def check_lengths(lengths: Tensor, emissions: Tensor) -> None:
    """A ValueError for what is not the number of tokens of each sequence, such as a mask.

    emissions: *Shape:* (batch, tokens, tags).
    """
    if lengths.shape != emissions.shape[:1] or lengths.dtype == torch.bool:
        raise ValueError(
            f"lengths is {lengths.dtype} of the shape {tuple(lengths.shape)}, expected whole "
            f"numbers of the shape {(len(emissions),)}: how many tokens each sequence has. Of a "
            "mask of the shape (batch, tokens) that is mask.sum(1)."
        )
