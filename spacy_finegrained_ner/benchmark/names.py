"""What names as evidence cost: time, loading and memory, against the same pipeline without."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.util import load_model_from_config

from spacy_finegrained_ner.benchmark.pipelines import our_config
from spacy_finegrained_ner.benchmark.sentences import Sample
from spacy_finegrained_ner.benchmark.speed import (
    Say,
    in_process,
    machine,
    peak_mib,
    spread,
)

WITH, WITHOUT = "with names", "without"
_LEARNED = 256
"""Sentences that a pipeline is initialized with. Its weights are random: names cost the same."""


def names_cost(sample: Sample, names: Path, rounds: int, say: Say) -> dict[str, Any]:
    """sample: its config has names as evidence. names: the file.

    RETURNS: CPU seconds of nlp.pipe over the sample by side and round, and the ratio; seconds to
    load, and the ratio; the most memory (MiB) of a process that loads and annotates.
    """
    report: dict[str, Any] = {"machine": machine(), "rounds": rounds, "words": sample.words}
    report["file_mb"] = names.stat().st_size / 1e6
    with tempfile.TemporaryDirectory() as folder:
        paths = {side: Path(folder) / str(i) for i, side in enumerate((WITH, WITHOUT))}
        for side, path in paths.items():
            say(f"building: {side}")
            in_process(_save, sample, names if side == WITH else None, path)
        for what in ("load", "peak_mib", "pipe"):
            report[what] = {side: [] for side in paths}
        for turn in range(rounds):
            for side in [*paths][:: 1 if turn % 2 else -1]:
                load, peak = in_process(_load, paths[side], sample)
                report["load"][side].append(load)
                report["peak_mib"][side].append(peak)
                say(f"loading, {side}, round {turn + 1} of {rounds}: {load:.2f} s, {peak:.0f} MiB")
        pipelines = {side: spacy.load(path) for side, path in paths.items()}
        for turn in range(-1, rounds):
            for side in [*paths][:: 1 if turn % 2 else -1]:
                spent = _annotate(pipelines[side], sample)
                if turn >= 0:  # the first is a warm-up
                    report["pipe"][side].append(spent)
                    say(f"nlp.pipe, {side}, round {turn + 1} of {rounds}: {spent:.2f} s")
    for what in ("load", "pipe"):
        pairs = zip(report[what][WITH], report[what][WITHOUT], strict=True)
        report[f"{what}_ratio"] = spread([a / b for a, b in pairs])
    return report


def _save(sample: Sample, names: Path | None, path: Path) -> None:
    config = our_config(sample)
    model = config["components"]["finegrained_ner"]["model"]
    if names is None:
        model["knowledge"] = None
    else:
        model["knowledge"]["path"] = str(names)
    nlp = load_model_from_config(config, auto_fill=True)
    examples = sample.examples(nlp.vocab)[:_LEARNED]
    nlp.initialize(lambda: examples)
    nlp.to_disk(path)


def _load(path: Path, sample: Sample) -> tuple[float, float]:
    start = time.process_time()
    nlp = spacy.load(path)
    spent = time.process_time() - start
    _annotate(nlp, sample)
    return spent, peak_mib()


def _annotate(nlp: Any, sample: Sample) -> float:
    """CPU seconds of nlp.pipe over ready Docs."""
    docs = sample.bare(nlp.vocab)
    start = time.process_time()
    for _ in nlp.pipe(docs):
        pass
    return time.process_time() - start


def names_markdown(found: dict[str, Any]) -> str:
    """The report for people."""
    rows = []
    for title, key in (("CPU time of nlp.pipe", "pipe"), ("CPU time to load", "load")):
        ratio = found[f"{key}_ratio"]
        rows.append(
            f"| {title} | {ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f}) |"
        )
    more = spread(found["peak_mib"][WITH])["median"] - spread(found["peak_mib"][WITHOUT])["median"]
    return (
        f"Names as evidence, against the same pipeline without, {found['words']:,} words, "
        f"{found['rounds']} rounds.\n\n| | with / without |\n|---|--:|\n"
        + "\n".join(rows)
        + f"\n\nMemory: {more:+.0f} MiB. File of names: {found['file_mb']:.1f} MB.\n"
    )
