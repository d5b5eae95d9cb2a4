"""From emissions to entities (prediction), and with gold to a loss (training)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from thinc.api import torch2xp, xp2torch
from torch import Tensor

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.gold import Gold, Sets, SoftTargets
from spacy_finegrained_ner.ml.tagger_layer import TaskScores
from spacy_finegrained_ner.nn.crf import Expectations, expectations_of_each
from spacy_finegrained_ner.nn.crf_loss import crf_cross_entropy, within
from spacy_finegrained_ner.nn.loss import token_cross_entropy
from spacy_finegrained_ner.nn.posteriors import SpanPosteriors, span_posteriors
from spacy_finegrained_ner.nn.viterbi import viterbi


class Decoder:
    """The scores of one task as a linear-chain model that never gives illegal BIO.

    With a CRF, forbidden starts and transitions have the probability 0 in training and in
    prediction. A linear head is a CRF whose transitions are fixed, 0 or forbidden, in prediction;
    its loss is that of each token on its own.

    Another one overrides `cost`, for another loss; or `decode` and `loss`, which are all that
    the component needs. Where it overrides `decode`, its entities have a confidence if it has
    `posteriors` of its own too. It can be pickled.
    """

    def __init__(self, tag_set: TagSet) -> None:
        self.tag_set = tag_set
        # (tags, tags) and (tags,), by device
        self._forbidden = {torch.device("cpu"): _forbidden(tag_set)}

    def decode(self, scores: TaskScores, lengths: list[int]) -> list[list[Entity]]:
        """The entities of each Doc.

        Raises a ValueError if the scores are not finite: then the weights are broken, and no
        entity would mean anything.
        """
        tensors = [xp2torch(cast(Any, array)).float() for array in scores]
        device = tensors[0].device
        sizes = torch.tensor(lengths).to(device, non_blocking=True)
        paths = viterbi(tensors[0], sizes, *self._constrained(*tensors))
        bounds = [bound for tensor in tensors if tensor.numel() for bound in tensor.aminmax()]
        finite = torch.isfinite(torch.stack(bounds)).all() if bounds else paths.new_ones(())
        # One transfer: the device is waited for once
        found = torch.cat([paths.flatten(), finite.long().view(1)]).cpu().numpy()
        if not found[-1]:
            raise ValueError(
                "The model's emissions are not finite (NaN or infinite): its weights are broken. "
                "Load an earlier checkpoint, or train again with a lower learning rate."
            )
        tags = found[:-1].reshape(paths.shape)
        return [self.tag_set.decode(tags[i, :n]) for i, n in enumerate(lengths)]

    def posteriors(
        self, scores: TaskScores, lengths: list[int], temperature: float = 1.0
    ) -> SpanPosteriors:
        """How probable each entity is, exact, under what `decode` takes the best path of: also for
        a linear head the distribution over legal BIO.

        temperature: what all scores are divided by.
        """
        tensors = _tempered(scores, temperature)
        device = tensors[0].device
        begin = torch.arange(1, len(self.tag_set), 2, device=device)
        sizes = torch.tensor(lengths).to(device, non_blocking=True)
        crf = self._constrained(*tensors)
        return span_posteriors(tensors[0], sizes, *crf, begin, begin + 1)

    def soft_targets(
        self,
        scores: TaskScores,
        lengths: list[int],
        allowed: Sequence[Sets],
        temperature: float = 1.0,
    ) -> list[SoftTargets]:
        """What a student may learn of each text, exact, of the same distribution as `posteriors`.

        allowed: of each text the tags that may be right, *Shape:* (tokens, tags): paths through
            others count as impossible.
        Raises a ValueError where no legal BIO is allowed.
        """
        emissions, *rest = _tempered(scores, temperature)
        device = emissions.device
        padded = np.ones(emissions.shape, dtype=bool)
        for row, one in zip(padded, allowed, strict=True):
            row[: len(one)] = one
        sizes = torch.tensor(lengths).to(device, non_blocking=True)
        crf = self._constrained(emissions, *rest)
        held = within(emissions, torch.from_numpy(padded).to(device))
        found = [
            (marginals.cpu().numpy(), pairs.cpu().numpy())
            for marginals, pairs in expectations_of_each(held, sizes, *crf)
        ]
        if not all(np.allclose(marginals.sum(axis=1), 1.0) for marginals, _ in found):
            raise ValueError("The allowed tags of a text leave no legal BIO.")
        return [SoftTargets(*pair) for pair in found]

    def loss(
        self,
        scores: TaskScores,
        lengths: list[int],
        gold: Sequence[Gold],
        weight: float = 1.0,
        divisor: int = 0,
    ) -> tuple[float, TaskScores | None]:
        """The loss per token of which something is known (not weighted), and the gradient of
        `weight` times the loss with respect to each of the scores: None where nothing is known,
        of all tokens or (the transitions under soft targets) of one of the scores.

        divisor: what the sum is divided by in place of the number of those tokens, if not 0.

        Raises a ValueError if the gold does not fit the scores, or allows no legal BIO: a CRF
        can't learn that.
        """
        check_gold(self.tag_set, lengths, gold)
        total = sum(int(one.known.sum()) for one in gold)
        if not total:
            return 0.0, None
        leaves = [xp2torch(cast(Any, array)).float().requires_grad_() for array in scores]
        device = leaves[0].device
        with torch.enable_grad():
            losses = []
            crf = self._constrained(*leaves) if len(leaves) > 1 else ()
            for rows, targets, all_known in _targets(gold, leaves[0]):
                some = leaves[0] if len(rows) == len(gold) else leaves[0][rows]
                sizes = torch.tensor([lengths[row] for row in rows])
                sizes = sizes.to(device, non_blocking=True)
                losses.append(self.cost(some, targets, sizes, crf, all_known))
            loss = sum(losses[1:], losses[0])
            factor = torch.full_like(loss, weight / (divisor or total))
            gradients = torch.autograd.grad(loss, leaves, factor, allow_unused=True)
        mean = loss.item() / (divisor or total)
        if np.isinf(mean):
            raise ValueError(
                "The gold tags of a Doc are no legal BIO: an I- tag does not go on with what is "
                "before it. Mark the tag before it as not known (-), or as B-. (Of sets of allowed "
                "tags: they leave no way through; of soft targets: they expect what is no BIO.)"
            )
        found = tuple(None if g is None else cast(Any, torch2xp(g)) for g in gradients)
        return mean, cast(TaskScores, found)

    def cost(
        self,
        emissions: Tensor,
        gold: Tensor | Expectations,
        lengths: Tensor,
        crf: tuple[Tensor, ...],
        all_known: bool,
    ) -> Tensor:
        """The loss of some texts, summed over tokens: a scalar that autograd can go back from.

        emissions: *Shape:* (batch, tokens, tags). lengths: *Shape:* (batch,).
        gold: ids, UNKNOWN where they are not known and in the padding, *Shape:* (batch, tokens); or
            sets of allowed tags (bool), *Shape:* (batch, tokens, tags); or soft targets.
        crf: transitions, starts and ends, -inf where forbidden; () without.
        all_known: whether gold is the known id of every token.
        """
        if crf:
            return crf_cross_entropy(emissions, gold, lengths, *crf, all_known=all_known)
        return token_cross_entropy(
            emissions, gold.marginals if isinstance(gold, Expectations) else gold
        )

    def _constrained(self, emissions: Tensor, *crf: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions, starts and ends, -inf where they are forbidden."""
        device, size = emissions.device, emissions.shape[2]
        if device not in self._forbidden:
            masks = self._forbidden[torch.device("cpu")]
            self._forbidden[device] = tuple(mask.to(device) for mask in masks)
        transitions, starts, ends = crf or (
            emissions.new_zeros(shape) for shape in ((size, size), (size,), (size,))
        )
        not_there, not_first = self._forbidden[device]
        return (
            transitions.masked_fill(not_there, -torch.inf),
            starts.masked_fill(not_first, -torch.inf),
            ends,
        )


