"""Runs after each other (or a few at once), and what is done is not done again."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import srsly
import torch

from spacy_finegrained_ner.study.plan import Run, StudyError
from spacy_finegrained_ner.study.training import Inputs, run_once

Say = Callable[[str], None]


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of `folder`/runs, by name of the run.

    Raises a StudyError for a file that is not a record.
    """
    records = {}
    for path in sorted((folder / "runs").glob("*.json")):
        try:
            record = srsly.read_json(path)
            records[record["name"]] = record
        except (ValueError, LookupError, TypeError) as error:
            raise StudyError(
                f"{path}: can't be read as the record of a run: {error!r}. Delete it, and the run "
                "is done again."
            ) from None
    return records


def run_all(
    runs: Sequence[Run],
    inputs: Inputs,
    folder: Path,
    *,
    command: Sequence[str],
    workers: int = 1,
    say: Say = print,
) -> None:
    """Do the runs that have no record in `folder`/runs yet. A run that is broken off leaves none.

    command: what the user called, for the records. workers: processes, which share the cores: two
    with one core each do more than one with two. say: gets a line for each run.
    """
    done = read_records(folder)
    for run in runs:
        if run.name in done:
            _check_same(run, done[run.name], folder)
    missing = [run for run in runs if run.name not in done]
    say(f"{len(runs)} runs, {len(runs) - len(missing)} of them done before.")
    began = time.perf_counter()
    threads = max(1, (os.cpu_count() or 1) // workers)
    if workers == 1:
        torch.set_num_threads(threads)
        results: Iterable[tuple[Run, dict[str, Any]]] = (
            (run, run_once(run, inputs)) for run in missing
        )
    else:
        results = _at_once(missing, inputs, workers, threads)
    for number, (run, record) in enumerate(results, 1):
        _write({**record, "command": list(command)}, folder / "runs" / f"{run.name}.json")
        each = (time.perf_counter() - began) / number
        left = each * (len(missing) - number) / 60
        scores = record["sets"]["valid"]["scores"]
        say(
            f"{number:3d}/{len(missing)} {run.name:28s} {record['seconds']:6.0f} s   micro F1 "
            f"{100 * scores['ents_f']:5.1f}  macro {100 * scores['ents_macro_f']:5.1f}   "
            f"about {left:.0f} min left"
        )


def _check_same(run: Run, record: dict[str, Any], folder: Path) -> None:
    """A record of another study under the same name must not be taken for this one's."""
    for name, value in asdict(run).items():
        # As it comes back from JSON: with lists
        if name != "sets" and record.get(name) != srsly.json_loads(srsly.json_dumps(value)):
            raise StudyError(
                f"{folder / 'runs' / run.name}.json is the record of a run with other settings: "
                f"{name} is {record.get(name)!r}, expected {value!r}. Give another --output "
                "folder, or delete the record and the run is done again."
            )


def _at_once(
    runs: Sequence[Run], inputs: Inputs, workers: int, threads: int
) -> Iterable[tuple[Run, dict[str, Any]]]:
    """Yields runs as they end. Each has a process of its own: nothing is left over from another."""
    with ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(threads,),
        max_tasks_per_child=1,
    ) as pool:
        # So few at a time that an interruption does not wait for many
        queue = list(runs)
        waiting: dict[Future, Run] = {}
        while queue or waiting:
            while queue and len(waiting) < workers:
                run = queue.pop(0)
                waiting[pool.submit(run_once, run, inputs)] = run
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield waiting.pop(future), future.result()


def _begin(threads: int) -> None:
    torch.set_num_threads(threads)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _write(record: dict[str, Any], path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    srsly.write_json(part, record, indent=0)
    os.replace(part, path)
