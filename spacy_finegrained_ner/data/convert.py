"""Conversion of labelled texts in any form to spaCy's binary format."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from spacy.tokens import Doc, DocBin
from spacy.vocab import create_vocab

from spacy_finegrained_ner.data.checks import labels_of_docs, look, look_for_typos, some
from spacy_finegrained_ner.data.conll import ConllError
from spacy_finegrained_ner.data.forms.loading import Texts, load
from spacy_finegrained_ner.data.forms.record import Account, Options
from spacy_finegrained_ner.data.language import language_of, lazy_tokenizer
from spacy_finegrained_ner.data.lower import lowered
from spacy_finegrained_ner.data.parts import PARTS, find_parts
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, one_spelling

FEW_TEXTS, FEW_ENTITIES = 30, 50
"""Of a part that was split off: with fewer, scores are mostly chance."""
LOSSES_FILE = "losses.tsv"
"""Beside the parts: all that does not fit, with its place; where there is anything."""


@dataclass
class Converted:
    """What a part holds. unknown: tokens with the tag `-`. entities: number of each label."""

    path: Path
    sentences: int
    tokens: int
    unknown: int
    entities: dict[str, int]


@dataclass
class Conversion:
    """The parts that were written; read: the files, and as what; notes: what was decided on the
    way; warnings: what is perhaps not meant. labels: of all parts. account: what does not fit."""

    parts: list[Converted] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    account: Account = field(default_factory=Account)


def convert_folder(
    source: Path,
    target: Path,
    *,
    lang: str,
    taxonomy: Taxonomy | None,
    dev_reports: bool = False,
    lower: bool = False,
    options: Options | None = None,
) -> Conversion:
    """Convert the training part and what else there is of valid, dev and test to `<part>.spacy`.

    source: a folder, whose files are found by their names (`data.parts`), or one file. The form of
    each file is found by what is in it (`data.forms.reading`). Where there is no `valid`, `dev`
    becomes `valid.spacy`. Where there is no `dev` either, or dev_reports says that it must not
    select the model, a tenth of the different training texts is split off, rounded up, by a hash of
    the text, so that the same text stays together. What does not fit is counted, and listed in
    `losses.tsv`.

    taxonomy: to check the labels; None for flat labels, each as it is. lower: words in lower case
    in all parts. options: what can't be found in the data.

    Only texts without tokens are tokenized, and only then a language needs the packages of its
    tokenizer. Raises a `UserError` for a language that spaCy does not have, a `FormError` where
    there is no training part or one that can't be read, and a `TaxonomyError` for a label that the
    taxonomy does not cover or that has two spellings.
    """
    vocab = create_vocab(lang, language_of(lang).Defaults)
    written = [target / f"{part}.spacy" for part in PARTS]
    found = find_parts(source, lang, written)
    parts, account = load(found.parts, vocab, lazy_tokenizer(lang), options or Options())
    done = Conversion(notes=found.notes, account=account)
    places: dict[str, str] = {}
    for part in parts.values():
        done.read += part.said
        for label, place in part.labels.items():
            places.setdefault(label, place)
    if taxonomy is None:
        one_spelling(places)
    else:
        taxonomy.spelled_as(places)
    for part in parts.values():
        done.warnings += look(part)
    docs = {name: part.docs for name, part in parts.items()}
    if taxonomy is None:
        done.warnings += look_for_typos(docs.values(), places)
    if lower:
        _lower(docs, done)
    of_valid = f"valid{parts['train'].files[0].suffix}"
    if "valid" not in docs and "dev" in docs and not dev_reports:
        docs["valid"] = docs.pop("dev")
        done.notes.append(
            f"Found no {of_valid}: {some(map(str, parts['dev'].files))} selects the model. It is "
            "written as valid.spacy."
        )
    elif "valid" not in docs:
        _split(source, parts["train"], docs, done)
    done.labels = list(places)
    learned = set(labels_of_docs(docs["train"]))
    for name in PARTS[1:]:
        foreign = sorted(set(labels_of_docs(docs.get(name, ()))) - learned)
        if learned and foreign:
            done.warnings.append(
                f"{name}.spacy has {len(foreign)} type(s) that the training part has none of, and "
                f"that can't be learned: {some(foreign)}."
            )
    target.mkdir(parents=True, exist_ok=True)
    for name, path in zip(PARTS, written, strict=True):
        if name in docs:
            done.parts.append(_write(docs[name], path))
        elif path.exists():
            done.warnings.append(f"{path} was there before: it is no part of this conversion.")
    _write_losses(target / LOSSES_FILE, account)
    return done


def _lower(docs: dict[str, list[Doc]], done: Conversion) -> None:
    """Before the split, so that texts which become the same stay together."""
    words = [token.text for part in docs.values() for doc in part for token in doc]
    changed = sum(word != word.lower() for word in words)
    for name, part in docs.items():
        docs[name] = list(map(lowered, part))
    done.notes.append(f"Lower case: {changed:,} of {len(words):,} tokens changed.")


def _split(source: Path, train: Texts, docs: dict[str, list[Doc]], done: Conversion) -> None:
    """Split a tenth of the training part off as valid."""
    whole = docs["train"]
    read = str(train.files[0]) if len(train.files) == 1 else str(source)
    of_valid = f"valid{train.files[0].suffix}"
    digests = [_digest(doc) for doc in whole]
    ordered = sorted(set(digests))  # by the text alone: the order of the file changes nothing
    if len(ordered) < 2:
        raise ConllError(
            f"{read}: expected at least two different sentences, to split a tenth off for "
            f"validation, but found {len(ordered)}. Give a {of_valid} beside it."
        )
    lowest = set(ordered[: ceil(len(ordered) / 10)])
    for part in ("valid", "train"):
        docs[part] = [
            doc
            for doc, digest in zip(whole, digests, strict=True)
            if (digest in lowest) == (part == "valid")
        ]
    done.notes.append(
        f"Found no {of_valid}: {len(docs['valid']):,} of the {len(whole):,} sentences of "
        f"{read} are split off as valid.spacy, which selects the model."
    )
    types = set(labels_of_docs(whole))
    counts = labels_of_docs(docs["valid"])
    if missing := sorted(types - set(counts)):
        done.warnings.append(
            f"valid.spacy has no entity of {len(missing)} of the {len(types)} types in {read}, "
            f"and what it has none of does not count there: {some(missing)}. Give a {of_valid}."
        )
    texts, entities = len(docs["valid"]), counts.total()
    if texts < FEW_TEXTS or entities < FEW_ENTITIES:
        done.warnings.append(
            f"valid.spacy has {texts} text(s) with {entities} entities: too few to select a model "
            f"or to say how good it is. Expected at least {FEW_TEXTS} texts and {FEW_ENTITIES} "
            f"entities. Give a {of_valid}."
        )


def _digest(doc: Doc) -> bytes:
    return hashlib.sha256(" ".join(token.text for token in doc).encode()).digest()


def _write(docs: Sequence[Doc], path: Path) -> Converted:
    kept = any(doc.user_data for doc in docs)
    DocBin(docs=docs, store_user_data=kept).to_disk(path)
    return Converted(
        path,
        sentences=len(docs),
        tokens=sum(map(len, docs)),
        unknown=sum(int((doc.to_array("ENT_IOB") == 0).sum()) for doc in docs),
        entities=dict(labels_of_docs(docs)),
    )


def _write_losses(path: Path, account: Account) -> None:
    rows = [
        "\t".join(" ".join(cell.split()) for cell in (kind, place, what))
        for kind, found in account.found.items()
        for place, what in found
    ]
    path.unlink(missing_ok=True)
    if rows:
        path.write_text("\n".join(["what\twhere\tfound", *rows]) + "\n", encoding="utf-8")
