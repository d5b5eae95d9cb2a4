"""The working folder beside an output: what is finished stays, whatever happens."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from spacy_finegrained_ner.annotate.forms import BAD, Form
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.whole import in_place_of, sync

MANIFEST, LOCK = "manifest.json", "lock"


@dataclass
class Counts:
    """rows: that were read. texts: of those, annotated. cut, uncovered: tokens that had no vector,
    see `cut_tokens` and `uncovered_tokens` of the component."""

    rows: int = 0
    texts: int = 0
    entities: int = 0
    bad: int = 0
    cut: int = 0
    uncovered: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{key: value + getattr(other, key) for key, value in asdict(self).items()})


@dataclass
class Part:
    """What came of a block. digest: of its rows. data: in the form of the output. bad: the rows
    that were set aside. position: see `rows.Block`."""

    number: int
    digest: str
    data: bytes
    counts: Counts
    bad: list[dict[str, Any]] = field(default_factory=list)
    position: int = 0


class Work:
    """A folder `<output>.parts` with a file for each finished block, and a record of it, which is
    written last: a block counts as finished with its record. While it is open nobody else may use
    it; the output, and `<output>.bad` with the rows that were set aside, appear whole.

    settings: what the output depends on, in plain values. restart: throw away what is there.

    Raises a `UserError` where what is there is of other settings, or in use; an OSError where the
    folder can't be made.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any], restart: bool = False) -> None:
        if output.exists() and not output.is_file() and not output.is_dir():
            raise UserError(f"{output} is a device or a pipe, expected a file to write.")
        # Behind a link lies what is to be replaced, not the link
        self.output = output = output.resolve()
        self.bad = output.with_name(output.name + BAD)
        self.folder = output.with_name(output.name + ".parts")
        if output.is_dir():
            raise UserError(f"{output} is a folder, expected a file to write.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.folder} is in use: another annotate writes there.") from None
        try:
            self._open(json.loads(json.dumps(settings)), restart)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, settings: dict[str, Any], restart: bool) -> None:
        manifest = self.folder / MANIFEST
        ours = manifest.exists()
        if not ours and [
            p for p in self.folder.iterdir() if p.name not in (LOCK, f"{MANIFEST}.new")
        ]:
            raise UserError(f"{self.folder} is there, and not of annotate. Give another --output.")
        # Where nothing was finished, perhaps as a setting was wrong, there is nothing to protect
        if ours and not restart and any(self._records()):
            try:
                before = json.loads(manifest.read_bytes())
            except ValueError:
                raise UserError(
                    f"{manifest} is damaged. Give --restart to throw away what is there, or "
                    "another --output."
                ) from None
            if other := [key for key in settings if before.get(key) != settings[key]]:
                what = "; ".join(
                    f"{key}: {before.get(key)!r}, now {settings[key]!r}" for key in other
                )
                raise UserError(
                    f"{self.folder} has what an earlier run has finished, with other settings "
                    f"({what}). Give --restart to throw it away, the same settings to go on with "
                    "it, or another --output."
                )
        elif ours:
            self._clear()
        write(manifest, json.dumps(settings).encode())
        self.finished: dict[int, str] = {}
        self.position = 0
        for path in self._records():
            record = json.loads(path.read_bytes())
            self.finished[int(path.stem)] = record["digest"]
            self.position = max(self.position, record["position"])

    def keep(self, part: Part) -> None:
        """A finished block. Raises a `UserError` where it can't be written, and is not there."""
        name = f"{part.number:09}"
        record = {
            "digest": part.digest,
            "counts": asdict(part.counts),
            "bad": part.bad,
            "position": part.position,
        }
        with self._writing():
            write(self.folder / f"{name}.part", part.data)
            write(self.folder / f"{name}.json", json.dumps(record).encode())
        self.finished[part.number] = part.digest

    def join(self, form: Form) -> Counts:
        """Make the output of all parts, and remove them. Raises a `UserError` where it can't be
        written; then it is not there."""
        whole, bad = self.folder / "whole", self.folder / "bad"
        try:
            with self._writing():
                return self._join(form, whole, bad)
        finally:
            whole.unlink(missing_ok=True)
            bad.unlink(missing_ok=True)

    def _join(self, form: Form, whole: Path, bad: Path) -> Counts:
        total = Counts()
        records = list(self._records())
        with bad.open("wb") as file:
            for path in records:
                record = json.loads(path.read_bytes())
                total += Counts(**record["counts"])
                file.writelines(json.dumps(one).encode() + b"\n" for one in record["bad"])
        form.join([path.with_suffix(".part") for path in records], whole)
        sync(whole)
        if total.bad:
            sync(bad)
            bad.replace(self.bad)
        else:
            self.bad.unlink(missing_ok=True)
        whole.replace(self.output)
        self._remove()
        return total

    def close(self) -> None:
        """Let others use the folder. What is finished stays there."""
        self._lock.release()

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                f"{self.output} can't be written: {error.strerror}. What is finished by now is "
                f"kept in {self.folder}: the same command goes on with it."
            ) from None

    def _records(self) -> Iterator[Path]:
        return iter(sorted(self.folder.glob("[0-9]*.json")))

    def _remove(self) -> None:
        # The manifest last: a folder without one is taken for somebody else's
        self._clear()
        (self.folder / MANIFEST).unlink()
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self) -> None:
        # Records first: what has one counts as finished, also where this is cut off
        for path in [*self._records(), *self.folder.iterdir()]:
            if path.name not in (LOCK, MANIFEST):
                path.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> None:
    """A file that is there as a whole or not at all, also after a power cut."""
    with in_place_of(path) as new:
        new.write_bytes(data)


def digest_of(files: Mapping[str, Path]) -> str:
    """Of the contents of files, by the names that they have."""
    found = hashlib.blake2b(digest_size=16)
    for name, path in sorted(files.items()):
        with path.open("rb") as file:
            found.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return found.hexdigest()
