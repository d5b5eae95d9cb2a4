"""The loss of a linear-chain CRF: what is known of the gold against what the CRF expects.

The gradient of the loss is the difference of two expectations, which `nn.crf` gives: autograd never
walks back over the time steps. Parameters are those of `nn.crf`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.nn.crf import Expectations, expectations


def within(emissions: Tensor, allowed: Tensor) -> Tensor:
    """The emissions with -inf for what is not allowed: of the paths through the allowed tags only.

    allowed: *Shape:* (batch, tokens, tags), bool.
    """
    return torch.where(allowed, emissions, -torch.inf)


def crf_loss(
    emissions: Tensor,
    tags: Tensor,
    lengths: Tensor,
    transitions: Tensor,
    starts: Tensor,
    ends: Tensor,
) -> Tensor:
    """Negative log-likelihood of the gold tags, over the number of tokens whose tag is known.

    Where a tag is UNKNOWN, it is summed over all tags there (a partial CRF, Tsuboi et al. 2008).
    Per token, so that the gradient depends neither on the size of the batch nor on the lengths.
    Infinite where the gold tags are forbidden.

    tags: *Shape:* (batch, tokens), ids or UNKNOWN. Returns a scalar.
    """
    loss = crf_cross_entropy(emissions, tags, lengths, transitions, starts, ends)
    real = torch.arange(tags.shape[1], device=tags.device) < lengths.unsqueeze(1)
    return loss / ((tags != UNKNOWN) & real).sum().clamp(min=1)


def crf_cross_entropy(
    emissions: Tensor,
    gold: Tensor | Expectations,
    lengths: Tensor,
    transitions: Tensor,
    starts: Tensor,
    ends: Tensor,
    *,
    all_known: bool = False,
) -> Tensor:
    """What the gold is worth under the CRF, summed over the batch: minus the log probability of
    the paths that agree with it; with a teacher's expectations, minus the log probability of a
    path that is expected.

    The gradient is what the CRF expects less what the gold does. Without the teacher's transitions
    those of the CRF, its starts and its ends get none, and their scores are left out of what is
    expected: the loss is off by that, and may be below 0.

    gold: ids or UNKNOWN, *Shape:* (batch, tokens); or sets of allowed tags (bool), *Shape:*
        (batch, tokens, tags); or expectations (their log_partition does not count).
    all_known: that ids have no UNKNOWN but in the padding, which spares a look (on a GPU: a wait).
    Returns a scalar. Infinite where the gold is forbidden.
    """
    potentials = [transitions, starts, ends]
    if isinstance(gold, Expectations) and gold.transitions is None:
        potentials = [tensor.detach() for tensor in potentials]
    loss: Tensor = _CrossEntropy.apply(emissions, gold, lengths, *potentials, all_known)
    return loss


class _CrossEntropy(torch.autograd.Function):
    """Sum over the batch; the gradient is what the model expects less what is there."""

    @staticmethod
    def forward(
        context: Any,
        emissions: Tensor,
        gold: Tensor | Expectations,
        lengths: Tensor,
        transitions: Tensor,
        starts: Tensor,
        ends: Tensor,
        all_known: bool,
    ) -> Tensor:
        free = expectations(emissions, lengths, transitions, starts, ends)
        there = _gold(emissions, gold, lengths, transitions, starts, ends, all_known)
        difference = free.marginals - there.marginals
        last = (lengths - 1).clamp(min=0)
        rows = torch.arange(len(lengths), device=lengths.device)
        assert free.transitions is not None
        context.save_for_backward(
            difference,
            free.transitions - (0.0 if there.transitions is None else there.transitions),
            difference[:, 0].sum(dim=0) if difference.shape[1] else torch.zeros_like(starts),
            difference[rows, last].sum(dim=0) if difference.shape[1] else torch.zeros_like(ends),
        )
        return (free.log_partition - there.log_partition).sum()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        emissions, transitions, starts, ends = (
            tensor * gradients[0] for tensor in context.saved_tensors
        )
        return emissions, None, None, transitions, starts, ends, None


def _gold(
    emissions: Tensor,
    gold: Tensor | Expectations,
    lengths: Tensor,
    transitions: Tensor,
    starts: Tensor,
    ends: Tensor,
    all_known: bool,
) -> Expectations:
    """The same as `expectations`, of the paths that agree with the gold only. Of a teacher's, the
    score that it expects stands for the partition function of those."""
    _, tokens, size = emissions.shape
    if isinstance(gold, Expectations):
        return _expected(emissions, gold, lengths, transitions, starts, ends)
    real = torch.arange(tokens, device=gold.device) < lengths.unsqueeze(1)
    if gold.dim() == 3:
        return expectations(within(emissions, gold), lengths, transitions, starts, ends)
    tags = gold
    unknown = None if all_known else tags == UNKNOWN
    if unknown is not None and (unknown & real).any():
        agrees = unknown.unsqueeze(2) | (
            tags.unsqueeze(2) == torch.arange(size, device=tags.device)
        )
        return expectations(within(emissions, agrees), lengths, transitions, starts, ends)
    # One path: it is counted.
    tags = tags.masked_fill(~real, 0)
    once = real.to(emissions.dtype)
    marginals = torch.zeros_like(emissions)
    marginals.scatter_(2, tags.unsqueeze(2), once.unsqueeze(2))
    score = (emissions * marginals).sum(dim=(1, 2))
    if not tokens:
        return Expectations(score, marginals, torch.zeros_like(transitions))
    pairs, there = tags[:, :-1] * size + tags[:, 1:], once[:, 1:]
    counts = emissions.new_zeros(size * size)
    counts.index_add_(0, pairs.flatten(), there.flatten())
    steps = transitions.flatten()[pairs].masked_fill(there == 0, 0.0)
    last = tags.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    edges = (starts[tags[:, 0]] + ends[last]).masked_fill(lengths == 0, 0.0)
    return Expectations(score + steps.sum(dim=1) + edges, marginals, counts.view(size, size))


def _expected(
    emissions: Tensor,
    gold: Expectations,
    lengths: Tensor,
    transitions: Tensor,
    starts: Tensor,
    ends: Tensor,
) -> Expectations:
    """A teacher's expectations, with the score of a path that it expects: of the whole batch, as
    the transitions are, at its first place."""
    real = torch.arange(emissions.shape[1], device=lengths.device) < lengths.unsqueeze(1)
    marginals = gold.marginals * real.unsqueeze(2)
    parts = [(marginals, emissions)]
    if gold.transitions is not None:
        some = lengths > 0
        rows = torch.arange(len(lengths), device=lengths.device)[some]
        parts += [
            (gold.transitions, transitions),
            (marginals[rows, 0].sum(dim=0), starts),
            (marginals[rows, lengths[some] - 1].sum(dim=0), ends),
        ]
    # What is never expected adds nothing, be it forbidden (-inf) or not
    total = sum(torch.where(times > 0, times * score, 0.0).sum() for times, score in parts)
    score = emissions.new_zeros(len(lengths))
    score[:1] = total
    return Expectations(score, marginals, gold.transitions)
