"""Shares with their intervals, and how they are printed: in percent or points, to one decimal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A share, 0 to 1, or a difference of two, with the ends of its interval."""

    value: float
    low: float
    high: float

    @property
    def range(self) -> str:
        """As "0.3 to 2.1"."""
        return f"{percent(self.low)} to {percent(self.high)}"

    @property
    def printed(self) -> str:
        """As "61.2 (59.0 to 63.1)"."""
        return f"{percent(self.value)} ({self.range})"

    @property
    def signed(self) -> str:
        """Of a difference, as "+1.2 (0.3 to 2.1)"."""
        return f"{'+' * (points(self.value) > 0)}{self.printed}"

    @property
    def sign(self) -> int:
        """1 or -1, or 0 where the interval, as it is printed, holds 0."""
        return (points(self.low) > 0) - (points(self.high) < 0)


def points(share: float) -> float:
    """100 times as much, to one decimal."""
    return round(100 * share, 1) + 0.0


def percent(share: float) -> str:
    """With a minus sign as long as a plus sign."""
    return f"{points(share):.1f}".replace("-", "\N{MINUS SIGN}")


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
