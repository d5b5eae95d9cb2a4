"""What became of each entity, gold and predicted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.prediction import Facts
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import Read, Spans, entity_spans

RIGHT = "right"
WRONG_FINE, WRONG_COARSE, BOUNDARY = "wrong fine type", "wrong coarse type", "boundary"
MISSED, INVENTED = "missed", "invented"
KINDS = {
    WRONG_FINE: "the span and the coarse type are right",
    WRONG_COARSE: "the span is right",
    BOUNDARY: "some of its words are those of an entity",
    MISSED: "a gold entity where nothing was found",
    INVENTED: "found where there is no entity",
}
"""Of errors. Each entity that is not right, gold or predicted, is of one kind."""


@dataclass(frozen=True)
class Mark:
    """An entity of one side, gold or predicted.

    start, end: words of the text (end exclusive). label, coarse: its types; `coarse` is the label
        where labels are flat. surface: its text, without regard to case and spaces.
    outcome: RIGHT or one of KINDS. other: the label that the other side has for this span, if the
        span is there. facts: of a predicted one, see `labels.confidence`.
    """

    start: int
    end: int
    label: str
    coarse: str
    surface: str
    outcome: str
    other: str | None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    """words: of the reference, each with the space behind it. spans: predicted and gold entities,
    as scores count them."""

    words: list[str]
    gold: list[Mark]
    predicted: list[Mark]
    spans: tuple[Spans, Spans]

    @property
    def marks(self) -> list[Mark]:
        return [*self.gold, *self.predicted]


@dataclass(frozen=True)
class Training:
    """How many entities of each type it has, and the surfaces of its entities."""

    types: Mapping[str, int]
    surfaces: Set[str]


def read_training(docs: Iterable[Doc], taxonomy: Taxonomy) -> Training:
    spans = [span for doc in docs for span in doc.ents]
    return Training(
        Counter(taxonomy.gold_label(span.label_) for span in spans),
        {surface(span.text) for span in spans},
    )


def surface(text: str) -> str:
    return " ".join(text.split()).casefold()


def outcomes(examples: Iterable[Example], taxonomy: Taxonomy, read: Read) -> list[Text]:
    """examples: annotated by the pipeline; those whose gold says nothing are left out.
    taxonomy, read: as for `scorer.score_entities`, with whose counts these agree."""
    texts = []
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            continue
        predicted, gold = entity_spans(example, taxonomy, read)
        facts = read(example.predicted).facts
        texts.append(
            Text(
                [token.text_with_ws for token in example.reference],
                _marks(example, gold, predicted, taxonomy, MISSED, {}),
                _marks(example, predicted, gold, taxonomy, INVENTED, facts),
                (predicted, gold),
            )
        )
    return texts


def _marks(
    example: Example,
    own: Spans,
    others: Spans,
    taxonomy: Taxonomy,
    alone: str,
    facts: Mapping[Entity, Facts],
) -> list[Mark]:
    def coarse_of(label: str) -> str:
        return label if taxonomy.flat else taxonomy.coarse_label(label)

    there = [_on_reference(example, span) for span in others]
    marks = []
    for span in own:
        start, end, label = _on_reference(example, span)
        same = sorted(
            (coarse_of(other) != coarse_of(label), other)
            for *bounds, other in others
            if bounds == [*span[:2]]
        )
        if span in others:
            outcome, other = RIGHT, label
        elif same:
            outcome, other = WRONG_COARSE if same[0][0] else WRONG_FINE, same[0][1]
        else:
            overlaps = any(at < end and start < to for at, to, _ in there)
            outcome, other = BOUNDARY if overlaps else alone, None
        text = surface(example.reference[start:end].text)
        mark = Mark(start, end, label, coarse_of(label), text, outcome, other, facts.get(span, {}))
        marks.append(mark)
    return sorted(marks, key=lambda mark: (mark.start, mark.end, mark.label))


def _on_reference(example: Example, span: Entity) -> Entity:
    """The tokens around a predicted entity that is not exactly on any, see `entity_spans`."""
    start, end, label = span
    if start >= 0:
        return span
    indices = example.alignment.x2y[-1 - start : -1 - end]
    return int(indices[0]), int(indices[-1]) + 1, label
