"""A short try of a run: whether it starts, what its optimizer is told, and what it will take."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import torch
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from thinc.api import Model, PyTorchShim

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.doctor.data import Data
from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.doctor.run import CONFIG_ERRORS, Run

SAMPLE = 500
"""Texts, besides one for each label."""
STEPS, WARM_UP = 8, 2
"""Steps that are tried, after the one with the longest texts, and how many don't count."""


@dataclass
class Estimate:
    """parameters: of all that learns. weights: what they, their gradients and the two moments of
    AdamW take, in MiB. peak: the most memory of this process so far, in MiB; of a GPU what torch
    had. None where the system does not tell. step, evaluation: seconds. steps, seconds: of the
    whole run, with its evaluations; None where its end is open."""

    parameters: int
    weights: float
    peak: float | None
    step: float
    evaluation: float
    steps: int | None
    seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def start(run: Run, data: Data, use_gpu: int = -1) -> tuple[Language | None, list[Finding]]:
    """The pipeline of a run, initialized on some of the texts; None, with a finding, where that
    fails."""
    config = run.config.copy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.spacy"
        DocBin(docs=sample(data.train), store_user_data=True).to_disk(path)
        reader = {"@readers": "spacy.Corpus.v1", "path": str(path)}
        config["corpora"] = {"train": reader, "dev": reader}
        config["training"] |= {"train_corpus": "corpora.train", "dev_corpus": "corpora.dev"}
        try:
            return init_nlp(config, use_gpu=use_gpu), []
        except (*CONFIG_ERRORS, RuntimeError, MemoryError) as error:
            return None, [_fails(run, "initialized", error)]


def sample(docs: Sequence[Doc], seed: int = 0) -> list[Doc]:
    """Some texts, with every label."""
    found: dict[int, Doc] = {}
    labels: set[str] = set()
    for number, doc in enumerate(docs):
        if new := {ent.label_ for ent in doc.ents} - labels:
            labels |= new
            found[number] = doc
    rest = [number for number, doc in enumerate(docs) if number not in found and len(doc)]
    found |= {n: docs[n] for n in random.Random(seed).sample(rest, min(SAMPLE, len(rest)))}
    return [found[number] for number in sorted(found)]


def learning(nlp: Language, frozen: Sequence[str]) -> dict[str, int]:
    """The parameters that learn, by the name that an optimizer is told, and their sizes."""
    found: dict[Any, tuple[str, int]] = {}
    for name, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        for node in model.walk() if isinstance(model, Model) and name not in frozen else ():
            for key in node.param_names:
                if node.has_param(key):
                    found[node.id, key] = (key, node.get_param(key).size)
            for shim in node.shims:
                module = shim._model if isinstance(shim, PyTorchShim) else None
                for key, p in [] if module is None else module.named_parameters():
                    if p.requires_grad:
                        found[id(p)] = (key, p.numel())
    sizes: dict[str, int] = {}
    for key, size in found.values():
        sizes[key] = sizes.get(key, 0) + size
    return sizes


def probe(run: Run, nlp: Language, data: Data) -> tuple[Estimate | None, list[Finding]]:
    """Some steps, first one with the longest texts, and an evaluation of some texts."""
    training = run.training
    sizes = learning(nlp, run.frozen)
    docs = sample(data.train, seed=1)
    examples = [Example(bare_copy(doc, nlp.vocab), doc) for doc in docs if len(doc)]
    longest = sorted(data.train, key=len)[-64:]
    hardest = [Example(bare_copy(doc, nlp.vocab), doc) for doc in longest if len(doc)]
    batcher, optimizer = run.parts["batcher"], run.parts["optimizer"]
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    times = []
    try:
        random.Random(0).shuffle(examples)
        batches = [*islice(batcher(hardest), 1), *islice(batcher(examples), STEPS)]
        for batch in batches:
            began = time.perf_counter()
            nlp.update(
                list(batch),
                sgd=optimizer,
                drop=0.1,
                exclude=run.frozen,
                annotates=training["annotating_components"],
            )
            times.append(time.perf_counter() - began)
        held_out = data.parts["valid"].docs if "valid" in data.parts else docs
        tried = [bare_copy(doc, nlp.vocab) for doc in held_out[:128]]
        began = time.perf_counter()
        list(nlp.pipe(tried))
        evaluation = (time.perf_counter() - began) / max(1, len(tried)) * len(held_out)
    except (*CONFIG_ERRORS, RuntimeError, MemoryError, AttributeError) as error:
        return None, [_fails(run, "trained for some steps", error)]
    step = median(times[WARM_UP:] or times)
    steps, seconds = run.steps, None
    if steps is not None:
        evaluations = 1 + steps // max(1, nlp.config["training"]["eval_frequency"])
        seconds = steps * step + evaluations * evaluation
    parameters = sum(sizes.values())
    weights = 4 * 4 * parameters / 2**20  # float32, and with gradient and moments four of each
    return Estimate(parameters, weights, _peak(), step, evaluation, steps, seconds), []


def _peak() -> float | None:
    if torch.cuda.is_available() and (used := torch.cuda.max_memory_allocated()):
        return used / 2**20
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


def _fails(run: Run, what: str, error: BaseException) -> Finding:
    said = f"The pipeline can't be {what}: {str(error).strip()[:600]}"
    return Finding("does-not-start", "error", said, "Correct the config or the data.")
