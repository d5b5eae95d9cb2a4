"""One run of the study: configs, trainings as in `spacy train`, and what came out of them."""

from __future__ import annotations

import io
import subprocess
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import spacy
import srsly
import torch
from filelock import FileLock
from pydantic import TypeAdapter
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import registry
from thinc.api import Config, fix_random_seed

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.knowledge.names import Names
from spacy_finegrained_ner.labels.readers import named_taxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.tuning import BATCH, tune
from spacy_finegrained_ner.scoring.evaluation import component_of
from spacy_finegrained_ner.scoring.scorer import entity_spans, score_entities
from study.plan.stages import Run, Training
from study.runs.context import without_context
from study.runs.corrected import errors, wrong
from study.runs.names import reading
from study.runs.pipelines import Inputs, config_of
from study.runs.pooled import OnBatches
from study.runs.progress import telling
from study.runs.records import Found, Gold, Point, Record, Trained, read_gold, write
from study.runs.sample import surface
from study.runs.teaching import write_taught

PACKAGES = (
    *("spacy-finegrained-ner", "spacy", "spacy-transformers", "thinc", "torch", "transformers"),
)

_TRAINED = TypeAdapter(Trained)


def run_once(run: Run, inputs: Inputs) -> Record:
    """Train and score. Takes the last model, not the best: no choice is made by the scores."""
    made = made_with()
    trained = []
    with tempfile.TemporaryDirectory() as folder:
        before: dict[str, str] = {}
        for training in run.trainings:
            if training.name in before:
                raise ValueError(f"{run.name} has two trainings of the name {training.name!r}.")
            kept = _place(training, run.seed, inputs)
            before[training.name] = str(kept or Path(folder) / training.name)
            # Another worker may train what both begin with: then this one waits for it
            with _alone(kept) if kept else nullcontext():
                if kept and (kept / "trained.json").exists():
                    nlp = spacy.load(kept)
                    found = _TRAINED.validate_json((kept / "trained.json").read_bytes())
                elif training.tuned:
                    nlp, found = _tune(training, before[training.tuned], run, inputs)
                else:
                    nlp, found = _taught(training, before, run, inputs, Path(folder))
                    if kept or training is not run.trainings[-1]:
                        nlp.to_disk(before[training.name])
                    if kept:
                        write(_TRAINED.dump_json(found), kept / "trained.json")
            trained.append(found)
        return Record(
            run=run,
            trained=trained,
            sets={part: _found(nlp, run, part, inputs) for part in run.sets},
            command=inputs.command,
            **made,
        )


def _alone(kept: Path) -> FileLock:
    kept.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{kept}.lock")


def _taught(
    training: Training, before: Mapping[str, str], run: Run, inputs: Inputs, folder: Path
) -> tuple[Language, Trained]:
    """A training from the encoder on, perhaps of what a teacher finds."""
    config = config_of(training, run.seed, inputs)
    config["paths"] |= before
    if training.taught:
        where = folder / f"taught-{training.name}"
        labels = write_taught(training.taught, before[training.taught.teacher], inputs, where)
        config["paths"]["train"] = str(where)
        config["initialize"]["components"]["finegrained_ner"]["labels"] = labels
    return _train(training, config, run, folder)


def _place(training: Training, seed: int, inputs: Inputs) -> Path | None:
    """Where what comes out is kept for other runs; None for what is not."""
    if not training.kept:
        return None
    # What is as by default is left out: so it is found where a training has got more settings
    told = {k: v for k, v in vars(training).items() if v != getattr(Training, k, None)}
    config = config_of(training, seed, inputs)
    # What is in the files: the same texts written anew are other bytes
    tokens = DocBin().from_disk(config["paths"]["train"]).tokens
    data = sha256(b"".join(of_text.tobytes() for of_text in tokens)).hexdigest()
    asked = f"{told} {config.to_str(interpolate=False)} {data}"
    if training.pipeline == "knowledge":
        asked += Names.open(inputs.names(training.names)).digest
    return inputs.work / "kept" / f"{training.name}-{sha256(asked.encode()).hexdigest()[:12]}"


