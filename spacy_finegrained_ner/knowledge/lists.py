"""Lists of names as people have them: TSV, CSV, JSONL, spaCy patterns, SPARQL results, text."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import re
import tomllib
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK

LONGEST_LINE = 1 << 20
"""Bytes. A longer one is left out, and never held as a whole."""
_LONGEST_FIELD = 1 << 17
"""Characters of a field in a .csv: of a longer one a quote was likely never closed."""
_OPEN: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_FORMS = ".tsv, .csv, .jsonl or .txt, each also .gz, .xz or .bz2"
_NAME_COLUMNS = ("name", "itemlabel", "label", "text", "term")
_TOPIC_COLUMNS = ("topic", "type", "classlabel", "typelabel", "class", "category")
_ALIAS_COLUMNS = ("aliases", "itemaltlabel", "altlabels")
_SOURCE_COLUMNS = ("sources", "source")
_HEADERS = (["name", "topic"], ["name", "type"])
_WIKIDATA = re.compile(r"(https?://www\.wikidata\.org/entity/)?[QPL]\d+")
_PLAIN_KEYS = {"ORTH", "TEXT", "LOWER", "NORM"}
"""Of a token pattern that spells a word."""

SKIPPED = {
    "too_long_line": f"lines are longer than {LONGEST_LINE:,} bytes",
    "pattern": "patterns have more than words",
    "no_label": "items have no label in this language",
}
"""Why something of a list is left out, beside what the builder leaves out."""


class Entry(NamedTuple):
    """A name of a list. sources: none where the list does not say."""

    name: str
    topic: str
    sources: list[str]


def read_list(
    path: Path, topic: str | None, encoding: str, skipped: Counter[str]
) -> Iterator[Entry]:
    """The entries of a file. Its form is told by its name.

    topic: of names that have none. skipped: what is left out is counted here, by the keys of
    SKIPPED.

    Raises a UserError that names file and line.
    """
    endings = [ending.lower() for ending in path.suffixes]
    packed = _OPEN.get(endings[-1]) if endings else None
    form = (endings[:-1] if packed else endings)[-1:]
    reader = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl, ".txt": _text}.get("".join(form))
    if reader is None:
        raise UserError(f"{path}: what this is can't be told from its name, expected {_FORMS}.")
    try:
        with (packed or open)(path, "rb") as file:
            yield from reader(path, topic, _lines(path, file, encoding, skipped), skipped)
    except (lzma.LZMAError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} can't be unpacked: {error}. Expected a whole file.") from None
    except OSError as error:  # that of bz2 for damage names no file
        if error.errno is not None:
            raise
        raise UserError(f"{path} can't be unpacked: {error}. Expected a whole file.") from None


def _lines(
    path: Path, file: Any, encoding: str, skipped: Counter[str]
) -> Iterator[tuple[int, str]]:
    head = file.peek(4096)[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise UserError(
            f"{path} begins with {head[:8]!r}: it is binary, or UTF-16. Expected text in "
            f"{encoding}: save it as UTF-8."
        )
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            skipped["too_long_line"] += 1
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            continue
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}:{number}: {line[max(0, error.start - 20) : error.end + 20]!r} is no "
                f"{encoding}. Expected UTF-8; or say what it is: --encoding cp1252"
            ) from None
        if "\0" in text:
            raise UserError(f"{path}:{number}: found a character of value 0: it is no text.")
        text = text.rstrip("\r\n").replace(BYTE_ORDER_MARK, "")
        if "\r" in text:
            raise UserError(
                f"{path}:{number}: found a carriage return within a line, {text[:80]!r}. Expected "
                "lines that end with a line feed: save it with Unix or Windows line ends."
            )
        yield number, text


Lines = Iterator[tuple[int, str]]


def _text(path: Path, topic: str | None, lines: Lines, skipped: Counter[str]) -> Iterator[Entry]:
    """A name on each line."""
    if topic is None:
        raise UserError(f"{path} has names alone: say of what topic they are, --topic TOPIC")
    for _, line in lines:
        if line.strip():
            yield Entry(line.strip(), topic, [])


def _tsv(path: Path, topic: str | None, lines: Lines, skipped: Counter[str]) -> Iterator[Entry]:
    """name, topic, sources with commas between; the latter two if there are any."""
    for number, line in lines:
        if not line.strip():
            continue
        name, *others = (part.strip() for part in line.split("\t"))
        if number == 1 and [name.lower(), *(x.lower() for x in others[:1])] in _HEADERS:
            continue
        found = (others[0] if others else None) or topic
        if (found is None and not others) or len(others) > 2:
            raise UserError(
                f"{path}:{number}: found {line[:80]!r}, expected a name, a tab and its topic (and "
                "a tab and its sources, with commas between); or --topic for all."
            )
        sources = others[1].split(",") if len(others) > 1 else []
        yield Entry(name, found or "", [source.strip() for source in sources if source.strip()])


def _csv(path: Path, topic: str | None, lines: Lines, skipped: Counter[str]) -> Iterator[Entry]:
    """With a header, such as that of a SPARQL result: item, itemLabel, classLabel."""
    last, began = [0], 1
    csv.field_size_limit(_LONGEST_FIELD)  # of the process: another reader may have set its own

    def rows() -> Iterator[str]:
        for number, line in lines:
            last[0] = number
            yield line + "\n"

    try:
        # Not strict, a quote that is never closed would swallow all that follows
        reader = csv.DictReader(rows(), restkey="", strict=True)
        columns = {column.strip().lower(): column for column in reader.fieldnames or ()}
        began = last[0] + 1

        def find(names: tuple[str, ...]) -> str | None:
            return next((columns[name] for name in names if name in columns), None)

        name, about = find(_NAME_COLUMNS), find(_TOPIC_COLUMNS)
        aliases, source = find(_ALIAS_COLUMNS), find(_SOURCE_COLUMNS)
        if name is None or (about is None and topic is None):
            raise UserError(
                f"{path}:1: the columns are {list(columns.values())[:8]}, expected one of names "
                f"(one of {_NAME_COLUMNS}) and one of topics ({_TOPIC_COLUMNS}), or --topic."
            )
        for row in reader:
            began = last[0] + 1
            found = (row.get(about) or "").strip() if about else ""
            found = found or topic or ""
            sources = [one.strip() for one in (row.get(source) or "").split(",") if one.strip()]
            several = (row.get(aliases) or "") if aliases else ""
            others = several.split("|" if "|" in several else ",") if several else []
            for one in [row.get(name) or "", *others]:
                # Wikidata's service gives an item without a label its number in place of one
                if name == columns.get("itemlabel") and _WIKIDATA.fullmatch(one.strip()):
                    skipped["no_label"] += 1
                elif one.strip() or one is row.get(name):
                    yield Entry(one.strip(), found, sources)
    except csv.Error as error:
        raise UserError(
            f"{path}:{began}: {error} (read up to line {last[0]}). Expected CSV: a field that "
            "begins with a quote ends with one, and quotes in it are doubled."
        ) from None


def _jsonl(path: Path, topic: str | None, lines: Lines, skipped: Counter[str]) -> Iterator[Entry]:
    """{"name": ..., "topic": ..., "sources": [...], "aliases": [...]}, or spaCy's patterns."""
    for number, line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{number}: {error}: {line[:80]!r}. Expected JSON.") from None
        found = row if isinstance(row, Mapping) else {}
        pattern = found.get("pattern")
        about = found.get("label", topic) if pattern is not None else found.get("topic", topic)
        about = about or topic or about
        names = [found.get("name"), *_texts(found.get("aliases", []))]
        if isinstance(pattern, list):
            words = [_spelled(token) for token in pattern]
            if not words or None in words:
                skipped["pattern"] += 1
                continue
            names = [" ".join(word for word in words if word)]
        elif pattern is not None:
            names = [pattern]
        if not isinstance(about, str) or not all(isinstance(name, str) for name in names):
            raise UserError(
                f'{path}:{number}: found {line[:80]!r}, expected {{"name": ..., "topic": ...}} or '
                'a pattern of spaCy, {"label": ..., "pattern": ...}.'
            )
        for name in [names[0], *filter(None, names[1:])]:
            yield Entry(name.strip(), about.strip(), _texts(found.get("sources", [])))


