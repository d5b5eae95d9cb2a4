"""Viterbi decoding of a batch of sequences."""

from __future__ import annotations

import torch
from torch import Tensor

from spacy_finegrained_ner.nn.lengths import check_lengths


@torch.no_grad()
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
    check_lengths(lengths, emissions)
    batch, steps, tags = emissions.shape
    if not batch or not steps:
        return torch.zeros((batch, steps), dtype=torch.long, device=emissions.device)
    lengths = lengths.to(emissions.device)
    # So that no sum over a sequence overflows: inf - inf would be NaN, and pick any path.
    emitted = emissions.clamp(-1e30, 1e30).unbind(dim=1)
    into = transitions.T.contiguous()  # (to, from): the last dimension is the one to reduce
    # Score of the best way to reach each tag, also behind the end of a sequence, where it is not
    # looked at. Memory is taken once: at these sizes that is most of the time.
    bests = emissions.new_empty((steps, batch, tags))
    best, before = bests.unbind(dim=0), bests.unsqueeze(2).unbind(dim=0)
    reached = emissions.new_empty((batch, tags, tags))
    torch.add(starts, emitted[0], out=best[0])
    for step in range(1, steps):
        torch.add(before[step - 1], into, out=reached)
        torch.amax(reached, dim=2, out=best[step]).add_(emitted[step])
    real = torch.arange(steps, device=emissions.device).unsqueeze(1) < lengths  # (steps, batch)
    rows = torch.arange(batch, device=emissions.device)
    tag = (bests[(lengths - 1).clamp(min=0), rows] + ends).argmax(dim=1)  # the last of each
    path = [tag]
    for step, goes_on in zip(range(steps - 1, 0, -1), real.flip(0), strict=False):
        # Which way that was is looked up for the tags on the path only.
        way = into.index_select(0, tag).add_(best[step - 1]).argmax(dim=1)
        tag = torch.where(goes_on, way, tag)
        path.append(tag)
    return torch.where(real.T, torch.stack(path[::-1], dim=1), 0)
