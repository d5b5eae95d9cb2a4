"""The torch module between the encoder's vectors and the emissions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchcrf import CRF

from spacy_finegrained_ner.nn.blending import Projected
from spacy_finegrained_ner.nn.dropout import Dropout
from spacy_finegrained_ner.nn.trial import made

BuildLayer = Callable[[int], nn.Module]
"""Makes a layer for vectors of a width. The layer takes (vectors, lengths) and has `width_out`."""


TASKS = ("fine", "auxiliary")
"""Names of their heads."""


class Head(nn.Module):
    """Emissions of the tags of one task and, for a CRF, the parameters of its transitions."""

    def __init__(self, width: int, tags: int, *, crf: bool, blending: BuildLayer | None) -> None:
        super().__init__()
        self.emissions = nn.Linear(width, tags)
        layer = made(blending, tags, "blending")[0] if blending else None
        self.blending = None if layer is None else Projected(layer, tags)
        # Holds the parameters; loss and decoding are our own (nn.crf, nn.viterbi).
        self.crf = CRF(tags, batch_first=True) if crf else None

    def forward(self, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        emissions = self.emissions(vectors)
        if self.blending is not None:
            emissions = self.blending(emissions, lengths)
        if self.crf is None:
            return (emissions,)
        crf = self.crf
        return emissions, crf.transitions, crf.start_transitions, crf.end_transitions


class TaggerModule(nn.Module):
    """Sequence layer, dropout, blending, and a head for each task.

    The order is that of the paper's code: BiLSTM, leaky ReLU, dropout, blending, linear layer.
    `place` puts the blending before the sequence layer ("vectors"), behind it ("sequence"), or
    behind the linear layers ("emissions").

    All parameters have names that begin with `head.`, so that optimizer groups can tell them from
    the encoder's.

    width: of the input. tags: the number of tags of the tasks: the fine tags, then those of the
        auxiliary task if there is one. evidence: whether the last numbers of the input are what is
        added to the emissions of the fine tags, but for O (see `nn.knowledge`).
    """

    def __init__(
        self,
        *,
        width: int,
        tags: list[int],
        dropout: float,
        sequence: BuildLayer | None,
        blending: BuildLayer | None,
        place: str,
        crf: bool,
        evidence: bool = False,
    ) -> None:
        super().__init__()
        self.sizes = {"width": width, "tags": list(tags)}
        self.head = nn.ModuleDict({"dropout": Dropout(dropout)})
        self.told = tags[0] - 1 if evidence else 0
        width -= self.told

        def add(name: str, build: BuildLayer) -> None:
            nonlocal width
            setting = "sequence" if name == "sequence" else "blending"
            self.head[name], width = made(build, width, setting)

        if blending is not None and place == "vectors":
            add("blended_vectors", blending)
        if sequence is not None:
            add("sequence", sequence)
        if blending is not None and place == "sequence":
            add("blended_sequence", blending)
        on_emissions = blending if place == "emissions" else None
        for name, size in zip(TASKS, tags, strict=False):
            self.head[name] = Head(width, size, crf=crf, blending=on_emissions)

    def forward(self, vectors: Tensor, lengths: Tensor) -> list[tuple[Tensor, ...]]:
        """For each task: emissions, *Shape:* (batch, tokens, tags); and for a CRF its transitions
        (tags, tags), starts and ends (tags,), which so get their gradient from the same loss.

        In prediction only the first task's.

        vectors: *Shape:* (batch, tokens, width), padded. lengths: *Shape:* (batch,).
        """
        width = vectors.shape[2] - self.told
        vectors, told = vectors[..., :width], vectors[..., width:]
        for name in ("blended_vectors", "sequence", "dropout", "blended_sequence"):
            if name == "dropout":
                vectors = self.head[name](vectors)
            elif name in self.head:
                vectors = self.head[name](vectors, lengths)
        tasks = TASKS if self.training else TASKS[:1]
        found = [self.head[name](vectors, lengths) for name in tasks if name in self.head]
        if self.told:
            emissions, *crf = found[0]
            found[0] = (emissions + functional.pad(told, (1, 0)), *crf)
        return found

    def take_over(self, old: TaggerModule, places: list[Tensor]) -> None:
        """Take the weights of a module of the same parts with other tags: those of a tag that both
        have are what they were there, and the others stay as they are here.

        places: of each task, for each tag here its id there, or -1. *Shape:* (tags,).
        Raises a ValueError for parts that differ, or that mix the tags (blending on the emissions).
        """
        by_task = {f"head.{name}.": ids for name, ids in zip(TASKS, places, strict=False)}
        theirs = old.state_dict()
        state = self.state_dict()
        if state.keys() != theirs.keys():
            raise ValueError("The two modules have other parts: weights can't be taken over.")
        for name, mine in state.items():
            ids = next((ids for start, ids in by_task.items() if name.startswith(start)), None)
            known = None if ids is None else torch.nonzero(ids >= 0).flatten()
            last = name.rpartition(".")[2]
            if ids is None or known is None:
                mine.copy_(theirs[name])
            elif ".blending." in name:
                raise ValueError(
                    "A blending of the emissions mixes all tags: such a head can't get more of "
                    'them. Train anew, or with place = "sequence".'
                )
            elif last == "transitions":
                mine[known[:, None], known] = theirs[name][ids[known][:, None], ids[known]]
            else:
                mine[known] = theirs[name][ids[known]]
