"""Trainings that each judge what they have not seen, so that every gold label is judged once."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from os.path import isfile
from pathlib import Path
from typing import Any

import srsly
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_finegrained_ner.data.checks import labels_of_docs
from spacy_finegrained_ner.data.gold import LABELLED
from spacy_finegrained_ner.doctor.data import Data
from spacy_finegrained_ner.doctor.run import Run
from spacy_finegrained_ner.doctor.suspects import Row, Suspect, by_score, find_suspects
from spacy_finegrained_ner.doctor.texts import normalized
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.ml.decoder import has_posteriors
from spacy_finegrained_ner.whole import in_place_of

EVALUATED = 100
"""Texts of the evaluations of a training, which choose nothing: the last model judges."""


def cross_fit(
    run: Run,
    data: Data,
    folds: int,
    kept: Path,
    *,
    use_gpu: int = -1,
    say: Callable[[str], None] = lambda _: None,
) -> list[Suspect]:
    """The labels of the training part that are most likely wrong, the most suspicious first; their
    texts are numbers in it.

    folds: how many trainings of the run, each on all but one part of the texts; texts that are
    alike but for case, digits and punctuation are in one part. kept: folder for what each training
    has found: what is there is not done again. say: is told of each.

    Raises a `UserError` where the pipeline has no component that knows probabilities, or there are
    fewer texts than folds.
    """
    docs = data.train
    if not run.heads:
        raise UserError(f"{run.path}: the pipeline has no component 'finegrained_ner' that learns.")
    parts = fold_of(docs, folds)
    if len(set(parts)) < folds:
        raise UserError(
            f"The training part has {len(set(parts))} different texts for {folds} folds."
        )
    key = _digest(run.config, docs)
    suspects: list[Suspect] = []
    kept.mkdir(parents=True, exist_ok=True)
    for fold in range(folds):
        path = kept / f"fold-{fold + 1}-of-{folds}-{key}.json"
        if path.exists():
            say(f"Fold {fold + 1} of {folds} is there: {path}")
        else:
            held_out = [i for i, part in enumerate(parts) if part == fold]
            others = [doc for doc, part in zip(docs, parts, strict=True) if part != fold]
            say(f"Fold {fold + 1} of {folds}: training on {len(others):,} texts")
            nlp = _train(run, others, labels_of_docs(docs), use_gpu)
            say(f"Fold {fold + 1} of {folds}: judging {len(held_out):,} texts")
            found = find_suspects(nlp, run.heads[0], [docs[i] for i in held_out])
            rows = [asdict(one) | {"text": held_out[one.text]} for one in found]
            with in_place_of(path) as new:
                srsly.write_json(new, rows)
        suspects += (Suspect(**row) for row in srsly.read_json(path))
    return by_score(suspects)


def fold_of(docs: Sequence[Doc], folds: int) -> list[int]:
    """The fold of each text, always the same: about as many in each, and copies together."""
    groups: dict[bytes, list[int]] = defaultdict(list)
    for number, doc in enumerate(docs):
        groups[sha256((normalized(doc) or doc.text).encode()).digest()].append(number)
    found = [0] * len(docs)
    for place, digest in enumerate(sorted(groups)):
        for number in groups[digest]:
            found[number] = place % folds
    return found


def as_rows(suspects: Sequence[Suspect], data: Data) -> list[Row]:
    """As they are written, with place and text."""
    train = data.parts["train"]
    return [
        Row(
            one.score,
            train.records[one.text].at(one.start),
            train.docs[one.text][one.start : one.end].text,
            one.gold,
            one.suggested,
            train.docs[one.text].text,
        )
        for one in suspects
    ]


def _digest(config: Config, docs: Sequence[Doc]) -> str:
    """Of all that a fold depends on."""
    found = sha256(config.to_str().encode())
    # A taxonomy or names that were edited make another training, though the path is the same
    for path in _files(config["components"], config["initialize"]):
        found.update(path.read_bytes())
    for doc in docs:
        # With what is not known: another training, though the entities are the same
        tags = [(token.text, token.ent_iob, token.ent_type_) for token in doc]
        marks = [(s.start, s.end, s.label_) for s in doc.spans.get(LABELLED, ())]
        found.update(srsly.json_dumps([tags, marks]).encode())
    return found.hexdigest()[:12]


def _files(*blocks: Any) -> Iterator[Path]:
    """Those that are named anywhere in the blocks."""
    for value in blocks:
        if isinstance(value, Mapping):
            yield from _files(*value.values())
        elif isinstance(value, str) and isfile(value):  # False too for what can't be a path
            yield Path(value)


def _train(run: Run, docs: Sequence[Doc], labels: Any, use_gpu: int) -> Language:
    """The last model of a training with these texts."""
    config = run.config.copy()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "train.spacy")
        DocBin(docs=docs, store_user_data=True).to_disk(path)
        reader = {"@readers": "spacy.Corpus.v1", "path": path}
        config["corpora"] = {"train": reader, "dev": {**reader, "limit": EVALUATED}}
        config["training"] |= {
            "train_corpus": "corpora.train",
            "dev_corpus": "corpora.dev",
            # Where nothing else ends the training, it does
            "patience": 0 if run.steps else config["training"]["patience"],
            "eval_frequency": max(1, run.steps or config["training"]["eval_frequency"]),
        }
        if "output_file" in (logger := config["training"]["logger"]):
            logger["output_file"] = None
        config["initialize"]["before_init"] = None
        # Of all folds: one may have no text of a rare type
        head = config["initialize"]["components"].setdefault(run.heads[0], {})
        head.setdefault("labels", sorted(labels))
        nlp = init_nlp(config, use_gpu=use_gpu)
        if not has_posteriors(nlp.get_pipe(run.heads[0]).decoder):  # type: ignore[attr-defined]
            raise UserError(f"The decoder of {run.heads[0]!r} knows no probabilities.")
        train(nlp, None, use_gpu=use_gpu)
    return nlp
