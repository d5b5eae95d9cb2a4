"""AdamW with named groups of parameters, as a thinc optimizer."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import torch
from thinc.api import Optimizer, xp2torch
from thinc.types import FloatsXd, Generator
from thinc.util import is_numpy_array
from torch.optim.adamw import adamw
from torch.utils.weak import WeakTensorKeyDictionary

from spacy_finegrained_ner.settings import NotNegative, PartBelowOne, RateSchedule, checked
from spacy_finegrained_ner.training.groups import Rates, read_groups, read_layer_decay

Clip = Literal["module", "parameter"]


@dataclass(slots=True)
class _State:
    """What AdamW keeps of a parameter."""

    first: torch.Tensor
    second: torch.Tensor
    step: torch.Tensor

    @classmethod
    def of(cls, weight: torch.Tensor) -> "_State":
        step = torch.zeros((), dtype=torch.float32, device=weight.device)
        return cls(torch.zeros_like(weight), torch.zeros_like(weight), step)

    def fits(self, weight: torch.Tensor) -> bool:
        kept = self.first
        return (kept.shape, kept.device, kept.dtype) == (weight.shape, weight.device, weight.dtype)


class _Part(NamedTuple):
    """Of a step: a parameter, or some rows of one. decays: whether it may."""

    name: str
    decays: bool
    weight: torch.Tensor
    grad: torch.Tensor
    state: _State


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` computes it, with the fused
    kernel.

    `step_parameters` takes a step on all parameters of a torch module at once; our encoder and
    head call it. thinc's own layers and shims call the optimizer once for each parameter, with a
    key that ends in its name. The first group whose pattern matches the name that torch gives a
    parameter says which rate and decay it has; the factor of its layer comes on top. Parameters of
    one dimension (biases, the weights of LayerNorm) do not decay, whatever their group.

    What is kept of a parameter belongs to it, not to its name: a module that is built anew, loaded
    or copied starts without.

    lazy: word embeddings that a batch does not reach stay as they are, weights and moments: their
    gradient comes as the rows that it reaches (sparse), from `TransformerLayers.v1`.
    clip: whether grad_clip bounds the norm over all parameters of a module ("module"), or that of
    each ("parameter"), as always where thinc shows one at a time.
    """

    __slots__ = ("_modules", "_on_gpu", "_others", "_rates", "_stepped", "clip", "lazy")

    def __init__(
        self,
        learn_rate: float | Generator,
        *,
        weight_decay: float,
        beta1: float,
        beta2: float,
        eps: float,
        grad_clip: float,
        rates: Rates,
        lazy: bool,
        clip: Clip,
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
        self.clip = clip
        self._rates = rates
        # By parameter, as long as it is there
        self._modules = WeakTensorKeyDictionary()
        # By key and memory, with the array: the key alone may be that of a copy, or of what was
        # there before, and an address that nobody holds is used again
        self._others: dict[Any, dict[int, tuple[torch.Tensor, _State]]] = defaultdict(dict)
        self._stepped: set[int] = set()
        self._on_gpu = False

    @torch.no_grad()
    def step_parameters(self, parameters: Sequence[tuple[str, torch.Tensor, torch.Tensor]]) -> None:
        """Take a step on the parameters of a torch module: name, parameter, and its gradient, which
        is undefined afterwards.

        Of a sparse gradient only the rows that it reaches are stepped on: the weights of the others
        do not decay, and neither do their moments (lazy Adam, as `torch.optim.SparseAdam`).
        """
        parts, rows = [], []
        for name, parameter, grad in parameters:
            state = self._modules.get(parameter)
            if state is None or not state.fits(parameter):
                state = self._modules[parameter] = _State.of(parameter)
            weight: torch.Tensor = parameter
            if grad.is_sparse:
                grad = grad.coalesce()
                index, grad = grad.indices()[0], grad.values().contiguous()
                whole = parameter, state.first, state.second
                some = [tensor.index_select(0, index) for tensor in whole]
                rows.append((index, whole, some))
                weight, state = some[0], _State(some[1], some[2], state.step)
            parts.append(_Part(name, parameter.dim() > 1, weight, grad, state))
        self._step(parts)
        for index, whole, some in rows:
            for tensor, part in zip(whole, some, strict=True):
                tensor.index_copy_(0, index, part)

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
        address = weight.data_ptr()
        self._stepped.add(address)
        held = self._others[key].get(address)
        if held is None or not held[1].fits(weight):
            held = self._others[key][address] = weight, _State.of(weight)
        self._step([_Part(str(key[-1]), weight.dim() > 1, weight, grad, held[1])], lr_scale)
        if not isinstance(getattr(gradient, "base", None), torch.Tensor):
            grad.zero_()
        return weights, gradient

    def _scale(self, grads: list[torch.Tensor]) -> torch.Tensor | None:
        """What to divide the gradients by, as torch.nn.utils.clip_grad_norm_ has it. Where each is
        clipped on its own, that is done here. NaN goes into the weights, as in torch, rather than
        being taken for a small norm. Nothing waits for the device."""
        if not (self.grad_clip and grads):
            return None
        norms = torch.stack(torch._foreach_norm(grads))
        if self.clip == "module" or len(grads) == 1:
            norm = torch.linalg.vector_norm(norms)
            # The kernel divides by it as it reads the gradient: no pass of its own
            return ((norm + 1e-6) / self.grad_clip).clamp(min=1.0)
        scales = (self.grad_clip / (norms + 1e-6)).clamp(max=1.0)
        if not scales.is_cpu:
            torch._foreach_mul_(grads, list(scales.unbind()))
            return None
        clipped = [(g, s) for g, s in zip(grads, scales.tolist(), strict=True) if s != 1.0]
        if clipped:
            torch._foreach_mul_([g for g, _ in clipped], [s for _, s in clipped])
        return None

    def _step(self, parts: list[_Part], lr_scale: float = 1.0) -> None:
        scale = self._scale([part.grad for part in parts])
        alike: dict[tuple[float, float], list[_Part]] = defaultdict(list)
        for part in parts:
            rate, decay = self._rates.of(part.name, self.learn_rate, self.L2)
            alike[rate, decay if part.decays else 0.0].append(part)
            self._on_gpu |= not part.weight.is_cpu
        for (rate, decay), some in alike.items():
            adamw(
                [part.weight for part in some],
                [part.grad for part in some],
                [part.state.first for part in some],
                [part.state.second for part in some],
                [],
                [part.state.step for part in some],
                fused=True,
                grad_scale=scale,
                amsgrad=False,
                beta1=self.b1,
                beta2=self.b2,
                lr=rate * lr_scale,
                weight_decay=decay,
                eps=self.eps,
                maximize=False,
            )

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """For a pickle or a copy, whose parameters are others: of those it has kept nothing."""
        names = {name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())}
        state = {name: getattr(self, name) for name in names}
        return None, {**state, "_modules": {}, "_others": {}}

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for name, value in state[1].items():
            setattr(self, name, value)
        self._modules, self._others = WeakTensorKeyDictionary(), defaultdict(dict)

    def step_schedules(self) -> None:
        """Go on to the next step: of the shared rate, and of each group with a schedule.

        After the first step a warning lists the parameters if a group matched none: a part of the
        model may be frozen, or have no weight in the loss yet. A ValueError if the top layer of
        layer_decay was not among them (see LayerDecay.check_top). On a GPU after step 20: under
        mixed precision a module takes no step while its gradients overflow.
        """
        for arrays in self._others.values():
            # What was there before, or a copy that this step has passed over: it starts anew
            if len(arrays) > 1 and not self._stepped.isdisjoint(arrays):
                for address in set(arrays) - self._stepped:
                    del arrays[address]
        self._stepped.clear()
        super().step_schedules()
        self._rates.step(checked_from=20 if self._on_gpu else 1)


