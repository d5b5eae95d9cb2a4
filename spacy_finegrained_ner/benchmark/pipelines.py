"""spaCy pipelines as sides of the benchmark: ours, and spaCy's `ner` on the same encoder."""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.training import Example
from spacy.training.loop import train_while_improving
from spacy.util import load_config, load_model_from_config, registry
from thinc.api import Config

from spacy_finegrained_ner.benchmark.sentences import Sample

RANDOM_BATCHES = {"@batchers": "spacy.batch_by_sequence.v1", "size": 16, "get_length": None}


class Pipeline:
    """A pipeline that trains as `spacy train` does, step by step, with the settings of its config.

    config: complete but for the paths. sample: what it is trained on and annotates.
    """

    def __init__(self, config: Config, sample: Sample) -> None:
        self.nlp = load_model_from_config(config, auto_fill=True)
        self._examples = sample.examples(self.nlp.vocab)
        self._sample = sample
        self.nlp.initialize(lambda: self._examples)
        training = registry.resolve(
            self.nlp.config.interpolate()["training"], schema=ConfigSchemaTraining
        )
        self._batcher = training["batcher"]
        self._batches: deque[list[Example]] = deque()
        self._loop = train_while_improving(
            self.nlp,
            training["optimizer"],
            self._waiting(),
            lambda: (0.0, {}),  # looks at the scores before the first step only
            dropout=training["dropout"],
            eval_frequency=sys.maxsize,
            accumulate_gradient=training["accumulate_gradient"],
            patience=0,
            max_steps=0,
            exclude=[],
            annotating_components=[],
            before_update=training["before_update"],
        )

    def train(self, epoch: int, part: int = 1) -> int:
        """Train on the sample once, or on 1/part of its batches. Returns the number of words."""
        batches = self.batches(epoch)
        batches = batches[: max(1, len(batches) // part)]
        self._batches.extend(batches)
        for _ in batches:
            next(self._loop)
        return sum(len(example) for batch in batches for example in batch)

    def batches(self, epoch: int) -> list[list[Example]]:
        """The batches of an epoch: shuffled as in spacy train, the same ones on all sides."""
        random.seed(epoch)
        examples = list(self._examples)
        random.shuffle(examples)
        return list(self._batcher(examples))

    def prepare(self) -> None:
        """Make ready what `annotate` shall not be charged for."""
        self._docs = self._sample.bare(self.nlp.vocab)

    def annotate(self) -> int:
        """nlp.pipe over ready Docs, which the caller lets go of. Returns the number of words."""
        docs, self._docs = self._docs[::-1], []
        stream = (docs.pop() for _ in range(len(docs)))
        return sum(len(doc) for doc in self.nlp.pipe(stream))

    def _waiting(self) -> Iterator[tuple[int, list[Example]]]:
        while True:
            yield 0, self._batches.popleft()


def our_config(sample: Sample) -> Config:
    """The config that is measured, with the encoder of the benchmark."""
    config = load_config(sample.config)
    config["paths"]["encoder"] = sample.encoder
    return config


def our_config_random(sample: Sample) -> Config:
    """The same with random batches of 16 sentences."""
    config = our_config(sample)
    config["training"]["batcher"] = dict(RANDOM_BATCHES)
    return config


def our_config_large(sample: Sample) -> Config:
    """The same with as much in a step as in one of the quickstart config: a step after 2000 padded
    pieces (words there, wordpieces here), in three parts."""
    config = our_config(sample)
    config["training"]["batcher"] |= {"size": 512, "max_padded": 2000}
    config["training"]["accumulate_gradient"] = 3
    return config


def ner_config(sample: Sample) -> Config:
    """spaCy's `ner` on spacy-transformers, as `spacy init config --gpu` writes it."""
    config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=True)
    config["components"]["transformer"]["model"]["name"] = sample.encoder
    return config


def ner_config_random(sample: Sample) -> Config:
    """The same with random batches of 16 sentences, and a step after each."""
    config = ner_config(sample)
    config["training"]["batcher"] = dict(RANDOM_BATCHES)
    config["training"]["accumulate_gradient"] = 1
    return config


def ner_config_our_batching(sample: Sample) -> Config:
    """The same with our encoder, so with our batches in prediction."""
    config = ner_config_random(sample)
    ours = our_config(sample).interpolate()
    config["components"]["transformer"] = ours["components"]["transformer"]
    config["nlp"]["batch_size"] = ours["nlp"]["batch_size"]
    return config


def save(config: Config, sample: Sample, path: Path) -> None:
    """An initialized pipeline on disk, to measure how long it takes to load."""
    nlp: Language = load_model_from_config(config, auto_fill=True)
    nlp.initialize(lambda: sample.examples(nlp.vocab))
    nlp.to_disk(path)
