"""Runs after each other (or a few at once), and what is done is not done again."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import srsly
import torch
from filelock import FileLock, Timeout
from spacy.tokens import Doc

from spacy_finegrained_ner.annotate.engines import end_with_parent
from spacy_finegrained_ner.labels.readers import named_taxonomy
from study.plan.arms import TUNED
from study.plan.experiment import Experiment
from study.plan.stages import PARTS, STAGES, Run, Size, Stages, StudyError
from study.runs import records as kept
from study.runs.context import write_context
from study.runs.names import prepare_names
from study.runs.pipelines import Inputs
from study.runs.records import GOLD, RECORD, Record
from study.runs.sample import gold_table, prepare
from study.runs.training import run_once


def run_study(
    data: Path, output: Path, size: Size, stages: Sequence[str], inputs: Inputs, workers: int = 1
) -> None:
    """Do what is missing of the stages, one after the other.

    data: folder with train, valid and, to report on, dev, as .spacy or .conll. output: folder of
    the records. workers: see `run_all`. Raises a StudyError for what is not possible, such as two
    at once with the same files.
    """
    if unknown := [stage for stage in stages if stage not in STAGES]:
        known = ", ".join(STAGES)
        raise StudyError(f"There is no stage {unknown[0]!r}, expected some of {known}.")
    with _alone(inputs.work):
        parts = _parts(data)
        docs = prepare(parts, size, inputs.pos, inputs.work)
        for part in ("train", "sample"):
            _write_gold(docs, part, parts, inputs, output)
        plan = Stages(size, inputs.pos is not None, "dev" in parts)
        for stage in (stage for stage in STAGES if stage in stages):
            _say(f"Stage {stage}")
            if stage == "base" and inputs.base_encoder is None:
                _say("No --base-encoder: the run with a larger encoder is left out.")
            else:
                run_all(_runs(plan, stage, output), inputs, output, workers)


def run_experiment(
    data: Path,
    output: Path,
    experiment: Experiment,
    inputs: Inputs,
    size: Size,
    workers: int = 1,
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> None:
    """Do what is missing of an experiment. Parameters are those of `run_study`; of the size only
    how many sentences are read counts. Where the data has no dev part, none is scored.

    arms, seeds: only runs of these; all where there are none. Raises a StudyError for an arm that
    the experiment does not have.
    """
    if unknown := [arm for arm in arms if arm not in experiment.arms]:
        known = ", ".join(experiment.arms)
        raise StudyError(
            f"The experiment {experiment.name!r} has no arm {unknown[0]!r}, expected some of "
            f"{known}."
        )
    with _alone(inputs.work):
        docs = prepare(_parts(data), size, inputs.pos, inputs.work, experiment.divided)

        def runs(f1: dict[str, float] | None = None) -> list[Run]:
            return [
                replace(run, sets=tuple(name for name in run.sets if kept.part_of(name) in docs))
                for run in experiment.runs(f1)
            ]

        sets = {name for run in runs() for name in run.sets}
        scored = {kept.part_of(name) for name in sets}
        _write_gold(docs, "train", {*_parts(data), *scored}, inputs, output)
        if sets != scored:
            _say("Lists of names")
            prepare_names(docs, inputs, output)
        read = {name: docs[name] for name in (size.part, *sorted(scored))}
        for kind in experiment.behind:
            _say(f"Writing {kind} behind sentences")
            write_context(kind, read, size.part, inputs)

        def asked(f1: dict[str, float] | None = None) -> list[Run]:
            return [
                run
                for run in runs(f1)
                if (not arms or run.arm in arms) and (not seeds or run.seed in seeds)
            ]

        some = asked()
        if some or experiment.more is None:
            run_all(some, inputs, output, workers)
        if experiment.more is not None:
            f1 = kept.first_f1(kept.read_records(output), experiment)
            some = asked(f1)
            run_all(some, inputs, output, workers)
        if not some:
            raise StudyError(
                f"The experiment {experiment.name!r} has no run of these arms and seeds (or not "
                "before others have run). Its seeds are "
                f"{', '.join(map(str, experiment.seeds))}."
            )


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """While nobody else prepares data there: parts of two experiments may have the same name.

    Raises a StudyError where somebody does.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "in-use.lock", timeout=0):
            yield
    except Timeout:
        raise StudyError(
            f"{work} is in use: another run of the study reads its files. Wait for its end, or "
            "give another folder by --work."
        ) from None


