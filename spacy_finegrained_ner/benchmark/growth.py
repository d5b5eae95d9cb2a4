"""How the time and memory of the CRF grow, ours against pytorch-crf's."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

import torch
from torch import Tensor
from torchcrf import CRF

from spacy_finegrained_ner.benchmark.speed import Say, machine, peak_mib, spread
from spacy_finegrained_ner.nn.crf_loss import crf_loss
from spacy_finegrained_ner.nn.viterbi import viterbi


@dataclass(frozen=True)
class Size:
    """Of a batch. The usual one: 32 sentences of 32 tokens, B and I of 33 types and O."""

    batch: int = 32
    tokens: int = 32
    tags: int = 67


AXES = {
    "tokens": (8, 16, 32, 64, 128, 256, 512),
    "batch": (1, 4, 16, 32, 64, 128),
    "tags": (9, 17, 33, 67, 150, 300),
}
"""One of them varies, the others stay as usual."""

OURS, THEIRS = "ours", "pytorch-crf"
_LEAST = 0.2  # seconds that a measurement takes at least: short ones are noise


class Work:
    """A batch of random scores and lengths, and what is done with it on each side."""

    def __init__(self, size: Size) -> None:
        torch.manual_seed(0)
        shape = (size.batch, size.tokens, size.tags)
        self.emissions = torch.randn(shape, requires_grad=True)
        self.tags = torch.randint(size.tags, shape[:2])
        self.lengths = torch.randint(max(1, size.tokens // 2), size.tokens + 1, (size.batch,))
        self.lengths[0] = size.tokens
        self.mask = torch.arange(size.tokens) < self.lengths.unsqueeze(1)
        self.crf = CRF(size.tags, batch_first=True)

    def run(self, side: str, what: str) -> Any:
        crf = self.crf
        potentials = crf.transitions, crf.start_transitions, crf.end_transitions
        if what == "loss and backward":
            leaves = [self.emissions, *potentials]
            loss: Tensor
            if side == OURS:
                loss = crf_loss(self.emissions, self.tags, self.lengths, *potentials)
            else:
                loss = -crf(self.emissions, self.tags, self.mask, reduction="token_mean")
            return torch.autograd.grad(loss, leaves)
        with torch.no_grad():
            if side == OURS:
                return viterbi(self.emissions, self.lengths, *potentials)
            return crf.decode(self.emissions, self.mask)


def growth(rounds: int, say: Say, axes: dict[str, tuple[int, ...]] | None = None) -> dict[str, Any]:
    """Seconds of a step and peak memory above that of the inputs, at each size, of both sides.

    Times are interleaved in one process; memory is that of a process for each step.
    """
    rows = []
    for axis, values in (axes or AXES).items():
        for value in values:
            size = Size(**{axis: value})
            for what in ("loss and backward", "Viterbi"):
                say(f"growth: {axis} = {value}, {what}")
                seconds = _time(Work(size), what, rounds)
                ratios = [b / a for a, b in zip(seconds[OURS], seconds[THEIRS], strict=True)]
                row = {"axis": axis, "value": value, "what": what, **asdict(size)}
                for side in (OURS, THEIRS):
                    row[side] = {
                        "seconds": spread(seconds[side])["median"],
                        "mib": _in_fresh_process(size, side, what),
                    }
                rows.append({**row, "faster": spread(ratios)})
    return {"machine": machine(), "rounds": rounds, "rows": rows}


def _time(work: Work, what: str, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {OURS: [], THEIRS: []}
    repeats = {}
    for side in found:
        work.run(side, what)
        start = time.perf_counter()
        work.run(side, what)
        repeats[side] = max(1, round(_LEAST / (time.perf_counter() - start)))
    for turn in range(rounds):
        for side in (OURS, THEIRS) if turn % 2 else (THEIRS, OURS):
            start = time.perf_counter()
            for _ in range(repeats[side]):
                work.run(side, what)
            found[side].append((time.perf_counter() - start) / repeats[side])
    return found


def _in_fresh_process(size: Size, side: str, what: str) -> float:
    """Peak memory of one step, in MiB. The server that forks has torch, but has computed nothing:
    what it keeps for later use would hide what the step takes."""
    method = "spawn" if sys.platform == "win32" else "forkserver"
    context: Any = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    with context.Pool(1) as pool:
        peak: float = pool.apply(_peak, (size, side, what))
        return peak


def _peak(size: Size, side: str, what: str) -> float:
    Work(Size(2, 2, 3)).run(side, what)  # what torch sets up at first use
    work = Work(size)
    before = peak_mib()
    work.run(side, what)
    return peak_mib() - before
