"""What the ranking of suspicious labels is worth: wrong labels are planted, and counted among the
most suspicious."""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import srsly
from spacy.tokens import Doc, DocBin, Span

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor.cross_fit import cross_fit
from spacy_finegrained_ner.doctor.data import Data, read_data
from spacy_finegrained_ner.doctor.run import Run, read_run
from spacy_finegrained_ner.doctor.suspects import OUTSIDE, Suspect
from spacy_finegrained_ner.labels.readers import named_taxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from study.plan.stages import StudyError
from study.runs.pipelines import CONFIGS

EPOCHS = 3
TOP = 100
Planted = Mapping[tuple[int, int], str]
"""The right label of each wrong one, by text and first token."""


def plant(
    docs: Sequence[Doc], taxonomy: Taxonomy, count: int, seed: int = 0
) -> tuple[list[Doc], dict[tuple[int, int], str]]:
    """Docs with so many entities of another type of the same coarse type, drawn at random, and
    what they were."""
    rng = random.Random(seed)
    others = {
        fine: [x for x in taxonomy.fine if x != fine and taxonomy.coarse_of[x] == coarse]
        for fine, coarse in taxonomy.coarse_of.items()
    }
    places = [
        (number, ent.start)
        for number, doc in enumerate(docs)
        for ent in doc.ents
        if others[taxonomy.fine_label(ent.label_)]
    ]
    chosen = dict.fromkeys(sorted(rng.sample(places, min(count, len(places)))), "")
    changed = []
    for number, doc in enumerate(docs):
        copy = doc.copy()
        ents = []
        for ent in doc.ents:
            label = ent.label_
            if (number, ent.start) in chosen:
                chosen[number, ent.start] = label
                label = rng.choice(others[taxonomy.fine_label(label)])
            ents.append(Span(copy, ent.start, ent.end, label))
        unknown = [copy[t.i : t.i + 1] for t in doc if not t.ent_iob_]
        copy.set_ents(ents, missing=unknown, default="outside")
        changed.append(copy)
    return changed, chosen


def counted(suspects: Sequence[Suspect], planted: Planted, entities: int) -> dict[str, Any]:
    """How many of the most suspicious labels were planted, and how many times as often as by
    chance. entities: how many gold labels there are. right: suggestions that are what it was."""
    top = suspects[:TOP]
    hits = [one for one in top if (one.text, one.start) in planted]
    share = len(planted) / entities
    return {
        "planted": len(planted),
        "entities": entities,
        "top": len(top),
        "planted_in_top": len(hits),
        "expected_by_chance": round(share * len(top), 4),
        "times_chance": round(len(hits) / len(top) / share, 4) if top else None,
        "right": sum(one.suggested == planted[one.text, one.start] for one in hits),
    }


def measure(
    train: Path, output: Path, encoder: str, taxonomy: str, count: int, folds: int, steps: int = 0
) -> dict[str, Any]:
    """Plant wrong labels in the training part, rank all, and count. Writes planted.json, and
    judge.tsv: what was not planted of the most suspicious, and as many other labels, shuffled and
    without predictions, for somebody to judge; judge-key.json says which is which.

    steps: of a training; 0 for three epochs. What is done of the folds is kept in the folder.
    Raises a StudyError where no run can be made of the default config.
    """
    tree = named_taxonomy(taxonomy)
    docs, planted = plant(read_docs(train), tree, count)
    folder = output / "planted"
    folder.mkdir(parents=True, exist_ok=True)
    DocBin(docs=docs).to_disk(folder / "train.spacy")
    data, _ = read_data(folder, "en", Options())
    run = _run(encoder, taxonomy, 1)
    run.count_batches(data.train)
    steps = steps or EPOCHS * len(run.batches) * (folds - 1) // folds
    run = _run(encoder, taxonomy, steps)
    suspects = cross_fit(run, data, folds, output / "folds", say=_say)
    found = counted(suspects, planted, sum(len(doc.ents) for doc in docs))
    found |= {"steps": steps, "folds": folds, "command": ["python", "-m", "study", *sys.argv[1:]]}
    srsly.write_json(output / "planted.json", found)
    _write_judge(suspects, planted, data, output)
    return found


def _run(encoder: str, taxonomy: str, steps: int) -> Run:
    overrides = {"paths.encoder": encoder, "training.max_steps": steps}
    run, findings = read_run(CONFIGS / "default.cfg", overrides, taxonomy)
    if run is None:
        raise StudyError(findings[0].what)
    return run


def _write_judge(suspects: Sequence[Suspect], planted: Planted, data: Data, output: Path) -> None:
    rng = random.Random(0)
    top = {(one.text, one.start) for one in suspects[:TOP]}
    asked = [
        (one.text, one.start, one.end, one.gold)
        for one in suspects[:TOP]
        # Beside entities drawn at random one that is missing would give itself away
        if (one.text, one.start) not in planted and one.gold != OUTSIDE
    ]
    rest = [
        (number, ent.start, ent.end, ent.label_)
        for number, doc in enumerate(data.train)
        for ent in doc.ents
        if (number, ent.start) not in planted and (number, ent.start) not in top
    ]
    asked += rng.sample(rest, min(len(asked), len(rest)))
    rng.shuffle(asked)
    with (output / "judge.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(("number", "entity", "label", "sentence", "right"))
        for number, (text, start, end, label) in enumerate(asked, 1):
            doc = data.train[text]
            writer.writerow((number, doc[start:end].text, label, doc.text, ""))
    key = {n: (text, start) in top for n, (text, start, *_) in enumerate(asked, 1)}
    srsly.write_json(output / "judge-key.json", key)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
