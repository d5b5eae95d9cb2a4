"""The Annotator: a pipeline as a function from texts to entities, for one process or a cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spacy.language import Language

from spacy_finegrained_ner.annotate import kinds
from spacy_finegrained_ner.annotate.loading import load, run_on
from spacy_finegrained_ner.annotate.owner import Owner
from spacy_finegrained_ner.annotate.records import Record, entity_records
from spacy_finegrained_ner.annotate.texts import Failure, Take, Text

if TYPE_CHECKING:
    import pyarrow


class Annotator:
    """Gives texts their entities, and anything that holds texts a column of them.

    It is made of settings alone, and can be pickled: the pipeline is loaded with the first text,
    once in a process, by a thread that alone works with it (in spaCy's memory zones, so that its
    memory does not grow with the texts). Any number of threads may call an Annotator; what waits
    is put into one batch.

    model: name of a package, folder of a pipeline, or a pipeline (which then nobody else may use
        at the same time).
    text_column, entities_column: their names in a table.
    gpu_id: of the GPU, -1 for the CPU. threads: of torch on the CPU, None for as many as torch
        likes. code: a Python file with parts of the pipeline, as `spacy train --code` takes it.
    errors: what becomes of a text that the pipeline fails at, such as one that is longer than
        `nlp.max_length`. "raise": a ValueError that names it. "null": its entities are None, as
        are those of a text that is missing (None, NaN).
    """

    _owner: Owner | None
    _lock: threading.Lock

    def __init__(
        self,
        model: str | Path | Language,
        *,
        text_column: str = "text",
        entities_column: str = "entities",
        gpu_id: int = -1,
        threads: int | None = None,
        code: str | Path | None = None,
        errors: Literal["raise", "null"] = "raise",
    ) -> None:
        if errors not in ("raise", "null"):
            raise ValueError(f"errors is {errors!r}, expected 'raise' or 'null'.")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, expected a number from 1 on, or None.")
        self.model = model
        self.text_column = text_column
        self.entities_column = entities_column
        self.gpu_id = gpu_id
        self.threads = threads
        self.code = code
        self.errors = errors
        self._at_rest()

    def __call__(self, data: Any) -> Any:
        """The same kind again with a column of entities, each a dict (`records.entity_records`).

        data: a pandas DataFrame, a pyarrow Table or RecordBatch, a mapping from columns to values;
            a list of texts, of which it makes a list of rows; or an iterator of any of these, of
            which it makes another that reads as it is read.

        Raises a TypeError for what is none of them or a text that is no text, and a ValueError
        where there is no such column, or as `errors` says.
        """
        if isinstance(data, Iterator):
            return map(self, data)
        texts = kinds.texts_of(data, self.text_column)
        found = self.entities(texts)
        return kinds.with_entities(data, texts, found, self.text_column, self.entities_column)

    def entities(self, texts: Sequence[Any]) -> kinds.Found:
        """The entities of each text; None for a text that is missing, and for what failed where
        `errors` says so."""
        there = [i for i, text in enumerate(texts) if not kinds.is_missing(text)]
        for i in there:
            if not isinstance(texts[i], str):
                raise TypeError(f"Text {i} is {texts[i]!r:.100}, expected a str, or None.")
        found: kinds.Found = [None] * len(texts)
        if not there:  # such as an empty frame, by which Dask asks for the columns
            return found
        for i, result in zip(there, self.submit([texts[i] for i in there]).result(), strict=True):
            if not isinstance(result, Failure):
                found[i] = result
            elif self.errors == "raise":
                raise ValueError(
                    f"The pipeline fails at text {i}, {texts[i][:60]!r}: {result.reason} (With "
                    "errors='null' its entities are None.)"
                )
        return found

    def submit(
        self, texts: Sequence[Text], take: Take = entity_records
    ) -> Future[list[list[Record] | Failure]]:
        """The same for who does not wait: a future of what `take(doc, component)` gives for each
        text, which stands for its place in the queue, or a `texts.Failure`."""
        with self._lock:
            # A fork has none of the threads
            if self._owner is None or self._owner.process != os.getpid():
                load = partial(_loaded, self.model, self.gpu_id, self.threads, self.code)
                self._owner = Owner(load)
            return self._owner.submit(texts, take)

    def schema(self, columns: pyarrow.Schema | None = None) -> pyarrow.Schema:
        """What comes out, in Arrow: the columns that go in, and the entities."""
        import pyarrow as pa

        columns = pa.schema([(self.text_column, pa.string())]) if columns is None else columns
        return columns.append(pa.field(self.entities_column, kinds.entities_type()))

    def close(self) -> None:
        """Give up the thread and, unless it was given, the pipeline. A later text loads it anew."""
        with self._lock:
            if self._owner is not None:
                self._owner.close()
            self._owner = None

    def __enter__(self) -> Annotator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._at_rest()

    def _at_rest(self) -> None:
        self._owner = None
        self._lock = threading.Lock()


def _loaded(model: Any, gpu_id: int, threads: int | None, code: Any) -> Language:
    run_on(gpu_id, threads)
    return model if isinstance(model, Language) else load(model, code)
