"""A skeleton of a taxonomy file, made of the labels of some data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import spacy

from spacy_finegrained_ner.cli.evaluate import EvaluationError, read_gold
from spacy_finegrained_ner.labels.taxonomy import (
    Taxonomy,
    TaxonomyError,
    flat_taxonomy,
    read_taxonomy,
)

SEPARATORS = "-/.:_"


def write_skeleton(data: Path, output: Path, separator: str | None = None) -> str:
    """Write a taxonomy file with all labels of the data. RETURNS: what it has.

    data: a .conll or .spacy file, or a folder of such files. separator: between the coarse type and
    the rest of a label, as in `location-GPE`; None to look for one that all labels have, and `""`
    for none. Without one each label stands as its own coarse type, to be put under another by hand.

    Raises an `EvaluationError` or `ConllError` for data that can't be read, and a `TaxonomyError`
    for labels that make no taxonomy, or where the file is there already.
    """
    if output.exists():
        raise TaxonomyError(f"{output} is there already. Give another name, or remove it.")
    files = [data]
    if data.is_dir():
        files = sorted(path for path in data.iterdir() if path.suffix in (".conll", ".spacy"))
    vocab = spacy.blank("xx").vocab
    labels = {ent.label_ for path in files for doc in read_gold(vocab, path) for ent in doc.ents}
    if not labels:
        raise EvaluationError(f"{data}: found no entities, so there are no types to write.")
    flat_taxonomy(labels)  # may fail
    groups = grouped(labels, find_separator(labels) if separator is None else separator)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(toml(groups), encoding="utf-8")
    try:
        read_taxonomy(output)
    except TaxonomyError:
        output.unlink()
        raise
    return f"Wrote {output}: {len(labels)} types under {len(groups)} coarse types"


def write_labels(labels: Iterable[str], taxonomy: Taxonomy | None, output: Path) -> None:
    """Write the taxonomy of these labels, in their spelling; None for flat labels. Raises a
    `TaxonomyError` where there are none."""
    labels = list(labels)
    if not labels:
        raise TaxonomyError("There is no entity in the data, so there are no types to learn.")
    found = flat_taxonomy(labels) if taxonomy is None else taxonomy.spelled_as(labels)
    groups: dict[str, list[str]] = {}
    for fine, coarse in found.coarse_of.items():
        groups.setdefault(coarse, []).append(fine)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(toml(groups), encoding="utf-8")


def find_separator(labels: Iterable[str]) -> str:
    """The first that all labels have, with the same type before it in two of them; "" for none."""
    labels = list(labels)
    for separator in SEPARATORS:
        parts = [label.partition(separator) for label in labels]
        coarse = {before for before, _, _ in parts}
        if all(before and after for before, _, after in parts) and len(coarse) < len(labels):
            return separator
    return ""


def grouped(labels: Iterable[str], separator: str) -> dict[str, list[str]]:
    """The labels by their coarse type; whole labels, as the data has them."""
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        coarse = label.partition(separator)[0] if separator else label
        groups.setdefault(coarse or label, []).append(label)
    return groups


def toml(groups: dict[str, list[str]]) -> str:
    """The taxonomy file. groups: the fine types of each coarse type."""
    return (
        "# Coarse type = [fine types], to be edited. Where each type is its own coarse type,\n"
        "# labels are flat: there are no coarse scores and no coarse auxiliary task.\n"
        + "".join(f"{_key(coarse)} = {_list(fine)}\n" for coarse, fine in groups.items())
    )


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _list(names: list[str]) -> str:
    return "[" + ", ".join(map(_text, names)) + "]"


def _text(name: str) -> str:
    """A basic string of TOML."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
