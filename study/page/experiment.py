"""The page of an experiment: from its records to Markdown and HTML beside them."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import fmean

from spacy_finegrained_ner.pages.document import Table, to_html
from spacy_finegrained_ner.pages.intervals import percent
from study.analysis.analysis import DRAWS, compare
from study.analysis.rows import Arms
from study.analysis.scores import (
    METRICS,
    OF_LIKE_LENGTH,
    pooled_scores,
    score_groups,
    score_sentences,
)
from study.page.names import of_names
from study.page.tables import PARTS, arm_means, column, made, pair_title, starred, table
from study.plan.experiment import Experiment
from study.plan.stages import StudyError
from study.runs.records import Found, Record, first_f1, part_of, read_gold, read_records

HOW = (
    "F1 is strict: an entity counts if its span and its fine type are exactly those of the gold. "
    "Means are over seeds; ± is their standard deviation. Intervals are 95%, of a paired bootstrap "
    "over sentences and seeds; over sentences alone where no arm has two runs, and where some "
    "have, a single run is taken to scatter as theirs do. A star is for a difference that is told "
    "from 0 after Holm's correction over the comparisons of a column."
)

BY_SENTENCE = (
    "The arms that were run with all seeds. A short sentence has little around its entities: the "
    "second pair of tables is of sentences of one length, in which more or fewer words are in no "
    "entity. *Short less long* and *little less much* are by how much an effect in the first group "
    "exceeds that in the last. A star is for a difference that is told from 0 after Holm's "
    "correction over the groups of a row (these two are a family of their own)."
)
POOLED = (
    "*Strict* is what this page has everywhere else. *Pooled* adds to its counts those of what was "
    "predicted on the training batches of the last epoch, while they were learned: with the "
    "weights as they were before each step, and with dropout. The paper's code does so, and logs "
    "the result as the score of the dev part. Means over runs."
)


def write_experiment(experiment: Experiment, folder: Path, draws: int = DRAWS) -> Path:
    """Write README.md and page.html. The same records give the same bytes.

    folder: of the records, with runs/*.json and gold-*.json; the text of its conclusions.md, if
    there is one, comes right after the title. RETURNS: the path of the HTML.
    Raises a StudyError where there are no records of the experiment, or one can't be read.
    """
    records = records_of(experiment, folder)
    if not records:
        raise StudyError(
            f"{folder}: there are no records of the experiment {experiment.name!r} in its folder "
            f"runs. `python -m study experiment {experiment.name}` writes them."
        )
    conclusions = folder / "conclusions.md"
    counted = dict.fromkeys(name for record in records for name in record.counted)
    scored = [name for name in counted if part_of(name) == name]
    parts = [
        f"# {experiment.title}",
        conclusions.read_text(encoding="utf-8") if conclusions.exists() else "",
        HOW,
        *_results(experiment, records, folder, draws),
        *_errors(records, experiment),
        *of_names(records, folder, draws, experiment),
        *_used(experiment, folder),
        "## What was run",
        *map(str, made(records, {n: read_gold(folder, "train", n) for n in scored})),
        "The commands:",
        *(f"    {shlex.join(command)}" for command in _commands(records)),
    ]
    markdown = "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
    (folder / "README.md").write_text(markdown, encoding="utf-8")
    html = folder / "page.html"
    html.write_text(to_html(markdown), encoding="utf-8")
    return html


def records_of(experiment: Experiment, folder: Path) -> list[Record]:
    """In the order of its arms and seeds, on which the draws of a bootstrap depend."""
    order = list(experiment.arms)
    records = [r for r in read_records(folder) if r.run.stage == experiment.name]
    return sorted(records, key=lambda record: (order.index(record.run.arm), record.run.seed))


def _commands(records: Iterable[Record]) -> list[list[str]]:
    return [list(found) for found in dict.fromkeys(tuple(r.command) for r in records)]


def _results(
    experiment: Experiment, records: list[Record], folder: Path, draws: int
) -> Iterator[str]:
    titles = {name: arm.title for name, arm in experiment.arms.items()}
    groups = partial(score_groups, groups=experiment.groups)
    found = compare(records, folder, draws, experiment.comparisons, groups)
    for name, one in found.items():
        if part_of(name) != name:
            continue  # with other names, see `page.names`
        yield f"## {name.replace('_', ' ').capitalize()} part"
        yield from map(str, arm_means(one, titles))
        yield from map(str, _differences(one, titles))
        yield from _pooled(records, name, folder, titles)
    if experiment.by_sentence:
        chosen = experiment.chosen(first_f1(records, experiment))
        some = [record for record in records if record.run.arm in chosen]
        pairs = experiment.comparisons
        for name, one in compare(some, folder, draws, pairs, score_sentences).items():
            yield f"## {name.capitalize()} part, by sentence"
            yield BY_SENTENCE
            yield from map(str, _by_sentence(one, titles))


def _pooled(
    records: list[Record], name: str, folder: Path, titles: Mapping[str, str]
) -> Iterator[str]:
    """Means over the runs of each arm that has counted on the batches."""
    gold = read_gold(folder, records[0].run.known, name)
    found: dict[str, list[tuple[Found, dict[str, float]]]] = defaultdict(list)
    for record in records:
        if pooled := pooled_scores(record, name, gold):
            found[record.run.arm].append((record.sets[name], pooled))
    rows = []
    for arm, runs in found.items():
        cells = {"runs": str(len(runs))}
        for metric, key in zip(METRICS, ("ents_f", "ents_macro_f"), strict=True):
            strict = fmean(one.scores[key] for one, _ in runs)
            cells[f"{metric} F1, strict"] = percent(strict)
            cells[f"{metric} F1, pooled"] = percent(fmean(pooled[metric] for _, pooled in runs))
        rows.append((titles[arm], cells))
    if rows:
        yield POOLED
        yield from map(str, table("Strict and pooled, in percent", "arm", rows))


def _by_sentence(one: Arms, titles: Mapping[str, str]) -> Iterator[Table]:
    for kind, caption in (
        ("length", "by words of the sentence"),
        (
            "context",
            "by words outside of entities, in sentences of "
            f"{OF_LIKE_LENGTH[0]} to {OF_LIKE_LENGTH[1]} words",
        ),
    ):
        means = (
            (titles[row.arm], {f"{row.part.value} ({row.part.support:,})": row.printed})
            for row in one.means
            if row.part.kind == kind
        )
        yield from table(f"Micro F1 in percent, {caption} (in the head: entities)", "arm", means)
        effects = (
            (pair_title(row, titles), {row.part.value: starred(row)})
            for row in one.comparisons
            if row.part.value in PARTS[kind]
        )
        yield from table(f"Points of micro F1, {caption}", "effect", effects)


def _errors(records: Iterable[Record], experiment: Experiment) -> Iterator[str]:
    """See `runs.corrected`."""
    rows = []
    for record in records:
        if counts := record.trained[-1].errors if record.trained else None:
            cells = {"texts": str(*counts["texts"]), "kinds of errors": str(*counts["kinds"])}
            for name in ("corrected", "of their kinds", "others"):
                before, after = counts[name]
                cells |= {f"{name}, before": f"{before:,}", f"{name}, after": f"{after:,}"}
            title = experiment.arms[record.run.arm].title
            rows.append((f"{title}, seed {record.run.seed}", cells))
    if rows:
        yield "## Errors, by whether the corrected texts had such ones"
        caption = "Those in the corrected texts, and on texts that were not corrected"
        yield from map(str, table(caption, "run", rows))


def _used(experiment: Experiment, folder: Path) -> Iterator[str]:
    """What was asked of a language model: the reports of all starts of a run, summed."""
    rows = []
    for arm, one in experiment.arms.items():
        for path in sorted((folder / "usage").glob(f"{arm}-*.json")):
            part = path.stem.removeprefix(f"{arm}-")
            starts = json.loads(path.read_bytes())
            names = ("requests", "prompt_tokens", "answer_tokens", "seconds")
            cells = {
                name.replace("_", " "): f"{sum(start[name] for start in starts):,.0f}"
                for name in names
            }
            for kind in ("failed", "dropped"):  # of all texts, also those from the cache
                cells |= {what: f"{n:,}" for what, n in starts[-1][kind].items()}
            rows.append((f"{one.title}, {part} part", cells))
    if rows:
        yield "## What was asked"
        yield from map(str, table("Requests, and what could not be used", "arm", rows))


def _differences(one: Arms, titles: Mapping[str, str]) -> list[Table]:
    rows = ((pair_title(row, titles), {column(row): starred(row)}) for row in one.comparisons)
    return table("Differences, in points", "effect", rows)
