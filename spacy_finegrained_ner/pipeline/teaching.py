"""A trained pipeline as a teacher: what it finds in texts, as gold for another one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from spacy.attrs import ENT_IOB
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.contracts import ReportsEntities
from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.gold import annotated_labels, gold_of, label_only
from spacy_finegrained_ner.data.soft_targets import keep_soft_targets
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.bio import OUTSIDE, Entity, TagSet
from spacy_finegrained_ner.labels.gold import Gold, SoftTargets
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.annotating import Annotating

BATCH = 256
"""Texts at once."""


class NoTeacher(UserError):
    """The pipeline can't say what is asked of it."""


def taught(
    nlp: Language,
    docs: Iterable[Doc],
    *,
    name: str | None = None,
    soft: bool = False,
    calibrated: bool = True,
) -> Iterator[Doc]:
    """The Docs with what the pipeline finds in them as gold, and nothing else of them.

    What is annotated in them stays: the pipeline adds to it where nothing is known, and where only
    other types are annotated (`data.gold.label_only`). Tokens of which it says nothing, as a
    component does that got no answer, stay unknown.

    name: of the component whose entities count; those of `doc.ents` if None. soft: the Docs have
        its probabilities too (`data.soft_targets`), for which the name must be given.
    calibrated: by its temperature, if it has one. A pipeline that teaches itself is without: what
        it is would else not be what it learns.
    Raises NoTeacher where it knows no probabilities, and where the entities of a component that
    is none of this package can't be told from those of others.
    """
    component: Any = None if name is None else nlp.get_pipe(name)
    if soft and not hasattr(getattr(component, "decoder", None), "soft_targets"):
        raise NoTeacher(
            f"'{name}' knows no probabilities of tags: it can't give soft targets, only entities."
        )
    if component is not None and not hasattr(component, "read"):
        writers = [x for x in nlp.pipe_names if "doc.ents" in nlp.get_pipe_meta(x).assigns]
        if writers != [name]:
            raise NoTeacher(
                f"What '{name}' finds can't be told from what others find: {writers or 'none'} "
                "write doc.ents. Leave the name out, to learn from all entities of the pipeline."
            )
    later = nlp.pipe_names[nlp.pipe_names.index(name) + (not soft) :] if name else []
    stream = iter(docs)
    while some := list(islice(stream, BATCH)):
        with nlp.select_pipes(disable=later):
            bare = [bare_copy(doc, nlp.vocab) for doc in some]
            annotated = list(nlp.pipe(bare, batch_size=BATCH))
        if soft:
            yield from _softly(component, annotated, some, calibrated)
            continue
        for doc, known in zip(annotated, some, strict=True):
            yield _joined(known, _found(doc, component), _silent(doc, component))


def taxonomy_of(nlp: Language, name: str | None, soft: bool = False) -> Taxonomy | None:
    """That of what `taught` finds with these arguments: of the component, or of the first one of
    this package that writes `doc.ents`. None for a teacher that has none. What other components
    find, or was annotated before, may not be in it: see `covering`."""
    pipes: list[Any] = [nlp.get_pipe(one) for one in (nlp.pipe_names if name is None else [name])]
    own = (pipe for pipe in pipes if isinstance(pipe, Annotating))
    found = next((x for x in own if name is not None or x.annotate != "spans"), None)
    if found is None:
        return None
    # Soft targets are of the fine labels, whatever is written of them
    taxonomy: Taxonomy = found.taxonomy if soft else found.names.taxonomy
    return taxonomy


def covering(taxonomy: Taxonomy, labels: Iterable[str]) -> tuple[Taxonomy, list[str]]:
    """The taxonomy with those of the labels that it lacks, each its own coarse type; and these."""
    foreign = sorted(label for label in labels if taxonomy.spelled(label) is None)
    if not foreign:
        return taxonomy, []
    both = {**taxonomy.coarse_of, **{label: label for label in foreign}}
    return Taxonomy(both, taxonomy.source, taxonomy.definitions), foreign


def _found(doc: Doc, component: Any) -> list[Entity]:
    if isinstance(component, ReportsEntities) and hasattr(component, "read"):
        entities: list[Entity] = component.read(doc).entities
        return entities
    return [(span.start, span.end, span.label_) for span in doc.ents]


def _silent(doc: Doc, component: Any) -> np.ndarray[Any, Any]:
    """Of which tokens nothing was said. A component that writes a span group leaves `doc.ents` as
    they are, and says by the group that it has answered. *Shape:* (tokens,)."""
    if isinstance(component, Annotating) and component.annotate == "spans":
        return np.full(len(doc), not component.answered(doc))
    return unknown_tokens(doc)


