"""The run that a config describes: its pipeline, not initialized, and how long it is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.util import load_config, load_model_from_config, registry
from thinc.api import Config, ConfigValidationError

from spacy_finegrained_ner.doctor.finding import Finding

TRANSFORMERS = ("transformer", "curated_transformer")
HEAD = "finegrained_ner"
CONFIG_ERRORS = (ValueError, TypeError, KeyError, OSError, ImportError, ConfigValidationError)


@dataclass
class Run:
    """config: complete and interpolated. nlp: not initialized. parts: [training], resolved.
    batches: how many texts each batch of an epoch has; none where that can't be known here."""

    path: Path
    config: Config
    nlp: Language
    parts: dict[str, Any]
    sourced: Sequence[str] = ()
    batches: list[int] = field(default_factory=list)

    @property
    def training(self) -> dict[str, Any]:
        return self.config["training"]

    def factory(self, name: str) -> str:
        return self.nlp.get_pipe_meta(name).factory

    @property
    def frozen(self) -> list[str]:
        return self.training["frozen_components"]

    @property
    def heads(self) -> list[str]:
        """Components of this package that learn step by step."""
        return [x for x in self.nlp.pipe_names if self.factory(x) == HEAD and x not in self.frozen]

    @property
    def tunes_encoder(self) -> bool:
        """Whether a pretrained encoder learns."""
        blocks = self.config["components"]
        return any(
            name not in self.frozen
            and (self.factory(name) in TRANSFORMERS or encoder_in(blocks.get(name, {})))
            for name in self.nlp.pipe_names
        ) and not any(
            block.get("@callbacks") == "spacy-finegrained-ner.freeze.v1"
            and block.get("layers") is None
            and block.get("until") is None
            for block in blocks_in(self.training.get("before_update") or {})
        )

    @property
    def steps(self) -> int | None:
        """Of the whole run; None where its end is open, or only the run will tell."""
        most, epochs = self.training["max_steps"], self.training["max_epochs"]
        bounds = [most] if most > 0 else []
        if epochs > 0 and self.batches:
            bounds.append(epochs * len(self.batches))
        return min(bounds, default=None)

    def count_batches(self, train: Sequence[Doc]) -> None:
        """Of an epoch. None where the batcher needs an encoder that is not there."""
        state = random.getstate()
        try:
            random.seed(0)
            texts = [doc for doc in train if len(doc)]
            random.shuffle(texts)
            self.batches = [len(list(batch)) for batch in self.parts["batcher"](texts)]
        except OSError:
            self.batches = []
        finally:
            random.setstate(state)


def blocks_in(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A block of a config and all that are in it."""
    yield block
    for value in block.values():
        if isinstance(value, Mapping):
            yield from blocks_in(value)


def encoder_in(block: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The block of an encoder of transformers."""
    return next((b for b in blocks_in(block) if "get_spans" in b and "name" in b), None)


def read_run(
    path: Path, overrides: Mapping[str, Any], taxonomy: str | None
) -> tuple[Run | None, list[Finding]]:
    """overrides: as of `spacy train`. taxonomy: in place of [paths] taxonomy. None, with a finding,
    for a config that no run can be made of."""
    try:
        config = load_config(path, overrides=dict(overrides), interpolate=False)
        if taxonomy is not None and "taxonomy" in config.get("paths", {}):
            config["paths"]["taxonomy"] = taxonomy
        blocks = config.get("components", {})
        sourced = [name for name, block in blocks.items() if "source" in block]
        nlp = load_model_from_config(config, auto_fill=True)
        filled = nlp.config.interpolate()
        parts = registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        run = Run(path, filled, nlp, parts, sourced)
        unknown = [key for key in config.get("training", {}) if key not in filled["training"]]
    except CONFIG_ERRORS as error:
        what = f"{path}: {str(error).strip()}"
        return None, [Finding("config-error", "error", what, "Correct the config.", (str(path),))]
    findings = [
        Finding(
            "config-error",
            "error",
            f"{path}: [training] has no setting {key!r}: it is left out in silence.",
            f"Expected one of {', '.join(sorted(run.training))}.",
            (str(path),),
        )
        for key in unknown
    ]
    return run, findings
