"""AdamW with named groups of parameters, as a thinc optimizer."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from spacy.util import logger
from thinc.api import Optimizer, xp2torch
from thinc.types import FloatsXd, Generator
from thinc.util import is_numpy_array
from torch.optim.adamw import adamw

from spacy_finegrained_ner.training.groups import Group, LayerDecay, read_groups, read_layer_decay


@dataclass(slots=True)
class _Parameter:
    """What AdamW keeps of a parameter, and where its rate and decay come from."""

    first: torch.Tensor
    second: torch.Tensor
    step: torch.Tensor
    decays: bool
    layer_factor: float
    group: Group | None


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` computes it, with the fused
    kernel, on views of thinc's arrays.

    thinc calls an optimizer once for each parameter, with a key that ends in its name: the name
    that torch gives it. The first group whose pattern matches the name says which rate and decay
    the parameter has; the factor of its layer comes on top. Parameters of one dimension (biases,
    the weights of LayerNorm) do not decay, whatever their group. The gradient is clipped by the
    norm of each parameter, not by the norm over all of them: thinc shows an optimizer one
    parameter at a time.

    lazy: the encoder (`TransformerLayers.v1`) shall call `step_rows` for its word embeddings.
    """

    __slots__ = ("_groups", "_layer_decay", "_parameters", "_seen", "_steps", "_warned", "lazy")

    def __init__(
        self,
        learn_rate: float | Generator,
        *,
        weight_decay: float,
        beta1: float,
        beta2: float,
        eps: float,
        grad_clip: float,
        groups: list[Group],
        layer_decay: LayerDecay | None,
        lazy: bool = False,
    ) -> None:
        super().__init__(
            learn_rate,
            L2=weight_decay,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            grad_clip=grad_clip,
            use_averages=False,  # thinc's averages do nothing for torch parameters
        )
        self.lazy = lazy
        self._groups = groups
        self._layer_decay = layer_decay
        self._parameters: dict[Any, _Parameter] = {}
        # The names of the first steps, until it has been checked that the groups match them
        self._seen: dict[str, None] | None = {}
        self._steps = 0
        self._warned = False

    def __call__(
        self, key: Any, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> tuple[FloatsXd, FloatsXd]:
        """Take a step on one parameter, in place.

        The gradient is 0 afterwards, as thinc's layers need it, unless it is the memory of a torch
        tensor on the CPU. Then it is undefined: PyTorchShim, whose it is, sets it to 0 itself.
        """
        if not gradient.size:
            return weights, gradient
        if not (weights.flags.c_contiguous and gradient.flags.c_contiguous):
            raise ValueError(
                f"{key}: weights and gradient must be C-contiguous for this optimizer."
            )
        weight, grad = _view(weights), _view(gradient)
        parameter = self._parameter(key, weight)
        self._step(parameter, weight, grad, parameter.first, parameter.second, lr_scale)
        if not isinstance(getattr(gradient, "base", None), torch.Tensor):
            grad.zero_()
        return weights, gradient

    def step_rows(self, key: Any, weight: torch.Tensor, grad: torch.Tensor) -> None:
        """Take a step on those rows of a parameter that the gradient reaches, and leave the others
        as they are: their weights do not decay, and neither do their moments (lazy Adam, as
        `torch.optim.SparseAdam`). The words of a batch are a hundredth of those of an encoder.

        weight: *Shape:* (rows, width), changed in place. grad: of the same shape, sparse or not.
        """
        if grad.is_sparse:
            grad = grad.coalesce()
            rows, values = grad.indices()[0], grad.values()
        else:
            rows = grad.any(dim=1).nonzero().squeeze(1)
            values = grad[rows]
        parameter = self._parameter(key, weight)
        whole = weight, parameter.first, parameter.second
        parts = [tensor.index_select(0, rows) for tensor in whole]
        self._step(parameter, parts[0], values.contiguous(), parts[1], parts[2], 1.0)
        for tensor, part in zip(whole, parts, strict=True):
            tensor.index_copy_(0, rows, part)

    def _step(
        self,
        parameter: _Parameter,
        weight: torch.Tensor,
        grad: torch.Tensor,
        first: torch.Tensor,
        second: torch.Tensor,
        lr_scale: float,
    ) -> None:
        rate, decay = self._rate_and_decay(parameter)
        adamw(
            [weight],
            [grad],
            [first],
            [second],
            [],
            [parameter.step],
            fused=True,
            # The kernel divides by it as it reads the gradient: no pass of its own
            grad_scale=_clip_scale(grad, self.grad_clip) if self.grad_clip else None,
            amsgrad=False,
            beta1=self.b1,
            beta2=self.b2,
            lr=rate * lr_scale,
            weight_decay=decay,
            eps=self.eps,
            maximize=False,
        )

    def step_schedules(self) -> None:
        """Go on to the next step: of the shared rate, and of each group with a schedule.

        After the first step it is known which parameters there are: a warning lists them if a group
        matched none. It is no error, since a part of the model may be frozen, or have no weight in
        the loss yet. A ValueError if the top layer of layer_decay was not among them (see
        LayerDecay.check_top). On a GPU after step 20: with mixed precision thinc leaves out the
        first steps of a module while its gradients overflow.
        """
        if self._seen:  # not after a step on empty Docs, which reach no parameter
            self._steps += 1
            if self._steps >= 20 or all(p.step.is_cpu for p in self._parameters.values()):
                if not self._warned:
                    self._check_groups(self._seen)
                    self._warned = True
                if self._layer_decay is None or self._layer_decay.check_top(self._seen):
                    self._seen = None
        super().step_schedules()
        for group in self._groups:
            group.step_schedule()

    def _parameter(self, key: Any, weight: torch.Tensor) -> _Parameter:
        parameter = self._parameters.get(key)
        if parameter is None:
            parameter = self._parameters[key] = self._begin(str(key[-1]), weight)
        return parameter

    def _begin(self, name: str, weight: torch.Tensor) -> _Parameter:
        if self._seen is not None:
            self._seen[name] = None
        return _Parameter(
            first=torch.zeros_like(weight),
            second=torch.zeros_like(weight),
            step=torch.zeros((), dtype=torch.float32, device=weight.device),
            decays=weight.dim() > 1,
            layer_factor=1.0 if self._layer_decay is None else self._layer_decay(name),
            group=next((group for group in self._groups if group.pattern.search(name)), None),
        )

    def _rate_and_decay(self, parameter: _Parameter) -> tuple[float, float]:
        rate, decay, group = self.learn_rate, self.L2, parameter.group
        if group is not None:
            rate = group.factor * (rate if group.rate is None else group.rate)
            decay = decay if group.weight_decay is None else group.weight_decay
        return rate * parameter.layer_factor, decay if parameter.decays else 0.0

    def _check_groups(self, names: dict[str, None]) -> None:
        used = {p.group.name for p in self._parameters.values() if p.group is not None}
        for group in self._groups:
            if group.name not in used:
                logger.warning(
                    "[training.optimizer.groups.%s] pattern = %r matches no parameter that learns "
                    "in the first step (or only such as an earlier group has). This is right if "
                    "what it is for is frozen, or has no weight in the loss yet. The parameters "
                    "are: %s",
                    group.name,
                    group.pattern.pattern,
                    ", ".join(names),
                )


def _view(array: FloatsXd) -> torch.Tensor:
    # xp2torch takes ten times as long, which counts at a hundred parameters a step; and it copies
    # an array of the CPU to the GPU where thinc prefers that.
    return torch.from_numpy(array) if is_numpy_array(array) else xp2torch(array)


def _clip_scale(grad: torch.Tensor, bound: float) -> torch.Tensor | None:
    """What to divide the gradient by, as torch.nn.utils.clip_grad_norm_ has it; None for 1."""
    if grad.device.type != "cpu":
        # Stays on the device: asking for the number would wait for all that it has to do.
        return ((grad.norm() + 1e-6) / bound).clamp(min=1.0)
    flat = grad.view(-1)
    # More than twice as fast as torch.linalg.vector_norm, and no less exact.
    norm = math.sqrt(torch.dot(flat, flat).item())
    scale = (norm + 1e-6) / bound
    # NaN goes into the weights, as in torch, rather than being taken for a small norm.
    return None if scale <= 1.0 else torch.tensor(scale, dtype=torch.float32)


def build_adamw_v1(
    learn_rate: float | Generator,
    weight_decay: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    grad_clip: float = 1.0,
    groups: dict[str, dict[str, Any]] | None = None,
    layer_decay: dict[str, Any] | None = None,
    lazy: bool = False,
) -> AdamW:
    r"""Registered as `spacy-finegrained-ner.AdamW.v1` (optimizers).

    learn_rate: a number or a schedule; the rate that all share.
    weight_decay: of parameters of two or more dimensions. beta1, beta2, eps: as in the paper of
        Adam. grad_clip: bound on the norm of each parameter's gradient, 0 for none.
    groups: name -> {"pattern": regular expression on the parameter's name; the first group, in
        the alphabetical order of their names, that matches counts. "factor": on learn_rate (1), or
        "schedule": a number or a schedule in place of learn_rate. "weight_decay": in place of the
        one above}. The paper's head has `pattern = "^head"` and `factor = 10`.
    layer_decay: {"factor": 0 < f <= 1, "layers": how many the encoder has, "pattern": regular
        expression with the number of the layer, from 0, as its one capture group
        ("(?:^|\.)layer\.(\d+)\."), "embeddings": regular expression
        ("(?:^|\.)embeddings\.")}. The rate of layer i is multiplied by f ** (layers - 1 - i),
        that of the embeddings by f ** layers, on top of what the group says; null for none.
    lazy: word embeddings that a batch does not reach stay as they are, weights and moments: see
        `AdamW.step_rows`. Faster, since they are half of a small encoder. Only for an encoder of
        `spacy-finegrained-ner.TransformerLayers.v1`.

    Raises a ValueError that names the setting for a value out of range, an invalid pattern or an
    unknown key, and at the end of the first step for a wrong number of layers. A group that matches
    nothing is warned about then.
    """
    where = "spacy-finegrained-ner.AdamW.v1"
    rate = 0.0 if isinstance(learn_rate, Iterator) else learn_rate
    for name, value, below in (
        ("learn_rate", rate, float("inf")),
        ("weight_decay", weight_decay, float("inf")),
        ("beta1", beta1, 1.0),
        ("beta2", beta2, 1.0),
        ("eps", eps, float("inf")),
        ("grad_clip", grad_clip, float("inf")),
    ):
        # Types: confection 1.x lets "1" through, and a list for a schedule.
        if not (isinstance(value, int | float) and 0.0 <= value < below):
            raise ValueError(
                f"{name} of {where} is {value!r}, expected 0 <= {name} < {below}"
                f"{' or a schedule' if name == 'learn_rate' else ''}."
            )
    return AdamW(
        learn_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        groups=[] if groups is None else read_groups(groups),
        layer_decay=None if layer_decay is None else read_layer_decay(layer_decay),
        lazy=lazy,
    )
