"""Losses over emissions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

IGNORE = -1
"""In a tensor of gold tags: padding, or a tag that is not known. It adds nothing to the loss."""


def token_cross_entropy(emissions: Tensor, tags: Tensor) -> Tensor:
    """Mean cross-entropy over the tokens whose gold tag is known; 0 where there are none.

    The mean over tokens, so that the gradient does not depend on the size of the batch.

    emissions: *Shape:* (batch, tokens, tags). tags: *Shape:* (batch, tokens), ids or IGNORE.
    Returns a scalar.
    """
    known = (tags != IGNORE).sum().clamp(min=1)
    total = F.cross_entropy(
        emissions.flatten(0, 1), tags.flatten(), ignore_index=IGNORE, reduction="sum"
    )
    return total / known
