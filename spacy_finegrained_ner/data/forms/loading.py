"""Files to gold Docs: all parts of a data set at once, which have one scheme of tags."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.forms.docs import Tokenize, docs_of
from spacy_finegrained_ner.data.forms.reading import read_records
from spacy_finegrained_ner.data.forms.record import (
    NO_TEXT,
    NOT_ANNOTATED,
    Account,
    FormError,
    Options,
    Record,
)
from spacy_finegrained_ner.data.forms.tags import check_outside
from spacy_finegrained_ner.labels.schemes import SCHEMES, find_scheme, label_of
from spacy_finegrained_ner.labels.tag_forms import (
    may_be_tags,
    some_go_on,
    usual_tags,
    without_labels,
)


@dataclass
class Texts:
    """What a part holds. said: its files, each with its form, in words. records and docs go
    together. labels: each with the first place that has it, also of entities that were lost."""

    files: Sequence[Path]
    records: list[Record] = field(default_factory=list)
    docs: list[Doc] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


def load(
    parts: Mapping[str, Sequence[Path]], vocab: Vocab, tokenize: Tokenize, options: Options
) -> tuple[dict[str, Texts], Account]:
    """Read the files of each part. vocab: of Docs whose tokens are given. tokenize: for the others.

    Raises a `FormError` for what can't be read, for a file without texts, and for a part of which
    no entity could be kept.
    """
    if options.scheme is not None and options.scheme not in SCHEMES:
        raise FormError(
            f"{options.scheme!r} is no scheme of tags, expected one of {', '.join(SCHEMES)}."
        )
    account = Account()
    found = {part: Texts(files) for part, files in parts.items()}
    read: dict[str, list[tuple[Path, str, list[Record]]]] = {}
    for part, texts in found.items():
        read[part] = [(p, *read_records(p, vocab, options, account)) for p in texts.files]
    files = [records for some in read.values() for _, _, records in some]
    usual, other = in_usual_tags(files, options)
    rest = iter(usual)
    for part, texts in found.items():
        texts.records = [record for _ in read[part] for record in next(rest)]
    tagged = [r for t in found.values() for r in t.records if r.tags is not None]
    # Of JSON and the like only all files together have to have some
    which = "Or name their column (--tag-column)."
    check_outside(_files(found.values()), tagged, options.scheme, which)
    tags = [record.tags or () for record in tagged]
    scheme = options.scheme or find_scheme(tags) or "IOB2"
    for part, texts in found.items():
        texts.said = _said(read[part], f"{scheme}{f', as in {other!r}' if other else ''}")
        texts.docs = docs_of(texts.records, vocab, tokenize, scheme, account)
        texts.labels = label_places(texts.records, scheme)
        _require_some(texts, account)
    return found, account


def _files(parts: Iterable[Texts]) -> str:
    """The first file, and how many more."""
    paths = [path for texts in parts for path in texts.files]
    return f"{paths[0]}{f' and {len(paths) - 1:,} other files' if len(paths) > 1 else ''}"


def in_usual_tags(
    files: Sequence[Sequence[Record]], options: Options
) -> tuple[list[list[Record]], str]:
    """The records of some files with their tags as is usual (`labels.tag_forms.usual_tags`),
    and one of those that were written in another way, or ""."""
    tags = [record.tags for records in files for record in records if record.tags is not None]
    usual = {} if options.scheme == "labels" else usual_tags(tags, options.scheme)
    if options.scheme is None:
        changed_tags = [[usual.get(tag, tag) for tag in some] for some in tags]
        if told := _perhaps_tags(changed_tags):
            warnings.warn(told, stacklevel=2)
    if not usual:
        return [list(records) for records in files], ""
    changed = [
        [
            replace(record, tags=record.tags and [usual.get(tag, tag) for tag in record.tags])
            for record in records
        ]
        for records in files
    ]
    others = (old for old, new in usual.items() if old not in (new, "o"))
    return changed, next(others, "")


def _perhaps_tags(tags: Sequence[Sequence[str]]) -> str:
    """What is to be told of labels that may be tags, "" for nothing."""
    if find_scheme(tags) != "labels":
        return ""
    names = [tag for some in tags for tag in some]
    if without_labels(names):
        return (
            "The tags are B, I and the like without a label behind them, and so are read as labels "
            "named 'B' and 'I'. If they are tags of one type, write it behind them (B-Label, "
            "I-Label); if they are labels, name the scheme labels (--scheme of convert, scheme of "
            "the corpus reader)."
        )
    some = next((tag for tag in dict.fromkeys(names) if may_be_tags([tag])), "")
    if not some or not (may_be_tags(names, most=0.5) or some_go_on(tags)):
        return ""
    return (
        f"Tags such as {some!r} are read as labels, since no entity seems to go on with the next "
        "token, or too many are of another form. If they are tags of B, I and the like, name their "
        "scheme, such as IOB2; if they are labels, name the scheme labels (--scheme of convert, "
        "scheme of the corpus reader)."
    )


def _said(read: Sequence[tuple[Path, str, list[Record]]], scheme: str) -> list[str]:
    """A line for each form."""
    forms: dict[str, tuple[Path, int, int]] = {}
    for path, form, records in read:
        tagged = any(record.tags is not None for record in records)
        form = f"{form}, {scheme}" if tagged else form
        first, files, texts = forms.get(form, (path, 0, 0))
        forms[form] = (first, files + 1, texts + len(records))
    return [
        f"{first}{f' and {files - 1:,} other files' if files > 1 else ''}: {form}, {texts:,} texts"
        for form, (first, files, texts) in forms.items()
    ]


def label_places(records: Sequence[Record], scheme: str) -> dict[str, str]:
    """The labels of records, each with the first place that has it."""
    places: dict[str, str] = {}
    for record in records:
        for span in record.spans:
            if span.label:
                places.setdefault(span.label, record.place)
        for i, tag in enumerate(record.tags or ()):
            if (label := label_of(tag, scheme)) and label not in places:
                places[label] = record.at(i)
        for ent in record.doc.ents if record.doc is not None else ():
            places.setdefault(ent.label_, record.place)
    return places


def _require_some(texts: Texts, account: Account) -> None:
    """A reader that loses all has read something else."""
    lost = [(place, kind, what) for kind, some in account.losses.items() for place, what in some]
    names = tuple(map(str, texts.files))
    lost = [one for one in lost if one[0].startswith(names)]
    if texts.docs:
        lost = [one for one in lost if one[1] not in (NOT_ANNOTATED, NO_TEXT)]
    kept = sum(len(doc.ents) for doc in texts.docs)
    if (texts.docs and kept) or (texts.docs and not lost):
        return
    place, kind, what = lost[0] if lost else (str(texts.files[0]), "found no texts", "")
    tagged = any(record.tags is not None for record in texts.records)
    hint = "say how it is meant: `convert` has --scheme, --tag-column, --tag-names, --encoding."
    raise FormError(
        f"{place}: {what or kind}{f' ({kind})' if what else ''}. So nothing of this part can be "
        f"read, {len(lost):,} times for such reasons. Correct it{f', or {hint}' * tagged or '.'}"
    )
