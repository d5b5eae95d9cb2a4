"""The torch tagger as a thinc layer: lists of arrays in, padded emissions out, and back.

This is the only file where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

import srsly
import torch
from thinc.api import (
    ArgsKwargs,
    Model,
    PyTorchShim,
    get_torch_default_device,
    get_width,
    torch2xp,
    xp2torch,
)
from thinc.layers.pytorchwrapper import forward
from thinc.types import Floats2d, Floats3d
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from spacy_finegrained_ner.nn.tagger import LinearHead


@dataclass
class Emissions:
    """What the tagger puts out for a batch of Docs, and (as gradient) what it takes back.

    scores: *Shape:* (docs, tokens, tags), padded. lengths: tokens of each Doc.
    """

    scores: Floats3d
    lengths: list[int]


def build_tagger(dropout: float) -> Model[list[Floats2d], Emissions]:
    """An empty layer; the torch module is built by `initialize` or `from_bytes`, when its sizes
    are known. Set the dim nO (number of tags) before `initialize`; nI is read off the input."""

    def build(width: int, tags: int) -> LinearHead:
        return LinearHead(width=width, tags=tags, dropout=dropout)

    def deserialize(_: LinearHead | None, data: bytes, device: torch.device) -> LinearHead | None:
        message = srsly.msgpack_loads(data)
        if message["sizes"] is None:
            return None
        module = build(**message["sizes"])
        module.load_state_dict(
            torch.load(BytesIO(message["state"]), map_location=device, weights_only=True)
        )
        return module.to(device)

    def init(
        model: Model[list[Floats2d], Emissions], X: list[Floats2d] | None = None, Y: Any = None
    ) -> None:
        if X is not None:
            model.set_dim("nI", get_width(X), force=True)
        module = build(model.get_dim("nI"), model.get_dim("nO"))
        model.shims[0]._model = module.to(get_torch_default_device())

    shim = PyTorchShim(None, serialize_model=_serialize, deserialize_model=deserialize)
    # PyTorchWrapper_v3 puts the same together, but without a place for `init`.
    return Model(
        "tagger",
        forward,
        init=init,
        attrs={"convert_inputs": _convert_inputs, "convert_outputs": _convert_outputs},
        shims=[shim],
        dims={"nI": None, "nO": None},
    )


def is_built(model: Model[Any, Any]) -> bool:
    """Whether the torch module of the layer is there."""
    return model.shims[0]._model is not None


def _serialize(module: LinearHead | None) -> bytes:
    """The sizes travel as a header: a loaded layer builds its module from them."""
    if module is None:
        return srsly.msgpack_dumps({"sizes": None, "state": b""})
    state = BytesIO()
    torch.save(module.state_dict(), state)
    return srsly.msgpack_dumps({"sizes": module.sizes, "state": state.getvalue()})


def _convert_inputs(
    model: Model[list[Floats2d], Emissions], X: list[Floats2d], is_train: bool
) -> tuple[ArgsKwargs, Callable[[ArgsKwargs], list[Floats2d]]]:
    device = cast(PyTorchShim, model.shims[0]).device
    width = model.get_dim("nI")
    # The listener gives empty Docs as (0, 0), which does not stack with the others.
    vectors = [xp2torch(x, device=device) if len(x) else torch.zeros((0, width)) for x in X]
    padded = pad_sequence([v.to(device) for v in vectors], batch_first=True)
    padded.requires_grad_(is_train)

    def backprop(dX: ArgsKwargs) -> list[Floats2d]:
        gradient: Tensor = dX.args[0]  # (docs, tokens, width)
        return [cast(Floats2d, torch2xp(gradient[i, : len(x)])) for i, x in enumerate(X)]

    return ArgsKwargs(args=(padded,), kwargs={}), backprop


def _convert_outputs(
    model: Model[list[Floats2d], Emissions],
    inputs_outputs: tuple[list[Floats2d], Tensor],
    is_train: bool,
) -> tuple[Emissions, Callable[[Emissions], ArgsKwargs]]:
    X, scores = inputs_outputs

    def backprop(dY: Emissions) -> ArgsKwargs:
        gradient = xp2torch(dY.scores, device=scores.device)
        return ArgsKwargs(args=((scores,),), kwargs={"grad_tensors": gradient})

    return Emissions(cast(Floats3d, torch2xp(scores.detach())), [len(x) for x in X]), backprop
