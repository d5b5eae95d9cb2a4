"""Precision, recall and F1 of exact spans: fine types, coarse types, mentions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy

Spans = set[tuple[int, int, str]]
"""Start, end (exclusive), label; tokens of the reference Doc."""

MENTION = "MENTION"


class EntityCounts:
    """Counts of true and false positives and of false negatives by type, over many Docs."""

    def __init__(self) -> None:
        self.by_type: dict[str, PRFScore] = {}

    def add(self, predicted: Spans, gold: Spans) -> None:
        for spans, count in (
            (predicted & gold, "tp"),
            (predicted - gold, "fp"),
            (gold - predicted, "fn"),
        ):
            for _, _, label in spans:
                score = self.by_type.setdefault(label, PRFScore())
                setattr(score, count, getattr(score, count) + 1)

    def scores(self, prefix: str) -> dict[str, Any]:
        """`<prefix>_p/_r/_f` (micro: over all entities), `<prefix>_macro_p/_r/_f` (the mean over
        the types that occur in gold or prediction), and `<prefix>_per_type`. Like seqeval, what
        would divide by zero is 0. All are None where there is no entity in gold or prediction."""
        if not self.by_type:
            return {
                f"{prefix}{kind}": None
                for kind in ("_p", "_r", "_f", "_macro_p", "_macro_r", "_macro_f", "_per_type")
            }
        micro = PRFScore()
        for score in self.by_type.values():
            micro += score
        per_type = {
            label: {**score.to_dict(), "support": score.tp + score.fn}
            for label, score in sorted(self.by_type.items())
        }
        macro = {
            key: sum(score[key] for score in per_type.values()) / len(per_type) for key in "prf"
        }
        return {
            **{f"{prefix}_{key}": value for key, value in micro.to_dict().items()},
            **{f"{prefix}_macro_{key}": value for key, value in macro.items()},
            f"{prefix}_per_type": per_type,
        }


def entity_spans(
    example: Example, entities: Callable[[Doc], Iterable[Span]] = lambda doc: doc.ents
) -> tuple[Spans, Spans]:
    """Predicted and gold entities, both on the tokens of the reference.

    entities: gives the predicted ones of a Doc.

    A predicted entity whose tokens are not those of the reference counts as a wrong one. Where
    the reference is not annotated a prediction is neither right nor wrong, and left out, as in
    spaCy's own scorer.
    """
    gold = {(ent.start, ent.end, ent.label_) for ent in example.reference.ents}
    predicted: Spans = set()
    found = list(entities(example.predicted))
    if not found:
        return predicted, gold  # saves the alignment
    x2y = example.alignment.x2y
    known = [token.ent_iob != 0 for token in example.reference]
    characters = None
    for ent in found:
        indices = x2y[ent.start : ent.end]
        if not len(indices):
            continue  # whitespace that the reference does not have
        start, end = int(indices[0]), int(indices[-1]) + 1
        if not all(known[start:end]):
            continue
        if characters is None:
            characters = _character_bounds(example)
        if not characters(ent.start, ent.end, start, end):
            # The aligned tokens hold more characters than the entity: the span is not exact.
            # A span of its own that no gold entity has.
            predicted.add((-1 - ent.start, -1 - ent.end, ent.label_))
        else:
            predicted.add((start, end, ent.label_))
    return predicted, gold


def _character_bounds(example: Example) -> Callable[[int, int, int, int], bool]:
    """Whether tokens of the prediction and tokens of the reference hold the same characters
    (whitespace does not count: the two texts may differ in it)."""

    def offsets(doc: Any) -> list[int]:
        total = 0
        bounds = [0]
        for token in doc:
            total += len("".join(token.text.split()))
            bounds.append(total)
        return bounds

    x, y = offsets(example.predicted), offsets(example.reference)

    def same(x_start: int, x_end: int, y_start: int, y_end: int) -> bool:
        return x[x_start] == y[y_start] and x[x_end] == y[y_end]

    return same


def score_entities(
    examples: Iterable[Example],
    *,
    taxonomy: Mapping[str, str] | Taxonomy,
    entities: Callable[[Doc], Iterable[Span]] = lambda doc: doc.ents,
    **_: Any,
) -> dict[str, Any]:
    """Strict scores (exact span and type) of entities against `doc.ents` of the gold.

    taxonomy: the coarse type of each fine type.
    entities: gives the predicted ones of a Doc.
    RETURNS: `ents_*` over fine types, `ents_coarse_*` over coarse types and `ents_mention_*` over
    spans without their type (p, r, f only). See `EntityCounts.scores`.

    Raises a TaxonomyError that names a label, in gold or prediction, which the taxonomy does not
    cover.
    """
    if not isinstance(taxonomy, Taxonomy):
        taxonomy = Taxonomy(taxonomy, "the taxonomy of the pipeline")
    fine, coarse, mention = EntityCounts(), EntityCounts(), EntityCounts()
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            continue  # nothing is known of this text
        spans = entity_spans(example, entities)
        fine.add(*spans)
        coarse.add(*({(s, e, taxonomy.coarse_label(x)) for s, e, x in side} for side in spans))
        mention.add(*({(s, e, MENTION) for s, e, _ in side} for side in spans))
    mentions = mention.scores("ents_mention")
    return {
        **fine.scores("ents"),
        **coarse.scores("ents_coarse"),
        **{f"ents_mention_{key}": mentions[f"ents_mention_{key}"] for key in "prf"},
    }


def build_scorer_v1() -> Callable[..., dict[str, Any]]:
    """Registered as `spacy-finegrained-ner.scorer.v1` (scorers). The component hands its taxonomy
    over."""
    return score_entities