def _spelled(token: Any) -> str | None:
    """The word of a token pattern, if it says nothing else."""
    if not isinstance(token, Mapping) or len(token) != 1:
        return None
    ((key, value),) = token.items()
    return value if key in _PLAIN_KEYS and isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value
    return [one for one in values if isinstance(one, str)] if isinstance(values, list) else []


def read_topics(path: Path) -> dict[str, list[str]]:
    """A TOML file with the types of each topic, the likeliest first: actor = ["Artist"]; alone, or
    in a table [topics]. A UserError that names the file."""
    found = _toml(path)
    # A topic may be called "topics"
    table = found["topics"] if isinstance(found.get("topics"), dict) else found
    topics: dict[str, list[str]] = {}
    for topic, types in table.items():
        several = [types] if isinstance(types, str) else types
        if not (isinstance(several, list) and all(isinstance(one, str) for one in several)):
            raise UserError(
                f"{path}: the topic {topic!r} has {types!r}, expected a list of types, the "
                'likeliest first: ["Artist"]; [] for none.'
            )
        topics[topic] = several
    return topics


def read_sources(path: Path) -> dict[str, dict[str, str]]:
    """A TOML file with a table for each source: license, and name, url and attribution if there are
    any; or source = "license". A UserError that names the file."""
    known = {"name", "license", "url", "attribution"}
    sources: dict[str, dict[str, str]] = {}
    for source, facts in _toml(path).items():
        table = {"license": facts} if isinstance(facts, str) else facts
        if (
            not isinstance(table, dict)
            or not table.keys() <= known
            or not all(isinstance(value, str) for value in table.values())
        ):
            raise UserError(
                f"{path}: the source {source!r} has {table!r}, expected texts under some of "
                f"{sorted(known)}."
            )
        sources[source] = table
    return sources


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8").replace(BYTE_ORDER_MARK, ""))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no TOML file: {error}") from None
