"""AdamW with named groups of parameters, as a thinc optimizer."""

import re
from typing import Any

import torch
from thinc.api import Optimizer, xp2torch
from thinc.types import FloatsXd, Generator
from torch.optim.adamw import adamw

_STATE = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class AdamW(Optimizer):
    """AdamW (Loshchilov and Hutter 2019) as `torch.optim.AdamW` computes it, with the fused
    kernel, on views of thinc's arrays.

    thinc calls an optimizer once for each parameter, with a key that ends in its name: the name
    that torch gives it. A group is a regular expression on that name (`re.search`) and a factor
    on the learning rate; the first group that matches counts. Parameters of one dimension (biases,
    the weights of LayerNorm) do not decay. The gradient is clipped by the norm of each parameter,
    not by the norm over all of them: thinc shows an optimizer one parameter at a time.
    """

    __slots__ = ("_factors", "_groups", "_matched", "_seen", "_state")

    def __init__(
        self,
        learn_rate: float | Generator,
        *,
        weight_decay: float,
        beta1: float,
        beta2: float,
        eps: float,
        grad_clip: float,
        groups: dict[str, dict[str, Any]],
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
        self._groups = [
            (name, re.compile(group["pattern"]), float(group["factor"]))
            for name, group in groups.items()
        ]
        self._state: dict[Any, _STATE] = {}
        self._factors: dict[Any, float] = {}
        self._matched: set[str] = set()
        self._seen: dict[str, None] | None = {}

    def __call__(
        self, key: Any, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> tuple[FloatsXd, FloatsXd]:
        """Take a step on one parameter, in place. The gradient that is returned is 0."""
        if not gradient.size:
            return weights, gradient
        if not (weights.flags.c_contiguous and gradient.flags.c_contiguous):
            raise ValueError(
                f"{key}: weights and gradient must be C-contiguous for this optimizer."
            )
        parameter, grad = xp2torch(weights), xp2torch(gradient)
        if key not in self._state:
            self._state[key] = (
                torch.zeros_like(parameter),
                torch.zeros_like(parameter),
                torch.zeros((), dtype=torch.float32, device=parameter.device),
            )
            self._factors[key] = self._factor(str(key[-1]))
        first, second, step = self._state[key]
        if self.grad_clip:
            # As torch.nn.utils.clip_grad_norm_ does it, without asking the GPU for the norm.
            grad.mul_((self.grad_clip / (grad.norm() + 1e-6)).clamp(max=1.0))
        adamw(
            [parameter],
            [grad],
            [first],
            [second],
            [],
            [step],
            fused=True,
            amsgrad=False,
            beta1=self.b1,
            beta2=self.b2,
            lr=self.learn_rate * self._factors[key] * lr_scale,
            weight_decay=self.L2 if parameter.dim() > 1 else 0.0,
            eps=self.eps,
            maximize=False,
        )
        grad.zero_()
        return weights, gradient

    def step_schedules(self) -> None:
        """Go on to the next step. After the first one it is known which parameters there are:
        raises a ValueError that lists them if a group matched none."""
        if self._seen:  # not after a step on empty Docs, which reach no parameter
            for name, pattern, _ in self._groups:
                if name not in self._matched:
                    raise ValueError(
                        f"[training.optimizer.groups.{name}] pattern = {pattern.pattern!r} matches "
                        "no parameter (or only such as an earlier group has). The parameters are: "
                        f"{', '.join(self._seen)}"
                    )
            self._seen = None
        super().step_schedules()

    def _factor(self, name: str) -> float:
        if self._seen is not None:
            self._seen[name] = None
        for group, pattern, factor in self._groups:
            if pattern.search(name):
                self._matched.add(group)
                return factor
        return 1.0


def build_adamw_v1(
    learn_rate: float | Generator,
    weight_decay: float = 0.01,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    grad_clip: float = 1.0,
    groups: dict[str, dict[str, Any]] | None = None,
) -> AdamW:
    """Registered as `spacy-finegrained-ner.AdamW.v1` (optimizers).

    learn_rate: a number or a schedule; the rate of what is in no group.
    weight_decay: of parameters of two or more dimensions. beta1, beta2, eps: as in the paper of
        Adam. grad_clip: bound on the norm of each parameter's gradient, 0 for none.
    groups: name -> {"pattern": regular expression on the parameter's name, "factor": on
        learn_rate}. The paper's head has `pattern = "^head"` and `factor = 10`.

    Raises a ValueError that names the setting for a value out of range, an invalid pattern or an
    unknown key, and at the end of the first step for a group that matches nothing.
    """
    where = "spacy-finegrained-ner.AdamW.v1"
    constant = learn_rate if isinstance(learn_rate, int | float) else 0.0
    for name, value, below in (
        ("learn_rate", constant, float("inf")),
        ("weight_decay", weight_decay, float("inf")),
        ("beta1", beta1, 1.0),
        ("beta2", beta2, 1.0),
        ("eps", eps, float("inf")),
        ("grad_clip", grad_clip, float("inf")),
    ):
        if not 0.0 <= value < below:
            raise ValueError(f"{name} of {where} is {value}, expected 0 <= {name} < {below}.")
    groups = {} if groups is None else groups
    for name, group in groups.items():
        block = f"[training.optimizer.groups.{name}]"
        if set(group) != {"pattern", "factor"}:
            raise ValueError(f"{block} has {sorted(group)}, expected 'factor' and 'pattern'.")
        try:
            re.compile(group["pattern"])
        except (re.error, TypeError) as error:
            raise ValueError(
                f"{block} pattern = {group['pattern']!r} is no regular expression: {error}."
            ) from None
        factor = group["factor"]
        if isinstance(factor, bool) or not isinstance(factor, int | float):
            raise ValueError(f"{block} factor = {factor!r}, expected a number >= 0.")
        if not 0.0 <= factor < float("inf"):
            raise ValueError(f"{block} factor = {factor}, expected a number >= 0.")
    return AdamW(
        learn_rate,
        weight_decay=weight_decay,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
        grad_clip=grad_clip,
        groups=groups,
    )
