"""The taxonomy as a config has it: by name, by file, or none."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from spacy_finegrained_ner.labels.taxonomy import (
    PACKAGED,
    Taxonomy,
    TaxonomyError,
    read_taxonomy,
)


# No dataclasses: spaCy dumps those to dicts on their way to a component's `initialize`.
class FlatLabels:
    """In place of a taxonomy: there is none, each label is its own coarse type."""


class MissingTaxonomy:
    """In place of a taxonomy whose file is not there. Whether that is an error only the component
    knows: one that was saved has the taxonomy that it was saved with."""

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def error(self) -> TaxonomyError:
        names = ", ".join(map(repr, PACKAGED))
        return TaxonomyError(
            f"{self.path}: there is no such taxonomy file. Give the path of one, or the name of a "
            f"packaged taxonomy ({names}, with spacy-finegrained-ner.Taxonomy.v2)."
        )


TaxonomySetting = Taxonomy | FlatLabels | MissingTaxonomy
"""What the block `[initialize.components.<name>.taxonomy]` gives a component."""


def named_taxonomy(name: str | Path) -> Taxonomy:
    """A packaged taxonomy by its name, or that of a file. Raises a `TaxonomyError`, as
    `read_taxonomy`."""
    if str(name) not in PACKAGED and _is_missing(name):
        raise MissingTaxonomy(name).error()
    return read_taxonomy(PACKAGED.get(str(name), name))


def build_taxonomy_v1(path: str | Path | None = None) -> TaxonomySetting:
    """Registered as `spacy-finegrained-ner.Taxonomy.v1` (readers).

    path: a taxonomy file; null for that of MultiCoNER II. Where there is no such file, a component
        that was saved takes the taxonomy that it was saved with, and others raise.

    Raises a `TaxonomyError` for a file that is no taxonomy.
    """
    if path is not None and _is_missing(path):
        return MissingTaxonomy(path)
    return read_taxonomy(path)


def build_taxonomy_v2(path: str | Path | None = None) -> TaxonomySetting:
    """Registered as `spacy-finegrained-ner.Taxonomy.v2` (readers).

    path: the name of a packaged taxonomy ("multiconer2") or a taxonomy file; null for none: then
        labels are flat, each its own coarse type. Where there is no such file, as `Taxonomy.v1`.

    Raises a `TaxonomyError` for a file that is no taxonomy.
    """
    if path is None:
        return FlatLabels()
    return build_taxonomy_v1(PACKAGED.get(str(path), path))


def looks_packaged(labels: Collection[str]) -> str | None:
    """What to say of labels without a taxonomy, if most of them are those of a packaged one."""
    for name, path in PACKAGED.items():
        taxonomy = read_taxonomy(path)
        others = sorted(label for label in labels if taxonomy.spelled(label) is None)
        known = len(labels) - len(others)
        if 2 * known > len(labels):
            rest = f", but not {others[:10]}" if others else ""
            return (
                f"No taxonomy is given, and {known} of {len(labels)} labels are those of the "
                f"packaged one{rest}. For its coarse types, and a check of the labels, give "
                f"{name!r} as the taxonomy."
            )
    return None


def _is_missing(path: str | Path) -> bool:
    path = Path(path)
    try:
        return not (path.is_file() or path.is_dir())
    except (OSError, ValueError):  # no path at all: reading says so
        return False
