"""Data as the doctor reads it: what can't be read is a finding, and the rest is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spacy.tokens import Doc, Span
from spacy.vocab import create_vocab

from spacy_finegrained_ner.data.forms.docs import docs_of
from spacy_finegrained_ner.data.forms.loading import Texts, in_usual_tags, label_places
from spacy_finegrained_ner.data.forms.reading import read_records
from spacy_finegrained_ner.data.forms.record import (
    LOSSES,
    NOTES,
    Account,
    FormError,
    Options,
    Record,
)
from spacy_finegrained_ner.data.language import language_of, lazy_tokenizer
from spacy_finegrained_ner.data.parts import find_parts
from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.labels.schemes import ILLEGAL, UNKNOWN_TAG, find_scheme

HELD_OUT = ("valid", "dev", "test")
ONE_CUSTOM = ("IO", "IOB1")
"""Where no entity follows another of its label, they are the same."""
FEWEST = 5
"""Texts that don't fit, from which on they may have a scheme of their own."""


@dataclass
class Data:
    """The parts that could be read, each with records and docs that go together. labels: each with
    the first place that has it. scheme: of tags."""

    parts: dict[str, Texts] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    scheme: str = "IOB2"
    lang: str = "en"

    @property
    def selects(self) -> str:
        """The part that selects the model: valid, or what `convert` takes in its place."""
        return "valid" if "valid" in self.parts else "dev"

    @property
    def train(self) -> list[Doc]:
        return self.parts["train"].docs if "train" in self.parts else []

    def docs(self) -> Iterator[tuple[str, Record, Doc]]:
        """Part, record and doc of each text."""
        for part, texts in self.parts.items():
            for record, doc in zip(texts.records, texts.docs, strict=True):
                yield part, record, doc

    def entities(self) -> Iterator[tuple[str, Record, Span]]:
        for part, record, doc in self.docs():
            for ent in doc.ents:
                yield part, record, ent


def at(record: Record, span: Span) -> str:
    """The place of an entity, and the entity."""
    return f"{record.at(span.start)}: {span.text[:60]!r} ({span.label_})"


def shown(record: Record, doc: Doc) -> str:
    """The place of a text, and its beginning."""
    text = doc.text.strip()
    return f"{record.place}: {text[:60]!r}{' ...' if len(text) > 60 else ''}"


def read_data(source: Path, lang: str, options: Options) -> tuple[Data, list[Finding]]:
    """The parts of a folder or a file, as `convert` finds them, and what was found on the way.

    Raises a `UserError` for a language that spaCy does not have, and a `FormError` where there is
    no training part at all.
    """
    vocab = create_vocab(lang, language_of(lang).Defaults)
    findings: list[Finding] = []
    account = Account()
    data = Data(lang=lang)
    read: dict[str, list[tuple[Path, list[Record]]]] = {}
    there = find_parts(source, lang)
    findings += (Finding("changed", "note", x, "Nothing, if this is meant.") for x in there.notes)
    for part, files in there.parts.items():
        read[part] = []
        for path in files:
            try:
                read[part].append((path, read_records(path, vocab, options, account)[1]))
            except FormError as error:
                findings.append(_unreadable(path, error))
    usual, _ = in_usual_tags([some for files in read.values() for _, some in files], options)
    rest = iter(usual)
    read = {part: [(path, next(rest)) for path, _ in files] for part, files in read.items()}
    tags = [record.tags for records in usual for record in records if record.tags is not None]
    data.scheme = options.scheme or find_scheme(tags) or "IOB2"
    findings += _of_schemes(read, data.scheme)
    for part, found in read.items():
        texts = Texts([path for path, _ in found])
        texts.records = [record for _, some in found for record in some]
        tokenize = lazy_tokenizer(lang)
        texts.docs = docs_of(texts.records, vocab, tokenize, data.scheme, account)
        texts.labels = label_places(texts.records, data.scheme)
        for label, place in texts.labels.items():
            data.labels.setdefault(label, place)
        if found:
            data.parts[part] = texts
    findings += _of_account(account, data.scheme)
    return data, findings


def _unreadable(path: Path, error: FormError) -> Finding:
    do = "Correct it, or say how it is meant: --scheme, --tag-column, --tag-names, --encoding."
    name = "unreadable"
    said = str(error)
    if "--tag-column" in said:
        name = "wrong-column"
    elif "can't be seen" in said and "the tag" in said:
        name, do = "invisible-in-label", "Remove the character. The rest of the file was not read."
    return Finding(name, "error", said, do, (str(path),))


def _of_schemes(read: dict[str, list[tuple[Path, list[Record]]]], scheme: str) -> Iterator[Finding]:
    """Files in another scheme than all together, and texts in another than their file."""
    schemes: dict[str, list[str]] = {}
    for files in read.values():
        for path, records in files:
            tags = [record.tags for record in records if record.tags is not None]
            found = find_scheme(tags)
            if found is not None:
                schemes.setdefault(_custom(found), []).append(str(path))
                yield from _within(path, records, found)
    if len(schemes) > 1:
        yield Finding(
            "mixed-schemes",
            "error",
            "The files have different schemes of tags: "
            + "; ".join(f"{name} in {', '.join(paths)}" for name, paths in schemes.items())
            + f". All are read as {scheme}.",
            "Write all of them in one scheme: `convert` each on its own, with --scheme.",
            tuple(path for paths in schemes.values() for path in paths),
        )


def _custom(scheme: str) -> str:
    return "IO or IOB1" if scheme in ONE_CUSTOM else scheme


def _within(path: Path, records: list[Record], scheme: str) -> Iterator[Finding]:
    """Texts of which the tags don't fit, if they have a scheme of their own."""
    others: dict[str, list[Record]] = {}
    for record in records:
        own = find_scheme([record.tags]) if record.tags is not None else None
        if own is not None and _custom(own) != _custom(scheme):
            others.setdefault(_custom(own), []).append(record)
    for name, some in others.items():
        # A single wrong tag can make a text look like another scheme
        if len(some) >= max(FEWEST, len(records) // 50):
            yield Finding(
                "mixed-schemes",
                "error",
                f"{path}: most texts are in {scheme}, but {len(some):,} of {len(records):,} look "
                f"like {name}.",
                "Write all of them in one scheme: `convert` them apart, with --scheme.",
                tuple(record.place for record in some),
            )


def _of_account(account: Account, scheme: str) -> Iterator[Finding]:
    for kind, found in account.found.items():
        where = tuple(f"{place}: {what}" if what else place for place, what in found)
        if kind == ILLEGAL:
            what = f"{len(found):,} tags are in an order that {scheme} does not have"
            do = "Correct them: an entity begins with B- and goes on with I- of the same label."
            yield Finding("illegal-tags", "error", f"{what}; {LOSSES[kind]}.", do, where)
        elif kind == UNKNOWN_TAG:
            kinds = Counter(what.split(" is no tag")[0] for _, what in found)
            named = ", ".join(tag for tag, _ in kinds.most_common(10))
            what = f"{len(found):,} tags are none of {scheme}: {named}; {LOSSES[kind]}."
            do = "Correct them, or say with --scheme how they are meant."
            yield Finding("unknown-tags", "error", what, do, where)
        elif kind in LOSSES:
            what = f"{len(found):,} x {kind}; {LOSSES[kind]}."
            do = "Correct the spans where they are kept; `convert` lists them in losses.tsv."
            yield Finding("lost", "warning", what, do, where)
        else:
            what = f"{len(found):,} x {kind}; {NOTES[kind]}."
            yield Finding("changed", "note", what, "Nothing, if this is meant.", where)
