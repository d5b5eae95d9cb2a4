"""Entities into a Doc and out of it, beside other components that write `doc.ents`."""

from collections.abc import Iterable, Mapping

import numpy as np
from spacy.tokens import Doc, Span, SpanGroup

from spacy_finegrained_ner.labels.bio import Entity

COARSE = "coarse_label"
"""Name of the extension attribute of Span; `coarse_labels` is that of a group's attrs."""


class Annotation:
    """Where the entities of a component go.

    how: "overwrite": `doc.ents`, replacing what is there. "fill": `doc.ents`; what is there stays
        and wins, and tokens that were blocked (`doc.set_ents(blocked=...)`) stay outside.
        "spans": `doc.spans[spans_key]`, and `doc.ents` is left alone.
    owner: the name of the component, for messages.

    The coarse labels are in `ent._.coarse_label`; for "spans" in the `attrs["coarse_labels"]` of
    the group, one for each span: two components may give one span two coarse labels.
    """

    def __init__(self, how: str, spans_key: str, owner: str) -> None:
        if how not in ("overwrite", "fill", "spans"):
            raise ValueError(
                f"annotate of '{owner}' is {how!r}, expected 'overwrite', 'fill' or 'spans'."
            )
        if how == "spans" and not spans_key:
            raise ValueError(
                f"spans_key of '{owner}' is empty, expected a key of doc.spans for "
                "annotate = 'spans'."
            )
        self.how = how
        self.spans_key = spans_key
        # A plain value, not a getter: a getter would be bound to the taxonomy of one component.
        if not Span.has_extension(COARSE):
            Span.set_extension(COARSE, default=None)

    def write(self, doc: Doc, entities: Iterable[Entity], coarse_of: Mapping[str, str]) -> None:
        """Whitespace tokens at the ends of an entity are left out of it: spaCy allows no entity
        to begin or end with one."""
        spans = []
        for start, end, label in entities:
            while start < end and doc[start].is_space:
                start += 1
            while start < end and doc[end - 1].is_space:
                end -= 1
            if start < end:
                spans.append(Span(doc, start, end, label))
        if self.how == "spans":
            coarse = [coarse_of[span.label_] for span in spans]
            doc.spans[self.spans_key] = SpanGroup(
                doc, name=self.spans_key, spans=spans, attrs={f"{COARSE}s": coarse}
            )
            return
        if self.how == "overwrite":
            doc.set_ents(spans, default="outside")
        else:
            iob = doc.to_array("ENT_IOB")
            taken = (iob == 1) | (iob == 3)  # I and B; blocked is B without a label
            spans = [span for span in spans if not taken[span.start : span.end].any()]
            kept = list(doc.ents)
            for ent in kept:
                taken[ent.start : ent.end] = False
            blocked = [doc[i : i + 1] for i in np.flatnonzero(taken).tolist()]
            doc.set_ents([*kept, *spans], blocked=blocked, default="outside")
        for span in spans:
            span._.set(COARSE, coarse_of[span.label_])

    def read(self, doc: Doc, coarse_of: Mapping[str, str]) -> list[Span]:
        """What counts as prediction in an evaluation. Not what other components wrote under
        labels that are not of this taxonomy."""
        spans = doc.spans.get(self.spans_key, ()) if self.how == "spans" else doc.ents
        return [span for span in spans if span.label_ in coarse_of]
