"""A language model on some sentences of a part, and the records of other arms on the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.labels.readers import named_taxonomy
from study.plan.language_model import BESIDE, LANGUAGE_MODEL
from study.plan.stages import Run, StudyError, Training
from study.runs import records as kept
from study.runs.records import RECORD, Found, Gold, Record, Trained
from study.runs.sample import gold_table, stratified
from study.runs.training import found_in, made_with

_OFTEN = 5
"""Sentences between two writings of what was used."""


@dataclass(frozen=True)
class Asked:
    """A model, and how it is asked.

    arm: of `ASKED`. url, model: of the endpoint. template, examples: of the prompt. tuned: folder
    of fine-tune-llm; none for a model as it is. part: of the data. sentences: of it.
    """

    arm: str
    url: str
    model: str
    template: str
    examples: int
    tuned: Path | None
    part: str
    sentences: int


def ask(
    data: Path, study: Path, output: Path, asked: Asked, taxonomy: str, command: list[str]
) -> Record:
    """Write the record of the model, and those of the arms beside it, on the same sentences.

    data: folder of `convert`. study: of a study on the same data, with its records. output: of
    these records; answers are kept in its folder `answers`, so that it goes on after a stop; what
    was used is in usage/ARM-PART.json, a row for each time it was started. What is there of other
    parts stays.

    Raises a StudyError where the study is of other data.
    """
    made = made_with()
    tree = named_taxonomy(taxonomy)
    docs = {part: read_docs(_file(data, part)) for part in ("train", asked.part)}
    table, seen = gold_table(docs[asked.part], docs["train"], tree)
    if kept.read_gold(study, "train", asked.part) != table:
        raise StudyError(f"{study}: is a study of other data than {data}.")
    drawn = {id(doc) for doc in stratified(docs[asked.part], asked.sentences)}
    places = [place for place, doc in enumerate(docs[asked.part]) if id(doc) in drawn]
    some = _restricted(table, places)
    kept.write_gold(some, output / f"gold-train-{asked.part}.json")
    for record in _beside(study, asked.part, table, places):
        _keep(record, output)
    references = [docs[asked.part][place] for place in places]
    nlp = _pipeline(asked, _file(data, "train"), taxonomy, output)
    usage = output / "usage" / f"{asked.arm}-{asked.part}.json"
    examples = list(_examples(nlp, references, usage))
    training = Training(asked.arm, "train", epochs=0)
    run = Run(f"llm-{asked.arm}", LANGUAGE_MODEL.name, asked.arm, 0, (training,), (asked.part,))
    record = Record(
        run=run,
        trained=[] if asked.tuned is None else [_trained(asked.tuned)],
        sets={asked.part: found_in(examples, some, seen, tree)},
        command=command,
        **made,
    )
    _keep(record, output)
    return record


def _keep(record: Record, output: Path) -> None:
    """Beside what there is of other parts."""
    path = output / "runs" / f"{record.run.name}.json"
    before = RECORD.validate_json(path.read_bytes()).sets if path.exists() else {}
    sets = {**before, **record.sets}
    run = replace(record.run, sets=tuple(sets))
    kept.write(RECORD.dump_json(replace(record, run=run, sets=sets)), path)


def _file(data: Path, part: str) -> Path:
    path = data / f"{part}.spacy"
    if not path.exists():
        raise StudyError(f"{path}: there is no such file. Expected the folder of `convert`.")
    return path


def _pipeline(asked: Asked, train: Path, taxonomy: str, output: Path) -> Language:
    nlp = spacy.blank("en")
    config: dict[str, Any] = {
        "url": asked.url,
        "model": asked.model,
        "examples": {
            "@misc": "spacy-finegrained-ner.FixedExamples.v1",
            "number": asked.examples,
            "seed": 0,
        },
        "limits": {"parallel": 1, "timeout": 600.0},
        "request": {"max_tokens": 500},
        "cache": str(output / "answers"),
    }
    nlp.add_pipe("finegrained_llm", config=config)
    nlp.config["initialize"]["components"]["finegrained_llm"] = {
        "taxonomy": {"@readers": "spacy-finegrained-ner.Taxonomy.v2", "path": taxonomy},
        "template": asked.template,
        "examples": str(train),
    }
    nlp.initialize()
    return nlp


def _examples(nlp: Language, references: Sequence[Doc], usage: Path) -> Iterator[Example]:
    before = json.loads(usage.read_bytes()) if usage.exists() else []
    report: Any = nlp.get_pipe("finegrained_llm").report  # type: ignore[attr-defined]
    bare = [bare_copy(doc, nlp.vocab) for doc in references]
    start = perf_counter()
    for number, doc in enumerate(nlp.pipe(bare, batch_size=1), 1):
        yield Example(doc, references[number - 1])
        if number % _OFTEN == 0 or number == len(bare):
            # The report has its seconds only when all is done
            row = {**report.as_dict(), "seconds": round(perf_counter() - start, 1)}
            kept.write(json.dumps([*before, row], indent=1).encode(), usage)


def _trained(tuned: Path) -> Trained:
    result = json.loads((tuned / "result.json").read_bytes())
    return Trained(result["steps"], result["seconds"])


def _beside(study: Path, part: str, table: Gold, places: Sequence[int]) -> Iterator[Record]:
    """The records of the arms beside it, each at the rate that the study has chosen for it."""
    records = kept.read_records(study)
    for record in records:
        arm, stage = record.run.arm, record.run.stage
        if arm not in BESIDE or stage not in ("arms", "classic"):
            continue
        if stage == "arms" and record.rate != kept.best_rate(records, arm):
            continue
        run = replace(
            record.run, name=f"llm-{arm}-seed{record.run.seed}", stage="llm", sets=(part,)
        )
        found = _found_among(record.sets[part], table, places)
        yield replace(record, run=run, sets={part: found})


def _restricted(gold: Gold, places: Sequence[int]) -> Gold:
    number = {place: n for n, place in enumerate(places)}
    entities = [
        (number[s], label, words, seen) for s, label, words, seen in gold.entities if s in number
    ]
    return Gold(gold.types, [gold.words[place] for place in places], entities)


def _found_among(found: Found, gold: Gold, places: Sequence[int]) -> Found:
    """Scores of the scorer there are none: the page has its own of the counts."""
    number = {place: n for n, place in enumerate(places)}
    hits = zip(found.hits or "", gold.entities, strict=True)
    return Found(
        {},
        "".join(hit for hit, (sentence, *_) in hits if sentence in number),
        [(number[s], label, seen) for s, label, seen in found.false if s in number],
    )
