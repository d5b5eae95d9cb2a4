"""Records of a study that was never run: each run finds entities with a known probability, so that
what the analysis says can be held against what was put in."""

import numpy as np
import srsly

from study.plan import stages as plan
from study.plan.stages import SIZES

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


def gold(sentences: int = 400, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    words = rng.integers(4, 30, sentences)
    entities = [
        [i, int(rng.choice(5, p=[0.4, 0.3, 0.15, 0.1, 0.05])), 1, int(rng.random() < 0.4)]
        for i in range(sentences)
        for _ in range(2)
    ]
    return {"types": list(TYPES), "words": words.tolist(), "entities": entities}


def found(table: dict, probability: float, seed: int) -> dict:
    """Hits with that probability, and about as many wrong ones as entities were missed."""
    rng = np.random.default_rng(seed)
    entities = table["entities"]
    hits = rng.random(len(entities)) < probability
    false = [
        [sentence, int(rng.integers(len(TYPES))), seen]
        for (sentence, _, _, seen), hit in zip(entities, hits, strict=True)
        if not hit
    ]
    micro = hits.sum() / len(entities)
    return {
        "scores": {"ents_f": float(micro), "ents_macro_f": float(micro)},
        "hits": "".join("1" if hit else "0" for hit in hits),
        "false": false,
    }


def record(run: plan.Run, tables: dict, probability: float, seed: int) -> dict:
    from dataclasses import asdict

    curve = [
        {
            "step": 100 * i,
            "w": max(0.1, 1 - i / 4),
            "ents_f": probability * i / 6,
            "ents_macro_f": probability * i / 7,
            "ents_mention_f": min(1.0, probability * i / 5),
        }
        for i in range(7)
    ]
    return {
        **asdict(run),
        "sets": {name: found(tables[name], probability, seed) for name in run.sets},
        "steps": 600,
        "seconds": 100.0,
        "threads": 1,
        "curve": curve if run.looks else [],
        "versions": {"spacy": "3.8.0", "commit": "abc1234"},
        "command": ["python", "-m", "spacy_finegrained_ner", "study", "run"],
    }


def simulate(size: str = "small") -> tuple[dict[str, dict], dict[str, dict]]:
    """Records by name, and gold tables by set."""
    tables = {"valid": gold(), "dev": gold(200, seed=1)}
    this = SIZES[size]
    records: dict[str, dict] = {}
    runs = plan.grid(this, dev=True) + plan.screening(this, pos=True)
    runs += plan.screening(this, True, "followup")
    for number, run in enumerate(runs):
        probability = (
            0.5 + HEAD[run.levels["head"]]
            if run.stage in ("screening", "followup") and run.levels
            else ARMS[run.arm]
        )
        records[run.name] = record(run, tables, probability, number)
    late = plan.arms(this, records, dev=True) + plan.classic(this, pos=True, dev=True)
    for number, run in enumerate(late + plan.base(this, dev=True), len(runs)):
        # Runs of the grid are there already
        records.setdefault(run.name, record(run, tables, ARMS[run.arm], number))
    return records, tables


def write(folder, size: str = "small") -> dict[str, dict]:
    """As `study run` leaves them."""
    records, tables = simulate(size)
    for name, table in tables.items():
        for data in ("train", "sample"):
            (folder / "runs").mkdir(parents=True, exist_ok=True)
            srsly.write_json(folder / f"gold-{data}-{name}.json", table)
    for name, one in records.items():
        srsly.write_json(folder / "runs" / f"{name}.json", one)
    return records
