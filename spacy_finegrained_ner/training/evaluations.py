"""How often `spacy train` evaluates: a divisor of the number of steps, so that it ends with one."""

from collections.abc import Callable
from functools import partial
from math import isqrt, log

from spacy.language import Language
from spacy.util import logger

from spacy_finegrained_ner.settings import Count, checked

_NAME = "spacy-finegrained-ner.evaluations.v1"


def set_eval_frequency(nlp: Language, *, evaluations: int) -> None:
    """Set `[training] eval_frequency` to the divisor of max_steps that is nearest to what is
    wanted. spaCy evaluates every so many steps and keeps the best of what it has evaluated: with
    any other number, the last steps are trained for nothing."""
    training = nlp.config.interpolate()["training"]
    steps, frequency = training["max_steps"], training["eval_frequency"]
    if steps < 1:
        raise ValueError(
            f"{_NAME} needs to know the length of the training, and [training] max_steps is "
            f"{steps}, an open end: set a number of steps there."
        )
    wanted = frequency if 0 < frequency < steps else steps / evaluations
    small = [n for n in range(1, isqrt(steps) + 1) if steps % n == 0]
    divisors = sorted({*small, *(steps // n for n in small)})
    nearest = min(divisors, key=lambda n: abs(log(n / wanted)))
    nlp.config["training"]["eval_frequency"] = nearest
    logger.info("Evaluates every %d of %d steps, and so at the last", nearest, steps)
    if wanted == frequency != nearest:
        logger.warning(
            "[training] eval_frequency is %d, which does not divide max_steps, %d: every %d steps "
            "the model is evaluated, so that the last is among them.",
            *(frequency, steps, nearest),
        )
    elif nearest >= 2.0 * max(wanted, 1.0):
        logger.warning(
            "[training] max_steps = %d does not divide into parts of about %d steps: only %d "
            "evaluation(s) choose the model. Take another number of steps, such as %d.",
            *(steps, round(wanted), steps // nearest, round(wanted) * round(steps / wanted)),
        )


@checked(_NAME)
def build_evaluations_v1(evaluations: Count) -> Callable[[Language], None]:
    """Registered as `spacy-finegrained-ner.evaluations.v1` (callbacks): for
    `[initialize.before_init]`. The last step is always evaluated.

    evaluations: about how many, as near as the steps can be divided; the one that spaCy makes
        after the first step does not count. An eval_frequency below max_steps is taken in their
        place, as near as it divides them.

    Raises a ValueError for a number < 1; and in `initialize`, where max_steps is 0, an open end.
    """
    return partial(set_eval_frequency, evaluations=evaluations)
