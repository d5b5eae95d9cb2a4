"""Schedules as pure functions of training progress."""

from collections.abc import Iterator
from itertools import repeat

from spacy_finegrained_ner.settings import NotNegative, PartBelowOne, Reference, Steps, checked


def warmup_linear(progress: float, warmup: float) -> float:
    """The factor on the peak rate: up linearly from 0 to 1 over the first `warmup` of training,
    then down linearly to 0 at the end.

    progress: part of the training that is done, 0 to 1 (what lies outside is cut to that).
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < warmup:
        return progress / warmup
    return (1.0 - progress) / (1.0 - warmup)


@checked("spacy-finegrained-ner.warmup_linear.v1")
def build_warmup_linear_v1(
    rate: NotNegative, warmup: PartBelowOne, total_steps: Steps | Reference
) -> Iterator[float]:
    """Registered as `spacy-finegrained-ner.warmup_linear.v1` (schedules).

    rate: the peak. warmup: the part of the training that it takes to get there, 0 <= warmup < 1.
    total_steps: give it `${training.max_steps}`: spaCy never knows how long a run is otherwise.
    After that many steps the rate is 0.

    Outside of `spacy train` (`nlp.create_optimizer`, `nlp.resume_training`) spaCy hands the
    reference over as it stands. Then nobody knows how long the run will be, and the rate is
    constant.
    """
    if isinstance(total_steps, str):
        return repeat(rate)

    def rates() -> Iterator[float]:
        step = 0
        while True:
            # The first step is step 1 of total_steps: a rate of 0 would waste it.
            yield rate * warmup_linear((step + 1) / (total_steps + 1), warmup)
            step += 1

    return rates()
