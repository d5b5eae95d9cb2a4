"""New types for a trained pipeline: what becomes of the old ones, and how well new are learned."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

from spacy.tokens import Doc, Span

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.gold import label_only
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.plan.corrections import REMEMBERED
from study.plan.experiment import Compared, Experiment, Parts
from study.plan.stages import MIDDLE_RATE, Training
from study.plan.teaching import ALL, halves

NEW = ("Station", "Clothing", "Drink", "Symptom", "Scientist")
OLD = tuple(label for label in read_taxonomy().fine if label not in NEW)
FEW = 40
"""Texts, as many as somebody annotates in an hour."""


def _only(doc: Doc, new: bool) -> Doc:
    """With the entities of the new types, or of the others; what is of no such type is O."""
    copy = bare_copy(doc, doc.vocab)
    kept = [span for span in doc.ents if (span.label_ in NEW) == new]
    copy.set_ents([Span(copy, span.start, span.end, span.label_) for span in kept])
    return copy


def _marked(doc: Doc, labels: Iterable[str]) -> Doc:
    """Said to have only these labels annotated."""
    copy = doc.copy()
    label_only(copy, labels)
    return copy


def _any(doc: Doc) -> Doc:
    """With nothing known outside of the entities."""
    copy = bare_copy(doc, doc.vocab)
    copy.set_ents(
        [Span(copy, span.start, span.end, span.label_) for span in doc.ents], default="missing"
    )
    return copy


def divided(docs: Parts) -> Parts:
    """Half A with the old types, half B with the new ones, as if each had been annotated for
    those alone; both together, in three ways to tell what is not annotated; a few of B that have
    a new type; and some of A to remember."""
    cut = halves(docs)
    old = [_only(doc, new=False) for doc in cut["half_a"]]
    new = [_only(doc, new=True) for doc in cut["half_b"]]
    having = [doc for doc in new if doc.ents]
    marked = [_marked(doc, OLD) for doc in old] + [_marked(doc, NEW) for doc in new]
    return {
        "old_types": old,
        "new_types": new,
        "as_outside": old + new,
        "as_others": marked,
        "as_any": [_any(doc) for doc in old + new],
        "new_few": random.Random(0).sample(having, min(FEW, len(having))),
        "remembered": random.Random(1).sample(old, min(REMEMBERED, len(old))),
    }


_BEFORE = replace(ALL, part="old_types", name="before")
_TUNED = Training(part="new_types", epochs=3, rate=MIDDLE_RATE / 2, tuned="before")
# As `tune` does by default: 60 and 196 steps
_FEW = replace(_TUNED, part="new_few", epochs=20, rate=MIDDLE_RATE / 10)
_FEW_REMEMBERING = replace(_FEW, epochs=7, remember="remembered")


def _together(title: str, part: str) -> Compared:
    """These stand beside what is asked, with one seed."""
    return Compared(f"both, {title}", (replace(ALL, part=part, name="model"),), seeds=(0,))


NEW_TYPES = Experiment(
    "new-types",
    "New types for a trained pipeline",
    {
        "before": Compared("A with the old types", (_BEFORE,)),
        "tuned": Compared("that, tuned on B with the new types", (_BEFORE, _TUNED)),
        "few": Compared(f"that, tuned on {FEW} texts of B alone", (_BEFORE, _FEW)),
        "few_remembering": Compared(
            f"that, tuned on these and {REMEMBERED} of A to remember", (_BEFORE, _FEW_REMEMBERING)
        ),
        "new_alone": Compared(
            "B with the new types", (replace(ALL, part="new_types", name="model"),)
        ),
        "as_others": _together("each with its own types annotated", "as_others"),
        "as_outside": _together("what is not annotated as O", "as_outside"),
        "as_any": _together("what is not annotated as any tag", "as_any"),
        "all": Compared("both, with all types", (ALL,), seeds=(0,)),
    },
    (
        *(("tuned", arm) for arm in ("before", "new_alone", "as_others", "as_outside", "all")),
        ("as_others", "as_any"),
        *((arm, "before") for arm in ("few", "few_remembering")),
        ("few_remembering", "few"),
    ),
    divided,
    groups={"old types": OLD, "new types": NEW},
)
