"""Traps in what a config says of the length of a run: schedules, warm-up, evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from spacy.util import registry

from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.doctor.run import Run, blocks_in
from spacy_finegrained_ner.training.callbacks import AUXILIARY_WEIGHT
from spacy_finegrained_ner.training.rates import LearnRates

FEWEST_STEPS = 20
"""Of a warm-up: AdamW's moments are those of the last ten to a thousand steps."""
LOOKED_AT = 20_000
"""Steps whose rates are made."""
TINY = 0.5
"""Part of the batches that have one text."""
SAME = 0.02
"""Lengths of a run that differ by less are the same."""
EVALUATIONS = "spacy-finegrained-ner.evaluations.v1"
CLOCK = "Give it ${training.max_steps}, and end the run by max_steps alone (max_epochs = 0)."


def check_length(run: Run) -> Iterator[Finding]:
    if not trained(run):
        return
    yield from _end(run)
    yield from _schedules(run)
    yield from _warm_up(run)
    yield from _evaluations(run)
    yield from _batches(run)


def trained(run: Run) -> list[str]:
    """What learns step by step: the CRF of CRFsuite does not."""
    return [
        name
        for name, pipe in run.nlp.pipeline
        if getattr(pipe, "is_trainable", False) and name not in run.frozen
        if run.factory(name) != "crf_ner"
    ]


def _end(run: Run) -> Iterator[Finding]:
    training = run.training
    if training["max_steps"] <= 0 and training["max_epochs"] <= 0 and not training["patience"]:
        what = "max_steps, max_epochs and patience are all 0: the run has no end."
        yield Finding("no-end", "error", what, "Set [training] max_steps.")
    elif training["patience"] and 0 < training["patience"] < training["eval_frequency"]:
        what = (
            f"patience is {training['patience']:,} steps, less than the eval_frequency of "
            f"{training['eval_frequency']:,}: the first evaluation that is no better ends the run."
        )
        yield Finding("patience", "warning", what, "Set it to several eval_frequency, or to 0.")


def _schedules(run: Run) -> Iterator[Finding]:
    steps = run.steps
    if steps is None:
        return
    training = run.training
    for block in chain(*(blocks_in(training.get(x) or {}) for x in ("before_update", "optimizer"))):
        total = block.get("total_steps")
        if not isinstance(total, int) or total < 1:
            continue
        name = str(block.get("@callbacks") or block.get("@schedules"))
        of_weight = block.get("@callbacks") == AUXILIARY_WEIGHT
        if abs(total - steps) > SAME * steps:
            early = training["max_steps"] != steps
            ends = f"{steps:,} steps{' (max_epochs ends it)' if early else ''}"
            if total > steps:
                then = "it never comes to its end"
                if of_weight:
                    then = "w ends at {:.3g}, not at its residual, {:.3g}".format(
                        *_weights(block, steps / total)
                    )
            else:
                then = f"after step {total:,} it " + (
                    "stays at its residual" if of_weight else "stays as it is at its end"
                )
            what = f"total_steps of {name} is {total:,}, and the run has {ends}: {then}."
            yield Finding("schedule-length", "warning", what, CLOCK)
        elif of_weight and not _reaches(block):
            what = f"w of {name} comes to its residual only with the last step of the run."
            do = "Set until of its schedule below 1, such as 0.75: the end is for the fine labels."
            yield Finding("schedule-length", "note", what, do)


def _weights(block: Mapping[str, Any], progress: float) -> tuple[float, float]:
    """w at this progress and at the end of the schedule."""
    schedule = registry.resolve({"schedule": block["schedule"]})["schedule"]
    return schedule(progress), schedule(1.0)


def _reaches(block: Mapping[str, Any]) -> bool:
    """Whether w is at its last value, nearly, some time before the end."""
    first, _ = _weights(block, 0.0)
    before, last = _weights(block, 0.98)
    return abs(before - last) <= 0.01 * max(abs(first - last), 1e-9) or first == last


def _warm_up(run: Run) -> Iterator[Finding]:
    if not run.tunes_encoder:
        return
    steps = run.steps or 0
    rates = LearnRates(run.training["optimizer"])
    shared = [rates.at(step)[None] or 0.0 for step in range(min(steps or 1000, LOOKED_AT))]
    highest = max(shared)
    peak = next(i for i, rate in enumerate(shared) if rate >= 0.999 * highest)
    if peak + 1 < FEWEST_STEPS:
        what = (
            f"The warm-up has {peak:,} steps: the encoder meets a head that knows nothing with "
            f"a rate of {highest:.2g}."
        )
        do = f"Let the rate rise over at least {FEWEST_STEPS} steps, a tenth of the run: " + (
            "warmup = 0.1 of spacy-finegrained-ner.warmup_linear.v1."
        )
        yield Finding("short-warm-up", "warning", what, do)
    elif steps and 2 * peak > steps:
        what = f"The warm-up has {peak:,} of {steps:,} steps: most of the run is below its rate."
        do = "A tenth of the run will do: warmup = 0.1 of spacy-finegrained-ner.warmup_linear.v1."
        yield Finding("long-warm-up", "warning", what, do)


def _evaluations(run: Run) -> Iterator[Finding]:
    every, steps = run.training["eval_frequency"], run.steps
    before = run.config["initialize"].get("before_init") or {}
    if any(block.get("@callbacks") == EVALUATIONS for block in blocks_in(before)):
        return  # which sees to it
    if steps and steps % every:
        last = steps // every * every
        what = (
            f"The run has {steps:,} steps, and eval_frequency is {every:,}: the last evaluation is "
            f"at step {last:,}, and what is learned after it is not kept in model-best."
        )
        do = f"Let it divide the steps, or have {EVALUATIONS} in [initialize.before_init]."
        yield Finding("no-evaluation-at-end", "warning", what, do)


def _batches(run: Run) -> Iterator[Finding]:
    batches, steps = run.batches, run.steps
    if not batches:
        return
    single = sum(size == 1 for size in batches)
    if single > TINY * len(batches) and len(batches) > 1:
        what = f"{single:,} of {len(batches):,} batches of an epoch have one text."
        do = "Set a larger size of the batcher (or max_padded, or words): 16 texts are usual."
        yield Finding("tiny-batches", "warning", what, do)
    if steps and steps < (1 - SAME) * len(batches):
        what = f"The run has {steps:,} steps, and an epoch {len(batches):,}: it sees not all texts."
        do = "Set max_steps to several epochs; three are what the shipped configs were tried with."
        yield Finding("less-than-an-epoch", "warning", what, do)
