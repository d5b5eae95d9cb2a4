"""Answers on disk, so that nothing is asked twice: after a stop, or by the next pipeline.

SQLite, of the standard library: each answer is written whole or not at all, be the process killed
in the middle; several processes may use one file; and nothing in it is code, as pickles would be.
"""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spacy_finegrained_ner.baselines.llm.answers import Reply
from spacy_finegrained_ner.baselines.llm.failures import CannotGoOn
from spacy_finegrained_ner.errors import UserError

FILE = "answers.sqlite3"
_PATIENCE = 30.0
"""Seconds to wait for another process that is writing."""


def key_of(url: str, body: Mapping[str, Any]) -> str:
    """Of all that the answer depends on: where it is asked, and the whole request."""
    text = json.dumps([url, body], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Cache:
    """Replies by key, in a folder; None: in memory, for as long as this is there.

    To be used by one thread at a time. Raises `CannotGoOn` where the folder can't be used.
    """

    def __init__(self, folder: Path | None) -> None:
        self._where = ":memory:" if folder is None else str(folder / FILE)
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it tells of the texts
            self._db = sqlite3.connect(self._where, timeout=_PATIENCE, check_same_thread=False)
            # An answer survives the end of the process at once; that of the machine, after a while
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, reply TEXT NOT NULL)"
            )
            self._db.commit()
        except (OSError, sqlite3.Error) as error:
            raise _unusable(folder, error) from None

    def get(self, key: str) -> Reply | None:
        try:
            found = self._db.execute("SELECT reply FROM answers WHERE key = ?", (key,)).fetchone()
            return None if found is None else Reply.model_validate_json(found[0])
        except (sqlite3.Error, ValidationError) as error:
            raise _unusable(self._where, error) from None

    def put(self, key: str, reply: Reply) -> None:
        """Once this returns, the reply outlives the process."""
        try:
            with self._db:
                self._db.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, reply.model_dump_json())
                )
        except sqlite3.Error as error:
            raise _unusable(self._where, error) from None

    def close(self) -> None:
        self._db.close()


def size_of(folder: Path) -> tuple[int, int]:
    """How many answers, and bytes. Raises a `UserError` where there is no cache."""
    file = folder / FILE
    if not file.is_file():
        raise UserError(f"{folder}: there is no cache of finegrained_llm (no {FILE}).")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as db:
            (answers,) = db.execute("SELECT count(*) FROM answers").fetchone()
            size = sum(path.stat().st_size for path in _files(folder))
    except sqlite3.Error as error:
        raise _unusable(folder, error) from None
    return answers, size


def delete(folder: Path) -> None:
    """The answers, and the folder, if nothing else is in it."""
    for path in _files(folder):
        path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _files(folder: Path) -> list[Path]:
    """The database, and what SQLite has beside it while it is in use, or after a kill."""
    paths = (folder / f"{FILE}{end}" for end in ("", "-wal", "-shm", "-journal"))
    return [path for path in paths if path.exists()]


def _unusable(where: object, error: Exception) -> CannotGoOn:
    return CannotGoOn(
        f"{where}: can't be used as a cache of answers: {error}. Expected a folder that can be "
        "written to; delete what is in it to begin anew, or give another one, or null for none."
    )
