"""Token blending: each token's vector is mixed with those of its neighbours (paper: triplets)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def neighbours(vectors: Tensor, lengths: Tensor, window: int) -> list[Tensor]:
    """The vectors of the token itself, then of those at distance -1, +1, -2, +2 and so on.

    At the ends of a sequence a token stands in for the neighbour it does not have, so neither
    padding nor another sequence leaks in.

    vectors: *Shape:* (batch, tokens, width), padded at the end. lengths: *Shape:* (batch,).
    Returns 1 + 2 * window tensors of the shape of `vectors`.
    """
    tokens = vectors.shape[1]
    place = torch.arange(tokens, device=vectors.device)  # (tokens,)
    lengths = lengths.to(vectors.device).unsqueeze(1)  # (batch, 1)
    found = [vectors]
    for distance in range(1, window + 1):
        for offset in (-distance, distance):
            there = (place + offset >= 0) & (place + offset < lengths)  # (batch, tokens)
            # roll wraps around; what it wraps is never `there`
            shifted = vectors.roll(-offset, dims=1)
            found.append(torch.where(there.unsqueeze(2), shifted, vectors))
    return found


class Concatenate(nn.Module):
    """[current ; previous ; next ; ...]: the paper's blending.

    window: tokens to each side.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.width_out = width * (1 + 2 * window)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width), (batch,) -> (batch, tokens, width * (1 + 2 * window))"""
        return torch.cat(neighbours(vectors, lengths, self.window), dim=2)


class Average(nn.Module):
    """A weighted average: half for the token, half for all of its neighbours in equal parts
    (0.25 / 0.5 / 0.25 with a window of 1, as in a variant of the authors' code).

    The weights add to 1, so a linear layer commutes with it: before or behind that it is the same.

    learned: the weights are parameters (of a softmax, so that they stay an average).
    """

    def __init__(self, width: int, window: int, learned: bool) -> None:
        super().__init__()
        self.window = window
        self.width_out = width
        logits = torch.tensor(_average_logits(window))
        self.logits: nn.Parameter | Tensor
        if learned:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits, persistent=False)

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width), (batch,) -> (batch, tokens, width)"""
        weights = self.logits.softmax(dim=0)
        mixed = torch.zeros_like(vectors)
        for weight, neighbour in zip(
            weights, neighbours(vectors, lengths, self.window), strict=True
        ):
            mixed = mixed + weight * neighbour
        return mixed


class Gated(nn.Module):
    """A weighted average whose weights each token computes from itself and its neighbours.

    Starts as the plain average: the weights of the gate are 0 at first, its bias is the average's.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.width_out = width
        size = 1 + 2 * window
        self.gate = nn.Linear(width * size, size)
        with torch.no_grad():
            self.gate.weight.zero_()
            self.gate.bias.copy_(torch.tensor(_average_logits(window)))

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, width), (batch,) -> (batch, tokens, width)"""
        around = neighbours(vectors, lengths, self.window)
        weights = self.gate(torch.cat(around, dim=2)).softmax(dim=2)  # (batch, tokens, size)
        stacked = torch.stack(around, dim=2)  # (batch, tokens, size, width)
        mixed: Tensor = (weights.unsqueeze(3) * stacked).sum(dim=2)
        return mixed


class Projected(nn.Module):
    """A blending of emissions that keeps their number: what widens them is projected back.

    Starts with the token's own emissions, unblended.
    """

    def __init__(self, blending: nn.Module, tags: int) -> None:
        super().__init__()
        self.blending = blending
        width_out = blending.width_out
        assert isinstance(width_out, int)
        self.projection = nn.Linear(width_out, tags) if width_out != tags else nn.Identity()
        if isinstance(self.projection, nn.Linear):
            with torch.no_grad():
                self.projection.weight.copy_(torch.eye(tags, width_out))
                self.projection.bias.zero_()

    def forward(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """*Shape:* (batch, tokens, tags), (batch,) -> (batch, tokens, tags)"""
        blended: Tensor = self.projection(self.blending(emissions, lengths))
        return blended


def _average_logits(window: int) -> Sequence[float]:
    return [math.log(0.5)] + [math.log(0.25 / window)] * (2 * window)
