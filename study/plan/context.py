"""Knowledge as text behind the sentence, as the winning systems of the shared task had it: what it
adds, and how it compares with names as evidence."""

from __future__ import annotations

from dataclasses import replace

from study.plan.experiment import Compared, Experiment
from study.plan.names import NAMES
from study.plan.stages import Training
from study.plan.teaching import ALL

WORDPIECES = 320
"""Of a batch, as configs/default.cfg has it."""


def _behind(kind: str, times: float) -> tuple[Training, ...]:
    """times: how much longer sentences of MultiCoNER become by it. So much larger are batches, for
    as many sentences and steps as in the other arms."""
    longer = {"training.batcher.max_padded": round(WORDPIECES * times)}
    return (replace(ALL, name="model", behind=kind, settings=ALL.settings | longer),)


CONTEXT = Experiment(
    "context",
    "Knowledge as text behind the sentence",
    {
        **{name: replace(NAMES.arms[name], sets=()) for name in ("without", "with")},
        "names_as_text": Compared("with names as text behind it", _behind("names", 1.8)),
        "similar_texts": Compared("with similar texts behind it", _behind("texts", 2.7)),
    },
    [
        *((arm, "without") for arm in ("with", "names_as_text", "similar_texts")),
        ("names_as_text", "with"),
    ],
    seeds=(0,),
    sets=("valid", "dev"),
)
