"""Texts per second and memory of `annotate`, against `nlp.pipe` and from engine to engine."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import spacy

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.engines import Engine, in_process, in_workers
from spacy_finegrained_ner.annotate.files import annotate_files
from spacy_finegrained_ner.annotate.forms import JsonLines
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.rows import BLOCK_ROWS
from spacy_finegrained_ner.annotate.work import Part
from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.benchmark.speed import Say, machine, peak_mib, spread
from spacy_finegrained_ner.benchmark.speed import in_process as in_new_process

PIPE, HERE, WORKERS, RAY = "nlp.pipe on Docs", "in-process", "worker processes", "Ray"
BARS = {(HERE, PIPE): 0.9, (WORKERS, HERE): 1.0, (RAY, WORKERS): None}
"""Which side is compared with which, and the bar: at least so many times its texts per second."""
FEWEST_BLOCKS = 20
MOST_GROWTH = 0.05
"""Of resident memory, from the second tenth of the texts to the last."""


def annotating(
    model: str, data: Path, texts: int, long: int, workers: int, rounds: int, ray: bool, say: Say
) -> dict[str, Any]:
    """Measure all sides in each round, in turn, on so many texts of the data, and the memory on a
    `long` run (0 for none), in a process of its own.

    `nlp.pipe` gets Docs that are made; annotate reads JSON lines, tokenizes and writes. The rate of
    an engine is that after the first tenth of its texts: of some thousands, all pipelines are
    loaded by then.
    """
    report: dict[str, Any] = {
        "machine": machine(),
        "rounds": rounds,
        "texts": texts,
        "workers": workers,
    }
    with tempfile.TemporaryDirectory() as folder:
        if long:
            path = _write(Path(folder) / "long.jsonl", data, long)
            say(f"memory: {long:,} texts")
            report["memory"] = in_new_process(_memory, model, path)
            report["memory"] |= {"texts": long, "bar": MOST_GROWTH}
        path = _write(Path(folder) / "texts.jsonl", data, texts)
        names = [PIPE, HERE, WORKERS, *([RAY] if ray else [])]
        found: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                # Each in a process of its own, as they are used: threads that OpenMP has got for
                # one side would make those of the next one sleep
                measure = partial(_pipe, model, path)
                if name != PIPE:
                    measure = partial(_engine, model, path, name, workers)
                found[name].append(in_new_process(measure))
                say(f"{name}, round {turn + 1} of {rounds}: {found[name][-1]:,.0f} texts/s")
    report["rates"] = found
    report["ratios"] = [
        {"of": one, "to": other, "bar": bar, **spread([a / b for a, b in zip(*pair, strict=True)])}
        for (one, other), bar in BARS.items()
        if len(pair := [found[name] for name in (one, other) if name in found]) == 2
    ]
    return report


def sample(data: Path, count: int) -> list[str]:
    """So many texts. Where there are not as many, they come again, each with a word of its own."""
    known = [doc.text.strip() for doc in read_docs(data)]
    return [known[i % len(known)] + (f" {i:x}" if i >= len(known) else "") for i in range(count)]


def _write(path: Path, data: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for i, text in enumerate(sample(data, count)):
            file.write(json.dumps({"id": i, "text": text}) + "\n")
    return path


def _pipe(model: str, path: Path) -> float:
    nlp = spacy.load(model)
    lines = path.read_text(encoding="utf-8").splitlines()
    docs = [nlp.make_doc(json.loads(line)["text"]) for line in lines]
    list(nlp.pipe(nlp.make_doc(doc.text) for doc in docs[:100]))
    start = time.perf_counter()
    for _ in nlp.pipe(docs):
        pass
    return len(docs) / (time.perf_counter() - start)


def _engine(model: str, path: Path, name: str, workers: int) -> float:
    engine: Engine = in_process
    if name == WORKERS:
        engine = partial(in_workers, workers=workers)
    elif name == RAY:
        from spacy_finegrained_ner.annotate.on_ray import on_ray

        engine = partial(on_ray, workers=workers)
    return _rate(Annotator(model), path, engine)


def _rate(annotator: Annotator, path: Path, engine: Engine) -> float:
    """Texts per second from the first tenth to the last part, of a run that starts anew."""
    done = [(0.0, 0)]

    def finished(part: Part) -> None:
        done.append((time.perf_counter(), done[-1][1] + part.counts.texts))

    _run(annotator, path, engine, finished)
    total = done[-1][1]
    start, before = next((when, n) for when, n in done if n >= total / 10)
    return (total - before) / (time.perf_counter() - start)


def _run(
    annotator: Annotator, path: Path, engine: Engine, finished: Callable[[Part], None]
) -> None:
    form = JsonLines("text", "entities")
    output = path.with_name("output.jsonl")
    total = sum(1 for _ in path.open("rb"))
    # Of few texts the first block would be all that there is to measure
    inputs = Inputs([str(path)], block_rows=min(BLOCK_ROWS, max(1, total // FEWEST_BLOCKS)))
    annotate_files(annotator, inputs, form, output, engine, finished=finished)


def _memory(model: str, path: Path) -> dict[str, float]:
    """In this process: MiB in the second tenth of the texts and in the last one, as medians, since
    a block takes now more and now less; and at most."""
    total = sum(1 for _ in path.open("rb"))
    seen: list[tuple[int, float]] = [(0, 0.0)]
    _run(
        Annotator(model),
        path,
        in_process,
        lambda part: seen.append((seen[-1][0] + part.counts.texts, resident_mib())),
    )
    return growth([(texts / total, mib) for texts, mib in seen[1:]])


def growth(seen: Sequence[tuple[float, float]]) -> dict[str, float]:
    """seen: MiB at a share of the texts that are done."""
    after = [(share, mib) for share, mib in seen if share >= 0.1] or [seen[-1]]
    # Where a block is more than a tenth, the first of them and the last
    early = median([mib for share, mib in after if share <= 0.2] or [after[0][1]])
    late = median([mib for share, mib in after if share >= 0.9] or [after[-1][1]])
    most = max(mib for _, mib in after)
    return {"early": early, "late": late, "most": most, "growth": late / early - 1}


def resident_mib(process: int | str = "self") -> float:
    """The memory that a process has now, in MiB; the most that this one has had, where there is no
    /proc."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return peak_mib()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
