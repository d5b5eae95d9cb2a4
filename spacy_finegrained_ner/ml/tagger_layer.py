"""The torch tagger as a thinc layer: lists of arrays in, padded scores out, and back.

This is the only file where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, cast

import numpy as np
import srsly
import torch
from thinc.api import ArgsKwargs, Model, get_width, torch2xp, xp2torch
from thinc.types import Floats2d, FloatsXd
from torch import Tensor

from spacy_finegrained_ner.ml.by_length import by_length
from spacy_finegrained_ner.ml.shim import ModuleShim, Precision
from spacy_finegrained_ner.nn.tagger_module import TaggerModule

_PADDED_TOKENS = {"cpu": 2048, "cuda": 32768}
"""Of a batch in prediction."""

BuildModule = Callable[[int, list[int]], TaggerModule]
"""Makes the module from the width of the vectors and the number of tags of each task."""

TaskScores = tuple[FloatsXd, ...]
"""Of one task: emissions, *Shape:* (docs, tokens, tags), padded; and for a CRF its transitions,
*Shape:* (tags, tags), starts and ends, *Shape:* (tags,)."""


@dataclass
class ScoreBatch:
    """What the tagger puts out for Docs, and (as gradient) what it takes back.

    tasks: the scores of the fine tags and, in training, of the auxiliary task if there is one. As
    gradient, None stands for a task, or one of its scores, that is left out of the backward pass.
    lengths: tokens of each Doc. rows: which Docs these are, by their place in the batch.
    blank: in prediction, 1 for tokens whose vector is 0; *Shape:* (docs, tokens).
    """

    tasks: Sequence[TaskScores | None]
    lengths: list[int]
    rows: Sequence[int]
    blank: FloatsXd | None = None


def build_tagger_layer(
    build: BuildModule, precision: Precision = "fp32"
) -> Model[list[Floats2d], list[ScoreBatch]]:
    """An empty layer; the torch module is built by `initialize` or `from_bytes`, when its sizes
    are known. Before `initialize`, set the dims nO (number of fine tags) and nA (number of tags
    of the auxiliary task, 0 for none); nI is read off the input.

    What comes out is in batches of Docs of about one length, so that a long one does not pad the
    others; in training it is one batch.

    build: can be pickled, as the model then can.
    """

    # Partials, not closures: those can't be pickled (workers of nlp.pipe that are spawned).
    deserialize = partial(_deserialize, build=build)
    return Model(
        "tagger",
        _forward,
        init=partial(_init, build=build),
        shims=[
            ModuleShim(
                None,
                serialize_model=_serialize,
                deserialize_model=deserialize,
                precision=precision,
            )
        ],
        dims={"nI": None, "nO": None, "nA": None},
    )


def is_built(model: Model[Any, Any]) -> bool:
    """Whether the torch module of the layer is there."""
    return model.shims[0]._model is not None


def grow(model: Model[Any, Any], places: list[list[int]]) -> None:
    """Another module in place of the layer's, with more tags; what both have is as it was.

    places: of each task, for each tag of the new module its id in the old one, or -1.
    """
    old = cast(TaggerModule, cast(ModuleShim, model.shims[0]).module)
    build = cast(Any, model.init).keywords["build"]
    module = build(old.sizes["width"], [len(ids) for ids in places]).to(
        next(old.parameters()).device
    )
    module.take_over(old, [torch.tensor(ids, dtype=torch.long) for ids in places])
    cast(ModuleShim, model.shims[0]).hold(module)
    for dim, ids in zip(("nO", "nA"), places, strict=False):
        model.set_dim(dim, len(ids), force=True)


def _init(
    model: Model[list[Floats2d], list[ScoreBatch]],
    X: list[Floats2d] | None = None,
    Y: Any = None,
    *,
    build: BuildModule,
) -> None:
    if X is not None:
        # Not of the first one only: an empty Doc comes as (0, 0)
        model.set_dim("nI", max(map(get_width, X)), force=True)
    tags = [size for size in (model.get_dim("nO"), model.get_dim("nA")) if size]
    module = build(model.get_dim("nI"), tags)
    cast(ModuleShim, model.shims[0]).hold(module)


def _serialize(module: TaggerModule | None) -> bytes:
    """The sizes travel as a header: a loaded layer builds its module from them."""
    if module is None:
        return srsly.msgpack_dumps({"sizes": None, "state": b""})
    state = BytesIO()
    torch.save(module.state_dict(), state)
    return srsly.msgpack_dumps({"sizes": module.sizes, "state": state.getvalue()})


def _deserialize(
    _: TaggerModule | None, data: bytes, device: torch.device, *, build: BuildModule
) -> TaggerModule | None:
    message = srsly.msgpack_loads(data)
    if message["sizes"] is None:
        return None
    module = build(message["sizes"]["width"], message["sizes"]["tags"])
    module.load_state_dict(
        torch.load(BytesIO(message["state"]), map_location=device, weights_only=True)
    )
    return module.to(device).eval()


def _forward(
    model: Model[list[Floats2d], list[ScoreBatch]], X: list[Floats2d], is_train: bool
) -> tuple[list[ScoreBatch], Callable[[list[ScoreBatch]], list[Floats2d]]]:
    shim = cast(ModuleShim, model.shims[0])
    device, width, xp = shim.device, model.get_dim("nI"), model.ops.xp
    lengths = np.array([len(x) for x in X], dtype=np.int64)
    # The listener gives empty Docs as (0, 0), which does not stack with the others
    full = [x for x in X if len(x)]
    flat = xp2torch(xp.concatenate(full) if full else xp.zeros((0, width), "f"), device=device)
    starts = np.cumsum(lengths) - lengths

    if not is_train:
        found = []
        for rows, longest in by_length(lengths, _PADDED_TOKENS.get(device.type, 2048)):
            rows.sort()
            place, source = (
                torch.from_numpy(array).to(device, non_blocking=True)
                for array in _places(lengths[rows], longest, starts[rows])
            )
            padded = _padded(flat, source, place, len(rows), longest)
            sizes = torch.from_numpy(lengths[rows]).to(device, non_blocking=True)
            tasks = shim.predict(ArgsKwargs(args=(padded, sizes), kwargs={}))
            blank = cast(FloatsXd, torch2xp((~padded.any(dim=2)).float()))
            found.append(ScoreBatch(_arrays(tasks), lengths[rows].tolist(), rows.tolist(), blank))
        return found, lambda gradient: []

    longest = int(lengths.max(initial=0))
    place, _ = _places(lengths, longest, starts)
    place = torch.from_numpy(place).to(device, non_blocking=True)
    padded = _padded(flat, None, place, len(X), longest).requires_grad_()
    sizes = torch.from_numpy(lengths).to(device, non_blocking=True)
    tasks, backprop = shim.begin_update(ArgsKwargs(args=(padded, sizes), kwargs={}))

    def backprop_to_vectors(gradients: list[ScoreBatch]) -> list[Floats2d]:
        outputs: list[Tensor] = []
        grads: list[Tensor] = []
        for scores, d_scores in zip(tasks, gradients[0].tasks, strict=True):
            for score, d_score in zip(scores, d_scores or (None,) * len(scores), strict=True):
                if d_score is not None:
                    outputs.append(score)
                    grads.append(xp2torch(d_score, device=score.device).to(score.dtype))
        found = backprop(ArgsKwargs(args=(outputs,), kwargs={"grad_tensors": grads}))
        d_flat = torch2xp(found.args[0].reshape(-1, width)[place])
        return [cast(Floats2d, d_flat[s : s + n]) for s, n in zip(starts, lengths, strict=True)]

    return [ScoreBatch(_arrays(tasks), lengths.tolist(), range(len(X)))], backprop_to_vectors


def _places(lengths: Any, longest: int, starts: Any) -> tuple[Any, Any]:
    """Of each token: its place in the padded rows, end to end, and among all tokens."""
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows * longest + within, np.repeat(starts, lengths) + within


def _padded(flat: Tensor, source: Tensor | None, place: Tensor, rows: int, longest: int) -> Tensor:
    padded = flat.new_zeros((rows * longest, flat.shape[1]))
    padded[place] = flat if source is None else flat[source]
    return padded.view(rows, longest, -1)


def _arrays(tasks: list[tuple[Tensor, ...]]) -> list[TaskScores]:
    return [tuple(cast(FloatsXd, torch2xp(s.float())) for s in scores) for scores in tasks]
