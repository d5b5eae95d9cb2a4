"""Runs after each other (or a few at once), and what is done is not done again."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

import srsly
import torch

from spacy_finegrained_ner.labels.readers import named_taxonomy
from study.plan.arms import TUNED
from study.plan.stages import PARTS, STAGES, Run, Size, Stages, StudyError
from study.runs.pipelines import Inputs
from study.runs.records import (
    GOLD,
    RECORD,
    Record,
    best_rate,
    check_same,
    read_records,
    write,
    write_gold,
)
from study.runs.sample import gold_table, prepare
from study.runs.training import run_once

Say = Callable[[str], None]


def run_study(
    data: Path,
    output: Path,
    size: Size,
    stages: Sequence[str],
    inputs: Inputs,
    *,
    workers: int = 1,
    say: Say = print,
) -> None:
    """Do what is missing of the stages, one after the other.

    data: folder with train, valid and, to report on, dev, as .spacy or .conll. output: folder of
    the records. workers, say: see `run_all`. Raises a StudyError for what is not possible.
    """
    for stage in stages:
        if stage not in STAGES:
            raise StudyError(f"There is no stage {stage!r}, expected some of {', '.join(STAGES)}.")
    parts = _parts(data)
    docs = prepare(parts, size, inputs.pos, inputs.work)
    for part in ("train", "sample"):
        for name in parts.keys() - {"train"}:
            table, seen = gold_table(docs[name], docs[part], named_taxonomy(inputs.taxonomy))
            write_gold(table, output / f"gold-{part}-{name}.json")
            write(GOLD.dump_json(table), inputs.work / f"gold-{part}-{name}.json")
            srsly.write_json(inputs.work / f"seen-{part}.json", sorted(seen))
    plan = Stages(size, inputs.pos is not None, "dev" in parts)
    for stage in STAGES:
        if stage in stages:
            say(f"Stage {stage}")
            run_all(_runs(plan, stage, output, inputs, say), inputs, output, workers, say)


def _parts(data: Path) -> dict[str, Path]:
    """The files of train, valid and, if there is one, dev: as `convert` writes them, or CoNLL.

    Raises a StudyError where train or valid is missing.
    """
    parts: dict[str, Path] = {}
    for name in PARTS:
        for path in (data / f"{name}.spacy", data / f"{name}.conll"):
            if path.exists():
                parts.setdefault(name, path)
    if missing := {"train", "valid"} - parts.keys():
        raise StudyError(
            f"{data}: found no {' and no '.join(sorted(missing))} part. Expected train.spacy and "
            "valid.spacy, as `convert` writes them (or .conll), and dev.spacy to report on."
        )
    return parts


def _runs(plan: Stages, stage: str, output: Path, inputs: Inputs, say: Say) -> list[Run]:
    if stage in ("screening", "followup"):
        return plan.screening(stage)
    if stage == "arms":
        records = read_records(output)
        rates = {arm: best_rate(records, arm) for arm in TUNED}
        if missing := [arm for arm, rate in rates.items() if rate is None]:
            raise StudyError(
                f"The grid of rates of {', '.join(missing)} is not done: run the stage 'grid' "
                "before the stage 'arms'."
            )
        return plan.arms({arm: rate for arm, rate in rates.items() if rate})
    if stage == "base" and inputs.base_encoder is None:
        say("No --base-encoder: the run with a larger encoder is left out.")
        return []
    return {"grid": plan.grid, "classic": plan.classic, "base": plan.base}[stage]()


def run_all(
    runs: Sequence[Run], inputs: Inputs, folder: Path, workers: int = 1, say: Say = print
) -> None:
    """Do the runs that have no record in `folder`/runs yet. A run that is broken off leaves none.

    workers: processes, which share the cores: two with one core each do more than one with two.
    say: gets a line for each run.
    """
    done = {record.run.name: record.run for record in read_records(folder)}
    for run in runs:
        if run.name in done:
            check_same(run, done[run.name], folder)
    missing = [run for run in runs if run.name not in done]
    say(f"{len(runs)} runs, {len(runs) - len(missing)} of them done before.")
    began = time.perf_counter()
    threads = max(1, (os.cpu_count() or 1) // workers)
    if workers == 1:
        torch.set_num_threads(threads)
        records: Iterable[Record] = (run_once(run, inputs) for run in missing)
    else:
        records = _at_once(missing, inputs, workers, threads)
    for number, record in enumerate(records, 1):
        write(RECORD.dump_json(record), folder / "runs" / f"{record.run.name}.json")
        left = (time.perf_counter() - began) / number * (len(missing) - number) / 60
        scores = record.sets["valid"].scores
        say(
            f"{number:3d}/{len(missing)} {record.run.name:28s} {3600 * record.hours:6.0f} s   "
            f"micro F1 {100 * scores['ents_f']:5.1f}  macro {100 * scores['ents_macro_f']:5.1f}   "
            f"about {left:.0f} min left"
        )


def _at_once(runs: Sequence[Run], inputs: Inputs, workers: int, threads: int) -> Iterable[Record]:
    """Yields records as runs end. Each has a process of its own: nothing is left over."""
    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(threads,),
        max_tasks_per_child=1,
    ) as pool:
        # So few at a time that an interruption does not wait for many
        queue = list(runs)
        waiting: set[Future[Record]] = set()
        while queue or waiting:
            while queue and len(waiting) < workers:
                waiting.add(pool.submit(run_once, queue.pop(0), inputs))
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
