"""The verb `study`: run it, and write its page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import srsly
from rich.console import Console

from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.study import plan
from spacy_finegrained_ner.study.plan import SIZES, Run, StudyError
from spacy_finegrained_ner.study.runner import read_records, run_all
from spacy_finegrained_ner.study.sample import gold_table, prepare, write_gold
from spacy_finegrained_ner.study.training import Inputs


def run_study(
    data: Path,
    output: Path,
    *,
    size: str,
    stages: Sequence[str],
    encoder: str,
    base_encoder: str | None,
    pos: str | None,
    configs: Path,
    work: Path,
    taxonomy: Path | None,
    workers: int,
) -> None:
    """Do what is missing of the stages, one after the other."""
    if size not in SIZES:
        raise StudyError(f"There is no size {size!r}, expected one of {', '.join(SIZES)}.")
    stages = plan.check_stages(stages)
    parts = {name: data / f"{name}.conll" for name in ("train", "valid")}
    dev = (data / "dev.conll").exists()
    if dev:
        parts["dev"] = data / "dev.conll"
    docs = prepare(parts, SIZES[size], pos, work)
    for part in ("train", "sample"):
        for name in parts.keys() - {"train"}:
            table, seen = gold_table(docs[name], docs[part], read_taxonomy(taxonomy))
            write_gold(table, output / f"gold-{part}-{name}.json")
            srsly.write_json(work / f"gold-{part}-{name}.json", table)
            srsly.write_json(work / f"seen-{part}.json", sorted(seen))
    command = ["python", "-m", "spacy_finegrained_ner", *sys.argv[1:]]
    inputs = Inputs(work, configs, encoder, base_encoder, pos, taxonomy)
    for stage in plan.STAGES:
        if stage in stages:
            _say(f"Stage {stage}")
            runs = _runs(stage, size, output, pos is not None, dev, base_encoder)
            run_all(runs, inputs, output, command=command, workers=workers, say=_say)


def _runs(
    stage: str, size: str, output: Path, pos: bool, dev: bool, base_encoder: str | None
) -> list[Run]:
    this = SIZES[size]
    if stage == "grid":
        return plan.grid(this, dev)
    if stage == "screening":
        return plan.screening(this, pos)
    if stage == "arms":
        return plan.arms(this, read_records(output), dev)
    if stage == "classic":
        return plan.classic(this, pos, dev)
    if base_encoder is None:
        _say("No --base-encoder: the run with a larger encoder is left out.")
        return []
    return plan.base(this, dev)


def _say(line: str) -> None:
    Console(stderr=True, markup=False, highlight=False, width=120).print(line)
