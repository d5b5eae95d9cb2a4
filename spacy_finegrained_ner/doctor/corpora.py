"""Traps in what a config says of data and of scores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.util import dot_to_object

from spacy_finegrained_ner.data.checks import labels_of_docs
from spacy_finegrained_ner.doctor.data import Data
from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.doctor.run import Run
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import score_entities

STREAMED = 100
"""Texts that spaCy looks at before the first step where max_epochs is -1."""
OF_SPACY = ("speed", "token_acc", "token_p", "token_r", "token_f")


def check_corpora(run: Run, data: Data) -> Iterator[Finding]:
    yield from _absent(run)
    train, dev = (_corpus(run, name) for name in ("train_corpus", "dev_corpus"))
    paths = [each.get("path") for each in (train, dev)]
    if None not in paths and _same_file(*map(str, paths)):
        what = f"The corpora for training and for evaluation are both {paths[0]}."
        do = "Give texts that it does not learn from as --paths.dev: the scores say nothing so."
        yield Finding("dev-is-train", "error", what, do)
    for name, corpus, part in (("train", train, "train"), ("dev", dev, data.selects)):
        docs = data.parts[part].docs if part in data.parts else []
        if corpus.get("gold_preproc"):
            what = f"gold_preproc of the corpus for {name} is true: texts are cut into sentences."
            do = "Set it to false: later, texts come as a whole, and what label_only says is lost."
            yield Finding("gold-preproc", "warning", what, do)
        limit = corpus.get("limit") or 0
        if 0 < limit < len(docs):
            what = f"limit of the corpus for {name} leaves {len(docs) - limit:,} texts out."
            yield Finding("left-out-texts", "warning", what, "Set limit to 0.")
        longest = corpus.get("max_length") or 0
        long = [doc for doc in docs if len(doc) > longest] if longest else []
        if long:
            what = (
                f"max_length of the corpus for {name} is {longest:,}: {len(long):,} longer texts "
                "are cut into sentences, or left out where these are not known."
            )
            yield Finding("left-out-texts", "warning", what, "Set max_length to 0.")
    yield from _streamed(run, data)
    yield from _scores(run, data)


def _corpus(run: Run, key: str) -> dict[str, Any]:
    try:
        found = dot_to_object(run.config, run.training[key])
    except KeyError:
        return {}
    return found if isinstance(found, dict) else {}


def _absent(run: Run) -> Iterator[Finding]:
    for key in ("train_corpus", "dev_corpus"):
        if not _corpus(run, key):
            what = f"{key} of [training] is {run.training[key]!r}, and there is no such block."
            there = ", ".join(f"corpora.{name}" for name in run.config.get("corpora", {}))
            yield Finding("config-error", "error", what, f"Expected one of: {there}.")


def _same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _streamed(run: Run, data: Data) -> Iterator[Finding]:
    if run.training["max_epochs"] != -1:
        return
    given = [
        name
        for name in run.heads
        if (run.config["initialize"]["components"].get(name) or {}).get("labels")
    ]
    every = labels_of_docs(data.train)
    missing = sorted(set(every) - set(labels_of_docs(islice(data.train, STREAMED))))
    if run.heads and not given and missing:
        what = (
            f"max_epochs is -1, and so the labels are those of the first {STREAMED} texts, which "
            f"lack {len(missing)} of {len(every)} types: {', '.join(missing[:10])}."
        )
        do = (
            "Write all labels with `spacy init labels`, and have "
            f"[initialize.components.{run.heads[0]}.labels] read them; or set max_epochs to 0."
        )
        yield Finding("first-100-texts", "error", what, do)


def _scores(run: Run, data: Data) -> Iterator[Finding]:
    """Weights on what no component reports. spaCy leaves those out in silence."""
    weights = {key: w for key, w in run.training["score_weights"].items() if w}
    if not run.nlp.pipeline:
        return
    reported = set(OF_SPACY)
    families = set()
    for name, pipe in run.nlp.pipeline:
        prefix = getattr(pipe, "score_prefix", None)
        if prefix is None:
            scores = run.nlp.get_pipe_meta(name).scores
            reported |= set(scores)
            families |= {key.split("_")[0] for key in scores}  # there are more than it tells
        else:
            flat = {"a": "a"} if _is_flat(run, name) else {"a": "b"}
            reported |= set(score_entities([], taxonomy=Taxonomy(flat), prefix=prefix))
    ours = {key.split("_")[0] for key in reported} - families
    lost = [
        key
        for key in weights
        if key not in reported and (key.split("_")[0] in ours or key.split("_")[0] not in families)
    ]
    if lost:
        every = len(lost) == len(weights)
        effect = "nothing selects the model" if every else "they select nothing"
        what = f"score_weights weigh what no component reports: {', '.join(lost)}; {effect}."
        do = f"Expected some of {', '.join(sorted(reported - set(OF_SPACY))[:12])}."
        yield Finding("unreported-score", "error" if every else "warning", what, do)
    elif not weights:
        what = "No score has a weight: every evaluation is as good as any other."
        yield Finding("unreported-score", "error", what, "Set ents_macro_f = 1.0.")


def _is_flat(run: Run, name: str) -> bool:
    """Whether a component will have no coarse types."""
    block = (run.config["initialize"]["components"].get(name) or {}).get("taxonomy") or {}
    if "@readers" not in block:
        return False  # it takes the packaged one, if that fits
    return block.get("path") is None and str(block["@readers"]).endswith(".v2")