def _train(training: Training, config: Config, run: Run, folder: Path) -> tuple[Language, Trained]:
    log = folder / f"{training.name}.jsonl"
    if config["training"]["max_steps"] != 1:  # a CRF takes one step, with all of the data
        batches = _batches(config)
        config["training"]["max_steps"] = steps = training.epochs * batches
        config["training"]["eval_frequency"] = max(1, steps // max(1, training.looks))
        config["training"]["logger"]["output_file"] = str(log)
    kept: dict[str, Any] = srsly.json_loads(srsly.json_dumps(config))
    start = time.perf_counter()
    nlp = init_nlp(config)
    watch = OnBatches(component_of(nlp)[1], batches) if training.pooled else None
    # spaCy takes the step max_steps too, counted from 0
    updates = (config["training"]["max_steps"] + 1) * config["training"]["accumulate_gradient"]
    with telling(nlp, f"{run.name} ({training.name})", updates):
        train(nlp, None, stdout=io.StringIO(), stderr=io.StringIO())
    seconds = round(time.perf_counter() - start, 1)
    rows = srsly.read_jsonl(log) if training.looks and log.exists() else ()
    curve = [_point(row) for row in rows]
    counts = watch.counts if watch else None
    return nlp, Trained(config["training"]["max_steps"], seconds, curve, kept, _commit(), counts)


def _tune(training: Training, before: str, run: Run, inputs: Inputs) -> tuple[Language, Trained]:
    nlp = spacy.load(before)
    tree = named_taxonomy(inputs.taxonomy)
    part = inputs.work / f"{training.part}.spacy"
    docs = list(DocBin().from_disk(part).get_docs(nlp.vocab))
    corrected = []
    if training.wrong:
        corrected = wrong(_predicted(nlp, part), training.wrong, tree)
        docs = [example.reference for example in corrected]
    remembered = []
    if training.remember:
        remembered = list(
            DocBin().from_disk(inputs.work / f"{training.remember}.spacy").get_docs(nlp.vocab)
        )
    steps = training.epochs * ceil((len(docs) + len(remembered)) / BATCH)
    start = time.perf_counter()
    tuned = tune(
        nlp,
        component_of(nlp)[0],
        docs,
        remember=remembered,
        taxonomy=tree,
        steps=steps,
        rate=training.rate,
        seed=run.seed,
        stdout=io.StringIO(),
    )
    seconds = round(time.perf_counter() - start, 1)
    counts = None
    if training.wrong:
        scored = inputs.work / run.sets[0]
        themselves = _annotated(tuned, docs)
        counts = errors(
            corrected, themselves, _predicted(nlp, scored), _predicted(tuned, scored), tree
        )
    return tuned, Trained(steps, seconds, commit=_commit(), errors=counts)


def _batches(config: Config) -> int:
    """Of an epoch: about as many in each."""
    settings = config.interpolate()
    fix_random_seed(settings["system"]["seed"])
    block = {"batcher": settings["training"]["batcher"]}
    batcher = registry.resolve(block, validate=False)["batcher"]
    corpus = Corpus(Path(settings["paths"]["train"]), shuffle=True)
    return sum(1 for _ in batcher(corpus(Language())))


def _point(row: dict[str, Any]) -> Point:
    """Of the log."""
    weight = next(iter((row.get("auxiliary_weights") or {}).values()), None)
    names = ("ents_f", "ents_macro_f", "ents_mention_f")
    return Point(row["step"], weight, *(row["scores"].get(name) for name in names))


def _found(nlp: Language, run: Run, part: str, inputs: Inputs) -> Found:
    """part: see `Run.sets`."""
    file = run.trainings[-1].file
    whole, _, variant = part.partition("@")
    examples = []
    behind = 0
    with reading(nlp, inputs.names(variant)) if variant else nullcontext():
        for name in whole.split("+"):
            some, more = _sentences(nlp, inputs.work / name, inputs.work / file(name))
            examples += some
            behind += more
    tree = named_taxonomy(inputs.taxonomy)
    if "+" in part:
        return Found(_scores(examples, tree), behind=behind)
    seen = set(srsly.read_json(inputs.work / f"seen-{run.known}.json"))
    found = found_in(examples, read_gold(inputs.work, run.known, part), seen, tree)
    return replace(found, behind=behind)


def found_in(
    examples: Sequence[Example], gold: Gold, seen: Collection[str], tree: Taxonomy
) -> Found:
    """What was found. seen: the texts of the training part's entities. tree: the taxonomy."""
    taxonomy = tree.spelled_as(gold.types)
    hits = []
    false = []
    for number, example in enumerate(examples):
        found, true = entity_spans(example, taxonomy)
        hits += [int(span in found) for span in sorted(true)]
        for start, end, label in sorted(found - true):
            known = surface(example.reference[start:end].text) in seen
            false.append((number, gold.types.index(label), int(known)))
    return Found(_scores(examples, tree), "".join(map(str, hits)), false)


def _scores(examples: Sequence[Example], tree: Taxonomy) -> dict[str, float]:
    scores = score_entities(examples, taxonomy=tree)
    return {key: value for key, value in scores.items() if isinstance(value, float)}


def made_with() -> dict[str, Any]:
    """What a record says of that: threads, versions, commit."""
    return {
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": _commit(),
    }


def _predicted(nlp: Language, part: Path) -> list[Example]:
    return _annotated(nlp, _references(nlp, part))


def _annotated(nlp: Language, references: Sequence[Doc]) -> list[Example]:
    bare = [bare_copy(doc, nlp.vocab) for doc in references]
    return [Example(p, r) for p, r in zip(nlp.pipe(bare), references, strict=True)]


def _sentences(nlp: Language, part: Path, read: Path) -> tuple[list[Example], int]:
    """read: the part with something behind its sentences, or the part itself.
    RETURNS: what is predicted of the sentences alone, and how many entities more there were."""
    found = _predicted(nlp, read)
    if read == part:
        return found, 0
    examples, behind = [], 0
    for example, reference in zip(found, _references(nlp, part), strict=True):
        sentence, more = without_context(example.predicted, len(reference))
        examples.append(Example(sentence, reference))
        behind += more
    return examples, behind


def _references(nlp: Language, part: Path) -> list[Doc]:
    return [example.reference for example in Corpus(part.with_suffix(".spacy"))(nlp)]


@cache
def _commit() -> str | None:
    """Of the clone when it is first asked for, before anything is trained: later the clone may have
    another one than the code that runs. It ends on -dirty where files were changed since. None
    outside of a clone."""
    done = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or None
