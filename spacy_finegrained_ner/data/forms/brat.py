"""brat's standoff: a text (`a.txt`), and its annotation beside it (`a.ann`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from spacy_finegrained_ner.data.forms.record import (
    DISCONTINUOUS,
    OTHER,
    Account,
    CharSpan,
    FormError,
    Options,
    Record,
)
from spacy_finegrained_ner.data.forms.text import decoded, lines_of, read_bytes

_ENTITY = re.compile(r"(\S+) (\d+ \d+(?:;\d+ \d+)*)")


def read_brat(path: Path, options: Options, account: Account) -> list[Record]:
    """The one record of a text. path: of the text.

    Entities in several pieces are counted, and their pieces are not known; relations, events,
    attributes and notes are counted. Raises a `FormError` with the line for what is no annotation.
    """
    beside = path.with_suffix(".ann")
    raw, _ = decoded(path, read_bytes(path), options.encoding)
    annotation, _ = decoded(beside, read_bytes(beside), options.encoding)
    spans: list[CharSpan] = []
    unknown: list[tuple[int, int]] = []
    for number, line in enumerate(lines_of(annotation), 1):
        if not line.strip():
            continue
        if line[:1] in "REAMN#*":
            account.add(OTHER, f"{beside}:{number}", line.split("\t")[0])
            continue
        name, _, rest = line.partition("\t")
        bounds, _, surface = rest.partition("\t")
        match = _ENTITY.fullmatch(bounds)
        if not name.startswith("T") or match is None:
            raise FormError(
                f"{beside}:{number}: found {line[:60]!r}, expected an entity such as "
                "'T1<tab>Label 0 5<tab>its text'."
            )
        pieces = [tuple(map(int, piece.split(" "))) for piece in match[2].split(";")]
        if len(pieces) > 1:
            account.add(DISCONTINUOUS, f"{beside}:{number}", f"{surface!r} ({match[1]})")
            unknown += [(start, end) for start, end in pieces]
        else:
            ((start, end),) = pieces
            spans.append(CharSpan(start, end, match[1], surface or None))
    # Offsets that were counted before the line ends were changed
    text = next((x for x in (raw, raw.replace("\r\n", "\n")) if _says(x, spans)), raw)
    return [Record(str(path), text=text, spans=spans, unknown=unknown)]


def _says(text: str, spans: Sequence[CharSpan]) -> bool:
    """Whether the offsets are of this text."""
    return all(
        span.surface is None or text[span.start : span.end].split() == span.surface.split()
        for span in spans
    )
