"""The learning rates of a training, as its config has them."""

from collections.abc import Iterable
from itertools import repeat
from typing import Any

from spacy.util import registry

from spacy_finegrained_ner.training.groups import Group, read_groups

_PREFIX = "spacy-finegrained-ner."


class LearnRates:
    """The rates of [training.optimizer], for one step after the other. Its schedules are made once
    more of the config: a logger is not shown the optimizer.

    optimizer: the block, interpolated.
    """

    def __init__(self, optimizer: dict[str, Any]) -> None:
        ours = str(optimizer.get("@optimizers", _PREFIX)).startswith(_PREFIX)
        keys = ("learn_rate", "groups") if ours else ("learn_rate",)
        blocks = {key: optimizer.get(key) for key in keys}
        made = registry.resolve({key: block for key, block in blocks.items() if block is not None})
        self.groups: list[Group] = read_groups(made.get("groups", {}))
        shared = made.get("learn_rate", 0.0)
        self._shared = iter(shared) if isinstance(shared, Iterable) else repeat(shared)
        self._rate = 0.0
        self._highest: dict[str | None, float] = {}
        self._step, self._rose = -1, 0

    def at(self, step: int) -> dict[str | None, float]:
        """The rate of each group in a step, by its name; None is the rate that the others have. The
        factors of layer_decay are not in it."""
        while self._step < step:
            self._step += 1
            self._rate = float(next(self._shared, self._rate))
            for group in self.groups if self._step else ():
                group.step_schedule()
            for name, rate in self._now().items():
                # More than by the last digit, at the second peak of a cycle
                if rate > self._highest.get(name, 0.0) * (1.0 + 1e-6):
                    self._highest[name], self._rose = rate, self._step
        return self._now()

    def settled(self, step: int) -> int:
        """How many steps ago a rate rose last, 0 in a warm-up."""
        self.at(step)
        return step - self._rose

    def _now(self) -> dict[str | None, float]:
        rates: dict[str | None, float] = {None: self._rate}
        for group in self.groups:
            rates[group.name] = group.factor * (self._rate if group.rate is None else group.rate)
        return rates
