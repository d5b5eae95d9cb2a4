"""Names in texts as evidence: vectors of tokens are moved by the names that they are in."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

PLACES = 4
"""Of a token in a name: first, inside, last, the only one."""
FIRST, _, _, ALONE = range(PLACES)
BLUR = 0.5
"""The part of a blurred vector that is dropped."""
CLOSED = -1.0
"""What the logit of a name is moved by at the start: a quarter of the attention."""


class NameAttention(nn.Module):
    """Each name in a text has a vector of what is known of it (types, topics, length, how ambiguous
    it is, how many sources have it) and of where it stands (the mean of its tokens, the tokens
    around it). A token attends to the names that it is in, and to none of them, whose logit is 0:
    that is the gate. So a token in no name keeps its vector, and many names move it no further
    than one.

    All parameters have names that begin with `head.names.`, so that optimizer groups can tell them
    from the encoder's, and from the rest of the head.

    width: of the vectors of tokens. hidden: of those of names. types, topics: how many there are.
    buckets: of length, ambiguity and number of sources.
    """

    def __init__(self, *, width: int, hidden: int, types: int, topics: int, buckets: int) -> None:
        super().__init__()
        self.sizes = {"width": width, "hidden": hidden, "types": types, "topics": topics}
        self.sizes["buckets"] = buckets
        names = nn.ModuleDict(
            {
                # Row 0: a type or a topic that is not known
                "types": nn.EmbeddingBag(types + 1, hidden, mode="sum"),
                "topics": nn.EmbeddingBag(topics + 1, hidden, mode="sum"),
                "length": nn.Embedding(buckets, hidden),
                "ambiguity": nn.Embedding(buckets, hidden),
                "sources": nn.Embedding(buckets, hidden),
                "context": nn.Linear(width, hidden),
                "name": nn.Linear(4 * hidden, hidden),
                # Without it, what is summed grows until no name is let in, and none learns any more
                "norm": nn.LayerNorm(hidden),
                "logit": nn.Linear(hidden, 1),
                "worth": nn.Linear(hidden, 1),
                "out": nn.Linear(PLACES * hidden, width, bias=False),
            }
        )
        cast(nn.Linear, names["logit"]).bias.data.fill_(CLOSED)
        # At first a name says nothing of the tags
        for parameter in names["worth"].parameters():
            nn.init.zeros_(parameter)
        self.head = nn.ModuleDict({"names": names})

    def forward(
        self,
        vectors: Tensor,
        length: Tensor,
        ambiguity: Tensor,
        sources: Tensor,
        before: Tensor,
        after: Tensor,
        type_rows: Tensor,
        type_weights: Tensor,
        type_starts: Tensor,
        topic_rows: Tensor,
        topic_weights: Tensor,
        topic_starts: Tensor,
        token: Tensor,
        name: Tensor,
        place: Tensor,
        blurred: Tensor | None = None,
    ) -> Tensor:
        """vectors: *Shape:* (tokens, width), of all texts one after the other. The others: as
        `knowledge.evidence.Evidence` has them. blurred: of which tokens half of the vector is
        dropped, *Shape:* (tokens,). *Shape* of the result: (tokens, width + 2 * types).
        """
        if blurred is not None:
            vectors = torch.where(blurred[:, None], functional.dropout(vectors, BLUR), vectors)
        head = cast(nn.ModuleDict, self.head["names"])
        tokens, names = len(vectors), len(length)
        if not names:
            return functional.pad(vectors, (0, 2 * self.sizes["types"]))
        # (names, hidden)
        known = (
            head["types"](type_rows, type_starts, per_sample_weights=type_weights)
            + head["topics"](topic_rows, topic_starts, per_sample_weights=topic_weights)
            + head["length"](length)
            + head["ambiguity"](ambiguity)
            + head["sources"](sources)
        )
        # (tokens + 1, hidden); the last row is no token
        context = functional.pad(head["context"](vectors), (0, 0, 0, 1))
        inside = context.new_zeros(names, context.shape[1]).index_add(0, name, context[token])
        inside = inside / torch.bincount(name, minlength=names)[:, None]
        parts = [known, inside, context[before], context[after]]
        # (names, hidden)
        value = functional.gelu(head["norm"](head["name"](torch.cat(parts, dim=1))))
        logit = head["logit"](value)[:, 0]  # (names,)

        # Of each token over the names that it is in, and none; 0 is the least that a maximum can be
        # In half precision a sum of many would end; (pairs,)
        of_pair = logit[name].to(torch.promote_types(logit.dtype, torch.float32))
        most = of_pair.new_zeros(tokens).scatter_reduce(0, token, of_pair.detach(), "amax")
        weight = torch.exp(of_pair - most[token])
        total = torch.exp(-most).index_add(0, token, weight)
        weight = (weight / total[token]).to(value.dtype)
        slots = value.new_zeros(tokens * PLACES, value.shape[1])
        slots = slots.index_add(0, token * PLACES + place, weight[:, None] * value[name])
        moved = head["out"](slots.view(tokens, -1))
        # A vector of 0 is none: what counts such tokens shall find them
        there = vectors.any(dim=1, keepdim=True)

        # What the types of a name add to the scores of their tags: as much for each type, so that
        # it is learned of all of them
        worth = head["worth"](value)[:, 0]  # (names,)
        counts = torch.diff(type_starts, append=type_starts.new_tensor([len(type_rows)]))
        whose = torch.repeat_interleave(counts)
        shares = value.new_zeros(names, self.sizes["types"] + 1)
        shares = shares.index_put((whose, type_rows), type_weights.to(value.dtype), accumulate=True)
        said = shares[:, 1:] * worth[:, None]  # (names, types)
        tags = value.new_zeros(2 * tokens, said.shape[1])
        inner = 2 * token + ((place != FIRST) & (place != ALONE)).long()
        tags = tags.index_add(0, inner, weight[:, None] * said[name])
        # (tokens, types, 2): that of B and of I
        tags = tags.view(tokens, 2, -1).transpose(1, 2).flatten(1)
        return torch.cat([vectors + moved * there, tags * there], dim=1)
