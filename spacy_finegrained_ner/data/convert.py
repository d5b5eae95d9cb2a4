"""Conversion of a folder of CoNLL files to spaCy's binary format."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import spacy
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.conll import ConllError, Sentence, read_conll
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, one_spelling

PARTS = ("train", "valid", "dev", "test")


@dataclass
class Converted:
    """What a part holds. unknown: tokens with the tag `-`. entities: number of each label."""

    path: Path
    sentences: int
    tokens: int
    unknown: int
    entities: dict[str, int]


def convert_folder(
    source: Path, target: Path, *, lang: str, taxonomy: Taxonomy | None
) -> list[Converted]:
    """Convert `train.conll` and what else there is of valid, dev and test to `<part>.spacy`.

    The official names (`en_train.conll`, ...) are found too. Where there is no `valid`, a tenth of
    the training sentences is split off for it by a hash of the text, so that the same text stays
    together and the official dev set needs not be tuned on.

    taxonomy: to check the labels; None for flat labels, each as it is.

    Raises a `ConllError` where there is
    no training part, and a `TaxonomyError` for a label that the taxonomy does not cover.
    """
    try:
        spacy.blank(lang)
    except ImportError as error:
        raise ConllError(f"{lang!r} is no language of spaCy: {error}") from None
    files = {part: found for part in PARTS if (found := _find(source, lang, part))}
    if "train" not in files:
        raise ConllError(
            f"{source}: found no train.conll and no {lang}_train.conll. Expected a folder with "
            "train.conll and, where there are any, valid.conll, dev.conll and test.conll."
        )
    parts = {part: list(read_conll(path)) for part, path in files.items()}
    labels: dict[str, None] = {}
    for part, sentences in parts.items():
        _check_labels(files[part], sentences, taxonomy, labels)
    if taxonomy is None:
        one_spelling(labels)
    else:
        taxonomy.spelled_as(labels)
    if "valid" not in parts:
        parts["valid"] = [sentence for sentence in parts["train"] if _in_valid(sentence)]
        parts["train"] = [sentence for sentence in parts["train"] if not _in_valid(sentence)]
        if not parts["valid"] or not parts["train"]:
            raise ConllError(
                f"{files['train']}: {len(parts['train']) + len(parts['valid'])} sentences are too "
                "few to split a tenth off for validation. Give a valid.conll beside it."
            )
    target.mkdir(parents=True, exist_ok=True)
    return [_write(parts[part], target / f"{part}.spacy", lang) for part in PARTS if part in parts]


def _find(source: Path, lang: str, part: str) -> Path | None:
    candidates = (source / f"{part}.conll", source / f"{lang}_{part}.conll")
    return next((path for path in candidates if path.is_file()), None)


def _in_valid(sentence: Sentence) -> bool:
    return hashlib.sha256(" ".join(sentence.words).encode()).digest()[0] < 26


def _check_labels(
    source: Path, sentences: list[Sentence], taxonomy: Taxonomy | None, labels: dict[str, None]
) -> None:
    """Collect the labels; file and line of the first that the taxonomy does not cover."""
    for sentence in sentences:
        for offset, tag in enumerate(sentence.tags):
            if tag.startswith("B-") and tag[2:] not in labels:
                try:
                    if taxonomy is not None:
                        taxonomy.coarse_label(tag[2:])
                except TaxonomyError as error:
                    raise TaxonomyError(f"{source}:{sentence.line + offset}: {error}") from None
                labels[tag[2:]] = None


def _write(sentences: list[Sentence], path: Path, lang: str) -> Converted:
    vocab = spacy.blank(lang).vocab
    tags = [tag for sentence in sentences for tag in sentence.tags]
    DocBin(docs=(sentence_to_doc(vocab, sentence) for sentence in sentences)).to_disk(path)
    return Converted(
        path,
        sentences=len(sentences),
        tokens=len(tags),
        unknown=tags.count("-"),
        entities=dict(Counter(tag[2:] for tag in tags if tag.startswith("B-"))),
    )