def _tempered(scores: TaskScores, temperature: float) -> list[Tensor]:
    """As float64, divided by the temperature."""
    tensors = [xp2torch(cast(Any, array)) for array in scores]
    if tensors[0].device.type == "mps":  # has no float64
        tensors = [tensor.cpu() for tensor in tensors]
    return [tensor.double() / temperature for tensor in tensors]


def has_posteriors(decoder: Any) -> bool:
    """Whether a decoder knows how probable the entities are that it gives: one that decodes in a
    way of its own does not by what it inherits."""
    kind = type(decoder)
    theirs = getattr(kind, "posteriors", None)
    ours = theirs is Decoder.posteriors
    return theirs is not None and (not ours or kind.decode is Decoder.decode)


def log_posteriors(
    posteriors: SpanPosteriors, spans: Sequence[tuple[int, int, int]]
) -> npt.NDArray[np.float64]:
    """Of spans (row, start, end), by label. *Shape:* (spans, labels)."""
    found: npt.NDArray[np.float64] = posteriors.of(*torch.tensor(spans).T).cpu().numpy()
    return found


@dataclass(frozen=True)
class Decoding:
    """A kind of decoder. build: makes it for a tag set. transitions: whether the model learns
    those of a CRF, so that scores have them."""

    build: Callable[[TagSet], Any]
    transitions: bool = False


