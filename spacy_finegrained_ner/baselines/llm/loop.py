"""An event loop in a thread of its own, and what is used on it only."""

import asyncio
import os
from concurrent.futures import Future
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

from spacy_finegrained_ner.baselines.llm.cache import Cache
from spacy_finegrained_ner.baselines.llm.client import make_client


class Loop:
    """cache, client; slots: as many as requests may be under way. The thread ends with `close`, or
    with the process."""

    def __init__(self, parallel: int, cache: Path | None) -> None:
        self.cache = Cache(cache)  # which may fail
        self.client = make_client(parallel)
        self.slots = asyncio.Semaphore(parallel)
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="finegrained_llm", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Nothing is waited for; tries that are under way end here."""
        if os.getpid() != self._pid:  # of the process that this one was forked from
            return
        if current_thread() is self._thread:  # the last that knew the engine was a request
            self._loop.stop()
            return
        self.submit(self._end()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.cache.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.client.aclose()
