"""Texts by their words: a full-text index in a file of SQLite."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path

from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.rows import BadRow
from study.plan.stages import StudyError

MOST = 1_000_000
"""Texts of an index."""
LONGEST = 40
"""Words of a text: what is behind them is left out."""
RAREST = 8
"""Words of a text that others are sought by."""
FREQUENT = 0.01
"""A word that this share of the texts has is not sought: it says little, and takes long."""

_WORD = re.compile(r"[^\W_]+")


class TextIndex:
    """The texts of a file, the most similar ones first, by BM25.

    It is made once, and what was sought is kept in it: what it depends on is in its name.
    """

    def __init__(self, texts: Path, folder: Path) -> None:
        """texts: a text on each line, or behind the last tab of it; may be packed. folder: of the
        index.

        Raises a UserError or StudyError for what can't be read, or has no texts.
        """
        with texts.open("rb") as file:
            content = file_digest(file, "sha256").hexdigest()
        asked = f"{content} {MOST} {LONGEST} {RAREST} {FREQUENT}"
        digest = sha256(asked.encode()).hexdigest()[:12]
        path = folder / f"texts-{digest}.sqlite3"
        if not path.exists():
            _write(texts, path)
        self._db = sqlite3.connect(path)
        (size,) = self._db.execute("SELECT count(*) FROM texts").fetchone()
        self._most = max(1, int(FREQUENT * size))
        self._texts_with = lru_cache(1 << 20)(self._count)

    def similar(self, words: Sequence[str], count: int) -> list[list[str]]:
        """The words of the texts that are most similar to this one, `count` at most. None of them
        is the same text, but for case and punctuation."""
        own = _form(" ".join(words[:LONGEST]))
        key = own, count
        kept = self._db.execute("SELECT found FROM kept WHERE own = ? AND most = ?", key)
        if row := kept.fetchone():
            return [text.split() for text in json.loads(row[0])]
        found = self._search(own, count)
        self._db.execute("INSERT INTO kept VALUES (?, ?, ?)", (*key, json.dumps(found)))
        return [text.split() for text in found]

    def close(self) -> None:
        """What was sought is kept from then on."""
        self._db.commit()
        self._db.close()

    def _search(self, own: str, count: int) -> list[str]:
        counts = {word: self._texts_with(word) for word in own.split()}
        known = {word: n for word, n in counts.items() if 0 < n <= self._most}
        rarest = sorted(known, key=lambda word: (known[word], word))[:RAREST]
        if not rarest:
            return []
        # One more, as no text is there twice
        rows = self._db.execute(
            "SELECT text FROM texts WHERE texts MATCH ? ORDER BY rank, rowid LIMIT ?",
            (" OR ".join(f'"{word}"' for word in rarest), count + 1),
        )
        return [text for (text,) in rows if _form(text) != own][:count]

    def _count(self, word: str) -> int:
        """Texts with this word."""
        row = self._db.execute("SELECT doc FROM words WHERE term = ?", (word,)).fetchone()
        return row[0] if row else 0


def _write(texts: Path, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as db:
        try:
            db.execute(
                "CREATE VIRTUAL TABLE texts USING fts5"
                "(text, tokenize = 'unicode61 remove_diacritics 0')"
            )
        except sqlite3.OperationalError as error:
            raise StudyError(
                f"The SQLite of this Python can't make a full-text index ({error}). Expected one "
                "with FTS5, as Pythons of python.org have it."
            ) from None
        db.execute(
            "CREATE TABLE kept (own TEXT, most INTEGER, found TEXT, PRIMARY KEY (own, most))"
        )
        db.execute("CREATE VIRTUAL TABLE words USING fts5vocab(texts, row)")
        rows = db.executemany("INSERT INTO texts VALUES (?)", islice(_distinct(texts), MOST))
        db.execute("INSERT INTO texts(texts) VALUES ('optimize')")
        db.commit()
        if rows.rowcount < 1:
            raise StudyError(f"{texts}: found no texts, expected one on each line.")
    os.replace(part, path)


def _distinct(texts: Path) -> Iterator[tuple[str]]:
    seen = set()
    for block in Inputs([str(texts)], form="text").blocks():
        for row in block.rows:
            if isinstance(row, BadRow):
                raise StudyError(
                    f"{texts}:{row.number}: {row.reason}. Expected a text in UTF-8 on each line."
                )
            assert isinstance(row.text, str)
            words = row.text.rpartition("\t")[2].split()[:LONGEST]
            text = " ".join(words)
            form = hash(_form(text))
            if words and form not in seen:
                seen.add(form)
                yield (text,)


def _form(text: str) -> str:
    """As the index cuts a text into words, and compares them."""
    return " ".join(_WORD.findall(text.lower()))
