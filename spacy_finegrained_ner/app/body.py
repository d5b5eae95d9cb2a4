"""Bodies of requests: JSON of a known form and size, or an answer that says what is wrong."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

Form = TypeVar("Form", bound=BaseModel)
MOST_ERRORS = 10
"""That are told one by one: a small body can have millions, and all others would wait."""


async def read_json(request: Request, form: type[Form], max_bytes: int) -> Form:
    """The body of a request, of which no more than `max_bytes` are ever held.

    Raises an HTTPException: 415 where it is not sent as JSON (a page of another site can send
    other types without asking), 413 where it is larger, 400 where it is no JSON, 422 where it has
    another form.
    """
    sent = request.headers.get("content-type", "")
    if sent.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(
            415, f"Content-Type is {sent[:80]!r}, expected application/json, with a JSON body."
        )
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise HTTPException(
                    413, f"The body has more than {max_bytes:,} bytes. Send the text in parts."
                )
    except ClientDisconnect:  # nobody reads it: but it is no failure of ours
        raise HTTPException(400, "The body ended before all of it had come.") from None
    try:
        return form.model_validate_json(bytes(body))
    except ValidationError as error:
        if (count := error.error_count()) > MOST_ERRORS:
            raise HTTPException(
                422, f"body: {count:,} things are wrong with it, expected {_expected(form)}."
            ) from None
        found = error.errors(include_url=False, include_context=False, include_input=False)
        wrong = [f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found]
        no_json = any(each["type"] == "json_invalid" for each in found)
        raise HTTPException(400 if no_json else 422, f"{'; '.join(wrong)}.") from None


def _expected(form: type[BaseModel]) -> str:
    return f"an object with {', '.join(form.model_fields)} and nothing else"
