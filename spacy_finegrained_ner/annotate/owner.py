"""The one thread that works with a pipeline."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.annotate.memory import give_back, resident
from spacy_finegrained_ner.annotate.texts import Take, Text, annotate

AT_ONCE = 512
"""Texts of jobs that wait are taken together up to that many."""
UNTIL_GIVEN_BACK = 1000
"""Texts, after which freed memory is given back. It costs some percent of the time, as most of it
is asked for again; but after more texts a process grows all the same."""
SMALL, MOST_GROWN = AT_ONCE // 2, 1.2
"""Or after a batch of fewer texts, where the process is so many times as large as when memory was
given back: many small batches, each of another shape, leave more behind them than few large ones.
"""


@dataclass
class Job:
    texts: Sequence[Text]
    take: Take
    future: Future[list[Any]] = field(default_factory=Future)


class Owner:
    """A thread that loads a pipeline and alone works with it: spaCy's memory zones are not for two
    threads (E018), and texts of many callers are quicker in one batch.

    load: makes the pipeline, in the thread, when there is a first job. Where it fails, the job
    fails, and the next one tries again.
    """

    def __init__(self, load: Callable[[], Language]) -> None:
        self.process = os.getpid()
        self._load = load
        self._nlp: Language | None = None
        self._texts = 0  # since memory was given back
        self._held = 0  # bytes, then
        self._jobs: deque[Job] = deque()
        self._thread = ThreadPoolExecutor(1, "annotator")

    def submit(self, texts: Sequence[Text], take: Take) -> Future[list[Any]]:
        """What `take(doc, component)` gives for each text, or a `texts.Failure`. A future that is
        cancelled before its turn costs nothing."""
        job = Job(texts, take)
        self._jobs.append(job)
        self._thread.submit(self._work)
        return job.future

    def close(self) -> None:
        """End the thread, after the jobs that wait."""
        self._thread.shutdown()

    def _work(self) -> None:
        """Of what waits, as much as fits into a batch: perhaps nothing, as this is called for each
        job."""
        jobs: list[Job] = []
        count = 0
        while self._jobs and (not jobs or count + len(self._jobs[0].texts) <= AT_ONCE):
            job = self._jobs.popleft()
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
                count += len(job.texts)
        if not jobs:
            return
        try:
            self._nlp = self._nlp or self._load()
            results = _annotate(self._nlp, jobs)
        except BaseException as error:  # of whatever kind: somebody waits for an answer
            for job in jobs:
                job.future.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.future.set_result(result)
        self._texts += count
        grown = count < SMALL and resident() > MOST_GROWN * self._held
        if grown or self._texts >= UNTIL_GIVEN_BACK:
            give_back()
            self._texts, self._held = 0, resident()


def _annotate(nlp: Language, jobs: list[Job]) -> list[list[Any]]:
    """All jobs as one batch."""
    texts = [text for job in jobs for text in job.texts]
    takes = [job.take for job in jobs for _ in job.texts]
    found = iter(annotate(nlp, texts, takes))
    return [list(islice(found, len(job.texts))) for job in jobs]
