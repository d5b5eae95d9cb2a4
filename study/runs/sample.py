"""The sentences of the study: a stratified sample, parts of speech, and what is known of the gold
without its words."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import entities_of, labels_of
from spacy_finegrained_ner.labels.bio import Entity
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from study.plan.stages import Size, StudyError
from study.runs.records import Gold

TAGGERS = ("tok2vec", "tagger", "attribute_ruler")
"""What gives a pipeline of spaCy's its parts of speech."""


def stratified(docs: Sequence[Doc], sentences: int, seed: int = 0) -> list[Doc]:
    """A part of the docs in which each type has its share. A doc belongs to the rarest type in it
    (or to none); of each such group as large a part is drawn, rounded by largest remainders.

    The same arguments give the same docs, in their order. 0 sentences: all.
    """
    if not sentences or sentences >= len(docs):
        return list(docs)
    frequency = Counter(ent.label_ for doc in docs for ent in doc.ents)
    groups: dict[str, list[int]] = defaultdict(list)
    for number, doc in enumerate(docs):
        types = {ent.label_ for ent in doc.ents}
        groups[min(types, key=lambda x: (frequency[x], x), default="")].append(number)
    share = sentences / len(docs)
    quota = {name: int(len(group) * share) for name, group in groups.items()}
    rest = sorted(groups, key=lambda x: (quota[x] - len(groups[x]) * share, x))
    for name in rest[: sentences - sum(quota.values())]:
        quota[name] += 1
    rng = random.Random(seed)
    drawn: list[int] = []
    for name in sorted(groups):
        drawn += rng.sample(groups[name], quota[name])
    return [docs[number] for number in sorted(drawn)]


def prepare(
    parts: dict[str, Path],
    size: Size,
    pos: str | None,
    work: Path,
    divided: Callable[[dict[str, list[Doc]]], dict[str, list[Doc]]] = lambda docs: {},
) -> dict[str, list[Doc]]:
    """Write the .spacy files that the runs read, with parts of speech where there is a tagger.

    parts: files of "train", "valid" and, if there is one, "dev". pos: name or folder of a pipeline
    with a tagger. work: folder for train.spacy, sample.spacy, valid.spacy, dev.spacy. divided:
    makes more parts of these.
    RETURNS: the docs of each. Raises a StudyError or UserError for what can't be read.
    """
    docs = {name: read_docs(path) for name, path in parts.items()}
    docs |= {
        name: stratified(part, size.held_out) for name, part in docs.items() if name != "train"
    }
    if pos is not None:
        _tag(pos, [doc for part in docs.values() for doc in part])
    docs["sample"] = stratified(docs["train"], size.sample)
    docs |= divided(docs | {"train": docs[size.part]})
    work.mkdir(parents=True, exist_ok=True)
    for name, part in docs.items():
        DocBin(docs=part).to_disk(work / f"{name}.spacy")
    return docs


def gold_table(
    docs: Sequence[Doc], train: Iterable[Doc], taxonomy: Taxonomy
) -> tuple[Gold, frozenset[str]]:
    """RETURNS: what is known of the gold without its words, entities in order; and the texts of the
    training part's entities."""

    def entities_in(doc: Doc) -> list[Entity]:
        return entities_of(doc.ents, lambda span: span.label_)

    seen = frozenset(surface(doc[s:e].text) for doc in train for s, e, _ in entities_in(doc))
    # The spelling of the data: the taxonomy's may differ in case
    types = sorted(taxonomy.spelled_as(labels_of(docs)).fine)
    entities = [
        (number, types.index(label), end - start, int(surface(doc[start:end].text) in seen))
        for number, doc in enumerate(docs)
        for start, end, label in entities_in(doc)
    ]
    return Gold(types, [len(doc) for doc in docs], entities), seen


def surface(text: str) -> str:
    """An entity's text as it is compared: without regard to case."""
    return text.lower()


def _tag(pos: str, docs: list[Doc]) -> None:
    try:
        nlp: Language = spacy.load(pos)
    except (OSError, ValueError, ImportError) as error:
        raise StudyError(
            f"{pos}: {error}\nExpected a pipeline with a tagger, such as en_core_web_sm; without "
            "--pos the study goes on without parts of speech."
        ) from None
    bare = [bare_copy(doc, nlp.vocab) for doc in docs]
    with nlp.select_pipes(enable=[name for name in TAGGERS if name in nlp.pipe_names]):
        for doc, tagged in zip(docs, nlp.pipe(bare, batch_size=256), strict=True):
            if not tagged.has_annotation("POS"):
                raise StudyError(f"{pos}: the pipeline gives no parts of speech (token.pos).")
            for token, other in zip(doc, tagged, strict=True):
                token.pos_, token.tag_ = other.pos_, other.tag_
