"""Callbacks for `[training] before_update`, which spaCy calls before each step."""

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.contracts import HasAuxiliaryWeight, Schedule
from spacy_finegrained_ner.settings import Reference, Steps, checked

BeforeUpdate = Callable[[Language, dict[str, Any]], None]
"""From the pipeline and {"step": int, "epoch": int}, both from 0 on."""

AUXILIARY_WEIGHT = "spacy-finegrained-ner.auxiliary_weight.v1"


def set_auxiliary_weight(
    nlp: Language,
    info: dict[str, Any],
    *,
    schedule: Schedule,
    total_steps: int | str,
    component: str,
) -> None:
    """Set `auxiliary_weight` of the component to what the schedule has for this step."""
    if component not in nlp.component_names:
        raise ValueError(
            f"{AUXILIARY_WEIGHT} has component = {component!r}, which is not in the pipeline. "
            f"Expected one of {nlp.component_names}."
        )
    pipe: Any = nlp.get_pipe(component)
    if not isinstance(pipe, HasAuxiliaryWeight):
        raise ValueError(
            f"{AUXILIARY_WEIGHT} has component = {component!r}, a {type(pipe).__name__} without "
            "an auxiliary_weight. Expected a component of the factory 'finegrained_ner'."
        )
    if isinstance(total_steps, str):
        return
    progress = min(info["step"] / total_steps, 1.0)
    pipe.auxiliary_weight = _weight(schedule, progress)


def _weight(schedule: Schedule, progress: float) -> float:
    try:
        weight: Any = schedule(progress)
    except TypeError as error:
        raise TypeError(
            f"The schedule of {AUXILIARY_WEIGHT} can't be called with {progress}: {error}. "
            "Expected a function of the progress of the training, 0 to 1."
        ) from error
    if not (isinstance(weight, Real) and 0.0 <= float(weight) <= 1.0):
        raise ValueError(
            f"The schedule of {AUXILIARY_WEIGHT} gives {weight!r} at progress {progress}, "
            "expected a weight from 0 to 1."
        )
    return float(weight)


def run_all(nlp: Language, info: dict[str, Any], *, callbacks: tuple[BeforeUpdate, ...]) -> None:
    """Run the callbacks one after the other."""
    for callback in callbacks:
        callback(nlp, info)


@checked(AUXILIARY_WEIGHT)
def build_auxiliary_weight_v1(
    schedule: Schedule,
    total_steps: Steps | Reference,
    component: str = "finegrained_ner",
) -> BeforeUpdate:
    """Registered as `spacy-finegrained-ner.auxiliary_weight.v1` (callbacks).

    schedule: from training progress to the weight w of the auxiliary loss, such as
        `spacy-finegrained-ner.paper_decay.v1`.
    total_steps: give it `${training.max_steps}`: spaCy never knows how long a run is otherwise.
    component: the name in the pipeline of what has the weight. Where it has no auxiliary task, the
        weight is set and has no effect.

    Raises a ValueError for a length that is not known (0 is an open end in [training] max_steps);
    at the first step, for a component that is not there or has no such weight; and for a weight of
    the schedule outside of 0 to 1. A TypeError for what is no schedule. A reference that nobody
    resolved (the config was not interpolated) leaves the weight at what the component's own config
    says.
    """
    for progress in (0.0, 0.25, 0.5, 0.75, 1.0):
        _weight(schedule, progress)  # what is no schedule is told before the training
    return partial(
        set_auxiliary_weight, schedule=schedule, total_steps=total_steps, component=component
    )


def build_chain_v1(callbacks: dict[str, Any]) -> BeforeUpdate:
    """Registered as `spacy-finegrained-ner.chain.v1` (callbacks): several callbacks in the one
    place that spaCy has for them.

    callbacks: by names of your choice. They run in the alphabetical order of the names.

    Raises a ValueError for what is no callback.
    """
    # Checked here: confection 1.3 checks the values of a dict by its annotation before it has
    # resolved them, and finds blocks.
    for name, callback in callbacks.items():
        if not callable(callback):
            raise ValueError(
                f"callbacks.{name} of spacy-finegrained-ner.chain.v1 is {callback!r}, expected a "
                "callback, that is a block with @callbacks."
            )
    # Not in the order of the config: in confection 0.1, a config that was interpolated has its
    # blocks sorted, and the same file would run in another order with another spaCy 3.8.
    return partial(run_all, callbacks=tuple(callbacks[name] for name in sorted(callbacks)))