def _view(array: FloatsXd) -> torch.Tensor:
    # xp2torch takes ten times as long, which counts at a hundred parameters a step; and it copies
    # an array of the CPU to the GPU where thinc prefers that.
    return torch.from_numpy(array) if is_numpy_array(array) else xp2torch(array)


@checked("spacy-finegrained-ner.AdamW.v1")
def build_adamw_v1(
    learn_rate: NotNegative | RateSchedule,
    weight_decay: NotNegative = 0.01,
    beta1: PartBelowOne = 0.9,
    beta2: PartBelowOne = 0.999,
    eps: NotNegative = 1e-8,
    grad_clip: NotNegative = 1.0,
    groups: dict[str, dict[str, Any]] | None = None,
    layer_decay: dict[str, Any] | None = None,
    lazy: bool = False,
    clip: Annotated[Clip, "'module' or 'parameter'"] = "parameter",
) -> AdamW:
    r"""Registered as `spacy-finegrained-ner.AdamW.v1` (optimizers).

    learn_rate: a number or a schedule; the rate that all share.
    weight_decay: of parameters of two or more dimensions. beta1, beta2, eps: as in the paper of
        Adam. grad_clip: bound on the norm of the gradient, 0 for none.
    clip: "module": grad_clip bounds the norm over all parameters of a torch module (the encoder is
        one, the head is another), as is usual for transformers; "parameter": that of each. thinc's
        own layers, and encoders of TransformerModel.v3, are always clipped by parameter.
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
        `AdamW.step_parameters`. Faster, since they are half of a small encoder. Only for an encoder
        of `spacy-finegrained-ner.TransformerLayers.v1`.

    Raises a ValueError that names the setting for a value out of range, an invalid pattern or an
    unknown key, and at the end of the first step for a wrong number of layers. A group that matches
    nothing is warned about then.
    """
    return AdamW(
        learn_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        rates=Rates(
            read_groups(groups or {}),
            None if layer_decay is None else read_layer_decay(layer_decay),
        ),
        lazy=lazy,
        clip=clip,
    )
