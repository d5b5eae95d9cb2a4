"""The extension attributes of Span: what users read, and the one place where facts are kept.

Nothing is registered by importing this. A component registers them when it is made or unpickled;
where there is no pipeline (Docs out of a pickle), call `register_extensions()`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from spacy.tokens import Span

from spacy_finegrained_ner.data.coarse import coarse_label, coarse_type
from spacy_finegrained_ner.labels.confidence import (
    ALTERNATIVES,
    COARSE_CONFIDENCE,
    CONFIDENCE,
    EVIDENCE,
    FINE_LABEL,
    NAMES,
    SPAN_CONFIDENCE,
    label_at,
)
from spacy_finegrained_ner.labels.prediction import Facts

FACTS = "_finegrained_ner"
"""Where facts are kept: `span._` has it by the place of a span, and it is a mapping from label to
facts. So a span has those of its place *and* its label, and none once it is relabelled or moved."""


def confidence(span: Span) -> float | None:
    """The probability of exactly this span with this label; None where no component gave one, or
    the span has another label or other bounds by now."""
    return facts_of(span).get(CONFIDENCE)


def coarse_confidence(span: Span) -> float | None:
    """The probability of exactly this span with any label of this coarse type."""
    return facts_of(span).get(COARSE_CONFIDENCE)


def span_confidence(span: Span) -> float | None:
    """The probability of an entity of any label exactly here."""
    return facts_of(span).get(SPAN_CONFIDENCE)


def alternatives(span: Span) -> list[tuple[str, float]]:
    """The most probable labels of exactly this span with their probabilities, the best first."""
    return [(label, p) for label, p in facts_of(span).get(ALTERNATIVES, ())]


def evidence(span: Span) -> list[dict[str, Any]]:
    """The names that were found in the span or overlap with it: first token and that behind the
    last in the Doc, topics, types (the likeliest first), sources."""
    # Lists, also where msgpack has made tuples of them; kept from the beginning of the span, as
    # Doc.from_docs moves it
    return [
        {
            "start": span.start + found["start"],
            "end": span.start + found["end"],
            **{key: list(some) for key, some in found.items() if key not in ("start", "end")},
        }
        for found in facts_of(span).get(EVIDENCE, ())
    ]


def label_at_thresholds(span: Span, fine: float = 0.5, coarse: float = 0.5) -> str | None:
    """The label of the span if its confidence is at least `fine`, else the coarse type if that of
    it is at least `coarse`, else None. A span without a confidence keeps its label. Where it is
    written under another name, the label is the fine one."""
    facts = facts_of(span)
    label = facts.get(FINE_LABEL, span.label_)
    return label_at(label, coarse_type(span.doc.vocab, label), facts, fine, coarse)


ATTRIBUTES: dict[str, Callable[..., Any]] = {
    "coarse_label": coarse_label,
    "confidence": confidence,
    "coarse_confidence": coarse_confidence,
    "span_confidence": span_confidence,
    "alternatives": alternatives,
    "label_at": label_at_thresholds,
    "evidence": evidence,
}
"""The public attributes."""

METHODS = {"label_at"}
"""Those that are called; the others are read."""


def register_extensions(names: Mapping[str, str | None] = NAMES, owner: str = "") -> None:
    """Register the attributes that are not registered yet.

    names: for each attribute in ATTRIBUTES the name to give it, None for none.
    owner: the component that asks, for messages.

    Where something else has such a name it is left alone, and a warning says so.
    """
    if not Span.has_extension(FACTS):
        Span.set_extension(FACTS, default=None)
    for attribute, name in names.items():
        if name is None:
            continue
        function = ATTRIBUTES[attribute]
        if not Span.has_extension(name):
            if attribute in METHODS:
                Span.set_extension(name, method=function)
            else:
                Span.set_extension(name, getter=function, setter=_refuse)
        elif function not in Span.get_extension(name):
            warnings.warn(
                f"Span has an extension attribute {name!r} already, which stays what it is: "
                f"ent._.{name} is not the {attribute} of '{owner}'. To have that under another "
                f'name, set {attribute} = "another_name" in [components.{owner}.extensions] '
                "(null to have it under none).",
                stacklevel=2,
            )


def _refuse(span: Span, value: Any) -> None:
    """spaCy would keep the value, and go on with the getter."""
    raise ValueError(
        f"{value!r} can't be set for the span {span.text[:60]!r}: this attribute follows from the "
        "label, or is what a component knows of the span. Give the span another label "
        "(doc.set_ents)."
    )


def check_extensions(names: Mapping[str, Any], owner: str) -> dict[str, str | None]:
    """The names as they are to be registered. A ValueError for what can't be one."""
    for attribute, name in names.items():
        if attribute not in ATTRIBUTES:
            raise ValueError(
                f"extensions of '{owner}' names {attribute!r}, expected some of "
                f"{sorted(ATTRIBUTES)}."
            )
        if name is not None and not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(
                f"{attribute} in extensions of '{owner}' is {name!r}, expected a name as in "
                f"ent._.{attribute}, or null."
            )
    return {**NAMES, **names}


def keep_facts(span: Span, facts: Facts) -> None:
    """Keep facts for the place and the label of a span, in place of those that it has."""
    kept = {**(span._.get(FACTS) or {}), span.label_: dict(facts)}
    span._.set(FACTS, {label: some for label, some in kept.items() if some})


def facts_of(span: Span) -> Facts:
    """The facts that are kept for the place and the label of a span; empty if there are none."""
    if not Span.has_extension(FACTS):
        return {}
    facts: Facts = (span._.get(FACTS) or {}).get(span.label_, {})
    return facts
