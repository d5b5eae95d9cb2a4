"""What every form is read to, and the account of what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from spacy.tokens import Doc

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.schemes import ILLEGAL, UNKNOWN_TAG


class FormError(UserError):
    """Data that can't be read. The message says the file, and where it can the line."""


@dataclass(frozen=True)
class CharSpan:
    """An entity by its characters: end is exclusive. Offsets that are no whole numbers are None.
    surface: its text as the file has it beside, to check the offsets by; None for none."""

    start: int | None
    end: int | None
    label: str
    surface: str | None = None


@dataclass(frozen=True)
class Record:
    """A labelled text. It has `tags` with `words`, or `spans` with a `text`, or is a `doc`.

    place: file and line, or file and number of the text. line: of the first word, where each word
        has a line of its own.
    tokens: start and end of the tokens of `text`; None where it has to be tokenized.
    unknown: pieces of `text` of which nothing is known.
    rest_known: whether there are no entities but these.
    """

    place: str
    words: Sequence[str] = ()
    tags: Sequence[str] | None = None
    text: str = ""
    tokens: Sequence[tuple[int, int]] | None = None
    spans: Sequence[CharSpan] = ()
    unknown: Sequence[tuple[int, int]] = ()
    rest_known: bool = True
    line: int | None = None
    doc: Doc | None = None

    def at(self, token: int) -> str:
        """The place of a token."""
        if self.line is None:
            return self.place
        return f"{self.place.rpartition(':')[0]}:{self.line + token}"


# What may not fit, and what is made of it.
MISALIGNED = "off token boundaries"
OVERLAP = "overlap"
TWO_LABELS = "two labels for one span"
NO_PLACE = "no such place"
NO_LABEL = "no label"
OTHER_TEXT = "other text than it says"
DISCONTINUOUS = "discontinuous"
ACROSS = "across sentences"
UNMATCHED = "tokens and tags differ in number"
NO_TEXT = "no text"
NOT_ANNOTATED = "not annotated"
NOT_ACCEPTED = "rejected or ignored"
FURTHER = "annotated by others, too"
OTHER = "no entities"
TRIMMED = "whitespace at the ends"
TWICE = "twice the same"
UTF16 = "offsets in UTF-16"
MARKS = "byte order mark"
KEPT_ACROSS = "across sentences, kept"

LOSSES = {
    MISALIGNED: "their tokens are not known",
    OVERLAP: "the longer one is kept",
    TWO_LABELS: "its tokens are not known",
    NO_PLACE: "where the text has no other entity, it is not known",
    NO_LABEL: "its tokens are not known",
    OTHER_TEXT: "its tokens are not known",
    DISCONTINUOUS: "their tokens are not known",
    ACROSS: "the tokens in the later sentence are not known",
    ILLEGAL: "their tokens are not known",
    UNKNOWN_TAG: "their tokens are not known",
    UNMATCHED: "the text is left out",
    NO_TEXT: "left out",
    NOT_ANNOTATED: "the text is left out",
}
"""What is lost of the annotation, and what is done."""

NOTES = {
    NOT_ACCEPTED: "the text is left out",
    FURTHER: "only the first annotation is read",
    OTHER: "relations, attributes, classes and the like are left out",
    TRIMMED: "left out of the entity",
    TWICE: "one is kept",
    UTF16: "counted in characters",
    MARKS: "left out",
    KEPT_ACROSS: "kept",
}
"""What is changed or left out by right, and what is done."""


@dataclass
class Account:
    """What does not fit in the data, by kind: for each its place and what it is."""

    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, kind: str, place: str, what: str = "") -> None:
        self.found.setdefault(kind, []).append((place, what))

    @property
    def losses(self) -> dict[str, list[tuple[str, str]]]:
        return {kind: found for kind, found in self.found.items() if kind in LOSSES}

    def told(self) -> str:
        """The losses in a sentence, "" where there are none."""
        counts = (
            f"{len(found):,} x {kind} ({LOSSES[kind]}), the first at {found[0][0]}"
            for kind, found in self.losses.items()
        )
        return "; ".join(counts) + "." * bool(self.losses)


@dataclass(frozen=True)
class Options:
    """What can't be found in the data, or is found wrongly.

    scheme: of the tags, one of `labels.schemes.SCHEMES`. tag_column: of CoNLL its number (1 is the
    first, -1 the last), of other forms its name. tag_names: of tags that are numbers, in their
    order. encoding: of text files. None: what the data say.
    """

    scheme: str | None = None
    tag_column: str | int | None = None
    tag_names: Sequence[str] | None = None
    encoding: str | None = None
