"""A spacy-transformers encoder whose output is made of its last hidden layers."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from spacy.tokens import Doc, Span
from spacy.util import SimpleFrozenDict
from spacy_transformers.data_classes import FullTransformerBatch, HFObjects
from spacy_transformers.layers import TransformerModel, split_trf_batch, trfs2arrays
from spacy_transformers.layers.hf_shim import HFShim
from spacy_transformers.layers.transformer_model import huggingface_from_pretrained
from thinc.api import ArgsKwargs, Model, chain
from thinc.types import Floats2d, Ragged
from torch import Tensor

from spacy_finegrained_ner.ml.encoder_batches import forward
from spacy_finegrained_ner.ml.encoder_shim import EncoderShim
from spacy_finegrained_ner.ml.missing_encoder import encoder_is_needed

NAME = "spacy-finegrained-ner.TransformerLayers.v1"
TOK2VEC = "spacy-finegrained-ner.Tok2VecTransformerLayers.v1"

_COMBINE: dict[str, Callable[[tuple[Tensor, ...]], Tensor]] = {
    # k of (spans, wordpieces, hidden) -> (spans, wordpieces, k * hidden)
    "concatenate": lambda layers: torch.cat(layers, dim=-1),
    # k of (spans, wordpieces, hidden) -> (spans, wordpieces, hidden)
    "average": lambda layers: torch.stack(layers).mean(dim=0),
}


def build_transformer_layers_v1(
    name: str,
    get_spans: Callable,
    layers: int,
    combine: str,
    max_batch_wordpieces: int = 1024,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    transformer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
) -> Model[list[Doc], FullTransformerBatch]:
    """Registered as `spacy-finegrained-ner.TransformerLayers.v1` (architectures): for
    `[components.transformer.model]`, in place of `spacy-transformers.TransformerModel.v3`.

    It is faster, too: see `EncoderShim` for training and `encoder_batches` for prediction.

    layers: the vector of a wordpiece is made of that many hidden layers, the last ones; 1 is what
        the stock model gives. The paper has 3 ("the last three hidden layers are concatenated",
        arXiv 2401.00698).
    combine: "concatenate" (the width is layers * hidden) or "average" (hidden).
    max_batch_wordpieces: of a batch in prediction, padding included: see `encoder_batches`.
    The other settings are those of `TransformerModel.v3`.

    The gradient flows into all of these layers. `doc._.trf_data` holds the combination as
    `last_hidden_state`, and no other hidden layer.

    Raises a ValueError for a number < 1 or an unknown combine. In `initialize`, when the encoder is
    loaded, an OSError if it can't be, and a ValueError for more layers than it has.
    """
    _check(NAME, layers, combine, max_batch_wordpieces)
    # Copies: spacy-transformers writes into these.
    model = TransformerModel(
        name,
        partial(_spans_with_tokens, get_spans),
        dict(tokenizer_config),
        dict(transformer_config),
        mixed_precision,
        dict(grad_scaler_config),
    )
    # All is done at the boundary between thinc and torch. The torch module stays as it is: with
    # other names in its state dict, the shim would load random weights, with only a warning.
    model.init = _init
    model._func = partial(forward, max_batch_wordpieces=max_batch_wordpieces)
    wrapper = model.layers[0]
    wrapper.shims[0] = EncoderShim(
        cast(HFShim, wrapper.shims[0])._hfmodel,
        mixed_precision=mixed_precision,
        grad_scaler_config=dict(grad_scaler_config),
    )
    if layers > 1:
        attrs = wrapper.attrs
        attrs["convert_inputs"] = partial(_convert_inputs, attrs["convert_inputs"])
        attrs["convert_outputs"] = partial(
            _convert_outputs, attrs["convert_outputs"], layers, combine
        )
    model.attrs["set_transformer"] = partial(
        _set_transformer, model.attrs["set_transformer"], layers, combine
    )
    model.attrs["replace_listener"] = _replace_listener
    model.attrs["replace_listener_cfg"] = _replace_listener_cfg
    return model


def build_tok2vec_transformer_layers_v1(
    name: str,
    get_spans: Callable,
    layers: int,
    combine: str,
    pooling: Model[Ragged, Floats2d],
    grad_factor: float = 1.0,
    max_batch_wordpieces: int = 1024,
    tokenizer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    transformer_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
    mixed_precision: bool = False,
    grad_scaler_config: dict[str, Any] = SimpleFrozenDict(),  # noqa: B008
) -> Model[list[Doc], list[Floats2d]]:
    """Registered as `spacy-finegrained-ner.Tok2VecTransformerLayers.v1` (architectures): an
    encoder of a component's own, which is what `nlp.replace_listeners` puts in place of a
    listener. The settings are those of the encoder and of `TransformerListener.v1`.
    """
    _check(TOK2VEC, layers, combine, max_batch_wordpieces)
    if not (isinstance(grad_factor, int | float) and abs(grad_factor) < float("inf")):
        raise ValueError(f"grad_factor of {TOK2VEC} is {grad_factor!r}, expected a number.")
    model = build_transformer_layers_v1(
        name,
        get_spans,
        layers,
        combine,
        max_batch_wordpieces,
        tokenizer_config,
        transformer_config,
        mixed_precision,
        grad_scaler_config,
    )
    # A chain in a chain, as a replaced listener is: both load what the other has saved.
    return chain(chain(model, split_trf_batch()), trfs2arrays(pooling, grad_factor))


def _check(name: str, layers: int, combine: str, wordpieces: int) -> None:
    for setting, value in (("layers", layers), ("max_batch_wordpieces", wordpieces)):
        if not isinstance(value, int) or value < 1:  # confection 1.x lets "3" through
            raise ValueError(
                f"{setting} of {name} is {value!r}, expected at least 1 (a whole number)."
            )
    if combine not in _COMBINE:
        raise ValueError(f"combine of {name} is {combine!r}, expected one of {sorted(_COMBINE)}.")


def _spans_with_tokens(get_spans: Callable, docs: list[Doc]) -> list[list[Span]]:
    """`spacy-transformers.doc_spans.v1` has a span for an empty Doc too, and training fails."""
    return [[span for span in spans if len(span)] for spans in get_spans(docs)]


def _init(model: Any, X: Any = None, Y: Any = None) -> None:
    if model.attrs["has_transformer"]:
        return  # loaded: the folder it came from may be gone
    name = model.attrs["name"]
    with encoder_is_needed(name):
        hf_model = huggingface_from_pretrained(
            name, model._init_tokenizer_config, model._init_transformer_config
        )
    model.attrs["set_transformer"](model, hf_model)  # which also sets the width


def _convert_inputs(
    convert: Callable, model: Model, wordpieces: Any, is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    inputs, get_d_inputs = convert(model, wordpieces, is_train)
    inputs.kwargs["output_hidden_states"] = True
    return inputs, get_d_inputs


def _convert_outputs(
    convert: Callable,
    layers: int,
    combine: str,
    model: Model,
    inputs_outputs: tuple[Any, Any],
    is_train: bool,
) -> tuple[Any, Callable]:
    inputs, output = inputs_outputs
    # hidden_states begins with the embeddings. Its end is last_hidden_state, or that before a
    # final norm: the model's own output is the better choice then, and the stock one.
    last = (*output.hidden_states[-layers:-1], output.last_hidden_state)
    fields = {key: value for key, value in output.items() if key != "hidden_states"}
    fields["last_hidden_state"] = _COMBINE[combine](last)
    return convert(model, (inputs, type(output)(**fields)), is_train)


def _set_transformer(
    set_transformer: Callable, layers: int, combine: str, model: Model, hf_model: HFObjects
) -> None:
    config = hf_model.transformer.config
    if layers > config.num_hidden_layers:
        raise ValueError(
            f"layers of {NAME} is {layers}, expected at most {config.num_hidden_layers}: "
            f"{model.attrs['name']} has no more hidden layers."
        )
    set_transformer(model, hf_model)
    width = config.hidden_size * (layers if combine == "concatenate" else 1)
    model.set_dim("nO", width, force=True)


def _replace_listener(model: Model, listener: Model, tok2vec: Any) -> Model:
    """Chain a copy of the encoder as a listener is chained.

    `TransformerModel.copy` loses the forward pass, the attributes and the width: without them,
    `nlp.initialize` would look for an encoder named "transformer".
    """
    source = tok2vec.model
    model._func = source._func
    model.attrs.update(source.attrs)
    if source.has_dim("nO"):
        model.set_dim("nO", source.get_dim("nO"))
    return chain(model, split_trf_batch())


def _replace_listener_cfg(
    encoder_config: dict[str, Any], listener_config: dict[str, Any]
) -> dict[str, Any]:
    config = {**encoder_config, "@architectures": TOK2VEC}
    for key in ("pooling", "grad_factor"):
        if key in listener_config:
            config[key] = listener_config[key]
    return config
