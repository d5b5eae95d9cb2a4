"""From emissions to tags (prediction) and to a loss (training)."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from thinc.api import torch2xp, xp2torch
from thinc.types import Floats3d

from spacy_finegrained_ner.labels.bio import UNKNOWN, TagSet
from spacy_finegrained_ner.ml.tagger import Emissions
from spacy_finegrained_ner.nn.loss import IGNORE, loss_and_gradient
from spacy_finegrained_ner.nn.viterbi import viterbi

Tags = npt.NDArray[np.int64]


class LinearDecoder:
    """Tags of a linear head: a CRF whose transitions are fixed, 0 or forbidden. So the tags it
    gives are legal BIO whatever the emissions."""

    def __init__(self, tag_set: TagSet) -> None:
        def forbid(legal: npt.NDArray[np.bool_]) -> torch.Tensor:
            return torch.where(torch.from_numpy(legal), 0.0, -torch.inf)

        self.transitions = forbid(tag_set.legal_transitions)  # (tags, tags)
        self.starts = forbid(tag_set.legal_starts)  # (tags,)

    def decode(self, emissions: Emissions) -> list[Tags]:
        """Tag ids for each Doc, each of shape (tokens,).

        Raises a ValueError if the emissions are not finite: then the weights are broken, and no
        tag would mean anything.
        """
        scores = xp2torch(emissions.scores).float()
        if not torch.isfinite(scores).all():
            raise ValueError(
                "The model's emissions are not finite (NaN or infinite): its weights are broken. "
                "Load an earlier checkpoint, or train again with a lower learning rate."
            )
        lengths = torch.tensor(emissions.lengths, dtype=torch.long)
        device = scores.device
        paths = viterbi(scores, lengths, self.transitions.to(device), self.starts.to(device)).cpu()
        return [paths[i, :n].numpy() for i, n in enumerate(emissions.lengths)]

    def loss(self, emissions: Emissions, gold: list[Tags]) -> tuple[float, Emissions]:
        """Cross-entropy, the mean over tokens with a known tag, and its gradient.

        gold: for each Doc tag ids, UNKNOWN where the tag is not known.
        """
        scores = xp2torch(emissions.scores)
        tags = np.full(scores.shape[:2], IGNORE, dtype=np.int64)
        for row, doc_tags in zip(tags, gold, strict=True):
            row[: len(doc_tags)] = np.where(doc_tags == UNKNOWN, IGNORE, doc_tags)
        loss, gradient = loss_and_gradient(scores, torch.from_numpy(tags).to(scores.device))
        return float(loss), Emissions(cast(Floats3d, torch2xp(gradient)), emissions.lengths)
