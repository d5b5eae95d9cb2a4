"""The records of runs: one file for each, and what the next stage needs to know of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from study.plan.arms import ARMS
from study.plan.experiment import Experiment
from study.plan.stages import RATES, Run, StudyError


@dataclass(frozen=True)
class Point:
    """Of a learning curve, on the validation part. w: of the auxiliary task, where there is one."""

    step: int
    w: float | None
    ents_f: float | None
    ents_macro_f: float | None
    ents_mention_f: float | None


@dataclass(frozen=True)
class Trained:
    """What came out of a training of the run. config: as it was, none where only the settings of
    the training were kept. commit: of the clone then, where it was not the run's. on_batches: see
    `runs.pooled`. errors: see `runs.corrected`."""

    steps: int
    seconds: float
    curve: list[Point] = field(default_factory=list)
    config: dict[str, Any] | None = None
    commit: str | None = None
    on_batches: dict[str, list[int]] | None = None
    errors: dict[str, list[int]] | None = None


@dataclass(frozen=True)
class Found:
    """What was found in a part of the data.

    scores: of the scorer. hits: a character for each entity of the gold table, 1 found, 0 not;
    none where only the scores were kept. false: sentence, type, and 1 if its text is an entity of
    the training part, of each prediction that is wrong. behind: entities found in what stands
    behind the sentences, which count as nothing.
    """

    scores: dict[str, float]
    hits: str | None = None
    false: list[tuple[int, int, int]] = field(default_factory=list)
    behind: int = 0


@dataclass(frozen=True)
class Record:
    """A run and what came out of it.

    trained: of each of its trainings. sets: by part of the data. versions: of packages. commit: of
    the clone. command: what the user called.
    """

    run: Run
    trained: list[Trained]
    sets: dict[str, Found]
    threads: int
    versions: dict[str, str]
    commit: str | None
    command: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return self.run.trainings[-1].rate

    @property
    def counted(self) -> list[str]:
        """The parts with counts by sentence."""
        return [name for name, found in self.sets.items() if found.hits is not None]


@dataclass(frozen=True)
class Gold:
    """What the statistics need to know of the gold of a part: no words.

    types: that occur. words: of each sentence. entities: sentence, type, words, and 1 if its text
    is an entity of the training part.
    """

    types: list[str]
    words: list[int]
    entities: list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class Listed:
    """What a file of names has of the entities of a gold table: a character for each.

    names: digest of the file. spans: 2 for a name with exactly its span and its type, 1 with its
    span and only other types, 0 with another span or none. left_out: 1 if its name is one of those
    that are left out of the file, and new later.
    """

    names: str
    spans: str
    left_out: str


RECORD = TypeAdapter(Record)
GOLD = TypeAdapter(Gold)
LISTED = TypeAdapter(Listed)


def read_records(folder: Path) -> list[Record]:
    """The records of `folder`/runs, by name of the run.

    Raises a StudyError for a file that is not a record.
    """
    records = []
    for path in sorted((folder / "runs").glob("*.json")):
        try:
            records.append(RECORD.validate_json(path.read_bytes()))
        except ValidationError as error:
            raise StudyError(
                f"{path}: can't be read as the record of a run: {error}. Delete it, and the run "
                "is done again."
            ) from None
    return records


def hours(records: Iterable[Record]) -> float:
    """Of all trainings; what is kept for other runs was trained once."""
    trained = {
        ("" if training.kept else record.run.name, training.name, record.run.seed, one.seconds)
        for record in records
        # A language model as it is was not trained
        for training, one in zip(record.run.trainings, record.trained, strict=False)
    }
    return sum(seconds for *_, seconds in trained) / 3600


def read_gold(folder: Path, data: str, name: str) -> Gold:
    """The gold table of a set, with what was seen in training on `data`: that of its part.

    Raises a StudyError where there is none.
    """
    path = folder / f"gold-{data}-{part_of(name)}.json"
    if not path.exists():
        raise StudyError(f"{path}: there is no such file. `python -m study run` writes it.")
    return GOLD.validate_json(path.read_bytes())


def part_of(name: str) -> str:
    """The part of the data that a set has, under whichever names it is scored."""
    return name.partition("@")[0]


def write_gold(table: Any, path: Path, form: TypeAdapter[Any] = GOLD) -> None:
    """Write a table, or check that it is the one that is there: records refer to it.

    form: what the table is. Raises a StudyError if another one is there.
    """
    if not path.exists():
        write(form.dump_json(table), path)
    elif form.validate_json(path.read_bytes()) != table:
        raise StudyError(
            f"{path} was made from other data than this: results of the two can't be mixed. "
            "Give another --output folder, or the data that it was made from."
        )


def write(content: bytes, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    os.replace(part, path)


def check_same(run: Run, done: Run, folder: Path) -> None:
    """A record of another study under the same name must not be taken for this one's.

    Raises a StudyError if they differ in more than what is scored.
    """
    for name, expected in vars(run).items():
        if name != "sets" and (found := getattr(done, name)) != expected:
            raise StudyError(
                f"{folder / 'runs' / run.name}.json is the record of a run with other settings: "
                f"{name} is {found!r}, expected {expected!r}. Give another --output folder, or "
                "delete the record and the run is done again."
            )


def first_f1(records: Iterable[Record], experiment: Experiment) -> dict[str, float]:
    """Macro F1 on the validation part of each arm of an experiment, with its first seed."""
    return {
        r.run.arm: r.sets["valid"].scores["ents_macro_f"]
        for r in records
        if r.run.stage == experiment.name and r.run.seed == experiment.seeds[0]
    }


def grid_of(records: Iterable[Record], arm: str) -> dict[float, Record]:
    """The runs of an arm with the first seed, by rate."""
    runs = [r for r in records if r.run.stage == "arms" and r.run.arm == arm]
    first = min((r.run.seed for r in runs), default=0)
    return {r.rate: r for r in sorted(runs, key=lambda r: r.rate) if r.run.seed == first}


def best_rate(records: Iterable[Record], arm: str) -> float | None:
    """The rate of the best macro F1 on the validation part in the grid that the arm is tuned by,
    None while that is not done."""
    grid = grid_of(records, ARMS[arm].tuned_as)
    if not grid.keys() >= set(RATES):
        return None
    return max(grid, key=lambda rate: grid[rate].sets["valid"].scores["ents_macro_f"])
