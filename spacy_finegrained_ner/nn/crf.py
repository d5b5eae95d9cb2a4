"""Linear-chain CRF (Lafferty et al. 2001): partition function, marginals, expected transitions.

Forward and backward algorithm run as one scan over time, with the whole batch in each step.

The scan is done with scaled probabilities, a small matrix product for each step. Where that would
underflow (scores that are far apart) it is done again in log space, so the result is exact.

Parameters everywhere:
    emissions: *Shape:* (batch, tokens, tags). lengths: *Shape:* (batch,), those of the sequences
        (0 is allowed). transitions: *Shape:* (tags, tags), from row to column.
    starts, ends: *Shape:* (tags,), added at the first and at the last token.
    What is forbidden is -inf. There must be an allowed path.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spacy_finegrained_ner.nn.lengths import check_lengths

_TINY = {torch.float64: 1e-290}
"""Probabilities above this have lost nothing that counts: what float64 drops is below 1e-308; for
float32, which drops what is below 1e-38, it is 1e-25."""

_CHUNK = 2**22
"""Numbers held at once while transitions are counted in log space: 16 MiB of float32."""


@dataclass
class Expectations:
    """What a CRF expects of a batch of sequences.

    log_partition: *Shape:* (batch,). marginals: the probability of each tag at each token, 0 in
    the padding; *Shape:* (batch, tokens, tags). transitions: the expected number of each
    transition, over the batch; *Shape:* (tags, tags). As a teacher's, to learn from, they may be
    None: not known.
    """

    log_partition: Tensor
    marginals: Tensor
    transitions: Tensor | None


def expectations(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor
) -> Expectations:
    """Forward-backward algorithm (Rabiner 1989)."""
    check_lengths(lengths, emissions)
    if not emissions.shape[0] or not emissions.shape[1]:
        none = emissions.new_zeros(len(emissions))
        return Expectations(none, torch.zeros_like(emissions), torch.zeros_like(transitions))
    found = forward_backward(emissions, lengths, transitions, starts, ends)
    tokens = emissions.shape[1]
    place = torch.arange(tokens, device=emissions.device)
    rows = torch.arange(len(emissions), device=emissions.device)
    last = (rows, (lengths - 1).clamp(min=0))
    # Not from the states: a tag may be as good as impossible there, and certain by its end.
    log_partition = torch.logsumexp(found.before[last] + emissions[last] + ends, dim=1)
    steps = place + 1 < lengths.unsqueeze(1)
    log_partition = log_partition + found.scan.scales[0].masked_fill(~steps, 0.0).sum(dim=1)
    return Expectations(
        log_partition.masked_fill(lengths == 0, 0.0),
        found.marginals,
        _expected_transitions(
            found.scan, found.marginals, place < lengths.unsqueeze(1), transitions
        ),
    )


def expectations_of_each(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Marginals, *Shape:* (tokens, tags), and expected transitions, *Shape:* (tags, tags), of each
    sequence on its own: what a student learns of a teacher. One scan for all of them."""
    check_lengths(lengths, emissions)
    if not emissions.shape[0] or not emissions.shape[1]:
        none = torch.zeros_like(transitions)
        return [(row, none) for row in emissions]
    found = forward_backward(emissions, lengths, transitions, starts, ends)
    place = torch.arange(emissions.shape[1], device=emissions.device)
    each = []
    for row, tokens in enumerate(lengths.tolist()):
        one = slice(row, row + 1)
        scan = replace(
            found.scan, states=found.scan.states[:, one], reached=found.scan.reached[:, one]
        )
        real = place < lengths[one].unsqueeze(1)
        pairs = _expected_transitions(scan, found.marginals[one], real, transitions)
        each.append((found.marginals[row, :tokens], pairs))
    return each


@dataclass
class ForwardBackward:
    """Both directions of the algorithm, at each token up to a constant of the token.

    before, after: log scores of all ways to reach a tag from the start, without the emission
        there, and of all ways from a tag to the end. marginals: see `Expectations`. All of the
        *Shape:* (batch, tokens, tags).
    """

    before: Tensor
    after: Tensor
    marginals: Tensor
    scan: _Scan

    def onwards(self, lengths: Tensor) -> Tensor:
        """Log scores of a tag with its emission and what comes after it, with the constant that
        `after` has at the token before. *Shape:* (batch, tokens, tags)."""
        rows, reverse = _reversed(lengths, self.after.shape[1])
        return self.scan.states[1][rows, reverse]


def forward_backward(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor
) -> ForwardBackward:
    """There must be at least one sequence, and one token."""
    batch, tokens, tags = emissions.shape
    # The backward algorithm is the forward one on the reversed sequence. Both give, at each
    # token, `reached`: the scores of all paths that reach a tag, without the emission there.
    rows, reverse = _reversed(lengths, tokens)
    both = torch.stack([emissions, emissions[rows, reverse]])  # (2, batch, tokens, tags)
    edges = torch.stack([starts, ends]).unsqueeze(1)  # (2, 1, tags)
    first = edges + both[:, :, 0]  # (2, batch, tags)
    steps = torch.stack([transitions, transitions.T])
    scan = _scan_scaled(first, both, steps) or _scan_log(first, both, steps)

    edges = edges.unsqueeze(2).expand(2, batch, 1, tags)
    reached = torch.cat([edges, scan.reached], dim=2)  # (2, batch, tokens, tags)
    before, after = reached[0], reached[1][rows, reverse]
    real = torch.arange(tokens, device=emissions.device) < lengths.unsqueeze(1)
    marginals = (before + emissions + after).softmax(dim=2)
    marginals = marginals.masked_fill(~real.unsqueeze(2), 0.0).nan_to_num()
    return ForwardBackward(before, after, marginals, scan)


