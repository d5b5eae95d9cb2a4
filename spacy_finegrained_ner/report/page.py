"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from spacy.training import Example

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.colors import taxonomy_colors
from spacy_finegrained_ner.labels.confidence import CONFIDENCE
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pages.document import templates
from spacy_finegrained_ner.pages.intervals import percent
from spacy_finegrained_ner.report.counts import (
    FREQUENCIES,
    LENGTHS,
    SEEN,
    UNSEEN,
    Group,
    Tally,
    bands,
    by_frequency,
    by_length,
    by_seen,
    confusion,
    headline,
    tally,
)
from spacy_finegrained_ner.report.outcomes import (
    KINDS,
    WRONG_COARSE,
    WRONG_FINE,
    Mark,
    Text,
    Training,
    outcomes,
)
from spacy_finegrained_ner.report.plots import coverage_plot, headline_plot, reliability_plot
from spacy_finegrained_ner.report.summary import summary
from spacy_finegrained_ner.scoring.calibration import calibration_report
from spacy_finegrained_ner.scoring.judgements import judge
from spacy_finegrained_ner.scoring.scorer import Read


@dataclass(frozen=True)
class Subject:
    """What a report is about. lang: of the texts."""

    model: str
    data: str
    lang: str = "en"


def render(
    subject: Subject,
    examples: Iterable[Example],
    taxonomy: Taxonomy,
    read: Read,
    training: Training | None = None,
    samples: int = 1000,
) -> str:
    """examples: annotated, with the tokens of the gold. taxonomy, read: of the component.
    training: what it was trained on, if known. samples: of the bootstrap over texts.

    Raises a UserError where there is no entity in gold or prediction.
    """
    examples = list(examples)
    texts = outcomes(examples, taxonomy, read)
    every = tally(texts).get("")
    if every is None:
        raise UserError(
            f"{subject.data}: there is no entity in gold or prediction, and nothing to report. "
            "Expected gold data with entities."
        )
    flat = taxonomy.flat
    kinds = {kind: kind for kind in KINDS}
    levels = {"fine": "label", "coarse": "coarse type", "span": "span"}
    if flat:
        del kinds[WRONG_FINE], levels["coarse"]
        kinds[WRONG_COARSE] = "wrong type"
    scores = headline(texts, flat, samples)
    sure = any(CONFIDENCE in mark.facts for text in texts for mark in text.predicted)
    judged = judge(examples, taxonomy, read) if sure else None
    calibration = None if judged is None else calibration_report(judged)
    plots = [headline_plot(scores)]
    if judged is not None:
        plots += [reliability_plot(judged, levels), coverage_plot(judged, levels)]
    types = tally(texts, lambda _, mark: mark.label)
    coarse_of = {mark.label: mark.coarse for text in texts for mark in text.marks}
    return _TEMPLATES.get_template("report.html").render(
        title=f"{subject.model} on {subject.data}",
        subject=subject,
        sections=(),
        flat=flat,
        texts=texts,
        every=every,
        kinds=kinds,
        explained=KINDS,
        summary=summary(len(texts), scores, every, kinds, calibration),
        scores=scores,
        types=dict(sorted(types.items(), key=lambda item: -item[1].gold.total())),
        coarse_of=coarse_of,
        training=training,
        confusion=_confusion(texts, types, {} if flat else coarse_of),
        groups=_groups(texts, types, training),
        plots={plot.name: Markup(plot.inline) for plot in plots},
        calibration=calibration,
        levels=levels,
        unsure=sum(CONFIDENCE not in mark.facts for text in texts for mark in text.predicted),
        number_of={label: number for number, label in enumerate(sorted(types))},
        colors=taxonomy_colors(taxonomy),
        pieces=pieces,
        percent=percent,
    )


def pieces(words: Sequence[str], marks: Sequence[Mark]) -> list[tuple[str, Mark | None]]:
    """A text in order, in parts that are an entity or none. Of entities that overlap, which span
    groups may have, the later ones follow at the end."""
    parts: list[tuple[str, Mark | None]] = []
    late: list[tuple[str, Mark | None]] = []
    at = 0
    for mark in marks:
        marked = "".join(words[mark.start : mark.end])
        inner = marked.rstrip()
        if mark.start < at:
            late += [(" ", None), (inner, mark)]
            continue
        parts += [("".join(words[at : mark.start]), None), (inner, mark)]
        parts.append((marked[len(inner) :], None))
        at = mark.end
    parts.append(("".join(words[at:]), None))
    return [(text, mark) for text, mark in parts + late if text]


def _confusion(
    texts: Sequence[Text], types: dict[str, Tally], coarse_of: dict[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """By coarse type of the gold a row for each of its types; all in one group where there are no
    coarse types."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for label, cells in sorted(confusion(texts).items()):
        taken: dict[str, list[tuple[str, int]]] = {WRONG_FINE: [], WRONG_COARSE: []}
        for (other, outcome), times in cells.most_common():
            taken[outcome].append((other, times))
        row = {"label": label, "gold": types[label].gold, "taken": taken}
        rows.setdefault(coarse_of.get(label, ""), []).append(row)
    return dict(sorted(rows.items()))


def _groups(
    texts: Sequence[Text], types: dict[str, Tally], training: Training | None
) -> dict[str, dict[str, Tally]]:
    """Tallies by title of the table and name of the row."""
    found: dict[str, tuple[Group, list[str]]] = {}
    found["By length of the text, in words"] = by_length, bands(LENGTHS)
    if training:
        title = "By whether the training data has an entity of the same text"
        found[title] = (by_seen(training), [SEEN, UNSEEN])
        frequency = training.types
    else:
        frequency = {label: one.gold.total() for label, one in types.items()}
    where = "the training data" if training else "this gold"
    title = f"By frequency of the type: entities of it in {where}"
    found[title] = (by_frequency(Counter(frequency)), bands(FREQUENCIES))
    return {
        title: {name: counted[name] for name in order if name in counted}
        for title, (group, order) in found.items()
        for counted in [tally(texts, group)]
    }


_TEMPLATES = templates("spacy_finegrained_ner.report", "spacy_finegrained_ner.pages")
