"""Conversion of a folder of CoNLL files to spaCy's binary format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import spacy
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.conll import ConllError, Sentence, read_conll
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError

PARTS = ("train", "valid", "dev", "test")


@dataclass
class Converted:
    """What became of one part. skipped: duplicates of a training sentence in another part are
    kept (they are the data's), so nothing is ever skipped; `unknown` counts tags `-`."""

    path: Path
    sentences: int = 0
    tokens: int = 0
    unknown: int = 0
    entities: dict[str, int] = field(default_factory=dict)


def convert_folder(source: Path, target: Path, *, lang: str, taxonomy: Taxonomy) -> list[Converted]:
    """Convert `train.conll` and what else there is of valid, dev and test to `<part>.spacy`.

    The official names (`en_train.conll`, ...) are found too. Where there is no `valid`, a tenth of
    the training sentences is split off for it by a hash of the text, so that the same text stays
    together and the official dev set needs not be tuned on. Raises a `ConllError` where there is
    no training part, and a `TaxonomyError` for a label that the taxonomy does not cover.
    """
    files = {part: found for part in PARTS if (found := _find(source, lang, part))}
    if "train" not in files:
        raise ConllError(
            f"{source}: found no train.conll and no {lang}_train.conll. Expected a folder with "
            "train.conll and, where there are any, valid.conll, dev.conll and test.conll."
        )
    parts = {part: list(read_conll(path)) for part, path in files.items()}
    if "valid" not in parts:
        held_out = [_in_valid(sentence) for sentence in parts["train"]]
        together = parts["train"]
        parts["train"] = [s for s, out in zip(together, held_out, strict=True) if not out]
        parts["valid"] = [s for s, out in zip(together, held_out, strict=True) if out]
    target.mkdir(parents=True, exist_ok=True)
    return [
        _write(parts[part], files.get(part, files["train"]), target / f"{part}.spacy", lang, taxonomy)
        for part in PARTS
        if part in parts
    ]


def _find(source: Path, lang: str, part: str) -> Path | None:
    candidates = (source / f"{part}.conll", source / f"{lang}_{part}.conll")
    return next((path for path in candidates if path.is_file()), None)


def _in_valid(sentence: Sentence) -> bool:
    return hashlib.sha256(" ".join(sentence.words).encode()).digest()[0] < 26


def _write(
    sentences: list[Sentence], source: Path, path: Path, lang: str, taxonomy: Taxonomy
) -> Converted:
    vocab = spacy.blank(lang).vocab
    docs = DocBin()
    result = Converted(path)
    for sentence in sentences:
        for offset, tag in enumerate(sentence.tags):
            result.unknown += tag == "-"
            if tag.startswith("B-"):
                try:
                    taxonomy.coarse_label(tag[2:])
                except TaxonomyError as error:
                    raise TaxonomyError(f"{source}:{sentence.line + offset}: {error}") from None
                result.entities[tag[2:]] = result.entities.get(tag[2:], 0) + 1
        result.sentences += 1
        result.tokens += len(sentence.words)
        docs.add(sentence_to_doc(vocab, sentence))
    docs.to_disk(path)
    return result
