"""Words per second, peak memory and load time of all sides, interleaved, and their ratios."""

from __future__ import annotations

import gc
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import spacy
import torch
from spacy.util import load_config
from thinc.api import Config

from spacy_finegrained_ner.annotate.engines import end_with_parent
from spacy_finegrained_ner.benchmark import pipelines
from spacy_finegrained_ner.benchmark.pipelines import Pipeline
from spacy_finegrained_ner.benchmark.plain import Alone, PlainLoop
from spacy_finegrained_ner.benchmark.sentences import Sample
from spacy_finegrained_ner.ml.encoder import AT_ONCE

Say = Callable[[str], None]

OURS, OURS_RANDOM = "finegrained_ner", "finegrained_ner, random batches"
OURS_LARGE = "finegrained_ner, steps of the quickstart's size"
NER, NER_RANDOM = "spaCy ner, quickstart", "spaCy ner, random batches"
NER_OURS = "spaCy ner, our batching"
PLAIN, MODULES, ENCODER = "plain PyTorch loop", "our modules alone", "encoder alone"

CONFIGS: dict[str, Callable[[Sample], Config]] = {
    OURS: pipelines.our_config,
    OURS_RANDOM: pipelines.our_config_random,
    OURS_LARGE: pipelines.our_config_large,
    NER: pipelines.ner_config,
    NER_RANDOM: pipelines.ner_config_random,
    NER_OURS: pipelines.ner_config_our_batching,
}
"""The sides that are spaCy pipelines. Another pipeline to compare with is another row here."""

TRAINING = (OURS, OURS_RANDOM, OURS_LARGE, NER_RANDOM, NER, PLAIN, ENCODER)
PREDICTION = (OURS, NER, NER_OURS, MODULES, ENCODER)

TRAINING_RATIOS = (
    (OURS_RANDOM, NER_RANDOM, 1.25),
    (OURS, NER_RANDOM, 1.8),
    (OURS, NER, 1.2),
    (OURS_LARGE, NER, 1.2),
    (OURS, PLAIN, 0.9),
    (OURS, ENCODER, None),
)
PREDICTION_RATIOS = (
    (OURS, NER, 1.6),
    (OURS, NER_OURS, 1.0),
    (OURS, MODULES, 0.8),
    (OURS, ENCODER, None),
)
"""Which side is compared with which, and the bar: at least so many times its words per second."""


def speed(sample: Sample, rounds: int, say: Say) -> dict[str, Any]:
    """Measure all sides. In a round, each trains on the sample once (and annotates it once), in
    turn; a ratio is taken within a round, so that a change of the machine's speed hits both.

    Returns a report: words per second of each side and round, ratios with bars, peak memory of
    training and load time of the pipelines, each in a process of its own.
    """
    report: dict[str, Any] = {"machine": machine(), "rounds": rounds, "words": sample.words}
    # First: a new process takes the peak of its parent for its own on Linux
    report["alone"] = _alone(sample, rounds, say)
    sides = _build(sample, say)
    report["training"] = _measure(
        {name: sides[name] for name in TRAINING},
        lambda side: lambda round: side.train(round),
        lambda side: side.train(-1, 8),
        rounds,
        lambda name: say(f"training: {name}"),
    )
    report["prediction"] = _measure(
        {name: sides[name] for name in PREDICTION},
        lambda side: (side.prepare(), lambda round: side.annotate())[1],
        lambda side: (side.prepare(), side.annotate()),
        rounds,
        lambda name: say(f"prediction: {name}"),
    )
    report["training_ratios"] = _ratios(report["training"], TRAINING_RATIOS)
    report["prediction_ratios"] = _ratios(report["prediction"], PREDICTION_RATIOS)
    return report


def _build(sample: Sample, say: Say) -> dict[str, Any]:
    sides: dict[str, Any] = {}
    for name, config in CONFIGS.items():
        say(f"building: {name}")
        sides[name] = Pipeline(config(sample), sample)
    say("building: plain PyTorch")
    encoder = load_config(sample.config)["components"]["transformer"]["model"]
    limit = encoder["max_batch_wordpieces"] or AT_ONCE["cpu"]
    sides[PLAIN] = PlainLoop(sides[OURS])
    sides[MODULES] = Alone(sides[OURS], encoder_only=False, size=16, limit=limit)
    sides[ENCODER] = Alone(sides[OURS], encoder_only=True, size=16, limit=limit)
    return sides


def _measure(
    sides: Mapping[str, Any],
    ready: Callable[[Any], Callable[[int], int]],
    warm_up: Callable[[Any], Any],
    rounds: int,
    say: Say,
) -> dict[str, list[float]]:
    """Words per second of each side in each round. Who begins changes from round to round."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for name, side in sides.items():
        say(f"{name}, warming up")
        warm_up(side)
    names = list(sides)
    for turn in range(rounds):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            run = ready(sides[name])
            gc.collect()
            start = time.perf_counter()
            words = run(turn)
            found[name].append(words / (time.perf_counter() - start))
            say(f"{name}, round {turn + 1} of {rounds}: {found[name][-1]:,.0f} words/s")
    return found


def _ratios(
    found: Mapping[str, list[float]], pairs: tuple[tuple[str, str, float | None], ...]
) -> list[dict[str, Any]]:
    rows = []
    for one, other, bar in pairs:
        ratios = [a / b for a, b in zip(found[one], found[other], strict=True)]
        rows.append({"of": one, "to": other, "bar": bar, **spread(ratios)})
    return rows


def spread(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": median(values), "low": min(values), "high": max(values)}


def _alone(sample: Sample, rounds: int, say: Say) -> dict[str, Any]:
    """Peak memory of training (MiB) and load time (seconds), each in a new process."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / str(i) for i, name in enumerate((OURS, NER_RANDOM))}
        for name, path in paths.items():
            say(f"memory: {name}")
            found[name] = {"peak_mib": in_process(_peak_of_training, name, sample), "load": []}
            in_process(_save, name, sample, path)
        for turn in range(rounds):
            for name, path in paths.items():
                say(f"loading: {name}, round {turn + 1} of {rounds}")
                found[name]["load"].append(in_process(_time_to_load, path))
    return found


def in_process(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns in a new process, which knows nothing of this one."""
    # One that may have its own workers
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent) as pool:
        return pool.submit(function, *args).result()


def _peak_of_training(name: str, sample: Sample) -> float:
    Pipeline(CONFIGS[name](sample), sample).train(0)
    return peak_mib()


def _save(name: str, sample: Sample, path: Path) -> None:
    pipelines.save(CONFIGS[name](sample), sample, path)


def _time_to_load(path: Path) -> float:
    start = time.perf_counter()
    spacy.load(path)
    return time.perf_counter() - start


def peak_mib() -> float:
    """The most memory that this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code."""
    packages = ("spacy-finegrained-ner", "spacy", "spacy-transformers", "thinc", "torch")
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in (*packages, "transformers")},
    }
