"""Records to gold Docs. What does not fit is counted, and what is doubtful is not known: no
entity is moved to token boundaries, and none becomes O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.forms.record import (
    ACROSS,
    KEPT_ACROSS,
    MISALIGNED,
    NO_LABEL,
    NO_PLACE,
    OTHER_TEXT,
    OVERLAP,
    TRIMMED,
    TWICE,
    TWO_LABELS,
    UTF16,
    Account,
    CharSpan,
    FormError,
    Record,
)
from spacy_finegrained_ner.labels.schemes import ILLEGAL, spans_of_tags

_SPACE = re.compile(r"\s")
Tokenize = Callable[[str], Doc]
Known = tuple[int, int, str]
"""An entity by characters that are in the text, without whitespace at its ends."""


def docs_of(
    records: Sequence[Record], vocab: Vocab, tokenize: Tokenize, scheme: str, account: Account
) -> list[Doc]:
    """A gold Doc for each record. tokenize: for texts without tokens. scheme: of tags."""
    docs = []
    for before, record in zip([None, *records], records, strict=False):
        if record.doc is not None:
            _look_for_sentences(record, account)
            docs.append(record.doc)
        elif record.tags is not None:
            docs.append(_of_tags(record, before, vocab, scheme, account))
        else:
            docs.append(_of_spans(record, vocab, tokenize, account))
    return docs


def _look_for_sentences(record: Record, account: Account) -> None:
    doc = record.doc
    if doc is None or not doc.has_annotation("SENT_START"):
        return
    for ent in doc.ents:
        if any(doc[i].is_sent_start for i in range(ent.start + 1, ent.end)):
            account.add(KEPT_ACROSS, record.place, _shown(ent.text, ent.label_))


def _of_tags(
    record: Record, before: Record | None, vocab: Vocab, scheme: str, account: Account
) -> Doc:
    """Where spaces are is not known, and the Doc says so (`has_unknown_spaces`)."""
    tags = record.tags or ()
    found = spans_of_tags(tags, scheme)
    for i, kind, message in found.problems:
        if kind == ILLEGAL and i == 0 and before is not None and before.tags:
            last = before.tags[-1]
            if last[:2] in ("B-", "I-") and last[2:] == tags[0][2:]:
                kind, message = ACROSS, f"{tags[0]!r} goes on from {last!r}"
        account.add(kind, record.at(i), f"{message} (word {record.words[i]!r})")
    iob = ["O"] * len(tags)
    for start, end, label in found.entities:
        iob[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    for i in found.unknown:
        iob[i] = ""
    return Doc(vocab, words=list(record.words), ents=iob)


def _of_spans(record: Record, vocab: Vocab, tokenize: Tokenize, account: Account) -> Doc:
    try:
        doc = tokenize(record.text) if record.tokens is None else _of_tokens(record, vocab)
    except ValueError as error:  # longer than nlp.max_length
        raise FormError(f"{record.place}: {error}") from None
    starts = np.array([token.idx for token in doc], dtype=np.int64)
    ends = starts + np.array([len(token) for token in doc], dtype=np.int64)
    unknown = np.zeros(len(doc), dtype=bool)
    known = record.rest_known

    def doubt(start: int, end: int) -> None:
        unknown[(starts < end) & (ends > start)] = True

    for start, end in record.unknown:
        doubt(start, end)
    aligned: dict[tuple[int, int], dict[str, None]] = {}
    for span in _in_characters(record, account):
        placed, kind = _placed(record, span, account)
        if placed is None:
            if kind == NO_PLACE or span.start is None or span.end is None:
                known = False
            else:
                doubt(span.start, span.end)
            continue
        start, end, label = placed
        first, last = np.searchsorted(starts, start), np.searchsorted(ends, end)
        if not (
            first < len(doc) and last < len(doc) and starts[first] == start and ends[last] == end
        ):
            account.add(MISALIGNED, record.place, _what(record, *placed))
            doubt(start, end)
            continue
        labels = aligned.setdefault((int(first), int(last) + 1), {})
        if label in labels:
            account.add(TWICE, record.place, _what(record, *placed))
        labels[label] = None
    ents = _without_overlaps(record, doc, aligned, unknown, account)
    for ent in ents:
        unknown[ent.start : ent.end] = False
    default = "outside" if known else "missing"
    doc.set_ents(ents, missing=_runs(doc, unknown), default=default)
    return doc


def _of_tokens(record: Record, vocab: Vocab) -> Doc:
    """Whitespace that is no token becomes one, but for the blank behind a token."""
    words: list[str] = []
    spaces: list[bool] = []
    before = 0
    for start, end in [*(record.tokens or ()), (len(record.text), len(record.text))]:
        gap = record.text[before:start]
        if words and gap.startswith(" "):
            spaces[-1], gap = True, gap[1:]
        for word in (gap, record.text[start:end]):
            if word:
                words.append(word)
                spaces.append(False)
        before = end
    return Doc(vocab, words=words, spaces=spaces)


def _placed(record: Record, span: CharSpan, account: Account) -> tuple[Known | None, str]:
    """A span in characters of the text, or why it is none."""
    text = record.text
    start, end = span.start, span.end
    what = f"{start}:{end} ({span.label}) in a text of {len(text)} characters"
    if start is None or end is None:
        # Of other keys, or with a length in place of an end
        what = f"found start {start} and end {end} ({span.label}), expected two numbers"
    if start is None or end is None or start >= end or start >= len(text) or end <= 0:
        account.add(NO_PLACE, record.place, what)
        return None, NO_PLACE
    if start < 0 or end > len(text):
        account.add(MISALIGNED, record.place, what)
        return None, MISALIGNED
    if not span.label:
        account.add(NO_LABEL, record.place, _what(record, start, end, ""))
        return None, NO_LABEL
    if span.surface is not None and text[start:end].split() != span.surface.split():
        what = f"{_what(record, start, end, span.label)}, expected {span.surface[:40]!r}"
        account.add(OTHER_TEXT, record.place, what)
        return None, OTHER_TEXT
    piece = text[start:end]
    left, right = len(piece) - len(piece.lstrip()), len(piece) - len(piece.rstrip())
    if left == len(piece):
        account.add(NO_PLACE, record.place, f"{start}:{end} ({span.label}) is whitespace")
        return None, NO_PLACE
    if left or right:
        account.add(TRIMMED, record.place, _what(record, start, end, span.label))
    return (start + left, end - right, span.label), ""


def _in_characters(record: Record, account: Account) -> Sequence[CharSpan]:
    """The spans of a text. Some tools count characters beyond U+FFFF twice, as JavaScript does:
    those of a text are taken so where only then all of them are the texts that they say."""
    text = record.text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) == 2 * len(text) or all(_is_there(span, text) for span in record.spans):
        return record.spans

    def characters(at: int | None) -> int | None:
        return at if at is None or at < 0 else len(units[: 2 * at].decode("utf-16-le", "replace"))

    spans = [replace(x, start=characters(x.start), end=characters(x.end)) for x in record.spans]
    if not all(_is_there(span, text) for span in spans):
        return record.spans
    account.add(UTF16, record.place)
    return spans


def _is_there(span: CharSpan, text: str) -> bool:
    """Whether the text of a span, if it is given, is exactly where it says. Blanks may stand for
    other whitespace, such as line ends."""
    if span.surface is None or span.start is None or span.end is None:
        return True
    found = text[span.start : span.end]
    same = _SPACE.sub(" ", found) == _SPACE.sub(" ", span.surface)
    return same and len(found) == span.end - span.start


def _without_overlaps(
    record: Record,
    doc: Doc,
    aligned: dict[tuple[int, int], dict[str, None]],
    unknown: npt.NDArray[np.bool_],
    account: Account,
) -> list[Span]:
    """Of those that overlap the longest, and of them the first. unknown: gets the others."""
    taken = np.zeros(len(doc), dtype=bool)
    ents = []
    for (start, end), labels in sorted(aligned.items(), key=lambda x: (x[0][0] - x[0][1], x[0])):
        what = _shown(doc[start:end].text, " and ".join(labels))
        if taken[start:end].any():
            account.add(OVERLAP, record.place, what)
        elif len(labels) > 1:
            account.add(TWO_LABELS, record.place, what)
        else:
            taken[start:end] = True
            ents.append(Span(doc, start, end, next(iter(labels))))
            continue
        unknown[start:end] = True
    return ents


def _runs(doc: Doc, mask: npt.NDArray[np.bool_]) -> list[Span]:
    """The spans of consecutive tokens that are set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [doc[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _what(record: Record, start: int, end: int, label: str) -> str:
    return f"{_shown(record.text[start:end], label)} at {start}:{end}"


def _shown(text: str, label: str) -> str:
    return f"{text[:40]!r} ({label})"
