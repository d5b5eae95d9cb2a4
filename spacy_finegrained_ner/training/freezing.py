"""Freeze the lower layers of a transformer, for good or until training has come so far."""

from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary, ref

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim
from torch import nn

from spacy_finegrained_ner.settings import (
    CountOrZero,
    PartAboveZero,
    Reference,
    Whole,
    checked,
)

NAME = "spacy-finegrained-ner.freeze.v1"

_FROZEN = "_frozen_by_finegrained_ner"
"""Of a transformer: the names of the parameters that a callback has frozen, and not freed yet."""

_LAST: WeakKeyDictionary[nn.Module, ref[Any]] = WeakKeyDictionary()
"""The callback that has acted on a transformer last."""


def frozen_parts(frozen_at_first: int, progress: float) -> int:
    """How many parts are frozen: all at first, then one less after the other, evenly, and none at
    the end.

    progress: 0 is the start of training, 1 is where the last part becomes free. (Cut to that.)
    """
    return frozen_at_first - int(frozen_at_first * min(max(progress, 0.0), 1.0))


@checked(NAME)
def build_freeze_v1(
    component: str = "transformer",
    layers: CountOrZero | None = None,
    until: PartAboveZero | None = None,
    total_steps: Whole | Reference = 0,
) -> Callable[[Language, dict[str, Any]], None]:
    """Registered as `spacy-finegrained-ner.freeze.v1` (callbacks), for `[training.before_update]`.

    component: the pipe that holds the transformer, with any of spacy-transformers' architectures
        or ours.
    layers: how many layers are frozen, the lowest ones and with them the embeddings (and whatever
        else lies outside of the layers: a pooler, or the relative positions of DeBERTa and MPNet,
        which all layers share). 0 is the embeddings alone, null the whole encoder.
    until: null: frozen throughout. Otherwise the part of training, 0 < until <= 1, after which
        nothing is frozen any more. The layers become free from top to bottom, evenly over that
        time, and the embeddings last (as in ULMFiT, arXiv 1801.06146).
    total_steps: give it `${training.max_steps}`, wherever `until` is set. spaCy hands it over as a
        text where no run is planned, and then nothing becomes free.

    No gradient is computed for what is frozen, and the backward pass ends above it. So the
    optimizer does not see it: no decay either. Its dropout stays on. It stays frozen in the
    pipeline that was trained, until another such callback says what is frozen from then on, and is
    free in one that is loaded from it.

    Raises a ValueError that names the setting for a value out of range; in the first step, when the
    encoder is known, for a component without transformer or with fewer layers; and in the second,
    where two such callbacks act on one encoder.
    """
    if until is not None and isinstance(total_steps, int) and total_steps < 1:
        raise ValueError(
            f"total_steps of {NAME} is {total_steps}, expected at least 1 where until is set. It "
            "follows [training] max_steps, where 0 means an open end: set a number of steps there."
        )
    freezer: _Freezer | None = None

    def freeze(nlp: Language, info: dict[str, Any]) -> None:
        nonlocal freezer
        transformer = _find_transformer(nlp, component)
        if freezer is None or freezer.transformer is not transformer:
            freezer = _Freezer(transformer, layers, gradual=until is not None)
        elif _LAST.get(transformer) != ref(freeze):
            raise ValueError(
                f"Two callbacks {NAME} act on the component {component!r}, and each would take "
                "back what the other does. Expected one for each component: set its layers to the "
                "most that are to be frozen."
            )
        _LAST[transformer] = ref(freeze)
        progress = 0.0
        if until is not None and isinstance(total_steps, int):
            progress = info["step"] / (until * total_steps)
        freezer.freeze(frozen_parts(freezer.frozen_at_first, progress))

    return freeze


class _Freezer:
    """The parameters of a transformer in parts: what lies outside of the layers, then layer after
    layer from the bottom."""

    def __init__(self, transformer: nn.Module, layers: int | None, gradual: bool) -> None:
        self.transformer = transformer
        # As a whole and for good, any encoder can be frozen, whatever it is made of.
        blocks = [] if layers is None and not gradual else list(_find_layers(transformer))
        inside = {id(p) for block in blocks for p in block.parameters()}
        outside = [p for p in transformer.parameters() if id(p) not in inside]
        if not hasattr(transformer, _FROZEN):
            setattr(transformer, _FROZEN, set())
            transformer.register_forward_hook(_end_backward_pass)
        # By name: so they are those of a copy, too
        self._frozen_here: set[str] = getattr(transformer, _FROZEN)
        self._names = {id(p): name for name, p in transformer.named_parameters()}
        # Some encoders have parameters that are never trained: those are left alone. But not what
        # an earlier callback has frozen.
        self._parts = [
            [p for p in part if p.requires_grad or self._names[id(p)] in self._frozen_here]
            for part in (outside, *(block.parameters() for block in blocks))
        ]
        if layers is not None and layers > len(blocks):
            raise ValueError(
                f"layers of {NAME} is {layers}, expected null or at most {len(blocks)}: the "
                f"{type(transformer).__name__} has no more of them."
            )
        self.frozen_at_first = len(self._parts) if layers is None else layers + 1
        self._frozen: int | None = None

    def freeze(self, count: int) -> None:
        """Freeze that many parts from the bottom, and free the others."""
        if count == self._frozen:
            return
        for i, part in enumerate(self._parts):
            for parameter in part:
                parameter.requires_grad_(i >= count)
                self._frozen_here.discard(self._names[id(parameter)])
                if i < count:
                    self._frozen_here.add(self._names[id(parameter)])
                    # The shim skips what has none. A gradient of 0 would still decay the weights.
                    parameter.grad = None
        self._frozen = count


def _end_backward_pass(transformer: nn.Module, inputs: Any, output: Any) -> None:
    """Forward hook: the shim starts a backward pass in any case, and torch raises where nothing
    needs a gradient. Then it ends right where it starts."""
    last = output.last_hidden_state
    if torch.is_grad_enabled() and not last.requires_grad:
        last.requires_grad_()


def _find_transformer(nlp: Language, component: str) -> nn.Module:
    if component not in nlp.component_names:
        raise ValueError(
            f"component of {NAME} is {component!r}, expected one of {nlp.component_names}."
        )
    model = getattr(nlp.get_pipe(component), "model", None)
    for node in model.walk() if isinstance(model, Model) else ():
        for shim in node.shims:
            module = shim._model if isinstance(shim, PyTorchShim) else None
            if module is not None and hasattr(module, "config"):
                return module
    raise ValueError(
        f"component of {NAME} is {component!r}, which holds no transformer of spacy-transformers, "
        "or one that is not initialized."
    )


def _find_layers(transformer: nn.Module) -> nn.ModuleList:
    count = cast(Any, transformer.config).num_hidden_layers
    for module in transformer.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ValueError(
        f"{NAME} finds no list of {count} layers in a {type(transformer).__name__}, so it can not "
        "tell them apart."
    )
