"""Precision, recall and F1 of exact spans: fine types, coarse types, mentions."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.data.alignment import same_characters
from spacy_finegrained_ner.data.annotation import read_prediction
from spacy_finegrained_ner.data.entities import entities_of
from spacy_finegrained_ner.data.gold import annotated_labels
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

Read = Callable[[Doc], Prediction]
"""Gives what counts as prediction in an annotated Doc."""

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
    example: Example, taxonomy: Taxonomy, read: Read | None = None
) -> tuple[Spans, Spans]:
    """Predicted and gold entities, both on the tokens of the reference, without whitespace at
    their ends and spelled as in the taxonomy. All scores and intervals are made of these.

    read: gives the prediction of an annotated Doc; None for `data.annotation.read_prediction`.

    A predicted entity whose tokens are not those of the reference counts as a wrong one. Where
    the reference is not annotated a prediction is neither right nor wrong, and left out, as in
    spaCy's own scorer; so is one of a type that is not annotated there (`data.gold.label_only`),
    unless there is another entity.

    Raises a TaxonomyError for a label of the gold that the taxonomy does not cover; where labels
    are flat, it counts as one that is not found.
    """
    reference = example.reference
    gold = set(entities_of(reference.ents, lambda span: taxonomy.gold_label(span.label_)))
    read = read or partial(read_prediction, taxonomy=taxonomy)
    found = read(example.predicted).entities
    predicted: Spans = set()
    if not found:
        return predicted, gold  # saves the alignment
    x2y = example.alignment.x2y
    iob = reference.to_array("ENT_IOB").tolist()
    annotated = [
        None if labels is None else {taxonomy.gold_label(label) for label in labels}
        for labels in annotated_labels(reference) or ()
    ]
    same = None
    for x_start, x_end, label in found:
        indices = x2y[x_start:x_end]
        if not len(indices):
            continue  # whitespace that the reference does not have
        start, end = int(indices[0]), int(indices[-1]) + 1
        if 0 in iob[start:end]:
            continue
        of_others = annotated and all(x and label not in x for x in annotated[start:end])
        if of_others and {*iob[start:end]} == {2}:
            continue  # a type that is not annotated here
        same = same or same_characters(example)
        if same(x_start, x_end, start, end):
            predicted.add((start, end, label))
        else:
            # The aligned tokens hold more characters than the entity: the span is not exact.
            # A span of its own that no gold entity has.
            predicted.add((-1 - x_start, -1 - x_end, label))
    return predicted, gold


def score_entities(
    examples: Iterable[Example],
    *,
    taxonomy: Mapping[str, str] | Taxonomy,
    read: Read | None = None,
    prefix: str = "ents",
    **_: Any,
) -> dict[str, Any]:
    """Strict scores (exact span and type) of entities against `doc.ents` of the gold.

    taxonomy: the coarse type of each fine type. Predictions under other labels do not count.
    read: gives the prediction of an annotated Doc, see `entity_spans`.
    prefix: of all names, in place of `ents`.
    RETURNS: `ents_*` over fine types, `ents_coarse_*` over coarse types (unless labels are flat:
    they would be those of the fine types again) and `ents_mention_*` over spans without their type
    (p, r, f only), see `EntityCounts.scores`; `ents_predicted` and `ents_gold`, how many entities
    there are (None, too, where there are none at all).

    Raises a TaxonomyError that names a gold label which the taxonomy does not cover.
    """
    if not isinstance(taxonomy, Taxonomy):
        taxonomy = Taxonomy(taxonomy, "the taxonomy of the pipeline")
    flat = taxonomy.flat
    fine, coarse, mention = EntityCounts(), EntityCounts(), EntityCounts()
    for example in examples:
        if not example.reference.has_annotation("ENT_IOB"):
            continue  # nothing is known of this text
        spans = entity_spans(example, taxonomy, read)
        fine.add(*spans)
        if not flat:
            coarse.add(*({(s, e, taxonomy.coarse_label(x)) for s, e, x in side} for side in spans))
        mention.add(*({(s, e, MENTION) for s, e, _ in side} for side in spans))
    mentions = mention.scores(f"{prefix}_mention")
    total = sum(fine.by_type.values(), PRFScore())
    return {
        f"{prefix}_predicted": total.tp + total.fp if fine.by_type else None,
        f"{prefix}_gold": total.tp + total.fn if fine.by_type else None,
        **fine.scores(prefix),
        **({} if flat else coarse.scores(f"{prefix}_coarse")),
        **{key: mentions[key] for key in (f"{prefix}_mention_{kind}" for kind in "prf")},
    }


def build_scorer_v1() -> Callable[..., dict[str, Any]]:
    """Registered as `spacy-finegrained-ner.scorer.v1` (scorers). The component hands its taxonomy
    over, and the prefix of the names (`Annotating.score_prefix`)."""
    return score_entities
