"""A Hugging Face encoder in thinc's hands, with a cheap gradient of its word embeddings."""

from __future__ import annotations

from typing import Any, cast

import torch
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import ArgsKwargs, Optimizer, torch2xp
from thinc.types import FloatsXd
from torch import Tensor, nn

from spacy_finegrained_ner.nn.dropout import Dropout


class EncoderShim(HFShim):
    """As spacy-transformers', but on a CPU its dropout is quicker (`nn.dropout`), and the gradient
    of the word embeddings is sparse.

    They are half of a small encoder and more, and a batch reaches a few hundred of their rows.
    Yet torch makes a gradient for all of them, adds it to the last one, and thinc sets it to 0
    again. Here only the rows that were reached are written and set to 0, in a tensor that is kept:
    the optimizer sees the same gradient, and the same step is taken. A `lazy` optimizer gets those
    rows alone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dense: Tensor | None = None  # gradient of the word embeddings, 0 between steps
        self._learned = False  # whether a gradient came back since the last step

    def begin_update(self, inputs: Any) -> Any:
        """As in thinc. A ValueError for mixed precision on a CPU, with the setting's name."""
        if self._mixed_precision and self._grad_scaler._enabled and self.device.type == "cpu":
            raise ValueError(
                "mixed_precision is true in the encoder's block of the config "
                "([components.transformer.model]), but the encoder is on the CPU, where it can't "
                "be trained so. Set mixed_precision = false, or train on a GPU (--gpu-id 0)."
            )
        embeddings = self._model.get_input_embeddings()
        if isinstance(embeddings, nn.Embedding):
            # Mixed precision looks for overflow in the gradients, which takes dense ones
            embeddings.sparse = self.device.type == "cpu" and not self._mixed_precision
        for module in self._model.modules():
            if type(module) is nn.Dropout:  # no weights, so nothing that is saved changes
                module.__class__ = Dropout
        outputs, backprop = super().begin_update(inputs)

        def learn(gradients: ArgsKwargs) -> Any:
            self._learned = True
            return backprop(gradients)

        return outputs, learn

    def finish_update(self, optimizer: Optimizer) -> None:
        """As in thinc; but where no gradient came back, as from texts of which nothing is known,
        nothing moves or decays."""
        if not self._learned:
            return
        self._learned = False
        embeddings = self._model.get_input_embeddings().weight
        lazy = getattr(optimizer, "lazy", False) and not self._grad_scaler.found_inf
        if embeddings.grad is not None and (lazy or embeddings.grad.is_sparse):
            name = next(n for n, p in self._model.named_parameters() if p is embeddings)
            gradient, embeddings.grad = embeddings.grad, None  # thinc's loop leaves it out
            if lazy:
                cast(Any, optimizer).step_rows((self.id, name), embeddings.data, gradient)
            else:
                self._step_on_all(optimizer, name, embeddings, gradient)
        super().finish_update(optimizer)

    def _step_on_all(
        self, optimizer: Optimizer, name: str, embeddings: Tensor, gradient: Tensor
    ) -> None:
        rows, values = gradient._indices()[0], gradient._values()
        if self._dense is None:
            self._dense = torch.zeros_like(embeddings)
        self._dense.index_add_(0, rows, values)
        weights, _ = optimizer(
            (self.id, name),
            cast(FloatsXd, torch2xp(embeddings.data)),
            cast(FloatsXd, torch2xp(self._dense)),
        )
        embeddings.data = torch.from_numpy(weights)
        self._dense.index_fill_(0, rows, 0.0)
