"""A step of the tagger and its decoders, tried out before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
import torch
from spacy.tokens import Doc
from thinc.api import Model, xp2torch

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.decoder import has_posteriors, log_posteriors
from spacy_finegrained_ner.ml.shim import ModuleShim
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch
from spacy_finegrained_ner.nn.trial import told


def try_tok2vec(tok2vec: Model[Any, Any], docs: list[Doc]) -> None:
    """A TypeError where an encoder does not give a vector for each token of each Doc."""
    found = tok2vec.predict(docs)
    width = tok2vec.get_dim("nO") if tok2vec.has_dim("nO") else None
    expected = [(len(doc), width) for doc in docs]
    shapes: list[Any] = [getattr(one, "shape", ()) for one in found]
    kinds = {str(getattr(one, "dtype", None)) for one in found}
    if (
        len(shapes) != len(expected)
        or kinds != {"float32"}
        or any(
            len(shape) != 2 or shape[0] != tokens or width not in (None, shape[1])
            for shape, (tokens, width) in zip(shapes, expected, strict=True)
        )
    ):
        raise TypeError(
            f"The tok2vec {tok2vec.name!r} gives {len(shapes)} arrays of {sorted(kinds)} of the "
            f"shapes {shapes[:5]} for {len(docs)} texts, expected float32 of the shapes "
            f"{expected[:5]}: a vector for each token."
        )


def try_out(tagger: Model[Any, Any], decoders: Sequence[tuple[Any, TagSet]]) -> None:
    """Scores, losses, gradients and entities of two short texts of vectors of 0, with gold that
    says O. Nothing is left of it: no gradient, and no random number is drawn.

    decoders: of each task, with its tags.

    Raises a TypeError or a ValueError that names the decoder, for what is not what it should give.
    """
    shim, lengths = cast(ModuleShim, tagger.shims[0]), [3, 1]
    zeros = [tagger.ops.alloc2f(length, tagger.get_dim("nI")) for length in lengths]
    devices = [shim.device] if shim.device.type == "cuda" else []
    state = {name: buffer.clone() for name, buffer in shim.module.named_buffers()}
    with torch.random.fork_rng(devices=devices):
        what = "A layer of the tagger fails in training, on zeros of two texts of the lengths"
        with told(f"{what} {lengths}"):
            (batch,), backprop = tagger.begin_update(zeros)
    gradients = []
    for (decoder, tags), scores in zip(decoders, batch.tasks, strict=True):
        gold = [Gold.of_tags(np.zeros(length, np.int64), len(tags)) for length in lengths]
        kind = type(decoder).__name__
        gradient = _gradient(decoder, scores, lengths, gold, 1.0, 4)
        twice = _gradient(decoder, scores, lengths, gold, 2.0, 8)
        for one, other in zip(gradient, twice, strict=True):
            if one is not None and not torch.allclose(xp2torch(one), xp2torch(other), atol=1e-5):
                raise ValueError(
                    f"The loss of the decoder {kind} has another gradient with weight 2 and "
                    "divisor 8 than with weight 1 and divisor 4, expected the same: the gradient "
                    "of the summed loss, times weight / divisor."
                )
        gradients.append(gradient)
    backprop([ScoreBatch(gradients, batch.lengths, batch.rows)])
    shim.forget()
    for name, buffer in shim.module.named_buffers():
        buffer.copy_(state[name])
    decoder, tags = decoders[0]
    kind = type(decoder).__name__
    with told(f"The decoder {kind} fails on the scores of two texts of the lengths {lengths}"):
        entities = decoder.decode(batch.tasks[0], lengths)
    if not (
        isinstance(entities, list)
        and len(entities) == len(lengths)
        and all(
            isinstance(text, list) and all(_is_entity(e, n, tags) for e in text)
            for text, n in zip(entities, lengths, strict=True)
        )
    ):
        raise TypeError(
            f"The decoder {kind} gives {str(entities)[:80]} for two texts of the "
            f"lengths {lengths}, expected for each a list of entities: first token, the token "
            f"behind the last, and one of the labels {list(tags.labels)[:5]} ..."
        )
    if not has_posteriors(decoder):
        return
    with told(f"The posteriors of the decoder {kind} fail on two texts of the lengths {lengths}"):
        posteriors = decoder.posteriors(batch.tasks[0], lengths, 1.5)
        found = log_posteriors(posteriors, [(0, 0, 1)])
        posteriors.likely(0.5)
    if found.shape != (1, len(tags.labels)) or not (found <= 1e-6).all():
        raise ValueError(
            f"The posteriors of the decoder {kind} give {str(found)[:80]} for one span, expected "
            f"log probabilities of the shape {(1, len(tags.labels))}."
        )


def _gradient(
    decoder: Any,
    scores: Any,
    lengths: list[int],
    gold: list[Gold],
    weight: float,
    divisor: int,
) -> tuple[Any, ...]:
    kind = type(decoder).__name__
    what = f"The loss of the decoder {kind} fails on the scores of two texts of the lengths"
    with told(f"{what} {lengths}"):
        found = decoder.loss(scores, lengths, gold, weight, divisor)
    shapes = [array.shape for array in scores]
    if not (isinstance(found, tuple) and len(found) == 2 and _is_number(found[0])):
        raise TypeError(
            f"The loss of the decoder {kind} gives {str(found)[:80]}, expected a tuple of the "
            f"loss, a finite number, and its gradient: arrays of the shapes {shapes}."
        )
    gradient: Any = found[1]
    whole = isinstance(gradient, tuple) and len(gradient) == len(shapes)
    if not whole or any(
        got is not None and getattr(got, "shape", None) != shape
        for got, shape in zip(gradient, shapes, strict=True)
    ):
        raise TypeError(
            f"The loss of the decoder {kind} gives {str(gradient)[:80]} as gradient, expected a "
            f"tuple of arrays of the shapes {shapes} (all tags are known here)."
        )
    return tuple(gradient)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _is_entity(entity: Any, tokens: int, tags: TagSet) -> bool:
    if not (isinstance(entity, tuple) and len(entity) == 3):
        return False
    start, end, label = entity
    whole = isinstance(start, Integral) and isinstance(end, Integral)
    return whole and 0 <= start < end <= tokens and label in tags.labels