DECODINGS = {"crf": Decoding(Decoder, transitions=True), "linear": Decoding(Decoder)}
"""By their short names in the config."""


def check_gold(tag_set: TagSet, lengths: list[int], gold: Sequence[Gold]) -> None:
    """A ValueError for gold of other tokens than the Docs have, or of tags that there are not."""
    for tokens, one in zip(lengths, gold, strict=True):
        if (len(one), one.size) != (tokens, len(tag_set)):
            raise ValueError(
                f"The gold of a Doc has the shape {(len(one), one.size)}, expected "
                f"{(tokens, len(tag_set))}: its tokens, and the tags of the task."
            )
    ids = np.concatenate([np.zeros(0, np.int64), *(one.tags for one in gold)])
    if len(ids) and not UNKNOWN <= ids.min() <= ids.max() < len(tag_set):
        raise ValueError(
            f"The gold has tag ids from {ids.min()} to {ids.max()}, expected some from 0 to "
            f"{len(tag_set) - 1}, and {UNKNOWN} for what is not known."
        )


def _forbidden(tag_set: TagSet) -> tuple[Tensor, ...]:
    legal = (tag_set.legal_transitions, tag_set.legal_starts)
    return tuple(~torch.from_numpy(mask) for mask in legal)


def _targets(
    gold: Sequence[Gold], emissions: Tensor
) -> Iterator[tuple[list[int], Tensor | Expectations, bool]]:
    """Rows of the batch whose gold is of one form, it as tensors on the emissions' device, and
    whether it is a known tag of each token."""
    _, tokens, tags = emissions.shape
    hard = [i for i, one in enumerate(gold) if one.soft is None]
    # What is known as a whole is counted, which takes a sixteenth of the time of a sum over paths;
    # and of what is not known at all nothing is learned
    whole = [i for i in hard if (gold[i].tags != UNKNOWN).all()]
    partly = [i for i in hard if i not in whole and gold[i].known.any()]
    for rows in (whole, partly):
        if not rows:
            continue
        padded: Any
        if any(gold[i].sets is not None for i in rows):
            padded = np.ones((len(rows), tokens, tags), dtype=bool)
            for row, i in zip(padded, rows, strict=True):
                row[: len(gold[i])] = gold[i].allowed
        else:
            padded = np.full((len(rows), tokens), UNKNOWN, dtype=np.int64)
            for row, i in zip(padded, rows, strict=True):
                row[: len(gold[i])] = gold[i].tags
        tensor = torch.from_numpy(padded).to(emissions.device, non_blocking=True)
        yield rows, tensor, rows is whole and tensor.dim() == 2
    for with_transitions in (True, False):
        soft = [
            (i, one.soft)
            for i, one in enumerate(gold)
            if one.soft is not None and (one.soft.transitions is not None) == with_transitions
        ]
        if soft:
            marginals = np.zeros((len(soft), tokens, tags))
            for row, (_, teacher) in zip(marginals, soft, strict=True):
                row[: len(teacher.marginals)] = teacher.marginals
            pairs = sum(cast(Any, teacher.transitions) for _, teacher in soft if with_transitions)
            yield (
                [i for i, _ in soft],
                Expectations(
                    emissions.new_zeros(()),
                    torch.from_numpy(marginals).to(emissions),
                    torch.as_tensor(pairs).to(emissions) if with_transitions else None,
                ),
                False,
            )
