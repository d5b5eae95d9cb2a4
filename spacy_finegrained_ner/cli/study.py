"""The verb `study`: run it, and write its page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import srsly
from rich.console import Console

from spacy_finegrained_ner.labels.readers import named_taxonomy
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
    taxonomy: str,
    workers: int,
) -> None:
    """Do what is missing of the stages, one after the other."""
    if size not in SIZES:
        raise StudyError(f"There is no size {size!r}, expected one of {', '.join(SIZES)}.")
    stages = plan.check_stages(stages)
    parts = _parts(data)
    dev = "dev" in parts
    docs = prepare(parts, SIZES[size], pos, work)
    for part in ("train", "sample"):
        for name in parts.keys() - {"train"}:
            table, seen = gold_table(docs[name], docs[part], named_taxonomy(taxonomy))
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


def _runs(
    stage: str, size: str, output: Path, pos: bool, dev: bool, base_encoder: str | None
) -> list[Run]:
    this = SIZES[size]
    if stage == "grid":
        return plan.grid(this, dev)
    if stage in ("screening", "followup"):
        return plan.screening(this, pos, stage)
    if stage == "arms":
        return plan.arms(this, read_records(output), dev)
    if stage == "classic":
        return plan.classic(this, pos, dev)
    if base_encoder is None:
        _say("No --base-encoder: the run with a larger encoder is left out.")
        return []
    return plan.base(this, dev)


def make_page(folder: Path, output: Path | None) -> Path:
    """Write the page of the records in `folder`; returns the path of its HTML.

    Raises a StudyError where there are no records, or what the page needs is not installed.
    """
    try:
        from spacy_finegrained_ner.study.page import write_page
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("matplotlib", "scipy"):
            raise
        raise StudyError(
            f'The page needs {error.name}: pip install "spacy-finegrained-ner[study]"'
        ) from None
    return write_page(folder, output)


def _say(line: str) -> None:
    Console(stderr=True, markup=False, highlight=False, width=120).print(line)
