"""The torch tagger as a thinc layer: lists of arrays in, padded emissions out, and back.

This is the only file where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, cast

import srsly
import torch
from thinc.api import (
    ArgsKwargs,
    Model,
    Optimizer,
    PyTorchShim,
    get_torch_default_device,
    get_width,
    torch2xp,
    xp2torch,
)
from thinc.layers.pytorchwrapper import forward
from thinc.types import Floats2d, FloatsXd
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spacy_finegrained_ner.nn.tagger import Tagger

Build = Callable[[int, list[int]], Tagger]
"""Makes the module from the width of the vectors and the number of tags of each task."""

Scores = tuple[FloatsXd, ...]
"""Of one task: emissions, *Shape:* (docs, tokens, tags), padded; and for a CRF its transitions,
*Shape:* (tags, tags), starts and ends, *Shape:* (tags,)."""


@dataclass
class Emissions:
    """What the tagger puts out for a batch of Docs, and (as gradient) what it takes back.

    tasks: the scores of the fine tags and, in training, of the auxiliary task if there is one. As
    gradient, None stands for a task, or one of its scores, that is left out of the backward pass.
    lengths: tokens of each Doc.
    """

    tasks: Sequence[Scores | None]
    lengths: list[int]


class TaggerShim(PyTorchShim):
    """Forgets the gradients after a step, where thinc's sets them to 0: AdamW decays weights and
    moves by its moments with gradients of 0 too, but what had no part in a loss shall stay.

    Where no task has a part in it there is no backward pass; the vectors get a gradient of 0."""

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable[[ArgsKwargs], ArgsKwargs]]:
        outputs, backprop = super().begin_update(inputs)

        def backprop_if_any(gradients: ArgsKwargs) -> ArgsKwargs:
            if gradients.args[0]:
                found: ArgsKwargs = backprop(gradients)
                return found
            return ArgsKwargs(args=(torch.zeros_like(inputs.args[0]),), kwargs={})

        return outputs, backprop_if_any

    def finish_update(self, optimizer: Optimizer) -> None:
        super().finish_update(optimizer)
        self._model.zero_grad(set_to_none=True)


def build_tagger(build: Build) -> Model[list[Floats2d], Emissions]:
    """An empty layer; the torch module is built by `initialize` or `from_bytes`, when its sizes
    are known. Before `initialize`, set the dims nO (number of fine tags) and nA (number of tags
    of the auxiliary task, 0 for none); nI is read off the input.

    build: can be pickled, as the model then can.
    """

    # Partials, not closures: those can't be pickled (workers of nlp.pipe that are spawned).
    deserialize = partial(_deserialize, build=build)
    # PyTorchWrapper_v3 puts the same together, but without a place for `init` or another shim.
    return Model(
        "tagger",
        forward,
        init=partial(_init, build=build),
        attrs={"convert_inputs": _convert_inputs, "convert_outputs": _convert_outputs},
        shims=[TaggerShim(None, serialize_model=_serialize, deserialize_model=deserialize)],
        dims={"nI": None, "nO": None, "nA": None},
    )


def is_built(model: Model[Any, Any]) -> bool:
    """Whether the torch module of the layer is there."""
    return model.shims[0]._model is not None


def _init(
    model: Model[list[Floats2d], Emissions],
    X: list[Floats2d] | None = None,
    Y: Any = None,
    *,
    build: Build,
) -> None:
    if X is not None:
        # Not of the first one only: an empty Doc comes as (0, 0)
        model.set_dim("nI", max(map(get_width, X)), force=True)
    tags = [size for size in (model.get_dim("nO"), model.get_dim("nA")) if size]
    module = build(model.get_dim("nI"), tags)
    model.shims[0]._model = module.to(get_torch_default_device())


def _serialize(module: Tagger | None) -> bytes:
    """The sizes travel as a header: a loaded layer builds its module from them."""
    if module is None:
        return srsly.msgpack_dumps({"sizes": None, "state": b""})
    state = BytesIO()
    torch.save(module.state_dict(), state)
    return srsly.msgpack_dumps({"sizes": module.sizes, "state": state.getvalue()})


def _deserialize(
    _: Tagger | None, data: bytes, device: torch.device, *, build: Build
) -> Tagger | None:
    message = srsly.msgpack_loads(data)
    if message["sizes"] is None:
        return None
    module = build(message["sizes"]["width"], message["sizes"]["tags"])
    module.load_state_dict(
        torch.load(BytesIO(message["state"]), map_location=device, weights_only=True)
    )
    return module.to(device)


def _convert_inputs(
    model: Model[list[Floats2d], Emissions], X: list[Floats2d], is_train: bool
) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], list[Floats2d]]]:
    device = cast(PyTorchShim, model.shims[0]).device
    width = model.get_dim("nI")
    # The listener gives empty Docs as (0, 0), which does not stack with the others.
    vectors = [xp2torch(x, device=device) if len(x) else torch.zeros((0, width)) for x in X]
    padded = pad_sequence([v.to(device) for v in vectors], batch_first=True)
    padded.requires_grad_(is_train)
    lengths = torch.tensor([len(x) for x in X], device=device)

    def backprop(dX: ArgsKwargs) -> list[Floats2d]:
        gradient: Tensor = dX.args[0]  # (docs, tokens, width)
        return [cast(Floats2d, torch2xp(gradient[i, : len(x)])) for i, x in enumerate(X)]

    return ArgsKwargs(args=(padded, lengths), kwargs={}), backprop


def _convert_outputs(
    model: Model[list[Floats2d], Emissions],
    inputs_outputs: tuple[list[Floats2d], list[tuple[Tensor, ...]]],
    is_train: bool,
) -> tuple[Emissions, Callable[[Emissions], ArgsKwargs]]:
    X, tasks = inputs_outputs

    def backprop(dY: Emissions) -> ArgsKwargs:
        outputs: list[Tensor] = []
        gradients: list[Tensor] = []
        for scores, d_scores in zip(tasks, dY.tasks, strict=True):
            for score, d_score in zip(scores, d_scores or (None,) * len(scores), strict=True):
                if d_score is not None:
                    outputs.append(score)
                    gradients.append(xp2torch(d_score, device=score.device))
        return ArgsKwargs(args=(outputs,), kwargs={"grad_tensors": gradients})

    arrays = [tuple(cast(FloatsXd, torch2xp(s.detach())) for s in scores) for scores in tasks]
    return Emissions(arrays, [len(x) for x in X]), backprop
