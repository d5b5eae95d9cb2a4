"""What a pipeline gets wrong, and how: before and after it was tuned on some of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spacy.training import Example

from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import entity_spans

Kind = tuple[str, str]
"""Of an error: the label that is right and the one that was given; "" for none. Twice the same is
another span."""


def kinds(example: Example, taxonomy: Taxonomy) -> list[Kind]:
    """A kind for each entity of the gold that was not found as it is, with what overlaps it most;
    and for each false one that overlaps no such entity."""
    found, true = entity_spans(example, taxonomy)
    false = sorted(found - true)
    taken: set[Entity] = set()
    errors: list[Kind] = []
    for entity in sorted(true - found):
        best = max(false, key=lambda other: _shared(entity, other), default=None)
        if best is None or not _shared(entity, best):
            errors.append((entity[2], ""))
            continue
        taken.update(other for other in false if _shared(entity, other))
        errors.append((entity[2], best[2]))
    return errors + [("", label) for *_, label in (e for e in false if e not in taken)]


def _shared(one: Entity, other: Entity) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def wrong(examples: Sequence[Example], number: int, taxonomy: Taxonomy) -> list[Example]:
    """The first ones with an error, so many of them."""
    return [example for example in examples if kinds(example, taxonomy)][:number]


def errors(
    corrected: Sequence[Example],
    tuned: Sequence[Example],
    before: Sequence[Example],
    after: Sequence[Example],
    taxonomy: Taxonomy,
) -> dict[str, list[int]]:
    """Errors of the kinds that the corrected texts have, and others, and those in the corrected
    texts themselves: before and after. corrected, tuned: these texts, before and after."""
    theirs = {kind for example in corrected for kind in kinds(example, taxonomy)}
    counts = [
        Counter(kind in theirs for example in some for kind in kinds(example, taxonomy))
        for some in (before, after)
    ]
    return {
        "of their kinds": [count[True] for count in counts],
        "others": [count[False] for count in counts],
        "corrected": [
            sum(len(kinds(one, taxonomy)) for one in some) for some in (corrected, tuned)
        ],
        "kinds": [len(theirs)],
        "texts": [len(corrected)],
    }
