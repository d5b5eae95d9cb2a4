"""Viterbi decoding of a batch of sequences."""

from __future__ import annotations

import torch
from torch import Tensor


def viterbi(
    emissions: Tensor, lengths: Tensor, transitions: Tensor, starts: Tensor, ends: Tensor
) -> Tensor:
    """The tags of the path of highest score for each sequence.

    The score of a path is that of its first tag's start and its last tag's end, plus the
    emissions of its tags, plus the transitions between them (Rabiner 1989). Forbidden starts and
    transitions are -inf: a path through one is never returned, whatever the emissions (there must
    be an allowed path). A linear head is the case in which all others are 0.

    emissions: *Shape:* (batch, tokens, tags), finite. lengths: *Shape:* (batch,), on any device.
    transitions: *Shape:* (tags, tags), from row to column. starts, ends: *Shape:* (tags,).
    Returns ids, *Shape:* (batch, tokens), 0 behind the end of a sequence.
    """
    batch, steps, _ = emissions.shape
    paths = torch.zeros((batch, steps), dtype=torch.long, device=emissions.device)
    if not batch or not steps:
        return paths
    lengths = lengths.to(emissions.device)
    # So that no sum over a sequence overflows: inf - inf would be NaN, and pick any path.
    emissions = emissions.clamp(-1e30, 1e30)
    best = starts + emissions[:, 0]  # (batch, tags)
    bests = [best]
    for step in range(1, steps):
        # (batch, from, to) -> score of the best way to reach each tag
        reached = (best.unsqueeze(2) + transitions).amax(dim=1)
        alive = (step < lengths).unsqueeze(1)  # (batch, 1)
        best = torch.where(alive, reached + emissions[:, step], best)
        bests.append(best)
    tag = (best + ends).argmax(dim=1)  # (batch,): the last tag of each sequence
    into = transitions.T.contiguous()
    for step in range(steps - 1, 0, -1):
        alive = step < lengths
        paths[:, step] = torch.where(alive, tag, 0)
        # Which way that was is looked up for the tags on the path only.
        before = (bests[step - 1] + into[tag]).argmax(dim=1)
        tag = torch.where(alive, before, tag)
    paths[:, 0] = torch.where(lengths > 0, tag, 0)
    return paths
