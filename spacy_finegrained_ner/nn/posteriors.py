"""How probable an entity is: the posterior of a span and its label under a linear-chain CRF of BIO
tags, exact, by its forward-backward algorithm (Rabiner 1989; for spans Culotta and McCallum 2004).

A linear head, whose decoder forbids what is no BIO, is such a CRF with transitions of 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spacy_finegrained_ner.nn.crf import forward_backward
from spacy_finegrained_ner.nn.lengths import check_lengths


@dataclass
class SpanPosteriors:
    """Of a batch of sequences, in log space and float64.

    begins: the probability that an entity of a label begins at a token. second: that the one that
    began just before goes on there. further: that one that began earlier and is at the token
    before goes on there; both conditional on that entity. *Shape:* (batch, tokens + 1, labels);
    nothing begins or goes on behind the end of a sequence.
    """

    begins: Tensor
    second: Tensor
    further: Tensor

    def of(self, rows: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
        """The log probability that there is an entity from exactly `starts` up to `ends`
        (exclusive), for each label it may have.

        rows, starts, ends: *Shape:* (spans,), on any device. Returns *Shape:* (spans, labels).
        """
        longest = int((ends - starts).max()) if len(rows) else 0
        rows, starts, ends = (x.to(self.begins.device) for x in (rows, starts, ends))
        total = self.begins[rows, starts]
        for place in range(1, longest):
            at = (starts + place).clamp(max=self.begins.shape[1] - 1)
            goes_on = (self.second if place == 1 else self.further)[rows, at]
            total = total + goes_on.masked_fill((at >= ends).unsqueeze(1), 0.0)
        short = (ends - starts == 1).unsqueeze(1)
        goes_on = torch.where(short, self.second[rows, ends], self.further[rows, ends])
        return total + _not(goes_on)

    def likely(self, at_least: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """All spans and labels whose posterior is at least `at_least` (above 0): they may overlap.

        RETURNS: rows, starts, ends (exclusive), labels (by number) and log posteriors, each of the
        *Shape:* (spans,). None is more probable than that it begins: so there are at most
        tokens / at_least, and few are looked at.
        """
        bound = torch.log(torch.tensor(at_least, dtype=self.begins.dtype))
        rows, starts, labels = (self.begins >= bound).nonzero(as_tuple=True)
        total, ends = self.begins[rows, starts, labels], starts + 1
        found: list[list[Tensor]] = []
        while len(rows):
            table = self.further if found else self.second
            goes_on = table[rows, ends, labels]
            posterior = total + _not(goes_on)
            here = posterior >= bound
            found.append([x[here] for x in (rows, starts, ends, labels, posterior)])
            total = total + goes_on
            more = total >= bound
            rows, starts, labels, total = (x[more] for x in (rows, starts, labels, total))
            ends = ends[more] + 1
        if not found:
            return rows, starts, ends, labels, total
        spans = [torch.cat(parts) for parts in zip(*found, strict=True)]
        return spans[0], spans[1], spans[2], spans[3], spans[4]


def span_posteriors(
    emissions: Tensor,
    lengths: Tensor,
    transitions: Tensor,
    starts: Tensor,
    ends: Tensor,
    begin: Tensor,
    inside: Tensor,
) -> SpanPosteriors:
    """Parameters are those of `nn.crf`, with -inf for what is no BIO.

    begin, inside: the ids of the tags B and I of each label. *Shape:* (labels,).
    """
    check_lengths(lengths, emissions)
    batch, tokens, _ = emissions.shape
    if not batch or not tokens:
        none = emissions.new_full((batch, tokens + 1, len(begin)), -torch.inf, dtype=torch.double)
        return SpanPosteriors(none, none, none)
    # In float64: a product of many conditional probabilities, each a difference of scores
    emissions, transitions, starts, ends = (
        tensor.double() for tensor in (emissions, transitions, starts, ends)
    )
    found = forward_backward(emissions, lengths, transitions, starts, ends)
    onwards, after = found.onwards(lengths)[:, 1:, inside], found.after[:, :-1]
    place = torch.arange(tokens, device=emissions.device).unsqueeze(1)
    real = place < lengths.view(-1, 1, 1)

    def behind(log: Tensor) -> Tensor:
        return torch.nn.functional.pad(log, (0, 0, 0, 1), value=-torch.inf)

    def goes_on(tag: Tensor) -> Tensor:
        """From the tag of each label to its inside: how likely, given the first."""
        # What can't be reached has the probability 0; its -inf must not meet that of its origin.
        origin = after[:, :, tag]
        log = transitions[tag, inside] + onwards - origin.masked_fill(origin.isinf(), 0.0)
        log = log.masked_fill(~real[:, 1:], -torch.inf).clamp(max=0.0)
        return behind(torch.nn.functional.pad(log, (0, 0, 1, 0), value=-torch.inf))

    begins = found.marginals[:, :, begin].log().masked_fill(~real, -torch.inf)
    return SpanPosteriors(behind(begins), goes_on(begin), goes_on(inside))


def _not(log: Tensor) -> Tensor:
    """The log probability that something of this log probability is not the case."""
    return torch.log1p(-log.exp())
