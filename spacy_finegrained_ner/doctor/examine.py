"""All that the doctor looks at, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor.corpora import check_corpora
from spacy_finegrained_ner.doctor.data import Data, read_data
from spacy_finegrained_ner.doctor.encoder import check_encoder, load_tokenizer
from spacy_finegrained_ner.doctor.entities import check_entities
from spacy_finegrained_ner.doctor.finding import Finding, worst_first
from spacy_finegrained_ner.doctor.labels import check_labels
from spacy_finegrained_ner.doctor.learning import check_groups, check_learning
from spacy_finegrained_ner.doctor.length import check_length, trained
from spacy_finegrained_ner.doctor.probe import Estimate, learning, probe, start
from spacy_finegrained_ner.doctor.run import Run, read_run
from spacy_finegrained_ner.doctor.texts import check_texts
from spacy_finegrained_ner.labels.readers import named_taxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy


@dataclass
class Diagnosis:
    """data: what could be read. run: None where the config can't be read. estimate: None where
    nothing was tried."""

    data: Data
    findings: list[Finding] = field(default_factory=list)
    run: Run | None = None
    estimate: Estimate | None = None


def examine(
    source: Path,
    config: Path,
    *,
    overrides: Mapping[str, Any],
    lang: str | None = None,
    taxonomy: str | None = None,
    options: Options,
    try_it: bool = True,
    use_gpu: int = -1,
    say: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Look at the data in a folder or file, and at the config of the run that is to learn from it.

    overrides: of the config. lang: None for that of the config. taxonomy: the name of a packaged
    one or a file; None for that of the config. try_it: take some steps. say: is told what is being
    looked at.

    Raises a `UserError` for a language or taxonomy that there is not, and where there is no
    training part.
    """
    say("the data")
    run, findings = read_run(config, overrides, taxonomy)
    lang = lang or (run.config["nlp"]["lang"] if run else "en")
    data, of_reading = read_data(source, str(lang), options)
    findings += of_reading
    findings += check_labels(data, _taxonomy(taxonomy, run))
    findings += check_texts(data)
    findings += check_entities(data)
    done = Diagnosis(data, findings, run)
    if run is not None:
        say("the config")
        run.count_batches(data.train)
        findings += [*check_length(run), *check_learning(run), *check_corpora(run, data)]
        _with_encoder(done, try_it, use_gpu, say)
    done.findings = worst_first(findings)
    return done


def _with_encoder(done: Diagnosis, try_it: bool, use_gpu: int, say: Callable[[str], None]) -> None:
    """What needs the encoder, or a pipeline that is built."""
    run, data, findings = done.run, done.data, done.findings
    assert run is not None
    tokenizer, missing = load_tokenizer(run)
    findings += missing
    if tokenizer is not None:
        say("the wordpieces of the encoder")
        findings += check_encoder(run, data, tokenizer)
    if missing or not trained(run) or not any(doc.ents for doc in data.train):
        return
    say("the pipeline")
    unfit = any(finding.severity == "error" for finding in findings)
    nlp, failed = start(run, data, use_gpu)
    if nlp is None:
        findings += [] if unfit else failed  # why is said already
        return
    findings += check_groups(run, [*learning(nlp, run.frozen)])
    if try_it:
        say("some steps")
        done.estimate, failed = probe(run, nlp, data)
        findings += failed


def _taxonomy(name: str | None, run: Run | None) -> Taxonomy | None:
    """The one that is named, or else that of the config; None for flat labels."""
    if name is None and run is not None:
        for head in (*run.heads, *run.nlp.pipe_names):
            block = run.config["initialize"]["components"].get(head) or {}
            if name := (block.get("taxonomy") or {}).get("path"):
                break
    return named_taxonomy(name) if name else None
