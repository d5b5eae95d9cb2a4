"""Conversion of a folder of CoNLL files to spaCy's binary format."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from math import ceil
from pathlib import Path

from spacy.tokens import DocBin
from spacy.vocab import Vocab, create_vocab

from spacy_finegrained_ner.data.conll import ConllError, Sentence, label_places, read_conll
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.language import language_of
from spacy_finegrained_ner.labels.invisible import invisible
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, one_spelling

PARTS = ("train", "valid", "dev", "test")
FEW_TEXTS, FEW_ENTITIES = 30, 50
"""Of a part that was split off: with fewer, scores are mostly chance."""
FREQUENT = 10
"""Entities of a label from which on one that is nearly the same, and occurs once, may be a typo."""


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
    """The parts that were written; notes: what was decided on the way; warnings: what is perhaps
    not meant. labels: of all parts."""

    parts: list[Converted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def convert_folder(
    source: Path,
    target: Path,
    *,
    lang: str,
    taxonomy: Taxonomy | None,
    dev_reports: bool = False,
    lower: bool = False,
) -> Conversion:
    """Convert `train.conll` and what else there is of valid, dev and test to `<part>.spacy`.

    The official names (`en_train.conll`, ...) are found too. Where there is no `valid`, `dev`
    becomes `valid.spacy`. Where there is no `dev` either, or dev_reports says that it must not
    select the model, a tenth of the different training texts is split off, rounded up, by a hash of
    the text, so that the same text stays together.

    taxonomy: to check the labels; None for flat labels, each as it is. lower: words in lower case
    in all parts.

    Nothing is tokenized, so no language needs the packages of its tokenizer. Raises a `UserError`
    for a language that spaCy does not have, a `ConllError` where there is no training part, and a
    `TaxonomyError` for a label that the taxonomy does not cover or that has two spellings.
    """
    vocab = create_vocab(lang, language_of(lang).Defaults)
    files = {part: found for part in PARTS if (found := _find(source, lang, part))}
    if "train" not in files:
        raise ConllError(
            f"{source}: found no train.conll and no {lang}_train.conll. Expected a folder with "
            "train.conll and, where there are any, valid.conll, dev.conll and test.conll."
        )
    parts = {part: list(read_conll(path)) for part, path in files.items()}
    places: dict[str, str] = {}
    for part, sentences in parts.items():
        for label, place in label_places(files[part], sentences).items():
            places.setdefault(label, place)
    if taxonomy is None:
        one_spelling(places)
    else:
        taxonomy.spelled_as(places)
    done = Conversion()
    for part, sentences in parts.items():
        _look(files[part], sentences, done)
    if taxonomy is None:
        _look_for_typos(parts, places, done)
    if lower:
        _lower(parts, done)
    if "valid" not in parts and "dev" in parts and not dev_reports:
        parts["valid"] = parts.pop("dev")
        done.notes.append(
            f"Found no valid.conll: {files['dev']} selects the model. It is written as valid.spacy."
        )
    elif "valid" not in parts:
        _split(files["train"], parts, done)
    done.labels = list(places)
    learned = set(_labels(parts["train"]))
    for part in PARTS[1:]:
        foreign = sorted(set(_labels(parts.get(part, ()))) - learned)
        if learned and foreign:
            done.warnings.append(
                f"{part}.spacy has {len(foreign)} type(s) that the training part has none of, and "
                f"that can't be learned: {_some(foreign)}."
            )
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        path = target / f"{part}.spacy"
        if part in parts:
            done.parts.append(_write(parts[part], path, vocab))
        elif path.exists():
            done.warnings.append(f"{path} was there before: it is no part of this conversion.")
    return done


def _find(source: Path, lang: str, part: str) -> Path | None:
    candidates = (source / f"{part}.conll", source / f"{lang}_{part}.conll")
    return next((path for path in candidates if path.is_file()), None)


def _lower(parts: dict[str, list[Sentence]], done: Conversion) -> None:
    """Before the split, so that texts which become the same stay together."""
    words = [word for sentences in parts.values() for s in sentences for word in s.words]
    changed = sum(word != word.lower() for word in words)
    for part, sentences in parts.items():
        parts[part] = [replace(s, words=tuple(map(str.lower, s.words))) for s in sentences]
    done.notes.append(f"Lower case: {changed:,} of {len(words):,} tokens changed.")


def _split(source: Path, parts: dict[str, list[Sentence]], done: Conversion) -> None:
    """Split a tenth of the training part off as valid."""
    whole = parts["train"]
    digests = [_digest(sentence) for sentence in whole]
    ordered = sorted(set(digests))  # by the text alone: the order of the file changes nothing
    if len(ordered) < 2:
        raise ConllError(
            f"{source}: expected at least two different sentences, to split a tenth off for "
            f"validation, but found {len(ordered)}. Give a valid.conll beside it."
        )
    lowest = set(ordered[: ceil(len(ordered) / 10)])
    for part in ("valid", "train"):
        parts[part] = [
            sentence
            for sentence, digest in zip(whole, digests, strict=True)
            if (digest in lowest) == (part == "valid")
        ]
    done.notes.append(
        f"Found no valid.conll: {len(parts['valid']):,} of the {len(whole):,} sentences of "
        f"{source} are split off as valid.spacy, which selects the model."
    )
    types = set(_labels(whole))
    if missing := sorted(types - set(_labels(parts["valid"]))):
        done.warnings.append(
            f"valid.spacy has no entity of {len(missing)} of the {len(types)} types in {source}, "
            f"and what it has none of does not count there: {_some(missing)}. Give a valid.conll."
        )
    texts, entities = len(parts["valid"]), _labels(parts["valid"]).total()
    if texts < FEW_TEXTS or entities < FEW_ENTITIES:
        done.warnings.append(
            f"valid.spacy has {texts} text(s) with {entities} entities: too few to select a model "
            f"or to say how good it is. Expected at least {FEW_TEXTS} texts and {FEW_ENTITIES} "
            "entities. Give a valid.conll."
        )


def _digest(sentence: Sentence) -> bytes:
    return hashlib.sha256(" ".join(sentence.words).encode()).digest()


def _labels(sentences: Iterable[Sentence]) -> Counter[str]:
    return Counter(tag[2:] for s in sentences for tag in s.tags if tag.startswith("B-"))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _look(source: Path, sentences: list[Sentence], done: Conversion) -> None:
    """Tell what a file has that is perhaps not meant."""
    if not _labels(sentences):
        done.warnings.append(
            f"{source}: there is no entity in its {len(sentences):,} sentences. The tag of a word "
            "is read from the last column."
        )
    marks = [sentence for sentence in sentences if sentence.marks]
    if marks:
        done.warnings.append(
            f"{source}: {sum(sentence.marks for sentence in marks):,} byte order mark(s) (U+FEFF) "
            f"left out, the first in the sentence on line {marks[0].line}."
        )
    hidden = [
        (sentence.line + offset, word)
        for sentence in sentences
        for offset, word in enumerate(sentence.words)
        if invisible(word)
    ]
    if hidden:
        line, word = hidden[0]
        done.warnings.append(
            f"{source}: {len(hidden):,} word(s) with characters that can't be seen are kept as "
            f"they are, the first on line {line}: {word!r} ({invisible(word)})."
        )


def _look_for_typos(
    parts: dict[str, list[Sentence]], places: dict[str, str], done: Conversion
) -> None:
    """Of flat labels there is no list to check them against."""
    counts = sum(map(_labels, parts.values()), Counter[str]())
    frequent = [label for label in places if counts[label] >= FREQUENT]
    for label, place in places.items():
        near = get_close_matches(label, frequent, n=1, cutoff=0.85)
        if counts[label] <= 1 and near:
            done.warnings.append(
                f"{place}: the label {label!r} occurs once, and is nearly {near[0]!r}, which "
                f"occurs {counts[near[0]]:,} times. Perhaps it is misspelled: it is learned as a "
                "type of its own."
            )


def _write(sentences: list[Sentence], path: Path, vocab: Vocab) -> Converted:
    tags = [tag for sentence in sentences for tag in sentence.tags]
    DocBin(docs=(sentence_to_doc(vocab, sentence) for sentence in sentences)).to_disk(path)
    return Converted(
        path,
        sentences=len(sentences),
        tokens=len(tags),
        unknown=tags.count("-"),
        entities=dict(_labels(sentences)),
    )
