"""Who annotates the blocks: this process, or worker processes."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from copy import copy
from multiprocessing import connection, get_context, parent_process
from typing import Any, Protocol

from spacy.tokens import Doc

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.forms import Form
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.rows import BadRow, Block, Row, left_to_do
from spacy_finegrained_ner.annotate.texts import Failure
from spacy_finegrained_ner.annotate.work import Counts, Part
from spacy_finegrained_ner.errors import UserError

ATTEMPTS = 3
"""How often a block is tried that ends the process that it is given to."""


class BlockAnnotator:
    """From blocks to parts of the output, one after the other. It can be pickled."""

    def __init__(self, annotator: Annotator, form: Form) -> None:
        self.annotator = annotator
        self.form = form
        self._cut = self._uncovered = 0

    def __call__(self, block: Block) -> Part:
        return self.part(block, self.submit(block).result())

    def submit(self, block: Block) -> Future[list[Any]]:
        """The next block. What comes of it is to be given to `part`."""
        rows = [row for row in block.rows if isinstance(row, Row)]
        return self.annotator.submit([row.text for row in rows], self._take)

    def _take(self, doc: Doc, component: Any) -> tuple[Any, int, int, int]:
        taken = self.form.take(doc, component)
        cut = getattr(component, "cut_tokens", 0)
        found = len(component.read(doc).entities)
        return taken, found, cut, getattr(component, "uncovered_tokens", 0)

    def part(self, block: Block, results: list[Any]) -> Part:
        given = iter(results)
        counts = Counts(rows=len(block.rows))
        done: list[tuple[Row, Any]] = []
        bad: list[BadRow] = []
        cut, uncovered = self._cut, self._uncovered
        for row in block.rows:
            if isinstance(row, BadRow):
                bad.append(row)
                continue
            result = next(given)
            if isinstance(result, Failure):
                shown = str(row.columns)[:200].encode("utf-8", "replace").decode()
                bad.append(BadRow(row.file, row.number, result.reason, shown))
            else:
                taken, found, now_cut, now_uncovered = result
                done.append((row, taken))
                counts.entities += found
                # They count on from text to text, and texts are not annotated in this order
                cut, uncovered = max(cut, now_cut), max(uncovered, now_uncovered)
        counts.texts, counts.bad = len(done), len(bad)
        counts.cut, counts.uncovered = cut - self._cut, uncovered - self._uncovered
        self._cut, self._uncovered = cut, uncovered
        aside = [
            {"file": one.file, "row": one.number, "reason": one.reason, "found": one.found}
            for one in bad
        ]
        data = self.form.part(done, block.schema)
        return Part(block.number, block.digest(), data, counts, aside, block.position)


class Engine(Protocol):
    """Annotates what is left to do.

    finished: the digests of finished blocks, see `rows.left_to_do`. RETURNS: the parts of the
    other blocks, in any order.
    """

    def __call__(
        self, worker: BlockAnnotator, inputs: Inputs, finished: dict[int, str]
    ) -> Iterator[Part]: ...


def in_process(worker: BlockAnnotator, inputs: Inputs, finished: dict[int, str]) -> Iterator[Part]:
    """Reads and writes while the pipeline, in its thread, is at work."""
    at_work: tuple[Block, Future[list[Any]]] | None = None
    broken: UserError | None = None
    todo = left_to_do(inputs.blocks(), finished)
    while True:
        try:
            block = next(todo, None)
        except UserError as error:  # of the reader: what is at work is whole, and is kept
            block, broken = None, error
        done = at_work and (at_work[0], at_work[1].result())
        at_work = None if block is None else (block, worker.submit(block))
        if done:
            yield worker.part(*done)
        if block is None:
            break
    if broken:
        raise broken


_worker: BlockAnnotator | None = None


def _begin(worker: BlockAnnotator) -> None:
    global _worker
    _worker = worker
    end_with_parent()


def end_with_parent() -> None:
    """In a new process: where its parent is killed, nobody would tell it."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _annotate(block: Block) -> Part:
    assert _worker is not None
    return _worker(block)


def in_workers(
    worker: BlockAnnotator, inputs: Inputs, finished: dict[int, str], *, workers: int
) -> Iterator[Part]:
    """In new processes, in the order in which they are done. Where one of them dies, all are
    replaced, and what they were at is done again, block by block, to find the one that did it.

    Raises a `UserError` for a block that ends a process `ATTEMPTS` times.
    """
    share_cores(worker, workers)
    todo, suspects = left_to_do(inputs.blocks(), finished), deque[Block]()
    running: dict[Future[Part], Block] = {}
    broken: list[UserError] = []
    deaths = 0

    def following() -> Block | None:
        try:
            return None if broken else next(todo, None)
        except UserError as error:  # of the reader: what is at work is whole, and is kept
            broken.append(error)
            return None

    pool = _pool(worker, workers)
    try:
        while True:
            alone = bool(suspects)
            try:
                while len(running) < (1 if alone else 2 * workers):
                    block = suspects[0] if alone else following()
                    if block is None:
                        break
                    try:
                        running[pool.submit(_annotate, block)] = block
                    except BrokenProcessPool:
                        suspects.extend([] if alone else [block])
                        raise
                if not running:
                    if broken:
                        raise broken[0]
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    part = future.result()
                    del running[future]
                    if alone:
                        suspects.popleft()
                        deaths = 0
                    yield part
            except BrokenProcessPool:
                if alone:
                    deaths += 1
                    _check_deaths(deaths, suspects[0])
                else:
                    suspects.extend(sorted(running.values(), key=lambda block: block.number))
                running.clear()
                pool.shutdown(cancel_futures=True)
                pool = _pool(worker, workers)
    finally:
        pool.shutdown(cancel_futures=True)


def _check_deaths(deaths: int, block: Block) -> None:
    if deaths == ATTEMPTS:
        first, last = block.rows[0], block.rows[-1]
        raise UserError(
            f"A worker process died {ATTEMPTS} times at the texts from {first.file}, row "
            f"{first.number}, to {last.file}, row {last.number}: perhaps memory was short. What is "
            "finished is kept; try fewer --workers, or without those texts."
        )


def _pool(worker: BlockAnnotator, workers: int) -> ProcessPoolExecutor:
    # Of the tokenizers library, which takes a thread for each core
    os.environ.setdefault("RAYON_NUM_THREADS", str(worker.annotator.threads))
    context = get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(worker,))


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores(worker: BlockAnnotator, workers: int) -> None:
    """Each of the workers gets as many threads, unless it is said how many."""
    if worker.annotator.threads is None:
        worker.annotator = copy(worker.annotator)
        worker.annotator.threads = max(1, cores() // workers)
