"""From what the model has written to mentions: by the form that was asked for, or not at all."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_finegrained_ner.baselines.llm.failures import (
    AMBIGUOUS,
    CUT,
    EMPTY,
    NOT_JSON,
    REFUSAL,
    WRONG_FORM,
    NoAnswer,
)

LONGEST = 200_000
MOST_BRACES = 1_000
"""Characters, and opening braces. What has more is not searched for JSON: that would take long."""


class Reply(BaseModel):
    """What is kept of a chat completion. finish: `finish_reason`. Tokens are None where the server
    does not tell them."""

    content: str
    finish: str = ""
    refusal: str = ""
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class Mention(BaseModel):
    """Of an entity: its text, and the label that the model gives it."""

    model_config = ConfigDict(strict=True, frozen=True)
    text: str
    label: str


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)
    entities: list[Mention]


@dataclass(frozen=True)
class Answer:
    """mentions: as they were written. recovered: whether there was something around the JSON."""

    mentions: list[Mention]
    recovered: bool = False


def read_answer(reply: Reply) -> Answer:
    """What a reply says. Nothing of a half answer is used: what is not there would count as
    outside of any entity.

    Raises `NoAnswer` of one of the kinds in `failures`.
    """
    content = reply.content.strip()
    if reply.refusal or reply.finish == "content_filter":
        raise NoAnswer(REFUSAL)
    if reply.finish == "length":
        raise NoAnswer(CUT)
    if not content:
        raise NoAnswer(EMPTY)
    try:
        whole = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return Answer(_within(content), recovered=True)
    return Answer(_checked(whole))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. One that has a name twice says two things, of which none is taken."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NoAnswer(AMBIGUOUS)
    return found


def _checked(value: object) -> list[Mention]:
    try:
        return _Answer.model_validate(value).entities
    except ValidationError:
        raise NoAnswer(WRONG_FORM) from None


def _within(content: str) -> list[Mention]:
    """The one answer that stands in prose, or between the marks of a code block."""
    found: list[list[Mention]] = []
    wrong = False
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    at = content.find("{")
    if len(content) > LONGEST or content.count("{") > MOST_BRACES:
        raise NoAnswer(NOT_JSON)
    while at >= 0:
        try:
            value, end = decoder.raw_decode(content, at)
        except RecursionError:
            break
        except ValueError:
            end = at + 1
        else:
            try:
                found.append(_checked(value))
            except NoAnswer:
                wrong = True
        at = content.find("{", end)
    if not found:
        raise NoAnswer(WRONG_FORM if wrong else NOT_JSON)
    if any(other != found[0] for other in found[1:]):
        raise NoAnswer(AMBIGUOUS)
    return found[0]
