"""What the rooms of the package ask of each other without importing one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from numbers import Real
from typing import Any, Literal, Protocol, cast, runtime_checkable

UNKNOWN = -1
"""Stands for a gold tag that is not known (never read as O), and for padding."""

Schedule = Callable[[float], float]
"""From the progress of a training, 0 to 1, to the weight w of the auxiliary loss, 0 to 1."""


class Combination(Protocol):
    """How the losses of the fine and the auxiliary task add up: from the weight w to the factors on
    the two. What has the factor 0 is not computed."""

    def __call__(self, w: float, /) -> tuple[float, float]: ...


class LossCombination(Protocol):
    """A combination that sees the losses too (each the mean per token, not weighted). The factors
    are taken as they are: no gradient flows through them."""

    sees_losses: Literal[True]

    def __call__(self, w: float, fine: float, auxiliary: float, /) -> tuple[float, float]: ...


AnyCombination = Combination | LossCombination


@runtime_checkable
class HasAuxiliaryWeight(Protocol):
    """A component whose weight w of the auxiliary loss, 0 to 1, can be set as training goes on."""

    auxiliary_weight: float


@runtime_checkable
class TrainsTasks(HasAuxiliaryWeight, Protocol):
    """A component that may train on two tasks, and reports the loss of each."""

    combination: AnyCombination

    @property
    def task_losses(self) -> Mapping[str, str]:
        """From "fine" and "auxiliary" to the names of their losses in what `update` reports; empty
        where there is no auxiliary task."""
        ...


@runtime_checkable
class ReportsEntities(Protocol):
    """A component that reports scores of entities, unless its scorer is None."""

    scorer: Callable[..., dict[str, Any]] | None

    @property
    def score_prefix(self) -> str:
        """What the names of its scores begin with."""
        ...


@runtime_checkable
class ReportsCost(Protocol):
    """A component that asks a service, and knows what that costs."""

    def costs(self) -> Mapping[str, Any]:
        """So far: `cost`, in money, None where no price is known; and `cached`, the number of texts
        that were answered without asking."""
        ...


def sees_losses(combination: AnyCombination) -> bool:
    return bool(getattr(combination, "sees_losses", False))


def factors_of(
    combination: AnyCombination, w: float, losses: tuple[float, float] = (1.0, 1.0)
) -> tuple[float, float]:
    """The factors on the fine and the auxiliary loss.

    losses: these two, for a combination that sees them.
    Raises a TypeError or a ValueError for what gives no two numbers from 0 on.
    """
    call = cast(Callable[..., Any], combination)
    arguments = (w, *losses) if sees_losses(combination) else (w,)
    try:
        found = call(*arguments)
    except TypeError as error:
        raise TypeError(
            f"The combination of losses {combination!r} can't be called with {arguments}: {error}. "
            "Expected a function of w; or, where its attribute sees_losses is true, of w and the "
            "fine and the auxiliary loss."
        ) from error
    pair = isinstance(found, tuple) and len(found) == 2
    if not (pair and all(isinstance(f, Real) and 0.0 <= float(f) < inf for f in found)):
        raise ValueError(
            f"The combination of losses {combination!r} gives {found!r} for {arguments}, expected "
            "a tuple of two numbers from 0 on: the factors on the fine and the auxiliary loss."
        )
    return cast(tuple[float, float], found)
