"""A step of the tagger and its decoders, tried out before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from thinc.api import Model

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.ml.shim import ModuleShim
from spacy_finegrained_ner.ml.tagger import Emissions


def try_out(tagger: Model[Any, Any], decoders: Sequence[tuple[Any, TagSet]]) -> None:
    """Scores, losses, gradients and entities of two short texts of vectors of 0, with gold that
    says O. Nothing is left of it: no gradient, and no random number is drawn.

    decoders: of each task, with its tags.

    Raises a TypeError or a ValueError that names the decoder, for what is not what it should give.
    """
    shim, lengths = cast(ModuleShim, tagger.shims[0]), [3, 1]
    zeros = [tagger.ops.alloc2f(length, tagger.get_dim("nI")) for length in lengths]
    devices = [shim.device] if shim.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        (emissions,), backprop = tagger.begin_update(zeros)
    gradients = []
    for (decoder, tags), scores in zip(decoders, emissions.tasks, strict=True):
        kind, size = type(decoder).__name__, len(tags)
        gold = [Gold.of_tags(np.zeros(length, np.int64), size) for length in lengths]
        try:
            found = decoder.loss(scores, lengths, gold, 1.0, 4)
        except Exception as error:
            raise ValueError(
                f"The loss of the decoder {kind} fails on the scores of two texts of the lengths "
                f"{lengths}: {type(error).__name__}: {error}."
            ) from error
        shapes = [array.shape for array in scores]
        if not (isinstance(found, tuple) and len(found) == 2 and _is_number(found[0])):
            raise TypeError(
                f"The loss of the decoder {kind} gives {str(found)[:80]}, expected a tuple of the "
                f"loss, a number, and its gradient: arrays of the shapes {shapes}."
            )
        gradient = found[1]
        if not (isinstance(gradient, tuple) and len(gradient) == len(shapes)) or any(
            got is not None and got.shape != shape
            for got, shape in zip(gradient, shapes, strict=True)
        ):
            raise TypeError(
                f"The loss of the decoder {kind} gives {str(gradient)[:80]} as gradient, expected "
                f"a tuple of arrays of the shapes {shapes}."
            )
        gradients.append(gradient)
    backprop([Emissions(gradients, emissions.lengths, emissions.rows)])
    shim.forget()
    decoder, tags = decoders[0]
    try:
        entities = decoder.decode(emissions.tasks[0], lengths)
    except Exception as error:
        raise ValueError(
            f"The decoder {type(decoder).__name__} fails on the scores of two texts of the lengths "
            f"{lengths}: {type(error).__name__}: {error}."
        ) from error
    if not (
        isinstance(entities, list)
        and len(entities) == len(lengths)
        and all(
            isinstance(text, list) and all(_is_entity(e, n, tags) for e in text)
            for text, n in zip(entities, lengths, strict=True)
        )
    ):
        raise TypeError(
            f"The decoder {type(decoder).__name__} gives {str(entities)[:80]} for two texts of the "
            f"lengths {lengths}, expected for each a list of entities: first token, the token "
            f"behind the last, and one of the labels {list(tags.labels)[:5]} ..."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and np.isfinite(value)


def _is_entity(entity: Any, tokens: int, tags: TagSet) -> bool:
    if not (isinstance(entity, tuple) and len(entity) == 3):
        return False
    start, end, label = entity
    whole = isinstance(start, int) and isinstance(end, int)
    return whole and 0 <= start < end <= tokens and label in tags.labels
