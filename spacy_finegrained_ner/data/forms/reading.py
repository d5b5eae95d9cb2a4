"""Any file to records: the form is found by what is in it, and said."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.forms.brat import read_brat
from spacy_finegrained_ner.data.forms.columns import read_columns
from spacy_finegrained_ner.data.forms.objects import read_objects
from spacy_finegrained_ner.data.forms.record import (
    NOT_ANNOTATED,
    Account,
    FormError,
    Options,
    Record,
)
from spacy_finegrained_ner.data.forms.tables import header_of, read_table
from spacy_finegrained_ner.data.forms.text import decoded, read_bytes
from spacy_finegrained_ner.data.forms.values import features_beside, read_arrow, read_json

_JSON = re.compile(r'\s*(\{\s*["}]|\[\s*[\[{"\]])')
_PACKED = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
_ARROW = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")


def read_records(
    path: Path, vocab: Vocab, options: Options, account: Account
) -> tuple[str, list[Record]]:
    """The form of a file, in words, and its records. vocab: for Docs that the file holds.

    Raises a `FormError` that says file and line, and what was expected.
    """
    if path.is_dir():
        raise FormError(f"{path}: found a folder, expected a file.")
    if not path.is_file():
        raise FormError(f"{path}: there is no such file.")
    if path.suffix == ".ann" or path.with_suffix(".ann").is_file():
        return "brat standoff", read_brat(_text_of(path), options, account)
    if path.suffix == ".txt" and next(path.parent.glob("*.ann"), None) is not None:
        account.add(NOT_ANNOTATED, str(path), f"no {path.stem}.ann beside it, as others have")
        return "brat standoff", []
    content = read_bytes(path)
    for magic, name in _PACKED.items():
        if content.startswith(magic):
            raise FormError(f"{path}: this file is packed ({name}). Unpack it.")
    if content.startswith(_ARROW) and not content.startswith(b"\xff\xff\xff\xff\xff"):
        kind, values, features = read_arrow(path)
        found: Callable[[], dict] = lambda: features or features_beside(path)  # noqa: E731
        form, records = read_objects(path, values, found, options, account)
        return f"{kind} of {form}", records
    packed = content[:1] == b"\x78" or path.suffix == ".spacy"
    if packed and (docs := _docs(path, content, vocab)) is not None:
        return "spaCy's DocBin", docs
    text, encoding = decoded(path, content, options.encoding)
    said = "" if encoding.startswith("utf-8") else f", in {encoding}"
    if not text.strip():
        raise FormError(f"{path}: the file is empty.")
    if _JSON.match(text):
        kind, values = read_json(path, text)
        beside = partial(features_beside, path)
        form, records = read_objects(path, values, beside, options, account)
        return f"{form}, {kind}{said}", records
    if header_of(text):
        return f"table of offsets{said}", read_table(path, text, account)
    try:
        return f"CoNLL{said}", read_columns(path, text, options, account)
    except FormError:
        first = text.strip().partition("\n")[0].strip()
        # A table, not CoNLL of that name
        if path.suffix.casefold() != ".csv" or not re.search(r"\w ?[,;|\t] ?\w", first):
            raise
        raise FormError(
            f"{path}: found the header {first[:80]!r}, expected columns of the text and of its "
            "entities: text, start, end and label with an entity in each row, or text and spans "
            "with a list of them in JSON. Rename the columns; of words with their tags make CoNLL, "
            "or JSON lines with tokens and tags."
        ) from None


def _text_of(path: Path) -> Path:
    text = path.with_suffix(".txt")
    if path.suffix == ".ann" and not text.is_file():
        raise FormError(f"{path}: there is no {text.name} beside it, which it annotates.")
    return text if path.suffix == ".ann" else path


def _docs(path: Path, content: bytes, vocab: Vocab) -> list[Record] | None:
    """Of a DocBin; None for what is none. An x begins text, too."""
    try:
        unpacked = zlib.decompress(content)
    except zlib.error as error:
        if path.suffix != ".spacy":
            return None
        raise FormError(f"{path}: can't be read as a .spacy file: {error}.") from None
    if b"attrs" not in unpacked[:200]:
        return None
    try:
        docs = list(DocBin().from_bytes(content).get_docs(vocab))
    except (ValueError, TypeError, LookupError) as error:
        raise FormError(f"{path}: can't be read as a .spacy file: {error}.") from None
    return [Record(f"{path}, text {i}", doc=doc) for i, doc in enumerate(docs, 1)]
