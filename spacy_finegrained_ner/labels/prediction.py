"""Prediction: what a component says of a Doc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy_finegrained_ner.labels.bio import Entity

Facts = Mapping[str, Any]
"""What is known of an entity beside its label: plain values, which msgpack and JSON take. A list
comes back from a DocBin as a tuple."""


@dataclass(frozen=True)
class Prediction:
    """The entities of a Doc, in their order, and what is known of some of them.

    entities: start token, end token (exclusive), label. No whitespace token is first or last.
    facts: of those entities for which a component knows more than the label, such as how sure it
        is (`labels.confidence`).
    candidates: other spans that may be entities, each with its probability, where they are asked
        for. They may overlap.
    """

    entities: list[Entity] = field(default_factory=list)
    facts: Mapping[Entity, Facts] = field(default_factory=dict)
    candidates: Sequence[tuple[Entity, float]] = ()
