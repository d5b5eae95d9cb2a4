"""The pipelines of the runs, as configs. A new one is a function here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from spacy.cli.init_config import init_config
from spacy.util import load_config
from thinc.api import Config

from study.plan.factors import Settings
from study.plan.stages import StudyError, Training
from study.runs.sample import TAGGERS

CONFIGS = Path(__file__).parents[2] / "configs"

LONGEST_EVALUATION = 100
"""Sentences that spaCy looks at before the first step of a run without a curve."""


@dataclass(frozen=True)
class Inputs:
    """Where a run finds its things.

    work: folder of `runs.sample.prepare`, with gold tables. encoder, base_encoder: folder or name.
    pos: a pipeline with a tagger. taxonomy: the name of a packaged one, or a file. knowledge: a
    file of names. texts: a file of unlabelled texts. command: what the user called, for the
    records.
    """

    work: Path
    encoder: str
    base_encoder: str | None = None
    pos: str | None = None
    taxonomy: str = "multiconer2"
    knowledge: str | None = None
    texts: str | None = None
    command: list[str] = field(default_factory=list)

    def names(self, variant: str = "") -> str:
        """The file of names, or one that is made of it: see `runs.names`.

        Raises a StudyError where none is given.
        """
        if self.knowledge is None:
            raise StudyError(
                "A run reads names: give --knowledge, a file that `knowledge build` has made."
            )
        own = variant in ("", "given")
        return self.knowledge if own else str(self.work / "names" / f"{variant}.kb")


def config_of(training: Training, seed: int, inputs: Inputs) -> Config:
    """The config of a training, but for its number of steps."""
    config: Config = PIPELINES[training.pipeline](training, inputs)
    config["paths"]["train"] = str(inputs.work / f"{training.file(training.part)}.spacy")
    config["paths"]["dev"] = str(inputs.work / f"{training.file('valid')}.spacy")
    config["paths"]["taxonomy"] = inputs.taxonomy
    config["system"]["seed"] = seed
    if not training.looks:
        config["corpora"]["dev"]["limit"] = LONGEST_EVALUATION
    apply(config, training.settings)
    return config


def apply(config: Config, changes: Settings) -> None:
    """Set values and blocks by dotted path. Raises a KeyError for a path that is not there."""
    for path, value in changes.items():
        *sections, last = path.split(".")
        section = reduce(lambda block, key: block[key], sections, config)
        if last not in section:
            raise KeyError(path)
        section[last] = value


def _finegrained(training: Training, inputs: Inputs) -> Config:
    config = load_config(CONFIGS / "default.cfg")
    base = training.encoder == "base"
    config["paths"]["encoder"] = inputs.base_encoder if base else inputs.encoder
    config["training"]["optimizer"]["learn_rate"]["rate"] = training.rate
    # The curve is made from the file
    config["training"]["logger"]["progress_bar"] = None
    # The plan has its own number of looks, and the last model is taken
    config["initialize"]["before_init"] = None
    return config


def _knowledge(training: Training, inputs: Inputs) -> Config:
    """The default config with names as evidence."""
    config = _finegrained(training, inputs)
    theirs = load_config(CONFIGS / "knowledge.cfg")
    config["paths"]["knowledge"] = inputs.names(training.names)
    config["components"]["finegrained_ner"] = theirs["components"]["finegrained_ner"]
    config["training"]["optimizer"]["groups"] = theirs["training"]["optimizer"]["groups"]
    return config


def _ner(training: Training, inputs: Inputs) -> Config:
    """spaCy's `ner` as its quickstart has it, in place of ours: on the same encoder, with the same
    batches and the same optimizer (one rate for all, as it has by default)."""
    config = _finegrained(training, inputs)
    stock = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=True)
    stock = stock.interpolate()
    config["nlp"]["pipeline"] = ["transformer", "ner"]
    config["components"]["transformer"]["model"]["layers"] = 1
    del config["components"]["finegrained_ner"]
    config["components"]["ner"] = stock["components"]["ner"]
    config["initialize"]["components"] = {}
    config["training"]["before_update"] = None
    config["training"]["optimizer"]["groups"] = {}
    config["training"]["score_weights"] = {"ents_f": 1.0}
    return config


def _crf(training: Training, inputs: Inputs) -> Config:
    """Without parts of speech, or with the parts of a trained pipeline that give them before it."""
    config = load_config(CONFIGS / "crf.cfg")
    if training.pipeline == "crf":
        config["components"]["crf_ner"]["features"]["pos"] = False
        return config
    config["nlp"]["pipeline"] = [*TAGGERS, *config["nlp"]["pipeline"]]
    for name in TAGGERS:
        config["components"][name] = {"source": inputs.pos}
    config["training"]["frozen_components"] = list(TAGGERS)
    return config


PIPELINES = {
    "finegrained": _finegrained,
    "knowledge": _knowledge,
    "ner": _ner,
    "crf": _crf,
    "crf_pos": _crf,
}