def unknown_tokens(doc: Doc) -> np.ndarray[Any, Any]:
    """Whether nothing is known of a token. *Shape:* (tokens,)."""
    unknown: np.ndarray[Any, Any] = doc.to_array([ENT_IOB]).reshape(-1) == 0
    return unknown


def _softly(
    component: Any, annotated: list[Doc], known: Sequence[Doc], calibrated: bool
) -> Iterator[Doc]:
    teacher: TagSet = component.decoder.tag_set
    marks = [annotated_labels(doc) or [] for doc in known]
    more = {label for mark in marks for labels in mark for label in labels or ()}
    others = sorted(x for x in more | labels_of(known).keys() if teacher.spelled(x) is None)
    new = {label.casefold(): label for label in others}  # the same in another case is no other one
    both = TagSet((*teacher.labels, *new.values()))
    gold = [gold_of(Example(doc, other), both) for doc, other in zip(annotated, known, strict=True)]
    made = [bare_copy(doc, doc.vocab) for doc in annotated]
    for rows, batch, found in component.scored(annotated):
        held = [_held(gold[i].allowed, len(teacher)) for i in rows]
        path = component.temperatures.get("path", 1.0) if calibrated else 1.0
        targets = component.decoder.soft_targets(batch.tasks[0], batch.lengths, held, path)
        for i, entities, soft in zip(rows, found, targets, strict=True):
            made[i] = _joined(known[i], entities, np.zeros(len(known[i]), dtype=bool))
            keep_soft_targets(made[i], both.tags, with_new(soft, gold[i], len(teacher)))
    yield from made


def _held(allowed: np.ndarray[Any, Any], tags: int) -> np.ndarray[Any, Any]:
    """Which of its tags are allowed, to a teacher that does not know those behind them: O where
    only such are."""
    held = allowed[:, :tags].copy()
    held[~held.any(axis=1), OUTSIDE] = True
    return held


def with_new(soft: SoftTargets, gold: Gold, tags: int) -> SoftTargets:
    """A teacher's soft targets, where it was held to O at the tokens whose gold is a tag that it
    does not know: as those of all tags, with the gold at these tokens.

    soft: of the first `tags` tags of the gold's.
    """
    marginals = np.pad(soft.marginals, ((0, 0), (0, gold.size - tags)))
    new = np.asarray(~gold.allowed[:, :tags].any(axis=1))
    before = marginals.copy()
    marginals[new] = gold.allowed[new] / gold.allowed[new].sum(axis=1, keepdims=True)
    if soft.transitions is None:
        return SoftTargets(marginals)
    pairs = np.pad(soft.transitions, (0, gold.size - tags))
    for i in np.flatnonzero(new[:-1] | new[1:]).tolist():
        # One of the two is O for certain there, so that they are independent
        pairs -= np.outer(before[i], before[i + 1])
        pairs += np.outer(marginals[i], marginals[i + 1])
    return SoftTargets(marginals, pairs.clip(min=0.0))


def _joined(known: Doc, entities: Iterable[Entity], silent: np.ndarray[Any, Any]) -> Doc:
    """A Doc with what is annotated in `known`, and these entities where they may be.

    silent: where nothing was said, *Shape:* (tokens,).
    """
    doc = bare_copy(known, known.vocab)
    own = [Span(doc, span.start, span.end, span.label_) for span in known.ents]
    unknown = unknown_tokens(known)
    marks = annotated_labels(known)
    annotated = marks and [m and frozenset(label.casefold() for label in m) for m in marks]
    inside = np.zeros(len(doc), dtype=bool)
    for span in own:
        inside[span.start : span.end] = True

    def is_open(i: int, label: str) -> bool:
        if inside[i]:
            return False
        labels = None if annotated is None else annotated[i]
        return bool(unknown[i]) or (labels is not None and label.casefold() not in labels)

    own += [
        Span(doc, start, end, label)
        for start, end, label in entities
        if all(is_open(i, label) for i in range(start, end))
    ]
    missing = [doc[i : i + 1] for i in np.flatnonzero(unknown & silent).tolist()]
    covered = {i for span in own for i in range(span.start, span.end)}
    doc.set_ents(own, missing=[span for span in missing if span.start not in covered])
    for i in np.flatnonzero(silent).tolist():
        if marks is not None and (labels := marks[i]) is not None:
            label_only(doc[i : i + 1], labels)  # of others still nothing is known
    return doc
