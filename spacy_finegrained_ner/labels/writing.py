"""A taxonomy as a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spacy_finegrained_ner.labels.invisible import invisible
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError


def write_taxonomy(taxonomy: Taxonomy, path: Path) -> None:
    """Write a file that `read_taxonomy` reads. Raises a `TaxonomyError` for a name that it would
    refuse: one with characters that can't be seen."""
    for name in (*taxonomy.coarse, *taxonomy.fine):
        if hidden := invisible(name):
            raise TaxonomyError(
                f"{taxonomy.source}: the type {name!r} has {hidden} in it, which can't be seen. "
                "Remove it."
            )
    lines = [
        "# Coarse type = [fine types], to be edited. Where each type is its own coarse type,\n"
        "# labels are flat: there are no coarse scores and no coarse auxiliary task.\n"
    ]
    for coarse in taxonomy.coarse:
        key = coarse if re.fullmatch(r"[A-Za-z0-9_-]+", coarse) else _text(coarse)
        under = [_text(fine) for fine, name in taxonomy.coarse_of.items() if name == coarse]
        lines.append(f"{key} = [{', '.join(under)}]\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def _text(name: str) -> str:
    """A basic string of TOML."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
