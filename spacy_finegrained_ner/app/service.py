"""The endpoint for programs: many texts at a time, from many clients, and how it is."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.records import Record
from spacy_finegrained_ner.annotate.texts import Failure
from spacy_finegrained_ner.app.body import read_json

MAX_CHARACTERS = 20_000
"""Of a text."""
MAX_TEXTS = 1_000
MAX_BYTES = 4 * 2**20
"""Of a request."""
MAX_WAITING = 10_000
"""Texts of all requests that wait for an answer."""
TIME_OUT = 30.0
"""Seconds that a request waits for an answer."""
READY_IN = 5.0
"""Seconds within which a text is answered where it is ready for more."""
MAX_STRIPPED = 4_000_000
"""Symbols at the ends of a word, times its characters. spaCy's tokenizer takes them off one by one,
and looks at the whole word for each: so many take it a second or two, in which nothing else in the
process runs, not even what would say that it takes too long."""
_SYMBOLS = re.compile(r"[\W_]*")

PART_TEXTS, PART_CHARACTERS = 128, 50_000
"""Of a request that goes into a batch with others: a larger one goes into several."""


class Texts(BaseModel):
    """What `POST /annotate` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)
    # Of millions that are wrong the first is enough
    texts: Annotated[list[str], FailFast()]


class Service:
    """Requests that come while texts are annotated wait, and go into the next batch together.

    routes: `POST /annotate` gives {"docs": [{"text", "entities"}, ...]} for {"texts": [...]}, the
    entities as `annotate.records.entity_records` has them; `GET /health` is 200 where the process
    answers, `GET /ready` where the pipeline does.
    """

    def __init__(self, annotator: Annotator) -> None:
        self.annotator = annotator
        self.waiting = 0
        # Large requests come one after the other: if all had their turns, all would end late
        self._large = asyncio.Semaphore(1)
        self.routes = [
            Route("/annotate", self.annotate, methods=["POST"]),
            Route("/health", self.health),
            Route("/ready", self.ready),
        ]

    async def ask(self, texts: list[str], seconds: float | None = None) -> list[list[Record]]:
        """The entities of each text. seconds: to wait for them, None for TIME_OUT.

        Raises an HTTPException: 413 where spaCy's tokenizer would take long, 503 where too many
        wait already, 504 where it takes too long. A RuntimeError where the pipeline fails.
        """
        for number, text in enumerate(texts):
            if any(_stripped(word) > MAX_STRIPPED for word in text.split()):
                raise HTTPException(
                    413,
                    f"Text {number} has thousands of symbols without a space, with which spaCy's "
                    "tokenizer takes long. Leave them out, or put spaces between.",
                )
        if self.waiting + len(texts) > MAX_WAITING:
            raise HTTPException(
                503,
                f"{self.waiting:,} texts wait already, and at most {MAX_WAITING:,} may. Try again.",
                headers={"Retry-After": "1"},
            )
        seconds = TIME_OUT if seconds is None else seconds
        self.waiting += len(texts)
        results: list[list[Record] | Failure] = []
        try:
            async with asyncio.timeout(seconds):
                # Others have their turn between the parts. Of one that waits in vain no more than
                # the part that has begun costs anything
                parts = list(_parts(texts))
                async with self._large if len(parts) > 1 else nullcontext():
                    for part in parts:
                        found_in_part = await asyncio.wrap_future(self.annotator.submit(part))
                        results.extend(found_in_part)
        except TimeoutError:
            raise HTTPException(
                504, f"No answer within {seconds:g} seconds. Send fewer or shorter texts."
            ) from None
        finally:
            self.waiting -= len(texts)
        found: list[list[Record]] = []
        for number, result in enumerate(results):
            if isinstance(result, Failure):
                raise RuntimeError(f"The pipeline fails at text {number}: {result.reason}")
            found.append(result)
        return found

    async def annotate(self, request: Request) -> Response:
        texts = (await read_json(request, Texts, MAX_BYTES)).texts
        if len(texts) > MAX_TEXTS:
            raise HTTPException(
                413, f"{len(texts):,} texts, and at most {MAX_TEXTS:,} may be in a request."
            )
        for number, text in enumerate(texts):
            if len(text) > MAX_CHARACTERS:
                raise HTTPException(
                    413,
                    f"Text {number} has {len(text):,} characters, and at most "
                    f"{MAX_CHARACTERS:,} are taken. Send it in parts.",
                )
        found = await self.ask(texts)
        docs = [{"text": t, "entities": records} for t, records in zip(texts, found, strict=True)]
        return JSONResponse({"docs": docs})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        try:
            await self.ask(["ready"], READY_IN)
        except HTTPException as error:
            raise HTTPException(503, error.detail) from None
        except Exception as error:  # whatever it is, there is no pipeline for texts
            raise HTTPException(503, f"The pipeline fails: {error}") from None
        return JSONResponse({"status": "ready", "waiting": self.waiting})


def _stripped(word: str) -> int:
    ends = (_SYMBOLS.match(one) for one in (word, word[::-1]))
    return len(word) * min(len(word), sum(found.end() for found in ends if found))


def _parts(texts: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and (len(part) == PART_TEXTS or characters + len(text) > PART_CHARACTERS):
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part
