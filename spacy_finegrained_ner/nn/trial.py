"""A layer tried out before anything is trained: what a block from outside gets wrong is said at
once, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def told(what: str, expected: str = "") -> Iterator[None]:
    """Any error in here becomes a ValueError that begins with `what` and ends with `expected`."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what}: {type(error).__name__}: {error}.{expected}") from error


@torch.no_grad()
def made(build: Callable[[int], nn.Module], width: int, name: str) -> tuple[nn.Module, int]:
    """The layer that `build` makes for vectors of a width, after a pass over two short texts, and
    the width of what it gives.

    name: of the setting, for messages.

    Raises a TypeError or a ValueError for what is no layer that takes (vectors, lengths), for
    vectors of another shape or type, and for a text that gets other vectors in a batch than alone
    (padding leaks in).
    """
    expected = f"a function of the width of the vectors (here {width}) that gives a torch.nn.Module"
    with told(f"{name} can't be made", f" Expected {expected}."):
        layer = build(width)
    if not isinstance(layer, nn.Module):
        raise TypeError(
            f"{name} makes a {type(layer).__name__}, expected a torch.nn.Module that takes "
            "(vectors, lengths)."
        )
    width_out = getattr(layer, "width_out", None)
    if isinstance(width_out, bool) or not isinstance(width_out, int) or width_out < 1:
        raise TypeError(
            f"{name} makes a {type(layer).__name__} whose width_out is {width_out!r}, expected a "
            "whole number: the width of the vectors that it gives."
        )
    layer.eval()  # without dropout, so that no random numbers are drawn
    try:
        vectors = torch.linspace(-1, 1, 9 * width).view(3, 3, width)
        together = _run(layer, vectors, [3, 2, 0], width_out, name)  # texts may be empty
        if not torch.equal(together[:2], _run(layer, vectors, [3, 2, 0], width_out, name)[:2]):
            return layer, width_out  # random also in prediction: nothing can be told
        alone = _run(layer, vectors[1:2, :2], [2], width_out, name)
    finally:
        layer.train()
    if not torch.allclose(together[1, :2], alone[0], atol=1e-4, equal_nan=True):
        raise ValueError(
            f"{name} makes a {type(layer).__name__} that gives a text other vectors beside a "
            "longer one than alone: padding leaks in, or the other text. Expected that what stands "
            "behind the end of a text (see lengths), and in others, makes no difference."
        )
    return layer, width_out


def _run(
    layer: nn.Module, vectors: Tensor, lengths: list[int], width_out: int, name: str
) -> Tensor:
    expected = (*vectors.shape[:2], width_out)
    kind = type(layer).__name__
    with told(
        f"{name} makes a {kind} that fails on vectors of the shape {tuple(vectors.shape)} with "
        f"the lengths {lengths}",
        f" Expected vectors of the shape {expected}: (texts, tokens, width_out).",
    ):
        found = layer(vectors, torch.tensor(lengths))
    if not isinstance(found, Tensor):
        raise TypeError(
            f"{name} makes a {kind} that gives a {type(found).__name__}, expected a tensor of the "
            f"shape {expected}."
        )
    if found.shape != expected or found.dtype != vectors.dtype or found.device != vectors.device:
        raise ValueError(
            f"{name} makes a {kind} that gives {found.dtype} of the shape {tuple(found.shape)} on "
            f"{found.device}, expected {vectors.dtype} of the shape {expected} on "
            f"{vectors.device}: (texts, tokens, width_out)."
        )
    return found
