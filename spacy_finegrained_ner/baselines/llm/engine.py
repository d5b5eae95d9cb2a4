"""Many requests at a time: bounded, with retries, a cache and a budget.

All of it happens on an event loop in a thread of its own: a limit of time holds wherever a server
hangs, and what is counted needs no locks. Any thread may ask, also from within a running loop, as
in a notebook.
"""

import asyncio
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any, cast
from weakref import finalize

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from spacy_finegrained_ner.baselines.llm.answers import Reply, read_answer
from spacy_finegrained_ner.baselines.llm.cache import key_of
from spacy_finegrained_ner.baselines.llm.client import ask
from spacy_finegrained_ner.baselines.llm.failures import (
    NO_CONNECTION,
    BudgetReached,
    CannotGoOn,
    Closed,
    NoAnswer,
)
from spacy_finegrained_ner.baselines.llm.loop import Loop
from spacy_finegrained_ner.baselines.llm.report import Report
from spacy_finegrained_ner.baselines.llm.settings import (
    Budget,
    Endpoint,
    Limits,
    Prices,
    read_key,
)

Body = dict[str, Any]
_GLANCE = 0.1
"""Seconds between two looks at whether a run that waits is over."""


class Engine:
    """Asks the endpoint of a component.

    cache: a folder; None to keep answers in memory. owner: the name of the component, for messages.

    A process that was forked from, or is spawned with, one that has an engine in use has none of
    its connections and counts.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits,
        budget: Budget,
        prices: Prices,
        cache: Path | None,
        owner: str,
    ) -> None:
        self._settings = (endpoint, limits, budget, prices, cache, owner)
        self.endpoint, self.limits, self.budget, self.owner = endpoint, limits, budget, owner
        self.cache = cache
        self.report = Report(prices)
        self._pid = os.getpid()
        self._lock = Lock()
        self._loop: Loop | None = None
        self._reached = False
        self._told = False

    def __reduce__(self) -> tuple[type["Engine"], tuple[Any, ...]]:
        if multiprocessing.context.get_spawning_popen() is not None:
            raise self._no_workers()
        return Engine, self._settings

    def __deepcopy__(self, memo: Any) -> "Engine":
        return Engine(*self._settings)

    def first_to_tell(self) -> bool:
        """Whether the user has not been told yet that texts leave: the caller does so now."""
        with self._lock:
            first, self._told = not self._told, True
            return first

    @property
    def told(self) -> bool:
        return self._told

    @contextmanager
    def run(self) -> Iterator["Run"]:
        """Around requests that belong together: once one of them can't go on, none is sent any
        more. Raises `CannotGoOn`, when all that was under way has been stored."""
        run = Run(self)
        try:
            yield run
        except CannotGoOn:
            wait(list(run.futures))
            raise
        finally:
            # Of what nobody waits for, nothing more is sent
            run.stopped = run.stopped or Closed("The run is over.")

    def loop(self) -> Loop:
        with self._lock:
            if self._pid != os.getpid():
                if multiprocessing.parent_process() is not None:
                    raise self._no_workers()
                self._pid, self._loop = os.getpid(), None  # forked by a server of its own
            if self._loop is None:
                direct = self.endpoint.is_local
                self._loop = Loop(self.limits.parallel, self.cache, direct=direct)
                finalize(self, self._loop.close)
            return self._loop

    def _no_workers(self) -> CannotGoOn:
        return CannotGoOn(
            f"'{self.owner}' was given to a worker process (nlp.pipe with n_process > 1), expected "
            "n_process = 1: each worker would have a budget and a report of its own. Requests are "
            f"parallel as it is: [components.{self.owner}.limits] parallel says how many."
        )

    async def answer(self, run: "Run", body: Body) -> Reply:
        """On the loop. In a run a body is asked once, also while its request is under way."""
        key = key_of(self.endpoint.url, body)
        task = run.asked.get(key)
        if task is not None:
            reply = await asyncio.shield(task)
            self.report.count(cached=1)
            return reply
        task = run.asked[key] = asyncio.ensure_future(self._answer(run, key, body))
        task.add_done_callback(lambda _: run.asked.pop(key, None))
        return await asyncio.shield(task)

    async def _answer(self, run: "Run", key: str, body: Body) -> Reply:
        try:
            return await self._from_cache_or_server(run, key, body)
        except NoAnswer as failure:
            self._count_in_a_row(run, failure)
            if run.stopped is not None:
                raise type(run.stopped)(str(run.stopped)) from None
            raise
        except CannotGoOn as error:
            run.stopped = run.stopped or error
            raise

    async def _from_cache_or_server(self, run: "Run", key: str, body: Body) -> Reply:
        loop = self.loop()
        if (reply := loop.cache.get(key)) is not None:
            self.report.count(cached=1)
            return reply
        async with loop.slots:  # also while it waits: a server that is busy gets no more requests
            reply = cast(Reply, await self._tries(run)(self._try, run, body))
            loop.cache.put(key, reply)
        try:
            read_answer(reply)
        except NoAnswer as failure:  # which the text is told where it is read
            self._count_in_a_row(run, failure)
        else:
            run.in_a_row = 0
        return reply

    async def _try(self, run: "Run", body: Body) -> Reply:
        if run.stopped is not None:
            raise type(run.stopped)(str(run.stopped))
        if used := self.report.exceeded(self.budget):
            raise BudgetReached(
                f"The budget of '{self.owner}' is used up ({used}). What was answered is "
                "kept: another run goes on from there, with a budget of its own."
            )
        if self.budget.needs_usage and self.report.without_usage:
            raise CannotGoOn(
                f"The server at {self.endpoint.host} does not tell the tokens of its answers, so "
                f"[components.{self.owner}.budget] can't bound tokens or cost. Bound requests."
            )
        endpoint = self.endpoint
        key = read_key(endpoint.key_variable)
        self.report.count(requests=1)
        try:
            reply = await ask(
                self.loop().client, endpoint.url, body, key, timeout=self.limits.timeout
            )
        except NoAnswer as failure:
            self._reached = self._reached or failure.kind.startswith("HTTP")
            if failure.retry_after is not None and failure.retry_after > self.limits.max_wait:
                failure.retry = False
            raise
        self._reached = True
        self.report.count_reply(reply)
        return reply

    def _tries(self, run: "Run") -> AsyncRetrying:
        def again(error: BaseException) -> bool:
            return isinstance(error, NoAnswer) and error.retry

        def count(state: RetryCallState) -> None:
            self.report.count(retries=1)

        return AsyncRetrying(
            retry=retry_if_exception(again),
            stop=stop_after_attempt(self.limits.retries + 1),
            wait=self._seconds,
            before_sleep=count,
            sleep=run.sleep,
            reraise=True,
        )

    def _seconds(self, state: RetryCallState) -> float:
        """Before the next try: what the server asks for, or more and more."""
        error = state.outcome and state.outcome.exception()
        if isinstance(error, NoAnswer) and error.retry_after is not None:
            return error.retry_after
        first, most = self.limits.first_wait, self.limits.max_wait
        return wait_random_exponential(multiplier=first, max=most, min=first)(state)

    def _count_in_a_row(self, run: "Run", failure: NoAnswer) -> None:
        run.in_a_row += 1
        most, host = self.limits.give_up_after, self.endpoint.host
        if failure.kind == NO_CONNECTION and not self._reached:
            run.stopped = run.stopped or CannotGoOn(
                f"There is no connection to {host} ({failure}). Is the server running, and is url "
                f"in [components.{self.owner}] right?"
            )
        elif most and run.in_a_row >= most:
            run.stopped = run.stopped or CannotGoOn(
                f"{run.in_a_row} texts in a row had no answer from {host}; the last one: "
                f"{failure}. Another run goes on from here."
            )


class Run:
    """Requests that belong together."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.stopped: CannotGoOn | None = None
        self.in_a_row = 0
        self.asked: dict[str, asyncio.Task[Reply]] = {}
        self.futures: set[Future[Reply]] = set()

    async def sleep(self, seconds: float) -> None:
        """Not longer than the run goes on."""
        end = perf_counter() + seconds
        while self.stopped is None and (left := end - perf_counter()) > 0:
            await asyncio.sleep(min(left, _GLANCE))

    def submit(self, body: Body) -> "Future[Reply]":
        """Ask, at once. The future raises `NoAnswer` or `CannotGoOn`."""
        loop = self._engine.loop()
        future = loop.submit(self._engine.answer(self, body))
        self.futures.add(future)
        future.add_done_callback(self.futures.discard)
        return future

    def not_cached(self, bodies: Sequence[Mapping[str, Any]]) -> int:
        """How many of these are to be sent."""
        loop, url = self._engine.loop(), self._engine.endpoint.url

        async def count() -> int:
            keys = {key_of(url, body) for body in bodies}
            return sum(loop.cache.get(key) is None for key in keys)

        return loop.submit(count()).result()
