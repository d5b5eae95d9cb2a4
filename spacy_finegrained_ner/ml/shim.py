"""A torch module in thinc's hands: at rest in evaluation mode, and a step over all parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Annotated, Any, Literal, cast

import torch
from thinc.api import (
    ArgsKwargs,
    Optimizer,
    PyTorchGradScaler,
    PyTorchShim,
    Shim,
    get_torch_default_device,
    torch2xp,
    xp2torch,
)
from thinc.types import FloatsXd
from torch import Tensor, nn

from spacy_finegrained_ner.ml.forks import one_thread_in_forks
from spacy_finegrained_ner.nn.precision import tf32

Precision = Annotated[Literal["fp32", "tf32", "bf16"], "one of 'fp32', 'tf32', 'bf16'"]


class ModuleShim(PyTorchShim):
    """As thinc's, but evaluation mode is the state of rest: `begin_update` leaves it for its own
    pass, and prediction changes nothing, so that any number of threads may predict at once.

    Where no gradient came back since the last step, as from texts of which nothing is known,
    nothing moves or decays. An optimizer that has `step_parameters` (`training.optimizer.AdamW`)
    gets all parameters at once; any other thinc optimizer is called for each.
    """

    def __init__(
        self,
        *args: Any,
        precision: Precision = "fp32",
        mixed_precision: bool = False,
        grad_scaler: PyTorchGradScaler | None = None,
        **kwargs: Any,
    ) -> None:
        one_thread_in_forks()  # before weights are loaded, which starts torch's threads
        self._mixed = mixed_precision
        self._scaler = grad_scaler or PyTorchGradScaler(False)
        kwargs |= {"mixed_precision": mixed_precision, "grad_scaler": self._scaler}
        super().__init__(*args, **kwargs)
        self._precision = precision
        self._learned = False  # whether a gradient came back since the last step

    @property
    def module(self) -> Any:
        """The torch module; None until there is one."""
        return self._model

    def hold(self, module: nn.Module) -> None:
        """Take a module in, to the device that thinc is set to."""
        self._model = module.to(get_torch_default_device()).eval()

    def copy(self) -> ModuleShim:
        """A deep copy with an id of its own: a copied shim of thinc's keeps the id."""
        copied = cast(ModuleShim, super().copy())
        with Shim.global_id_lock:
            Shim.global_id += 1
            copied.id = Shim.global_id
        return copied

    def predict(self, inputs: ArgsKwargs) -> Any:
        with torch.no_grad(), self._numbers():
            return self._model(*inputs.args, **inputs.kwargs)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable[[ArgsKwargs], ArgsKwargs]]:
        """As in thinc: the outputs, and a function that takes ArgsKwargs for
        `torch.autograd.backward` and gives the gradient of the inputs. Where those have no tensors
        there is no backward pass, and the inputs get a gradient of 0."""
        with self._training(), self._numbers():
            outputs = self._model(*inputs.args, **inputs.kwargs)

        def backprop(gradients: ArgsKwargs) -> ArgsKwargs:
            if gradients.args[0]:
                self._learned = True
                grads = self._scaler.scale(gradients.kwargs["grad_tensors"], inplace=True)
                # Checkpointing runs the forward pass again, in the mode that it had
                again = getattr(self._model, "is_gradient_checkpointing", False)
                with self._training() if again else nullcontext(), self._numbers(backward=True):
                    torch.autograd.backward(gradients.args[0], grad_tensors=grads)
            found = tuple(torch.zeros_like(a) if a.grad is None else a.grad for a in inputs.args)
            return ArgsKwargs(args=found, kwargs={})

        return outputs, backprop

    def forget(self) -> None:
        """As if there had been no backward pass since the last step."""
        self._learned = False
        self._model.zero_grad(set_to_none=True)

    def finish_update(self, optimizer: Optimizer) -> None:
        if not self._learned:
            return
        self._learned = False
        named = self._model.named_parameters()
        reached = [(n, p) for n, p in named if p.grad is not None and p.requires_grad]
        # Once a step: of a part of it that is unscaled again nothing would be left
        if not self._scaler.unscale([p.grad for _, p in reached]):
            self._step(optimizer, reached)
        self._clear([p for _, p in reached])
        self._scaler.update()

    def _step(self, optimizer: Any, parameters: list[tuple[str, nn.Parameter]]) -> None:
        if hasattr(optimizer, "step_parameters"):
            optimizer.step_parameters([(n, p, cast(Tensor, p.grad)) for n, p in parameters])
            return
        for name, parameter in parameters:
            weights, _ = optimizer(
                (self.id, name),
                cast(FloatsXd, torch2xp(parameter.data)),
                cast(FloatsXd, torch2xp(cast(Tensor, parameter.grad))),
            )
            stepped = xp2torch(weights, device=parameter.device)
            # Most work in place. A view of its own memory would hold on to the parameter's last
            # tensor, that to the one before, and so on: as many as there were steps
            if stepped.data_ptr() != parameter.data_ptr():
                parameter.data = stepped

    def _clear(self, parameters: list[nn.Parameter]) -> None:
        """Forget the gradients. thinc sets them to 0, but AdamW decays weights and moves by its
        moments with gradients of 0 too, and what had no part in a loss shall stay."""
        for parameter in parameters:
            parameter.grad = None

    @contextmanager
    def _training(self) -> Iterator[None]:
        self._model.train()
        try:
            yield
        finally:
            self._model.eval()

    def _numbers(self, backward: bool = False) -> AbstractContextManager[Any]:
        """In which numbers a pass computes. Autocast is not for backward passes."""
        if self._precision == "tf32":
            return tf32() if self.device.type == "cuda" else nullcontext()
        if self._mixed:
            return torch.autocast("cuda", enabled=not backward)
        if self._precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=not backward)
        return nullcontext()
