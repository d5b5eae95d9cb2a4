"""The blocks of settings of `finegrained_llm`, and what may be in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from spacy_finegrained_ner.baselines.llm.failures import CannotGoOn
from spacy_finegrained_ner.baselines.llm.prompt import messages_of
from spacy_finegrained_ner.settings import Count, CountOrZero, NotNegative, Positive, Whole

ResponseFormat = Annotated[
    Literal["json_schema", "json_object", "text"],
    "one of 'json_schema', 'json_object', 'text'",
]
Block = Annotated[Mapping[str, Any], "a block"]
PATH = "/chat/completions"


@dataclass(frozen=True)
class RequestSettings:
    """What is in each request beside the prompt; all of it is in the key of the cache.

    response_format: "json_schema" has the server hold the model to the schema of the answer,
        "json_object" to JSON; "text" asks for nothing.
    max_tokens: of the answer. temperature, seed: of the sampling. Each is left out where it is
        null, as some models refuse them.
    extra: more of the body, as it is sent (`reasoning_effort`, `max_completion_tokens`).
    """

    response_format: ResponseFormat
    max_tokens: Count | None
    temperature: NotNegative | None
    seed: Whole | None
    extra: Block

    def body(self, model: str, prompt: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The body of the request."""
        sampling = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
        }
        body: dict[str, Any] = {
            "model": model,
            "messages": messages_of(prompt),
            **{name: value for name, value in sampling.items() if value is not None},
        }
        if self.response_format == "json_schema":
            form = {"name": "entities", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.response_format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body | dict(self.extra)


@dataclass(frozen=True)
class Limits:
    """Of requests.

    parallel: how many at a time. timeout: seconds for one try, from the connection to the last
        byte of the answer. retries: how many times more, after 429, 5xx, time-outs and cut
        connections. first_wait: seconds before the first of these, doubled each time, with jitter.
    max_wait: seconds between two tries, at most; where Retry-After asks for more, the text is
        given up. give_up_after: so many texts in a row without an answer, and all stops; 0 for
        never.
    """

    parallel: Count
    timeout: Positive
    retries: CountOrZero
    first_wait: Positive
    max_wait: Positive
    give_up_after: CountOrZero


@dataclass(frozen=True)
class Budget:
    """Of a component in one process; null for no bound. requests: tries, too. tokens: of prompts
    and answers. cost: in the currency of the prices. Looked at before each request, by what was
    spent until then."""

    requests: CountOrZero | None
    tokens: CountOrZero | None
    cost: NotNegative | None

    @property
    def needs_usage(self) -> bool:
        return self.tokens is not None or self.cost is not None


@dataclass(frozen=True)
class Prices:
    """For a million tokens of prompts and of answers; null where it is not known."""

    prompt: NotNegative | None
    answer: NotNegative | None

    @property
    def known(self) -> bool:
        return self.prompt is not None and self.answer is not None

    def cost(self, prompt_tokens: int, answer_tokens: int) -> float | None:
        if self.prompt is None or self.answer is None:
            return None
        return (prompt_tokens * self.prompt + answer_tokens * self.answer) / 1_000_000


class Endpoint:
    """Where requests go. No key is in it: that is read from the environment for each request.

    url: of the API, such as https://api.openai.com/v1. key_variable: the name of the environment
        variable that holds the key; None for none.

    Raises a ValueError that does not print what may be a key.
    """

    def __init__(self, url: Any, key_variable: Any, owner: str) -> None:
        where = f"of [components.{owner}]"
        if not isinstance(url, str) or not url:
            raise ValueError(f"url {where} is {url!r}, expected one like http://localhost:11434/v1")
        # Before it is taken apart: what can't be may have a key in it, and is printed below
        if any(character in url for character in "@?#"):
            raise ValueError(
                f"url {where} has a user, a query or a fragment in it, and is saved with the "
                "pipeline. Expected one like https://api.openai.com/v1; a key belongs into the "
                "environment variable that api_key_env names."
            )
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"url {where} can't be read: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url {where} is {url!r}, expected one like https://host/v1")
        if parts.path.rstrip("/").endswith(PATH):
            raise ValueError(f"url {where} is {url!r}, expected it without {PATH}")
        is_name = isinstance(key_variable, str) and re.fullmatch(r"[A-Z_][A-Z0-9_]*", key_variable)
        if key_variable is not None and not is_name:
            raise ValueError(
                f"api_key_env {where} is not the name of an environment variable (capital "
                "letters, digits and _), such as OPENAI_API_KEY; it is not printed here, as it may "
                "be a key. The key itself belongs into the environment, never into a config."
            )
        self.url = url.rstrip("/") + PATH
        self.host = parts.netloc
        self.key_variable: str | None = key_variable
        self.is_local = _is_loopback(parts.hostname)
        self.clear = parts.scheme == "http" and not self.is_local


def read_key(variable: str | None) -> SecretStr | None:
    """The key from the environment. Raises `CannotGoOn`, without the key, where there is none, or
    it can't be sent."""
    from os import environ

    if variable is None:
        return None
    key = SecretStr(environ.get(variable, "").strip())
    if not key:
        raise CannotGoOn(
            f"The environment variable {variable} is not set, expected the key of the endpoint. "
            "Set it (export ...), or api_key_env = null where the server asks for no key."
        )
    if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise CannotGoOn(
            f"The environment variable {variable} has spaces, line breaks or letters beyond ASCII "
            "in it (it is not printed here), expected the key of the endpoint and nothing else."
        )
    return key


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
