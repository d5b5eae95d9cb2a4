"""The learning rate and the decay of a parameter, by its name: groups, and decay over layers."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, TypeVar

from spacy.util import logger

from spacy_finegrained_ner.settings import (
    Count,
    NotNegative,
    PartAboveZero,
    RateSchedule,
    Regex,
    check,
)

T = TypeVar("T")


@dataclass
class Group:
    """The parameters whose name `pattern` matches (`re.search`).

    factor: on the rate that all share. rate: the group's own, in place of the shared one; None
    for none. schedule: gives the rate of the steps to come. weight_decay: None for the shared one.
    """

    name: str
    pattern: re.Pattern[str]
    factor: float = 1.0
    rate: float | None = None
    schedule: Iterator[float] | None = None
    weight_decay: float | None = None

    def step_schedule(self) -> None:
        """Go on to the rate of the next step. After the last one the rate stays as it is, as in
        thinc."""
        if self.schedule is not None:
            self.rate = next(self.schedule, self.rate)


@dataclass
class LayerDecay:
    """A rate that falls from the top layer down to the embeddings, by one factor for each layer
    (Howard and Ruder 2018, section 3.2; as ELECTRA has it, with the embeddings below layer 0).

    layers: how many there are. pattern: its one capture group is the number of the layer, from 0
    at the bottom. embeddings: matches what lies below layer 0.
    """

    factor: float
    layers: int
    pattern: re.Pattern[str]
    embeddings: re.Pattern[str]
    _seen: set[int] = field(default_factory=set)
    _seen_embeddings: bool = False
    _warned: bool = False

    block = "[training.optimizer.layer_decay]"

    def __call__(self, name: str) -> float:
        """The factor on the rate of the parameter of this name; 1 outside of layers and embeddings.

        Raises a ValueError where the number of its layer is too high, or no number.
        """
        match = self.pattern.search(name)
        if match is None:
            if not self.embeddings.search(name):
                return 1.0
            self._seen_embeddings = True
            return self.factor**self.layers
        if not (match[1] and match[1].isdecimal()):
            raise ValueError(
                f"{self.block} pattern = {self.pattern.pattern!r} finds {match[1]!r} in {name}, "
                "expected the number of a layer."
            )
        layer = int(match[1])
        if layer >= self.layers:
            raise ValueError(
                f"{self.block} layers = {self.layers}, but {name} is of layer {layer}, counted "
                "from 0: expected the number of layers of the encoder."
            )
        self._seen.add(layer)
        return self.factor ** (self.layers - 1 - layer)

    def check_top(self, names: Iterable[str]) -> bool:
        """Whether a parameter of the top layer was among those so far; names: of those.

        Raises a ValueError if there were only lower ones: then every rate is lower than it should
        be. Warns once if there were none at all: an encoder may be frozen at first (and becomes
        free from the top).
        """
        if self.layers - 1 in self._seen:
            return True
        message = (
            f"{self.block} layers = {self.layers}, but pattern = {self.pattern.pattern!r} matches "
            f"no parameter of layer {self.layers - 1}, counted from 0; the layers that it finds: "
            f"{sorted(self._seen)}. The parameters are: {', '.join(names)}"
        )
        if self._seen or self._seen_embeddings:
            raise ValueError(message)
        if not self._warned:
            logger.warning("%s. This is right if the encoder is frozen.", message)
            self._warned = True
        return False


class Rates:
    """The rate and the decay of each parameter, by its name; and whether every group has one."""

    def __init__(self, groups: list[Group], layer_decay: LayerDecay | None) -> None:
        self.groups = groups
        self.layer_decay = layer_decay
        # By name: its group, and the factor of its layer
        self._places: dict[str, tuple[Group | None, float]] = {}
        self._checked = self._warned = False
        self._steps = 0

    def of(self, name: str, rate: float, decay: float) -> tuple[float, float]:
        """From the rate and the decay that all share."""
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = (
                next((group for group in self.groups if group.pattern.search(name)), None),
                1.0 if self.layer_decay is None else self.layer_decay(name),
            )
        group, factor = place
        if group is not None:
            rate = group.factor * (rate if group.rate is None else group.rate)
            decay = decay if group.weight_decay is None else group.weight_decay
        return rate * factor, decay

    def step(self, checked_from: int) -> None:
        """Go on to the next step. From a step on (1 is the first with any parameter) it is checked
        that each group matches a parameter, and layer_decay one of the top layer."""
        if self._places and not self._checked:
            self._steps += 1
            if self._steps >= checked_from:
                if not self._warned:
                    self._warn_of_groups()
                    self._warned = True
                self._checked = self.layer_decay is None or self.layer_decay.check_top(self._places)
        for group in self.groups:
            group.step_schedule()

    def _warn_of_groups(self) -> None:
        used = {group.name for group, _ in self._places.values() if group is not None}
        for group in self.groups:
            if group.name not in used:
                logger.warning(
                    "[training.optimizer.groups.%s] pattern = %r matches no parameter that learns "
                    "in the first step (or only such as an earlier group has). This is right if "
                    "what it is for is frozen, or has no weight in the loss yet. The parameters "
                    "are: %s",
                    group.name,
                    group.pattern.pattern,
                    ", ".join(self._places),
                )


def read_groups(groups: dict[str, dict[str, Any]]) -> list[Group]:
    """The groups of a config, in the alphabetical order of their names: before confection 1.0, a
    config that was interpolated has its blocks sorted, and the same file would mean something else
    with another spaCy 3.8. Takes the first value of each schedule.

    Raises a ValueError that names the block for a setting that is unknown, missing or out of range.
    """
    return [_read_group(name, groups[name]) for name in sorted(groups)]


def _read_group(name: str, settings: dict[str, Any]) -> Group:
    block = f"[training.optimizer.groups.{name}]"

    def build(
        pattern: Regex,
        factor: NotNegative = 1.0,
        schedule: NotNegative | RateSchedule | None = None,
        weight_decay: NotNegative | None = None,
    ) -> Group:
        if {"factor", "schedule"} <= set(settings):
            raise ValueError(
                f"{block} has both 'factor' and 'schedule', expected at most one: a factor on the "
                "shared rate, or a rate of its own."
            )
        group = Group(name, re.compile(pattern), factor, weight_decay=weight_decay)
        if isinstance(schedule, Iterator):
            group.schedule = schedule
            schedule = _read(block, _own_rate, {"schedule": next(schedule, None)})
        group.rate = schedule
        return group

    return _read(block, build, settings)


def _own_rate(schedule: NotNegative) -> float:
    return schedule


def read_layer_decay(settings: dict[str, Any]) -> LayerDecay:
    """The block of a config. Raises a ValueError that names it for a setting that is unknown,
    missing or out of range."""
    block = LayerDecay.block

    def build(
        factor: PartAboveZero,
        layers: Count,
        # The names of Hugging Face's BERT, RoBERTa, DeBERTa, ELECTRA
        pattern: Regex = re.compile(r"(?:^|\.)layer\.(\d+)\."),
        embeddings: Regex = re.compile(r"(?:^|\.)embeddings\."),
    ) -> LayerDecay:
        layer = re.compile(pattern)
        if layer.groups != 1:
            raise ValueError(
                f"pattern of {block} is {layer.pattern!r}, with {layer.groups} capture groups, "
                "expected one, for the number of the layer."
            )
        return LayerDecay(factor, layers, layer, re.compile(embeddings))

    return _read(block, build, settings)


def _read(block: str, build: Callable[..., T], settings: Any) -> T:
    """What is built of the settings of a block: names and types are those of the arguments."""
    takes = signature(build)
    try:
        takes.bind(**settings)
    except TypeError as error:
        raise ValueError(
            f"{block} is {settings!r}: {error}. Expected a block of {', '.join(takes.parameters)}."
        ) from None
    check(block, build, settings)
    return build(**settings)
