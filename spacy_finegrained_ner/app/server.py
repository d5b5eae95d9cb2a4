"""The application: which paths there are, and who may ask."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict, Field
from spacy.language import Language
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.app.answer import as_answer
from spacy_finegrained_ner.app.body import read_json
from spacy_finegrained_ner.app.page import render
from spacy_finegrained_ner.app.service import MAX_CHARACTERS, Service

MAX_BYTES = 12 * MAX_CHARACTERS + 1_000
"""A character is at most 12 bytes of JSON: two escapes, such as \\ud83d\\ude00."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""As the header Host has them."""


class Question(BaseModel):
    """What `POST /entities` takes."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: str = Field(max_length=MAX_CHARACTERS)


def make_app(
    nlp: Language, hosts: Sequence[str] = LOOPBACK, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """The page (`GET /`), what it asks (`POST /entities`, see `app.answer.answer`), and the service
    (`POST /annotate`, `GET /health`, `GET /ready`, see `app.service`).

    nlp: nobody else may use it from now on. Who has paths of their own asks
        `app.state.annotator`, an `annotate.annotator.Annotator`.

    hosts: the names in the header Host that are answered, "*" for any. Without the check a page of
        another site could reach the application by a name that it lets point to this machine.
    routes: more paths. They have the same check, and errors as JSON: {"error": why}.

    Raises a `UserError` for a pipeline without a trained component of this package.
    """
    html, headers = render(nlp)
    annotator = Annotator(nlp)
    service = Service(annotator)

    async def page(request: Request) -> Response:
        return HTMLResponse(html, headers=headers)

    async def entities(request: Request) -> Response:
        question = await read_json(request, Question, MAX_BYTES)
        (records,) = await service.ask([question.text])
        return JSONResponse(as_answer(question.text, records))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        annotator.close()

    own = [Route("/", page), Route("/entities", entities, methods=["POST"]), *service.routes]
    app = Starlette(
        routes=[*own, *routes],
        lifespan=lifespan,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts], www_redirect=False)],
        exception_handlers={HTTPException: refused, Exception: failed},  # type: ignore[dict-item]
    )
    app.state.annotator = annotator
    return app


async def refused(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def failed(request: Request, error: Exception) -> Response:
    """What went wrong is for whoever runs the server, who finds it in the terminal."""
    why = "The pipeline failed at this request. The terminal of the server says why."
    return JSONResponse({"error": why}, 500)
