"""All paths through short sequences, looked at one by one: what CRF and Viterbi must agree with."""

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from spacy_finegrained_ner.contracts import UNKNOWN


@dataclass
class Case:
    """A batch of sequences with scores, some of them forbidden (-inf)."""

    emissions: Tensor
    lengths: Tensor
    transitions: Tensor
    starts: Tensor
    ends: Tensor

    @property
    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.transitions, self.starts, self.ends

    def paths(self, row: int) -> Tensor:
        """All paths through a sequence, allowed or not. *Shape:* (paths, tokens)."""
        tags = range(len(self.starts))
        return torch.tensor(list(product(tags, repeat=int(self.lengths[row]))))

    def scores(self, row: int) -> Tensor:
        """Of each of `paths`."""
        paths, n = self.paths(row), int(self.lengths[row])
        total = self.starts[paths[:, 0]] + self.ends[paths[:, -1]]
        for t in range(n):
            total = total + self.emissions[row, t][paths[:, t]]
        for t in range(1, n):
            total = total + self.transitions[paths[:, t - 1], paths[:, t]]
        return total

    def log_likelihood(self, tags: Tensor) -> Tensor:
        """Sum over the sequences of the log probability of the paths that agree with `tags`."""
        total = self.emissions.new_zeros(())
        for row, n in enumerate(self.lengths.tolist()):
            if n:
                paths, scores, gold = self.paths(row), self.scores(row), tags[row, :n]
                allowed = scores > -torch.inf
                agrees = ((paths == gold) | (gold == UNKNOWN)).all(dim=1)
                total = total + scores[allowed & agrees].logsumexp(dim=0)
                total = total - scores[allowed].logsumexp(dim=0)
        return total

    def best(self, row: int) -> tuple[int, ...]:
        if not self.lengths[row]:
            return ()
        return tuple(self.paths(row)[self.scores(row).argmax()].tolist())


def random_case(
    seed: int, lengths: list[int], *, tags: int = 4, scale: float = 1.0, forbidden: float = 0.0
) -> Case:
    """Scores without ties, `scale` apart; `forbidden` is the share of starts, transitions and ends
    that are. Tag 0 may stand anywhere, so that there is an allowed path."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return scale * torch.randn(*shape, generator=rng, dtype=torch.float64)

    transitions, starts, ends = draw(tags, tags), draw(tags), draw(tags)
    for scores in (transitions, starts, ends):
        closed = torch.rand(scores.shape, generator=rng) < forbidden
        closed[..., 0] = False
        scores[closed] = -torch.inf
    transitions[0] = draw(tags)
    return Case(
        draw(len(lengths), max(lengths, default=0), tags),
        torch.tensor(lengths, dtype=torch.long),
        transitions,
        starts,
        ends,
    )


def random_gold(case: Case, seed: int, *, unknown: float = 0.0) -> Tensor:
    """An allowed path for each sequence, drawn from all; a share of the tags is not known."""
    rng = torch.Generator().manual_seed(seed)
    tags = torch.full(case.emissions.shape[:2], UNKNOWN)
    for row, n in enumerate(case.lengths.tolist()):
        if n:
            allowed = case.paths(row)[case.scores(row) > -torch.inf]
            tags[row, :n] = allowed[torch.randint(len(allowed), (), generator=rng)]
    tags[torch.rand(tags.shape, generator=rng) < unknown] = UNKNOWN
    return tags
