"""A Hugging Face encoder and its tokenizer in thinc's hands, and how they are saved."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import srsly
import torch
from spacy_transformers.data_classes import HFObjects
from thinc.api import ArgsKwargs, PyTorchGradScaler, get_torch_default_device
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, AutoTokenizer

from spacy_finegrained_ner.ml.bytes_view import BytesView, split_off
from spacy_finegrained_ner.ml.shim import ModuleShim, Precision
from spacy_finegrained_ner.nn.dropout import Dropout
from spacy_finegrained_ner.nn.initialization import NoRandomWeights


class EncoderShim(ModuleShim):
    """Holds an encoder, and takes cheap steps on its word embeddings.

    They are half of a small encoder and more, and a batch reaches a few hundred of their rows. On a
    CPU their gradient is sparse; only an optimizer that is not `lazy` gets it as a dense tensor,
    which is kept from step to step. On a GPU it is dense, and a lazy optimizer gets the rows of it
    that the batches of a step have reached.
    """

    def __init__(
        self,
        tokenizer_config: dict[str, Any],
        transformer_config: dict[str, Any],
        mixed_precision: bool,
        grad_scaler_config: dict[str, Any],
        precision: Precision,
    ) -> None:
        scaling = {"enabled": mixed_precision, **grad_scaler_config}
        scaler = PyTorchGradScaler(**scaling)
        super().__init__(
            None, mixed_precision=mixed_precision, grad_scaler=scaler, precision=precision
        )
        self._scales = mixed_precision and scaling["enabled"]
        self._configure(tokenizer_config, transformer_config)
        self._checkpointing = bool(transformer_config.get("gradient_checkpointing"))
        self._words: nn.Embedding | None = None
        self._seen: list[Any] = []  # ids of wordpieces in the batches of a step, of dense gradients
        self._dense: Tensor | None = None  # gradient of the word embeddings, 0 between steps

    def _configure(self, tokenizer: dict[str, Any], transformer: dict[str, Any]) -> None:
        """How both are loaded."""
        self.tokenizer_config, self.transformer_config = tokenizer, transformer
        # Of spacy-transformers, whose pipe and whose users look for it here
        self._hfmodel = HFObjects(None, None, None, tokenizer, transformer)

    @property
    def held(self) -> HFObjects:
        """Tokenizer and encoder; None each until there is one."""
        return self._hfmodel

    def take(self, hf_model: HFObjects) -> None:
        """Hold the encoder of `hf_model`, at rest, and its tokenizer."""
        self.held.tokenizer, transformer = hf_model.tokenizer, hf_model.transformer
        # As it will be asked in the end: another thread's first call would change its settings
        self.held.tokenizer("")
        # A config that has no such attribute drops the word; and transformers' own choice of form
        # fails with DeBERTa and with frozen embeddings
        if self._checkpointing or getattr(transformer, "is_gradient_checkpointing", False):
            transformer.gradient_checkpointing_enable({"use_reentrant": False})
        for module in list(transformer.modules()):
            for name, child in module.named_children():
                if type(child) is nn.Dropout:  # no weights, so nothing that is saved changes
                    setattr(module, name, Dropout(child.p, child.inplace))
        try:
            words = transformer.get_input_embeddings()
        except (NotImplementedError, AttributeError):  # Canine hashes characters
            words = None
        owners = [p for _, p in transformer.named_parameters(remove_duplicate=False)]
        # Whose rows are those of a batch: not if another module has the same weights, as in BART
        own = isinstance(words, nn.Embedding) and sum(p is words.weight for p in owners) == 1
        self._words = words if own else None
        self._dense = None
        self.hold(transformer)
        self.held.transformer = self.module

    def saw(self, ids: Any) -> None:
        """Which wordpieces a batch has that is learned from."""
        if self._words is not None and not self._words.sparse:
            self._seen.append(np.unique(ids))

    def begin_update(self, inputs: ArgsKwargs) -> Any:
        """As in thinc. A ValueError for mixed precision on a CPU, with the setting's name."""
        on_cpu = self.device.type == "cpu"
        if self._scales and on_cpu:
            raise ValueError(
                "mixed_precision is true in the encoder's block of the config "
                "([components.transformer.model]), but the encoder is on the CPU, where it can't "
                "be trained so. Set mixed_precision = false, or train on a GPU (--gpu-id 0)."
            )
        if self._words is not None:
            # Mixed precision looks for overflow in the gradients, which takes dense ones
            self._words.sparse = on_cpu and not self._mixed
        return super().begin_update(inputs)

    def _step(self, optimizer: Any, parameters: list[tuple[str, nn.Parameter]]) -> None:
        words = None if self._words is None else self._words.weight
        if words is not None and words.grad is not None:
            lazy = getattr(optimizer, "lazy", False)
            if lazy != words.grad.is_sparse:
                words.grad = self._reached(words.grad) if lazy else self._densed(words.grad)
        super()._step(optimizer, parameters)

    def _densed(self, gradient: Tensor) -> Tensor:
        if self._dense is None:
            self._dense = torch.zeros(gradient.shape, device=gradient.device)
        gradient = gradient.coalesce()
        return self._dense.index_add_(0, gradient.indices()[0], gradient.values())

    def _reached(self, gradient: Tensor) -> Tensor:
        """The rows of a dense gradient that a step has seen. Which ones is known without waiting
        for the device; nothing is learned of padding."""
        seen = np.unique(np.concatenate(self._seen))
        rows = torch.from_numpy(seen[seen != cast(nn.Embedding, self._words).padding_idx])
        rows = rows.to(gradient.device, non_blocking=True)
        return torch.sparse_coo_tensor(
            rows[None], gradient[rows], gradient.shape, is_coalesced=True, check_invariants=False
        )

    def _clear(self, parameters: list[nn.Parameter]) -> None:
        """On a CPU gradients are kept and set to 0: memory that is new to the process is slow."""
        self._seen.clear()
        if self.device.type == "cpu":
            for parameter in parameters:
                if parameter.grad is not None and not parameter.grad.is_sparse:
                    parameter.grad.zero_()
            if self._words is not None and self._words.sparse:
                self._words.weight.grad = None
        else:
            super()._clear(parameters)

    def to_bytes(self) -> bytes:
        """In the form of spacy-transformers."""
        message: dict[str, Any] = {"config": {}, "state": b"", "tokenizer": {}}
        message["_init_tokenizer_config"] = self.tokenizer_config
        message["_init_transformer_config"] = self.transformer_config
        if self.held.transformer is not None:
            state = io.BytesIO()
            torch.save(self.module.state_dict(), state)
            message |= {"config": self.module.config.to_dict(), "state": state.getvalue()}
            message["tokenizer"] = _files(self.held.tokenizer)
        return srsly.msgpack_dumps(message)

    def from_bytes(self, data: bytes) -> EncoderShim:
        """Load what `to_bytes` gives here and in spacy-transformers.

        Raises a ValueError for parameters of the encoder that were not saved: they would be random.
        """
        message, state = split_off(data)
        self._configure(message["_init_tokenizer_config"], message["_init_transformer_config"])
        if not message["config"]:
            return self
        device = get_torch_default_device()
        weights = torch.load(cast(Any, BytesView(state)), map_location=device, weights_only=True)
        with tempfile.TemporaryDirectory() as folder:
            # Not srsly's, which writes 1e-12 as 0
            (Path(folder) / "config.json").write_text(json.dumps(message["config"]))
            config = AutoConfig.from_pretrained(folder)
            options = message["tokenizer"].pop("kwargs", {})
            for name, content in message["tokenizer"].items():
                (Path(folder) / name).write_bytes(content)
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        with NoRandomWeights():
            transformer = _from_config(config)
        missing, unknown = transformer.load_state_dict(weights, strict=False, assign=True)
        transformer.tie_weights()  # assigned one by one, shared ones have come apart
        lost = sorted(set(missing) & {name for name, _ in transformer.named_parameters()})
        if lost:
            raise ValueError(
                f"The saved {type(transformer).__name__} lacks {len(lost)} parameters that this "
                f"version of transformers expects (the first is {lost[0]!r}; saved, and not "
                f"expected, are {unknown[:3]}): they would be random. Load it with the version "
                "that it was saved with, or train again."
            )
        if unknown:
            warnings.warn(
                f"The saved {type(transformer).__name__} has {len(unknown)} weights that this "
                f"version of transformers does not use: {unknown[:3]}.",
                stacklevel=2,
            )
        self.take(HFObjects(tokenizer, transformer, None))
        self._scaler.to_(device)
        return self


def _from_config(config: Any) -> Any:
    """As AutoModel has it, which imports the packages of all families to look for one."""
    family: Any = MODEL_MAPPING.get(type(config), None)
    # Else one of several, or nothing
    return family(config) if isinstance(family, type) else AutoModel.from_config(config)


def _files(tokenizer: Any) -> dict[str, Any]:
    """What `save_pretrained` writes, by the name of the file, and how it is to be loaded."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        files = {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.is_file()}
    return {"kwargs": {"use_fast": tokenizer.is_fast}, **files}
