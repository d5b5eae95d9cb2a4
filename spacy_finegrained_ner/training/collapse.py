"""A training that falls to "O everywhere" is told, with the settings to change."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.contracts import ReportsEntities, TrainsTasks
from spacy_finegrained_ner.training.rates import LearnRates

EARLY = 100
"""So many steps after the warm-up a model may need for its first entity, as long as it learns."""
FALLS, SOARS = 0.9, 1.5
"""Of the lowest loss before: below the one the loss falls, above the other it soars."""


class EmptyEvaluations:
    """Whether evaluations without a predicted entity say that the training has collapsed: so many
    in a row that count. One does not count, and the row begins anew,

    - at step 0: nothing was learned before;
    - where the fine task had no weight in steps since the last one: it has not been learned yet;
    - while the rate rises, and in the EARLY steps after that while the loss falls: a slow start.
      But where the loss soars it counts: a rate that is too high does that, and a slow start not.

    `steps` are those of the row.
    """

    def __init__(self, in_a_row: int = 2) -> None:
        self.steps: list[int] = []
        self._in_a_row = in_a_row
        self._losses: list[tuple[int, float]] = []

    def add(
        self,
        step: int,
        predicted: int,
        gold: int,
        *,
        loss: float | None = None,
        settled: int | None = None,
        idle: bool = False,
    ) -> bool:
        """An evaluation. predicted, gold: how many entities. loss: of the fine task, since the last
        evaluation, if it is known. settled: how many steps ago the rate rose last; None for never.
        idle: whether the task was left out. Where the gold has no entity it says nothing.
        RETURNS: whether there are so many in a row."""
        falls = soars = False
        if loss is not None:
            # Within the second half of the training so far: from one evaluation to the next, a loss
            # that falls slowly falls by less than chance.
            falls = loss < FALLS * self._lowest(step / 2)
            soars = not loss <= SOARS * self._lowest(step)  # or is NaN
            self._losses.append((step, loss))
        if not gold:
            return False
        settled = step if settled is None else settled
        slow = not soars and (settled == 0 or (settled < EARLY and falls))
        if predicted or slow or step == 0 or idle:
            self.steps.clear()
        else:
            self.steps.append(step)
        return len(self.steps) >= self._in_a_row

    def _lowest(self, until: float) -> float:
        return min((loss for step, loss in self._losses if step <= until), default=math.inf)


class Watch:
    """Looks at the evaluations of a training for the logger.

    nlp: without the components that are frozen, as a logger gets it at first. config: of the
    pipeline, interpolated.

    Where the loop trains nothing (`crf_ner` alone, which `initialize` trains), what the first
    evaluation says stays, and it is told at once.
    """

    def __init__(self, nlp: Language, config: dict[str, Any], rates: LearnRates) -> None:
        self._config, self._rates = config, rates
        self._names = set(_scored(nlp))
        self._trains = any(getattr(pipe, "is_trainable", False) for _, pipe in nlp.pipeline)
        self._evaluations = {name: EmptyEvaluations() for name in self._names}
        self._told: set[str] = set()

    def look(self, nlp: Language, record: dict[str, Any], idle: Counter[str]) -> list[str]:
        """What is to be told after an evaluation, once of each component.

        record: see `logger.make_record`. idle: in how many steps a loss was not computed.
        """
        # Where several report scores under one name, those of the last one count
        last = {prefix: name for name, prefix in _scored(nlp).items()}
        told = [
            self._look(nlp, name, prefix, record, idle)
            for prefix, name in last.items()
            if name in self._names - self._told  # not those that are frozen
        ]
        return [one for one in told if one is not None]

    def _look(
        self, nlp: Language, name: str, prefix: str, record: dict[str, Any], idle: Counter[str]
    ) -> str | None:
        losses, scores, step = record["losses"], record["scores"], record["step"]
        predicted, gold = scores.get(f"{prefix}_predicted"), scores.get(f"{prefix}_gold")
        if predicted is None or gold is None:
            return None
        pipe: Any = nlp.get_pipe(name)
        tasks = pipe.task_losses if isinstance(pipe, TrainsTasks) else {}
        fine = tasks.get("fine", name)
        if self._trains:
            empty = self._evaluations[name].add(
                step,
                predicted,
                gold,
                loss=losses.get(fine),
                settled=self._rates.settled(step),
                idle=idle[fine] > 0,
            )
        else:
            empty = gold > 0 and not predicted
        if not empty:
            return None
        self._told.add(name)
        return message(name, self._evaluations[name].steps or [step], gold, self._config)


def message(name: str, steps: list[int], gold: int, config: dict[str, Any]) -> str:
    """What is told, with the settings that this config has."""
    component = (config.get("components") or {}).get(name, {})
    when = f"step{'s' * (len(steps) > 1)} {' and '.join(map(str, steps))}"
    empty = f"'{name}' predicted no entity when evaluated at {when}, where the gold has {gold}"
    if component.get("factory") == "crf_ner":
        return (
            f"{empty}. What to change in the config: [components.{name}] "
            f"{_now(component, 'c1', 'c2', 'min_freq')}: smaller ones; "
            f"{_now(component, 'max_iterations')}: more."
        )
    return (
        f"{empty}: it has fallen to O for every token, and going on seldom gets it out of there. "
        f"What to change in the config: {'; '.join(_advice(config['training']))}. "
        "If the loss still falls, it may only be slow: then more steps ([training] max_steps)."
    )


def _advice(training: dict[str, Any]) -> Iterator[str]:
    optimizer, batcher = training.get("optimizer") or {}, training.get("batcher") or {}
    rate, place = optimizer.get("learn_rate"), "[training.optimizer.learn_rate]"
    schedule = rate if isinstance(rate, dict) else {}
    warmup, total = schedule.get("warmup"), schedule.get("total_steps")
    peak = next((key for key in ("rate", "initial_rate", "max_rate") if key in schedule), None)
    if peak is not None:
        yield f"{place} {_now(schedule, peak)}: a lower rate, a third or a tenth of it"
    else:
        yield f"{_now(optimizer, 'learn_rate', place='[training.optimizer]')}: a lower rate"
    longer = "a longer warm-up; what counts is how many steps it has"
    if isinstance(warmup, int | float) and isinstance(total, int):
        yield f"{place} warmup = {warmup} ({round(warmup * total)} of {total} steps): {longer}"
    elif "warmup_steps" in schedule:
        yield f"{place} {_now(schedule, 'warmup_steps')}: {longer}"
    else:
        yield (
            f'{place} @schedules = "spacy-finegrained-ner.warmup_linear.v1" with a warmup: '
            "the rate starts low"
        )
    ours = str(optimizer.get("@optimizers", "")).startswith("spacy-finegrained-ner.")
    whose = "" if ours else " of spacy-finegrained-ner.AdamW.v1"
    bound = "a smaller grad_clip" if optimizer.get("grad_clip") else "a grad_clip of 1.0 or less"
    now = _now(optimizer, "clip", "grad_clip")
    yield f'[training.optimizer] clip = "module"{whose} and {bound} (now {now or "not set"})'
    size = "max_padded" if batcher.get("max_padded") else "size"
    yield f"{_now(batcher, size, place='[training.batcher]')}: smaller batches, and more of them"


def _now(settings: dict[str, Any], *keys: str, place: str = "") -> str:
    """The settings as a config has them; a block by its name alone."""
    values = ((key, settings.get(key)) for key in keys if key in settings or place)
    said = " and ".join(
        key if value is None or isinstance(value, dict) else f"{key} = {_written(value)}"
        for key, value in values
    )
    return f"{place} {said}".strip()


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _scored(nlp: Language) -> dict[str, str]:
    """The components that report scores of entities, and what the names of these begin with."""
    pipes: list[tuple[str, Any]] = nlp.pipeline
    return {
        name: pipe.score_prefix
        for name, pipe in pipes
        if isinstance(pipe, ReportsEntities) and pipe.scorer is not None
    }
