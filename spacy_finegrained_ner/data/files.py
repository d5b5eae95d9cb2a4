"""Gold Docs from files, in any form."""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.forms.loading import load
from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.data.parts import files_of
from spacy_finegrained_ner.data.written import Names
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.tag_forms import may_be_tags
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

_TAGGED = re.compile(r"\S\s(O|[BIESLUM]-\S+)$")
"""A word and its tag."""
_LINES = 100
"""Of a file, by which its form is told."""


def read_gold(
    nlp: Language,
    path: Path,
    taxonomy: Taxonomy | None = None,
    names: Names | None = None,
    fine: bool = False,
) -> list[Doc]:
    """The gold Docs of a file in any form that `convert` reads, or of all files of a folder. nlp:
    its tokenizer is for texts without tokens.

    What is lost is told by a warning. Raises a `UserError` for what can't be read, and where a
    label stands that the taxonomy, if given, does not cover.

    names: under which the labels of the taxonomy are written, see `data.written`. The gold then has
    them, too; what already has such a name keeps it. fine: the other way round, the gold has the
    labels that such names stand for."""
    parts, account = load({"gold": files_of(path)}, nlp.vocab, nlp.make_doc, Options())
    if lost := account.told():
        warnings.warn(f"{path}: {lost}", stacklevel=2)
    docs, places = parts["gold"].docs, parts["gold"].labels
    if taxonomy is not None and not taxonomy.flat:
        named = set() if names is None else {x.casefold() for x in names.name_of.values()}
        unnamed = {x: place for x, place in places.items() if x.casefold() not in named}
        taxonomy.check(unnamed)
    if taxonomy is not None and names is not None:
        if not fine:
            return [names.gold(doc, taxonomy) for doc in docs]
        for doc in docs:
            names.set_fine_labels(doc, taxonomy)
    return docs


def read_texts(nlp: Language, path: Path) -> list[Doc]:
    """The Docs of a .txt file, a text a line (empty ones are left out), or those of gold data, as
    which a .txt counts that has words with their tags, or its annotation beside it (brat).
    Raises a `UserError` for what can't be read."""
    if path.suffix != ".txt" or path.with_suffix(".ann").is_file():
        return read_gold(nlp, path)
    try:
        # Not splitlines, which ends lines at form feeds and the like within a text
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a text file in UTF-8: {error}") from None
    lines = [line.strip() for line in lines if line.strip()]
    if _are_tagged(lines[:_LINES]):
        return read_gold(nlp, path)
    return [nlp.make_doc(line) for line in lines]


def _are_tagged(lines: list[str]) -> bool:
    """Words with their tags, in columns: a text may end in "blood type O", or in "B-12"."""
    rows = [line.split() for line in lines]
    if len(rows) < 2 or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return False
    tags = [row[-1] for row in rows]
    return all(map(_TAGGED.search, lines)) or ("O" in tags and may_be_tags(tags))


def read_docs(vocab: Vocab, path: Path) -> list[Doc]:
    """The Docs of a .spacy file. Raises a `UserError` for what can't be read."""
    return list(iter_docs(vocab, path))


def iter_docs(vocab: Vocab, path: Path) -> Iterator[Doc]:
    """The same, one after the other."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Expected one in spaCy's format.")
    try:
        yield from DocBin().from_disk(path).get_docs(vocab)
    except (zlib.error, ValueError, TypeError, LookupError) as error:
        raise UserError(
            f"{path}: can't be read as a .spacy file: {error}. Such files are written by "
            "spacy finegrained-ner convert and spacy convert."
        ) from None
