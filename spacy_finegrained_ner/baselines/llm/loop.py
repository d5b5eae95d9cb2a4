"""An event loop in a thread of its own, and what is used on it only."""

import asyncio
import os
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from spacy_finegrained_ner.baselines.llm.cache import Cache
from spacy_finegrained_ner.baselines.llm.client import make_client


class Loop:
    """cache, client; slots: as many as requests may be under way. The thread ends after `close`,
    or with the process. direct: see `make_client`."""

    def __init__(self, parallel: int, cache: Path | None, *, direct: bool) -> None:
        self.cache = Cache(cache)  # which may fail
        self.client = make_client(parallel, direct=direct)
        self.slots = asyncio.Semaphore(parallel)
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._main, name="finegrained_llm", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def submit(self, coroutine: Any) -> "Future[Any]":
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """Tries that are under way end. This waits for nothing: it is called when the engine is
        collected, by any thread, whatever locks that thread holds."""
        if os.getpid() == self._pid:  # else it is of the process that this one was forked from
            with suppress(RuntimeError):  # closed already
                self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.client.aclose()
        self._loop.stop()

    def _main(self) -> None:
        self._loop.run_forever()
        self._loop.close()
        self.cache.close()
