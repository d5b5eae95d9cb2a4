"""One run of the study: a config, a training as in `spacy train`, and what came out of it."""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import srsly
import torch
from spacy.cli.init_config import init_config
from spacy.language import Language
from spacy.training import Corpus, Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config, registry
from thinc.api import Config, fix_random_seed

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.scoring.scorer import entity_spans, score_entities
from study.plan.stages import Run, Settings
from study.runs.sample import TAGGERS, surface

PACKAGES = (
    "spacy-finegrained-ner",
    "spacy",
    "spacy-transformers",
    "thinc",
    "torch",
    "transformers",
)
LONGEST_EVALUATION = 100
"""Sentences that spaCy looks at before the first step of a run without a curve."""


@dataclass(frozen=True)
class Inputs:
    """Where a run finds its things.

    work: folder of `study.sample.prepare`, with gold tables. configs: the project's folder.
    encoder, base_encoder: folder or name. pos: a pipeline with a tagger.
    """

    work: Path
    configs: Path
    encoder: str
    base_encoder: str | None = None
    pos: str | None = None
    taxonomy: Path | None = None


def config_of(run: Run, inputs: Inputs) -> Config:
    """The config of a run, but for its number of steps."""
    if run.kind == "crf":
        config = load_config(inputs.configs / "crf.cfg")
        if run.arm == "crf_pos":
            _with_tagger(config, inputs.pos)
        else:
            config["components"]["crf_ner"]["features"]["pos"] = False
    else:
        config = load_config(inputs.configs / "default.cfg")
        config["paths"]["encoder"] = (
            inputs.base_encoder if run.encoder == "base" else inputs.encoder
        )
        config["training"]["optimizer"]["learn_rate"]["rate"] = run.rate
        # What spaCy prints and the curve are made from the file
        config["training"]["logger"]["progress_bar"] = None
    if run.kind == "ner":
        _with_spacys_ner(config)
    config["paths"]["train"] = str(inputs.work / f"{run.data}.spacy")
    config["paths"]["dev"] = str(inputs.work / "valid.spacy")
    config["paths"]["taxonomy"] = str(inputs.taxonomy) if inputs.taxonomy else None
    config["system"]["seed"] = run.seed
    if not run.looks:
        config["corpora"]["dev"]["limit"] = LONGEST_EVALUATION
    apply(config, run.settings)
    return config


def run_once(run: Run, inputs: Inputs) -> dict[str, Any]:
    """Train and score. Takes the last model, not the best: no choice is made by the scores.

    RETURNS: the run's fields; `steps`, and `seconds` of the training; `curve`: rows of the log;
    `sets`: for each set `scores` (of the scorer), `hits` (a character for each entity of the gold
    table: 1 found, 0 not) and `false` ([sentence, type, 1 if its text is an entity of the training
    part] of each prediction that is wrong); `pooled`: of the traditional CRF, scores over the
    sentences of the training and the dev set together, as the paper's code seems to have them;
    `versions`.
    """
    config = config_of(run, inputs)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        if run.kind != "crf":
            config["training"]["max_steps"] = steps = run.epochs * _batches(config)
            config["training"]["eval_frequency"] = max(1, steps // max(1, run.looks))
            config["training"]["logger"]["output_file"] = str(log)
        start = time.perf_counter()
        nlp = init_nlp(config)
        train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
        seconds = time.perf_counter() - start
        rows = list(srsly.read_jsonl(log)) if log.exists() else []
    return {
        **asdict(run),
        "sets": {name: _scored(nlp, run, name, inputs) for name in run.sets},
        "pooled": _pooled(nlp, run, inputs) if run.kind == "crf" and "dev" in run.sets else None,
        "steps": config["training"]["max_steps"],
        "seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "curve": [_point(row) for row in rows] if run.looks else [],
        "versions": {name: version(name) for name in PACKAGES} | {"commit": _commit()},
    }


def apply(config: Config, changes: Settings) -> None:
    """Set values and blocks by dotted path. Raises a KeyError for a path that is not there."""
    for path, value in changes.items():
        *sections, last = path.split(".")
        section = reduce(lambda block, key: block[key], sections, config)
        if last not in section:
            raise KeyError(path)
        section[last] = value


def _with_spacys_ner(config: Config) -> None:
    """spaCy's `ner` as its quickstart has it, in place of ours: on the same encoder, with the same
    batches and the same optimizer (one rate for all, as it has by default)."""
    stock = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=True)
    stock = stock.interpolate()
    config["nlp"]["pipeline"] = ["transformer", "ner"]
    config["components"]["transformer"]["model"]["layers"] = 1
    del config["components"]["finegrained_ner"]
    config["components"]["ner"] = stock["components"]["ner"]
    config["initialize"]["components"] = {}
    config["training"]["before_update"] = None
    config["training"]["optimizer"]["groups"] = {}
    config["training"]["score_weights"] = {"ents_f": 1.0}