def _reversed(lengths: Tensor, tokens: int) -> tuple[Tensor, Tensor]:
    """Indices of each sequence from its last token to its first; what is behind stays there."""
    place = torch.arange(tokens, device=lengths.device)
    end = lengths.unsqueeze(1)
    rows = torch.arange(len(lengths), device=lengths.device).unsqueeze(1)
    return rows, torch.where(place < end, end - 1 - place, place)


@dataclass
class _Scan:
    """Of both directions, in log space, the states less their maximum.

    states: with the emission. *Shape:* (2, batch, tokens, tags). scales: the maximum that was
    taken off. *Shape:* (2, batch, tokens). reached: from the state before, without the emission.
    *Shape:* (2, batch, tokens - 1, tags).
    """

    states: Tensor
    scales: Tensor
    reached: Tensor
    exact_as_probabilities: bool


def _scan_scaled(first: Tensor, both: Tensor, steps: Tensor) -> _Scan | None:
    """The scan over probabilities, scaled to a maximum of 1 at each token (Rabiner 1989, V.A).
    None where a tag can't be reached, or with so small a probability that it can't be told."""
    shift = steps.amax()
    step = (steps - shift).exp()  # (2, tags, tags)
    highest = both.amax(dim=3)  # (2, batch, tokens)
    emitted = (both - highest.unsqueeze(3)).exp().unbind(dim=2)
    scale = first.amax(dim=2, keepdim=True)
    state = (first - scale).exp()
    states, scales, reached = [state], [scale.exp()], []
    for emission in emitted[1:]:
        reach = torch.bmm(state, step)
        state = reach * emission
        scale = state.amax(dim=2, keepdim=True)
        state = state / scale
        states.append(state)
        scales.append(scale)
        reached.append(reach)
    if reached:
        reach = torch.stack(reached, dim=2)
        if not reach.amin() > _TINY.get(reach.dtype, 1e-25):  # NaN too
            return None
    else:
        reach = both[:, :, :0]
    log_scales = torch.stack(scales, dim=2).squeeze(3).log() + highest + shift
    log_scales[:, :, 0] = first.amax(dim=2)
    return _Scan(torch.stack(states, dim=2).log(), log_scales, reach.log() + shift, True)


def _scan_log(first: Tensor, both: Tensor, steps: Tensor) -> _Scan:
    """The scan over log probabilities."""
    state, scale = _normalised(first)
    states, scales, reached = [state], [scale], []
    for emission in both.unbind(dim=2)[1:]:
        reach = torch.logsumexp(state.unsqueeze(3) + steps.unsqueeze(1), dim=2)
        state, scale = _normalised(reach + emission)
        states.append(state)
        scales.append(scale)
        reached.append(reach)
    return _Scan(
        torch.stack(states, dim=2),
        torch.stack(scales, dim=2).squeeze(3),
        torch.stack(reached, dim=2) if reached else both[:, :, :0],
        False,
    )


def _expected_transitions(
    scan: _Scan, marginals: Tensor, real: Tensor, transitions: Tensor
) -> Tensor:
    """The probability of a transition is that of its second tag, times how likely that was
    reached from the first: no such share is above 1, however far apart the scores are."""
    origin, reached, target = scan.states[0, :, :-1], scan.reached[0], marginals[:, 1:]
    if scan.exact_as_probabilities:
        shift = transitions.amax()
        ratio = target / (reached - shift).exp()  # 0 in the padding, as the marginals are
        summed = origin.exp().flatten(0, 1).T @ ratio.flatten(0, 1)
        return summed * (transitions - shift).exp()
    there = real[:, 1:]
    origin, reached, target = origin[there], reached[there], target[there]  # (steps, tags)
    counts = torch.zeros_like(transitions)
    # What can't be reached has the probability 0; its -inf must not meet that of its origins.
    reached = torch.where(reached.isinf(), 0.0, reached)
    size = max(1, _CHUNK // max(1, transitions.numel()))
    for a, b, c in zip(origin.split(size), reached.split(size), target.split(size), strict=True):
        share = (a.unsqueeze(2) + transitions - b.unsqueeze(1)).exp_()  # (steps, from, to)
        counts += torch.einsum("sij,sj->ij", share, c)
    return counts


def _normalised(state: Tensor) -> tuple[Tensor, Tensor]:
    """The scores less their maximum, and that; without a NaN where all are forbidden."""
    scale = state.amax(dim=-1, keepdim=True).clamp(min=torch.finfo(state.dtype).min)
    return state - scale, scale
