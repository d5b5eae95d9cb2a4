"""From what an encoder says of wordpieces to vectors of tokens, a batch at a time."""

from collections.abc import Callable
from inspect import getclosurevars, isfunction
from typing import Any, cast

import numpy as np
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import TransformerListener
from thinc.api import Model, chain
from thinc.types import Floats2d, Ragged
from transformers.file_utils import ModelOutput

from spacy_finegrained_ner.settings import Number, checked


class _Whole(list):
    """What a batch's Docs get from the encoder, where the gradient may go back in one piece."""


class BatchListener(TransformerListener):
    """As spacy-transformers'. Where all listeners of a pipe are such, the gradient of a batch goes
    back to it as one array: the pipe waits for the device for each that it gets, to log its size.
    """

    def receive(self, batch_id: Any, outputs: Any, backprop: Any) -> None:
        if isfunction(backprop):
            # It is a function of the pipe's update, in which the pipe is `self`
            pipe = getclosurevars(backprop).nonlocals.get("self")
            listeners = getattr(pipe, "listeners", ())
            if listeners and all(isinstance(one, BatchListener) for one in listeners):
                outputs = _Whole(outputs)
        super().receive(batch_id, outputs, backprop)


@checked("spacy-finegrained-ner.TransformerListener.v1")
def build_transformer_listener_v1(
    pooling: Model[Ragged, Floats2d], grad_factor: Number = 1.0, upstream: str = "*"
) -> Model[list[Doc], list[Floats2d]]:
    """Registered as `spacy-finegrained-ner.TransformerListener.v1` (architectures): in place of
    `spacy-transformers.TransformerListener.v1`, with the same settings and the same vectors. That
    one works on each Doc by itself, for which a GPU waits. A ValueError for a grad_factor that is
    no number.
    """
    listener = BatchListener(upstream_name=upstream)
    model: Model[list[Doc], list[Floats2d]] = chain(
        cast(Any, listener), build_token_vectors(pooling, grad_factor)
    )
    model.set_ref("listener", listener)
    return model


def build_token_vectors(
    pooling: Model[Ragged, Floats2d], grad_factor: float
) -> Model[list[TransformerData], list[Floats2d]]:
    """The layer behind a listener, or behind an encoder of the component's own."""
    name = "trfs2arrays"  # as spacy-transformers has it: each loads what the other has saved
    return Model(name, _forward, layers=[pooling], attrs={"grad_factor": grad_factor})


def _forward(
    model: Model, datas: list[TransformerData], is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], list[TransformerData]]]:
    ops, pooling = cast(Any, model.ops), model.layers[0]
    hidden = [getattr(data.model_output, "last_hidden_state", None) for data in datas]
    # An empty Doc has nothing, or an array without rows
    full = [i for i, array in enumerate(hidden) if array is not None and array.size]
    if not full:
        return [ops.alloc2f(0, 0) for _ in datas], lambda gradients: []
    arrays = [cast(Any, hidden[i]) for i in full]
    rows = np.array([array.shape[0] * array.shape[1] for array in arrays])
    width = arrays[0].shape[-1]
    starts = np.cumsum(rows) - rows
    aligned: Any = [datas[i].align for i in full]
    index = np.concatenate([a.dataXd + start for a, start in zip(aligned, starts, strict=True)])
    tokens = [len(a.lengths) for a in aligned]
    places = ops.asarray1i(index)
    if ops.xp is np:  # without a copy of the padding
        parts = [h.reshape(-1, width)[a.dataXd] for h, a in zip(arrays, aligned, strict=True)]
        pieces = np.concatenate(parts)
    else:
        pieces = ops.xp.concatenate([array.reshape(-1, width) for array in arrays])[places]
    lengths = ops.asarray1i(np.concatenate([a.lengths for a in aligned]))
    if len(index):
        pooled, backprop_pooling = pooling(Ragged(cast(Any, pieces), lengths), is_train)
    else:  # of no token the encoder has seen anything
        pooled, backprop_pooling = ops.alloc2f(len(lengths), width), None
    vectors: list[Any] = [ops.alloc2f(0, 0) for _ in datas]
    for i, start, count in zip(full, np.cumsum(tokens) - tokens, tokens, strict=True):
        vectors[i] = pooled[start : start + count]

    def backprop(gradients: list[Floats2d]) -> list[TransformerData]:
        whole = ops.alloc2f(int(rows.sum()), width)
        if backprop_pooling is not None:
            d_pooled = ops.xp.concatenate([gradients[i] for i in full])
            d_pieces = backprop_pooling(d_pooled).dataXd * model.attrs["grad_factor"]
            ops.scatter_add(whole, places, d_pieces)
        if isinstance(datas, _Whole):
            longest = arrays[0].shape[1]
            return [_gradient(datas[full[0]], cast(Any, whole).reshape(-1, longest, width))]
        return [
            _gradient(datas[i], cast(Any, whole[start : start + n]).reshape(array.shape))
            for i, array, start, n in zip(full, arrays, starts, rows, strict=True)
        ]

    return vectors, backprop


def _gradient(data: TransformerData, array: Any) -> TransformerData:
    output = ModelOutput(last_hidden_state=array)
    return TransformerData(model_output=output, wordpieces=data.wordpieces, align=data.align)
