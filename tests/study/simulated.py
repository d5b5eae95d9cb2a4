"""Records of a study that was never run: each run finds entities with a known probability, so that
what the analysis says can be held against what was put in."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from study.plan.stages import SIZES, Run, Stages
from study.runs.records import GOLD, RECORD, Found, Gold, Point, Record, Trained, best_rate, write

TYPES = ("Artist", "Athlete", "Drink", "Facility", "Symptom")
HEAD = {"linear": 0.0, "crf": 0.06, "bilstm": 0.0, "bilstm_crf": 0.06}
"""Put in: what the CRF adds to the probability that an entity is found. Nothing else adds."""

ARMS = {"linear": 0.5, "default": 0.6, "ner": 0.5, "no_blending": 0.6, "no_auxiliary": 0.6}
ARMS |= {
    "layers": 0.6,
    "wide": 0.6,
    "bilstm": 0.6,
    "paper": 0.6,
    "crf": 0.35,
    "crf_pos": 0.36,
    "base": 0.65,
}


def gold(sentences: int = 400, seed: int = 0) -> Gold:
    rng = np.random.default_rng(seed)
    words = rng.integers(4, 30, sentences)
    entities = [
        (i, int(rng.choice(5, p=[0.4, 0.3, 0.15, 0.1, 0.05])), 1, int(rng.random() < 0.4))
        for i in range(sentences)
        for _ in range(2)
    ]
    return Gold(list(TYPES), words.tolist(), entities)


def found(table: Gold, probability: float, seed: int) -> Found:
    """Hits with that probability, and about as many wrong ones as entities were missed."""
    rng = np.random.default_rng(seed)
    hits = rng.random(len(table.entities)) < probability
    false = [
        (sentence, int(rng.integers(len(TYPES))), seen)
        for (sentence, _, _, seen), hit in zip(table.entities, hits, strict=True)
        if not hit
    ]
    micro = float(hits.mean())
    scores = {"ents_f": micro, "ents_macro_f": micro}
    return Found(scores, "".join("1" if hit else "0" for hit in hits), false)


def record(run: Run, tables: dict[str, Gold], probability: float, seed: int) -> Record:
    curve = [
        Point(
            100 * i,
            max(0.1, 1 - i / 4),
            probability * i / 6,
            probability * i / 7,
            min(1.0, probability * i / 5),
        )
        for i in range(7)
    ]
    return Record(
        run=run,
        trained=[
            Trained(600, 100.0, curve if training.looks else []) for training in run.trainings
        ],
        sets={
            part: found(tables[part], probability, seed)
            if part in tables
            else Found({"ents_f": 0.951, "ents_macro_f": 0.934})
            for part in run.sets
        },
        threads=1,
        versions={"spacy": f"3.8.{run.seed}"},
        commit="abc1234",
        command=["python", "-m", "study", "run"],
    )


@cache
def simulate(size: str = "small") -> tuple[tuple[Record, ...], dict[str, Gold]]:
    """Records by name of the run, and gold tables by set."""
    tables = {"valid": gold(), "dev": gold(200, seed=1)}
    stages = Stages(SIZES[size], pos=True, dev=True)
    runs = stages.grid() + stages.screening() + stages.screening("followup")
    records: dict[str, Record] = {}
    for number, run in enumerate(runs):
        screened = run.levels if run.stage in ("screening", "followup") else None
        probability = 0.5 + HEAD[screened["head"]] if screened else ARMS[run.arm]
        records[run.name] = record(run, tables, probability, number)
    rates = {arm: best_rate(records.values(), arm) or 0 for arm in ("linear", "default", "ner")}
    late = stages.arms(rates) + stages.classic() + stages.base()
    for number, run in enumerate(late, len(runs)):
        # Runs of the grid are there already
        records.setdefault(run.name, record(run, tables, ARMS[run.arm], number))
    return tuple(records[name] for name in sorted(records)), tables


def put(folder: Path, records: Iterable[Record], tables: dict[str, Gold]) -> None:
    """As `study run` leaves them."""
    for name, table in tables.items():
        for data in ("train", "sample"):
            write(GOLD.dump_json(table), folder / f"gold-{data}-{name}.json")
    for one in records:
        write(RECORD.dump_json(one), folder / "runs" / f"{one.run.name}.json")
