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

from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.plan import stages as plan
from study.plan.stages import Run, Size, StudyError
from study.runs.sample import gold_table, prepare, write_gold
from study.runs.training import Inputs, run_once

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


def run_study(
    data: Path,
    output: Path,
    size: Size,
    stages: Sequence[str],
    inputs: Inputs,
    workers: int,
    command: Sequence[str],
) -> None:
    """Do what is missing of the stages, one after the other. command: for the records."""
    stages = plan.check_stages(stages)
    parts = _parts(data)
    docs = prepare(parts, size, inputs.pos, inputs.work)
    for part in ("train", "sample"):
        for name in parts.keys() - {"train"}:
            table, seen = gold_table(docs[name], docs[part], read_taxonomy(inputs.taxonomy))
            write_gold(table, output / f"gold-{part}-{name}.json")
            srsly.write_json(inputs.work / f"gold-{part}-{name}.json", table)
            srsly.write_json(inputs.work / f"seen-{part}.json", sorted(seen))
    for stage in plan.STAGES:
        if stage in stages:
            print(f"Stage {stage}", file=sys.stderr)
            runs = _runs(stage, size, output, inputs, "dev" in parts)
            run_all(runs, inputs, output, command=command, workers=workers, say=_say)


def _parts(data: Path) -> dict[str, Path]:
    """The files of train, valid and, if there is one, dev: as `convert` writes them, or CoNLL.

    Raises a StudyError where train or valid is missing.
    """
    parts: dict[str, Path] = {}
    for name in ("train", "valid", "dev"):
        for path in (data / f"{name}.spacy", data / f"{name}.conll"):
            if path.exists():
                parts.setdefault(name, path)
    if missing := {"train", "valid"} - parts.keys():
        raise StudyError(
            f"{data}: found no {' and no '.join(sorted(missing))} part. Expected train.spacy and "
            "valid.spacy, as `convert` writes them (or .conll), and dev.spacy to report on."
        )
    return parts


def _runs(stage: str, size: Size, output: Path, inputs: Inputs, dev: bool) -> list[Run]:
    pos = inputs.pos is not None
    if stage == "grid":
        return plan.grid(size, dev)
    if stage in ("screening", "followup"):
        return plan.screening(size, pos, stage)
    if stage == "arms":
        return plan.arms(size, read_records(output), dev)
    if stage == "classic":
        return plan.classic(size, pos, dev)
    if inputs.base_encoder is None:
        _say("No --base-encoder: the run with a larger encoder is left out.")
        return []
    return plan.base(size, dev)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
