"""A Hugging Face encoder as one thinc layer: from Docs to its last hidden layers."""

import warnings
from collections.abc import Callable
from functools import partial
from itertools import chain as flatten
from typing import Annotated, Any, Literal, cast

import numpy as np
import torch
from spacy.tokens import Doc
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import HFObjects, WordpieceBatch
from spacy_transformers.layers import split_trf_batch
from thinc.api import ArgsKwargs, Model, chain
from thinc.types import Floats2d, Ragged
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.file_utils import ModelOutput

from spacy_finegrained_ner.ml.by_length import by_length
from spacy_finegrained_ner.ml.encoder_batches import (
    EncoderBatch,
    in_batches,
    last_layers,
    tokenize,
)
from spacy_finegrained_ner.ml.encoder_shim import EncoderShim
from spacy_finegrained_ner.ml.listener import build_token_vectors
from spacy_finegrained_ner.ml.missing_encoder import encoder_is_needed
from spacy_finegrained_ner.ml.shim import Precision
from spacy_finegrained_ner.settings import Count, Number, checked

NAME = "spacy-finegrained-ner.TransformerLayers.v1"
TOK2VEC = "spacy-finegrained-ner.Tok2VecTransformerLayers.v1"

Combine = Annotated[Literal["average", "concatenate"], "one of 'average', 'concatenate'"]

AT_ONCE = {"cpu": 2048, "cuda": 16384}
"""Wordpieces of a batch in prediction: what is quick on a CPU leaves a GPU idle."""


class Encoder(Model[list[Doc], EncoderBatch]):
    """What `[components.transformer.model]` holds: the layer, and for users what is in it."""

    __slots__ = ()

    @property
    def shim(self) -> EncoderShim:
        """Below a node that only holds it: there spacy-transformers has it, and so what was saved
        by it, or by a component with an encoder of its own, is loaded by place."""
        return cast(EncoderShim, self.layers[0].shims[0])

    @property
    def tokenizer(self) -> Any:
        return self.shim.held.tokenizer

    @property
    def transformer(self) -> Any:
        return self.shim.held.transformer

    def _copy(self, seen: Any = None) -> "Encoder":
        """thinc makes a plain Model."""
        copied: Any = super()._copy(seen)
        copied.__class__ = Encoder
        return cast(Encoder, copied)


@checked(NAME)
def build_transformer_layers_v1(
    name: str,
    get_spans: Callable,
    layers: Count,
    combine: Combine,
    max_batch_wordpieces: Count | None = None,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    transformer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    precision: Precision = "fp32",
) -> Model[list[Doc], EncoderBatch]:
    """Registered as `spacy-finegrained-ner.TransformerLayers.v1` (architectures): for
    `[components.transformer.model]`, in place of `spacy-transformers.TransformerModel.v3`.

    layers: the vector of a wordpiece is made of that many hidden layers, the last ones; 1 is what
        the stock model gives. The paper has 3 ("the last three hidden layers are concatenated",
        arXiv 2401.00698).
    combine: "concatenate" (the width is layers * hidden) or "average" (hidden).
    max_batch_wordpieces: of a batch in prediction, padding included. spacy-transformers puts Docs
        of about as many tokens together; how many wordpieces those have varies, and on names a
        third of such a batch is padding. Here spans of about as many wordpieces go together, at
        most that many at a time (a single span may have more). null: 2,048 on a CPU, 16,384 on a
        GPU.
    precision: "fp32"; "tf32", matrix products of a GPU with factors of 10 bits, faster; or "bf16",
        what torch's autocast computes in bfloat16, faster still and half the memory, without a
        scaler. Weights and gradients stay float32.
    The other settings are those of `TransformerModel.v3`.

    The gradient flows into all of these layers. `doc._.trf_data` holds the combination as
    `last_hidden_state`, and no other hidden layer.

    Raises a ValueError for a number < 1, an unknown combine or precision, or a precision beside
    mixed_precision. In `initialize`, when the encoder is loaded, an OSError if it can't be, and a
    ValueError for more layers than it has.
    """
    if mixed_precision and precision != "fp32":
        raise ValueError(
            f"{NAME} has mixed_precision = true and precision = {precision!r}, expected one of the "
            "two: mixed precision computes in float16, with scaled gradients. Set mixed_precision "
            '= false, or precision = "fp32".'
        )
    # Copies: a config's own blocks are frozen
    configs = dict(tokenizer_config), dict(transformer_config)
    shim = EncoderShim(*configs, mixed_precision, dict(grad_scaler_config), precision)
    forward = partial(_forward, layers=layers, combine=combine, most=max_batch_wordpieces)
    return Encoder(
        "transformer",
        forward,
        init=_init,
        layers=[Model("hf-pytorch", forward, shims=[shim], dims={"nI": None, "nO": None})],
        dims={"nO": None},
        # Saved with the weights, and what was saved wins over the config: no setting is among them
        attrs={
            "name": name,
            "get_spans": partial(_spans_with_tokens, get_spans),
            "has_transformer": False,
            "set_transformer": partial(_set_transformer, layers=layers, combine=combine),
            "replace_listener": _replace_listener,
            "replace_listener_cfg": _replace_listener_cfg,
        },
    )