def _write_gold(
    docs: dict[str, list[Doc]], part: str, parts: Iterable[str], inputs: Inputs, output: Path
) -> None:
    """The gold tables of all that is scored, with what is seen in this part."""
    for name in set(parts) - {"train"}:
        table, seen = gold_table(docs[name], docs[part], named_taxonomy(inputs.taxonomy))
        kept.write_gold(table, output / f"gold-{part}-{name}.json")
        kept.write(GOLD.dump_json(table), inputs.work / f"gold-{part}-{name}.json")
        srsly.write_json(inputs.work / f"seen-{part}.json", sorted(seen))


def _parts(data: Path) -> dict[str, Path]:
    """The files of train, valid and, if there is one, dev: as `convert` writes them, or CoNLL.

    Raises a StudyError where train or valid is missing.
    """
    parts = {name: data / f"{name}{end}" for end in (".conll", ".spacy") for name in PARTS
             if (data / f"{name}{end}").exists()}  # fmt: skip
    if missing := {"train", "valid"} - parts.keys():
        raise StudyError(
            f"{data}: found no {' and no '.join(sorted(missing))} part. Expected train.spacy and "
            "valid.spacy, as `convert` writes them (or .conll), and dev.spacy to report on."
        )
    return parts


def _runs(plan: Stages, stage: str, output: Path) -> list[Run]:
    if stage != "arms":
        return plan.of(stage)
    records = kept.read_records(output)
    rates = {arm: kept.best_rate(records, arm) for arm in TUNED}
    if missing := [arm for arm, rate in rates.items() if rate is None]:
        raise StudyError(
            f"The grid of rates of {', '.join(missing)} is not done: run the stage 'grid' before "
            "the stage 'arms'."
        )
    return plan.arms({arm: rate for arm, rate in rates.items() if rate})


def run_all(runs: Sequence[Run], inputs: Inputs, folder: Path, workers: int = 1) -> None:
    """Do the runs that have no record in `folder`/runs yet, and tell of each. A run that is broken
    off leaves none.

    workers: processes, which share the cores: two with one core each do more than one with two.
    """
    done = {record.run.name: record.run for record in kept.read_records(folder)}
    for run in runs:
        if run.name in done:
            kept.check_same(run, done[run.name], folder)
    missing = [run for run in runs if run.name not in done]
    _say(f"{len(runs)} runs, {len(runs) - len(missing)} of them done before.")
    began = time.perf_counter()
    for number, record in enumerate(_records(missing, inputs, workers), 1):
        run = record.run
        kept.write(RECORD.dump_json(record), folder / "runs" / f"{run.name}.json")
        left = (time.perf_counter() - began) / number * (len(missing) - number) / 60
        scores = record.sets[run.sets[0]].scores
        micro, macro = (scores[key] for key in ("ents_f", "ents_macro_f"))
        _say(
            f"{number:3d}/{len(missing)} {run.name:28s} {3600 * kept.hours([record]):6.0f} s   "
            f"micro F1 {100 * micro:5.1f}  macro {100 * macro:5.1f}   about {left:.0f} min left"
        )


def _records(runs: Sequence[Run], inputs: Inputs, workers: int) -> Iterator[Record]:
    """As runs end. Of several workers each run has a process of its own: nothing is left over."""
    threads = max(1, torch.get_num_threads() // workers)  # OMP_NUM_THREADS bounds them
    if workers == 1:
        torch.set_num_threads(threads)
        yield from (run_once(run, inputs) for run in runs)
        return
    with ProcessPoolExecutor(
        workers, get_context("spawn"), _begin, (threads,), max_tasks_per_child=1
    ) as pool:
        try:
            for future in as_completed([pool.submit(run_once, run, inputs) for run in runs]):
                yield future.result()
        finally:
            # An interruption does not wait for those that have not begun
            pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    end_with_parent()
    torch.set_num_threads(threads)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
