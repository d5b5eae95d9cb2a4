"""From emissions to tags (prediction) and to a loss (training)."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from thinc.api import torch2xp, xp2torch
from torch import Tensor

from spacy_finegrained_ner.labels.bio import UNKNOWN, TagSet
from spacy_finegrained_ner.ml.tagger import Scores
from spacy_finegrained_ner.nn.crf import crf_loss
from spacy_finegrained_ner.nn.loss import IGNORE, token_cross_entropy
from spacy_finegrained_ner.nn.viterbi import viterbi

Tags = npt.NDArray[np.int64]


class Decoder:
    """The scores of one task as a linear-chain model that never gives illegal BIO.

    With a CRF, forbidden starts and transitions have the probability 0 in training and in
    prediction. A linear head is a CRF whose transitions are fixed, 0 or forbidden, in prediction;
    its loss is that of each token on its own.
    """

    def __init__(self, tag_set: TagSet) -> None:
        self.legal_transitions = torch.from_numpy(tag_set.legal_transitions)  # (tags, tags)
        self.legal_starts = torch.from_numpy(tag_set.legal_starts)  # (tags,)

    def decode(self, scores: Scores, lengths: list[int]) -> list[Tags]:
        """Tag ids for each Doc, each of shape (tokens,).

        Raises a ValueError if the scores are not finite: then the weights are broken, and no tag
        would mean anything.
        """
        tensors = [xp2torch(cast(Any, array)).float() for array in scores]
        if not all(torch.isfinite(tensor).all() for tensor in tensors):
            raise ValueError(
                "The model's emissions are not finite (NaN or infinite): its weights are broken. "
                "Load an earlier checkpoint, or train again with a lower learning rate."
            )
        paths = viterbi(tensors[0], torch.tensor(lengths), *self._constrained(*tensors)).cpu()
        return [paths[i, :n].numpy() for i, n in enumerate(lengths)]

    def loss(
        self, scores: Scores, lengths: list[int], gold: list[Tags], weight: float = 1.0
    ) -> tuple[float, Scores]:
        """The loss per token with a known tag (not weighted), and the gradient of `weight` times
        the loss with respect to each of the scores.

        gold: for each Doc tag ids, UNKNOWN where the tag is not known.
        Raises a ValueError if gold tags are no legal BIO: a CRF can't learn them.
        """
        leaves = [xp2torch(cast(Any, array)).float().requires_grad_() for array in scores]
        emissions = leaves[0]
        padded = np.full(emissions.shape[:2], IGNORE, dtype=np.int64)
        for row, tags in zip(padded, gold, strict=True):
            row[: len(tags)] = np.where(tags == UNKNOWN, IGNORE, tags)
        gold_tags = torch.from_numpy(padded).to(emissions.device)
        with torch.enable_grad():
            if len(leaves) == 1:
                loss = token_cross_entropy(emissions, gold_tags)
            else:
                loss = crf_loss(
                    emissions,
                    gold_tags,
                    torch.tensor(lengths, device=emissions.device),
                    *self._constrained(*leaves),
                )
            gradients = torch.autograd.grad(loss, leaves, torch.full_like(loss, weight))
        if torch.isinf(loss):
            raise ValueError(
                "The gold tags of a Doc are no legal BIO: an I- tag does not go on with what is "
                "before it. Mark the tag before it as not known (-), or as B-."
            )
        return float(loss.detach()), tuple(cast(Any, torch2xp(g)) for g in gradients)

    def _constrained(self, emissions: Tensor, *crf: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions, starts and ends, -inf where they are forbidden."""
        device = emissions.device
        free = emissions.new_zeros(())
        transitions, starts, ends = crf or (free, free, emissions.new_zeros(emissions.shape[2]))
        return (
            torch.where(self.legal_transitions.to(device), transitions, -torch.inf),
            torch.where(self.legal_starts.to(device), starts, -torch.inf),
            ends,
        )