@checked(TOK2VEC)
def build_tok2vec_transformer_layers_v1(
    name: str,
    get_spans: Callable,
    layers: Count,
    combine: Combine,
    pooling: Model[Ragged, Floats2d],
    grad_factor: Number = 1.0,
    max_batch_wordpieces: Count | None = None,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    transformer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    precision: Precision = "fp32",
) -> Model[list[Doc], list[Floats2d]]:
    """Registered as `spacy-finegrained-ner.Tok2VecTransformerLayers.v1` (architectures): an
    encoder of a component's own, which is what `nlp.replace_listeners` puts in place of a
    listener. The settings are those of the encoder and of `TransformerListener.v1`.
    """
    model = build_transformer_layers_v1(
        *(name, get_spans, layers, combine, max_batch_wordpieces, tokenizer_config),
        *(transformer_config, mixed_precision, grad_scaler_config, precision),
    )
    # A chain in a chain, as a replaced listener is: both load what the other has saved.
    return chain(
        chain(cast(Any, model), split_trf_batch()), build_token_vectors(pooling, grad_factor)
    )


def _init(model: Any, X: Any = None, Y: Any = None) -> None:
    if model.attrs["has_transformer"]:
        return  # loaded: the folder it came from may be gone
    name, shim = str(model.attrs["name"]), model.shim
    with encoder_is_needed(name) as options:
        tokenizer = AutoTokenizer.from_pretrained(name, **{**options, **shim.tokenizer_config})
        config, unused = AutoConfig.from_pretrained(
            name, return_unused_kwargs=True, **{**options, **shim.transformer_config}
        )
        transformer = AutoModel.from_pretrained(name, config=config, **options).float()
    unknown = sorted(set(unused) - {"gradient_checkpointing"})
    if unknown:
        warnings.warn(
            f"transformer_config of {NAME} has {unknown}, which the config of a "
            f"{type(transformer).__name__} does not know: they are ignored.",
            stacklevel=2,
        )
    model.attrs["set_transformer"](model, HFObjects(tokenizer, transformer, None))


def _set_transformer(model: Any, hf_model: HFObjects, *, layers: int, combine: str) -> None:
    if model.attrs["has_transformer"]:
        raise ValueError(f"The encoder of {NAME} is set already ({model.attrs['name']!r}).")
    config = hf_model.transformer.config
    if layers > config.num_hidden_layers:
        raise ValueError(
            f"layers of {NAME} is {layers}, expected at most {config.num_hidden_layers}: "
            f"{model.attrs['name']} has no more hidden layers."
        )
    model.shim.take(hf_model)
    model.attrs["has_transformer"] = True
    width = config.hidden_size * (layers if combine == "concatenate" else 1)
    model.set_dim("nO", width, force=True)


def _forward(
    model: Model, docs: list[Doc], is_train: bool, *, layers: int, combine: str, most: int | None
) -> tuple[EncoderBatch, Callable[[EncoderBatch], list[Doc]]]:
    shim = cast(EncoderShim, model.layers[0].shims[0])
    nested = model.attrs["get_spans"](docs)
    spans = list(flatten.from_iterable(nested))
    if not spans:
        return cast(EncoderBatch, EncoderBatch.empty(len(docs))), lambda gradient: docs
    wordpieces, align = tokenize(shim.held.tokenizer, spans)
    config, device = shim.held.transformer.config, shim.device
    more = [name for name in ("hidden_states", "attentions") if getattr(config, f"output_{name}")]

    def inputs(batch: WordpieceBatch) -> ArgsKwargs:
        arrays = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        if batch.token_type_ids is not None:
            arrays["token_type_ids"] = batch.token_type_ids
        # Not blocking: the device may be busy with the batch before
        kwargs: dict[str, Any] = {
            name: torch.from_numpy(array).to(device, non_blocking=True)
            for name, array in arrays.items()
        }
        kwargs["return_dict"] = True
        if layers > 1:
            kwargs["output_hidden_states"] = True
        return ArgsKwargs(args=(), kwargs=kwargs)

    def kept(output: Any) -> dict[str, Any]:
        found = {"last_hidden_state": last_layers(output, layers, combine)}  # first, as in stock
        found |= {name: output[name] for name in ("pooler_output", *more) if name in output}
        # As arrays there is no bfloat16
        return {
            name: tuple(one.float() for one in o) if isinstance(o, tuple) else o.float()
            for name, o in found.items()
            if o is not None
        }

    if not is_train:
        if more:  # of all spans at once: they have more than one shape
            found = kept(shim.predict(inputs(wordpieces)))
        else:
            lengths = np.array([min(n, wordpieces.input_ids.shape[1]) for n in wordpieces.lengths])
            found = in_batches(
                lambda batch: kept(shim.predict(inputs(batch))),
                wordpieces,
                list(by_length(lengths, most or AT_ONCE.get(device.type, 2048))),
                device,
            )
        return EncoderBatch(nested, wordpieces, ModelOutput(found), align), lambda gradient: docs

    output, backprop = shim.begin_update(inputs(wordpieces))
    found = kept(output)
    hidden = found["last_hidden_state"]

    def backprop_to_docs(gradient: EncoderBatch) -> list[Doc]:
        shim.saw(wordpieces.input_ids)
        grads = list(gradient.model_output.values())[:1]
        backprop(ArgsKwargs(args=((hidden,),), kwargs={"grad_tensors": grads}))
        return docs

    return EncoderBatch(nested, wordpieces, ModelOutput(found), align), backprop_to_docs


def _spans_with_tokens(get_spans: Callable, docs: list[Doc]) -> list[list[Any]]:
    """`spacy-transformers.doc_spans.v1` has a span for an empty Doc too, and training fails."""
    return [[span for span in spans if len(span)] for spans in get_spans(docs)]


def _replace_listener(model: Model, listener: Model, tok2vec: Any) -> Model:
    """A copy of the encoder, chained as a listener is."""
    return chain(model, split_trf_batch())


def _replace_listener_cfg(
    encoder_config: dict[str, Any], listener_config: dict[str, Any]
) -> dict[str, Any]:
    config = {**encoder_config, "@architectures": TOK2VEC}
    for key in ("pooling", "grad_factor"):
        if key in listener_config:
            config[key] = listener_config[key]
    return config
