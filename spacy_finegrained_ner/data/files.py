"""Gold Docs from files: CoNLL, or spaCy's binary format."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.conll import label_places, read_conll
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.written import Names
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy


def read_gold(
    vocab: Vocab, path: Path, taxonomy: Taxonomy | None = None, names: Names | None = None
) -> list[Doc]:
    """The gold Docs of a .spacy or .conll file. Raises a `UserError` for what can't be read, and
    where a label stands that the taxonomy, if given, does not cover.

    names: under which the labels of the taxonomy are written, see `data.written`. The gold then has
    them, too; what already has such a name keeps it."""
    if path.suffix == ".conll":
        sentences = list(read_conll(path))
        docs = [sentence_to_doc(vocab, sentence) for sentence in sentences]
        places = label_places(path, sentences)
    elif path.suffix == ".spacy":
        docs = read_docs(vocab, path)
        places = {label: f"{path}, {text}" for label, text in labels_of(docs).items()}
    else:
        raise UserError(
            f"{path}: expected a .spacy or .conll file. Of other forms spacy finegrained-ner "
            "convert makes one."
        )
    if taxonomy is not None and not taxonomy.flat:
        named = () if names is None else names.name_of.values()
        taxonomy.check({label: place for label, place in places.items() if label not in named})
    if taxonomy is not None and names is not None:
        return [names.gold(doc, taxonomy) for doc in docs]
    return docs


def read_texts(nlp: Language, path: Path) -> list[Doc]:
    """The Docs of a .txt file, a text a line (empty ones are left out), or those of gold data.
    Raises a `UserError` for what can't be read."""
    if path.suffix not in (".txt", ".spacy", ".conll"):
        raise UserError(
            f"{path}: expected texts, one a line, as .txt, or a .spacy or .conll file. Of other "
            "forms spacy finegrained-ner annotate --to spacy and, of gold data, convert make one."
        )
    if path.suffix != ".txt":
        return read_gold(nlp.vocab, path)
    try:
        # Not splitlines, which ends lines at form feeds and the like within a text
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: expected a text file in UTF-8: {error}") from None
    return [nlp.make_doc(line.strip()) for line in lines if line.strip()]


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
