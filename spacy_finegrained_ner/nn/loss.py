"""Losses over emissions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from spacy_finegrained_ner.contracts import UNKNOWN


def token_cross_entropy(emissions: Tensor, gold: Tensor) -> Tensor:
    """Cross-entropy of each token on its own, summed; a token that may have any tag adds nothing.

    emissions: *Shape:* (batch, tokens, tags).
    gold: ids or UNKNOWN, *Shape:* (batch, tokens); or sets of allowed tags (bool), of which the
        probability counts that any is right, *Shape:* (batch, tokens, tags); or a teacher's
        probabilities, 0 in the padding, of the same shape.
    Returns a scalar. Infinite where nothing is allowed.
    """
    if gold.dim() == 2:
        return F.cross_entropy(
            emissions.flatten(0, 1), gold.flatten(), ignore_index=UNKNOWN, reduction="sum"
        )
    scores = emissions.log_softmax(dim=2)
    if gold.is_floating_point():
        return -(gold * scores).sum()
    some = ~gold.all(dim=2)
    return -scores.masked_fill(~gold, -float("inf")).logsumexp(dim=2)[some].sum()
