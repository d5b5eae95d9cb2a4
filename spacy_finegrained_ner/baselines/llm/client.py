"""One request and its answer: the one place that speaks HTTP."""

import asyncio
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError, WrapValidator

from spacy_finegrained_ner.baselines.llm.answers import Reply
from spacy_finegrained_ner.baselines.llm.failures import (
    CUT_CONNECTION,
    NO_COMPLETION,
    NO_CONNECTION,
    REDIRECT,
    TIMEOUT,
    CannotGoOn,
    NoAnswer,
)

LARGEST = 1_000_000
"""Bytes of a response. A larger one is no answer."""
_FATAL = {
    401: "Is the key in the environment variable the right one?",
    402: "The account has to be charged.",
    403: "May this key use this model?",
    404: "Are url and model right?",
}
_AGAIN = {408, 425, 429}


_QUOTA = "insufficient_quota"


def _known(value: Any, read: Any) -> Any:
    """What a server says beside its answer, None where it is of another form: that is no reason to
    lose an answer that was paid for."""
    try:
        return read(value)
    except ValidationError:
        return None


_Tokens = Annotated[Annotated[int, Field(ge=0, le=10**12)] | None, WrapValidator(_known)]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: _Tokens = None
    completion_tokens: _Tokens = None


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: Annotated[_Usage | None, WrapValidator(_known)] = None


def make_client(parallel: int, *, direct: bool) -> httpx.AsyncClient:
    """No redirect is followed: the key would go with it. Time is limited by `ask`, as a whole.

    direct: past the proxies of the environment, which are other machines.
    """
    return httpx.AsyncClient(
        follow_redirects=False,
        timeout=None,
        mounts=dict.fromkeys(("http://", "https://", "all://")) if direct else None,
        limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel),
    )


async def ask(
    client: httpx.AsyncClient, url: str, body: dict[str, Any], key: SecretStr | None, timeout: float
) -> Reply:
    """Ask once. timeout: seconds, for all of it.

    Raises `NoAnswer`, and `CannotGoOn` where no text would fare better. Neither they nor the reply
    hold the key, also where the server sends it back.
    """
    try:
        async with asyncio.timeout(timeout):
            response, text = await _exchange(client, url, body, key)
    except TimeoutError:
        raise NoAnswer(TIMEOUT, f"after {timeout:g} s", retry=True) from None
    except httpx.InvalidURL as error:
        raise CannotGoOn(f"{url}: can't be asked: {error}") from None
    except httpx.ConnectError as error:
        told = _without(key, str(error))
        raise NoAnswer(NO_CONNECTION, told, retry=True) from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        told = _without(key, str(error))
        raise NoAnswer(CUT_CONNECTION, told, retry=True) from None
    status = response.status_code
    if 300 <= status < 400:
        to = _without(key, response.headers.get("location", "nowhere"))
        raise NoAnswer(REDIRECT, f"to {to[:200]}; it is not followed")
    if status >= 400:
        text = _without(key, text)  # also for who looks at a traceback with its variables
        said, code = _server_says(text)
        raise _refused(status, _without(key, said)[:300], _QUOTA in code, response.headers)
    try:
        found = _Completion.model_validate_json(text)
    except ValidationError:
        text = _without(key, text)
        raise NoAnswer(NO_COMPLETION, text[:200], retry=True) from None
    choice, usage = found.choices[0], found.usage or _Usage()
    # A key that the prompt has in it is none to hide ("ollama", "EMPTY"), and without it the answer
    # would be another one
    hidden = None if key and key.get_secret_value() in json.dumps(body) else key
    return Reply(
        content=_without(hidden, choice.message.content or ""),
        finish=_without(hidden, choice.finish_reason or ""),
        refusal=_without(hidden, choice.message.refusal or ""),
        prompt_tokens=usage.prompt_tokens,
        answer_tokens=usage.completion_tokens,
    )


async def _exchange(
    client: httpx.AsyncClient, url: str, body: dict[str, Any], key: SecretStr | None
) -> tuple[httpx.Response, str]:
    # Nothing compressed is asked for, or unpacked: a few kilobytes may become gigabytes
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    # httpx.Headers hide it where they are printed, in a traceback for instance
    sent = httpx.Headers(
        headers if key is None else headers | {"Authorization": f"Bearer {key.get_secret_value()}"}
    )
    payload = json.dumps(body, ensure_ascii=False).encode()
    received = bytearray()
    async with client.stream("POST", url, content=payload, headers=sent) as response:
        packed = response.headers.get("content-encoding", "identity")
        if packed.strip().lower() not in ("identity", ""):
            told = _without(key, f"Content-Encoding {packed}, which was not asked for")
            raise NoAnswer(NO_COMPLETION, told[:200], retry=True)
        async for chunk in response.aiter_raw():
            received += chunk
            if len(received) > LARGEST:
                raise NoAnswer(NO_COMPLETION, f"a response of more than {LARGEST:,} bytes")
    return response, received.decode("utf-8", "replace")


def _refused(status: int, told: str, no_quota: bool, headers: httpx.Headers) -> Exception:
    if status in _FATAL or (status == 429 and no_quota):
        advice = _FATAL.get(status, "The account has no quota left.")
        return CannotGoOn(f"The server refuses with HTTP {status}: {told} {advice}")
    return NoAnswer(
        f"HTTP {status}",
        told,
        retry=status in _AGAIN or status >= 500,
        retry_after=_seconds(headers.get("retry-after")),
    )


def _server_says(text: str) -> tuple[str, tuple[Any, ...]]:
    """The message in the forms that servers have for it; and its code and type. They alone tell of
    a quota: a message may repeat what is in a text."""
    code: tuple[Any, ...] = ()
    try:
        found = json.loads(text)
        error = found.get("error", found.get("detail", found.get("message")))
        message = error.get("message") if isinstance(error, dict) else error
        code = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    except (ValueError, AttributeError, RecursionError):
        message = None
    return " ".join(str(message or text).split()), code


def _seconds(retry_after: str | None) -> float | None:
    """A number of seconds, or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _without(key: SecretStr | None, text: str) -> str:
    """The text without the key, be it as it is or as JSON has it."""
    if key is None:
        return text
    plain = key.get_secret_value()
    for form in (plain, json.dumps(plain)[1:-1], json.dumps(plain)[1:-1].replace("/", "\\/")):
        text = text.replace(form, str(key))
    return text