def _with_tagger(config: Config, pos: str | None) -> None:
    """The parts of a trained pipeline that give parts of speech, before the CRF."""
    config["nlp"]["pipeline"] = [*TAGGERS, *config["nlp"]["pipeline"]]
    for name in TAGGERS:
        config["components"][name] = {"source": pos}
    config["training"]["frozen_components"] = list(TAGGERS)


def _batches(config: Config) -> int:
    """Of an epoch: about as many in each."""
    nlp = Language()
    settings = config.interpolate()
    fix_random_seed(settings["system"]["seed"])
    batcher = registry.resolve({"batcher": settings["training"]["batcher"]}, validate=False)[
        "batcher"
    ]
    corpus = Corpus(Path(settings["paths"]["train"]), shuffle=True)
    return sum(1 for _ in batcher(corpus(nlp)))


def _scored(nlp: Language, run: Run, name: str, inputs: Inputs) -> dict[str, Any]:
    gold = srsly.read_json(inputs.work / f"gold-{run.data}-{name}.json")
    seen = set(srsly.read_json(inputs.work / f"seen-{run.data}.json"))
    examples = _predicted(nlp, inputs.work / f"{name}.spacy")
    taxonomy = read_taxonomy(inputs.taxonomy).spelled_as(gold["types"])
    hits = []
    false = []
    for number, example in enumerate(examples):
        found, true = entity_spans(example, taxonomy)
        hits += [int(span in found) for span in sorted(true)]
        for start, end, label in sorted(found - true):
            known = surface(example.reference[start:end].text) in seen
            false.append([number, gold["types"].index(label), int(known)])
    return {
        "scores": _scores(examples, inputs),
        "hits": "".join(map(str, hits)),
        "false": false,
    }


def _pooled(nlp: Language, run: Run, inputs: Inputs) -> dict[str, float]:
    parts = [_predicted(nlp, inputs.work / f"{name}.spacy") for name in (run.data, "dev")]
    return _scores(parts[0] + parts[1], inputs)


def _predicted(nlp: Language, path: Path) -> list[Example]:
    references = [example.reference for example in Corpus(path)(nlp)]
    bare = [bare_copy(doc, nlp.vocab) for doc in references]
    return [Example(p, r) for p, r in zip(nlp.pipe(bare), references, strict=True)]


def _scores(examples: list[Example], inputs: Inputs) -> dict[str, float]:
    scores = score_entities(examples, taxonomy=read_taxonomy(inputs.taxonomy))
    return {key: value for key, value in scores.items() if isinstance(value, float)}


def _point(row: dict[str, Any]) -> dict[str, Any]:
    """A point of the learning curve."""
    weights = row.get("auxiliary_weights") or {}
    scores = row["scores"]
    return {
        "step": row["step"],
        "w": next(iter(weights.values()), None),
        **{key: scores.get(key) for key in ("ents_f", "ents_macro_f", "ents_mention_f")},
    }


def _commit() -> str | None:
    """Of the project's folder, where the package lies in one."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or None
