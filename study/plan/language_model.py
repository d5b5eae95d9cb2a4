"""A small language model beside small pipelines: what is compared."""

from __future__ import annotations

from study.plan.arms import ARMS, CLASSIC
from study.plan.experiment import Compared, Experiment
from study.plan.stages import Training

ASKED = {
    "few_shot": "language model, examples in the prompt",
    "tuned": "language model, fine-tuned by LoRA",
}
"""How the model is asked: the arms that `study llm run` does."""
BESIDE = ("default", "linear", "ner", "crf")
"""Arms of the study, from its records."""

SENTENCES = 200
"""Of the part that is scored, by seed 0."""

_TITLES = ASKED | {name: arm.title for name, arm in ARMS.items()} | CLASSIC

LANGUAGE_MODEL = Experiment(
    "llm",
    "A small language model beside small pipelines",
    {
        name: Compared(_TITLES[name], (Training(name, "train", epochs=0),))
        for name in (*ASKED, *BESIDE)
    },
    (("tuned", "few_shot"), *((arm, asked) for asked in ASKED for arm in BESIDE)),
)
"""Its trainings are not those of the runner."""
