"""Settings of registered functions: what a value may be stands in its annotation, and nowhere else.

Types that come out of a config are not what the annotation says: confection 1.x lets "3" through
for a number.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, wraps
from inspect import signature
from types import NoneType
from typing import Annotated, Any, TypeVar, cast, get_args

from pydantic import ConfigDict, Field, GetPydanticSchema, TypeAdapter, ValidationError
from pydantic_core import core_schema
from thinc.types import Generator

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S")

# The last is what an error says was expected.
Count = Annotated[int, Field(ge=1), "a whole number >= 1"]
CountOrZero = Annotated[int, Field(ge=0), "a whole number >= 0"]
Whole = Annotated[int, "a whole number"]
Positive = Annotated[float, Field(gt=0.0), "a number > 0"]
NotNegative = Annotated[float, Field(ge=0.0), "a number >= 0"]
Number = Annotated[float, "a number"]
Part = Annotated[float, Field(ge=0.0, le=1.0), "a number from 0 to 1"]
PartAboveZero = Annotated[float, Field(gt=0.0, le=1.0), "a number > 0, at most 1"]
PartBelowOne = Annotated[float, Field(ge=0.0, lt=1.0), "a number >= 0 and < 1"]
Switch = Annotated[bool, "true or false"]
Steps = Annotated[
    int,
    Field(ge=1),
    "a whole number >= 1. It follows [training] max_steps, where 0 means an open end: set a number "
    "of steps there",
]
Regex = Annotated[re.Pattern[str], "a regular expression"]
Reference = Annotated[str, Field(pattern=r"^\$\{")]
"""As spaCy hands it over where nothing is interpolated, outside of `spacy train`."""
# pydantic would wrap a generator of its own around it
RateSchedule = Annotated[
    Generator, GetPydanticSchema(lambda *_: core_schema.is_instance_schema(Iterator)), "a schedule"
]


def checked(name: str) -> Callable[[F], F]:
    """Decorator of the function that is registered as `name`: arguments whose annotation is one of
    the types above, alone or in a union, are checked. Types are strict, but for a whole number
    where a float is expected; infinity and NaN are no numbers. Raises a ValueError that names
    function and setting, what was found and what was expected."""

    def decorate(function: F) -> F:
        @wraps(function)  # with the signature, which is how spaCy knows settings and defaults
        def build(*args: Any, **kwargs: Any) -> Any:
            check(name, function, signature(function).bind(*args, **kwargs).arguments)
            return function(*args, **kwargs)

        return cast(F, build)

    return decorate


def check(where: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Settings against the annotations of a function's arguments, as `checked` does it.

    where: what the error names, a registered function or a block."""
    parameters = signature(function).parameters
    for setting, value in settings.items():
        annotation = parameters[setting].annotation
        expected = " or ".join(_expected(annotation))
        if not expected:
            continue
        try:
            _adapter(annotation).validate_python(value)
        except ValidationError:
            raise ValueError(f"{setting} of {where} is {value!r}, expected {expected}.") from None


def settings_of(kind: type[S], found: Any, block: str) -> S:
    """The settings in a block of the config. A ValueError that names block and setting."""
    known = list(signature(kind).parameters)
    if not isinstance(found, Mapping):
        raise ValueError(f"{block} is {found!r}, expected a block with the settings {known}.")
    if unknown := sorted(set(found) - set(known)):
        raise ValueError(f"{block} has the unknown settings {unknown}, expected some of {known}.")
    check(block, kind, found)
    return kind(**found)


def _expected(annotation: Any) -> list[str]:
    """The words of all types in a union; none, if nobody has said what is expected."""
    words = [word for word in getattr(annotation, "__metadata__", ()) if isinstance(word, str)]
    inside = words or [word for part in get_args(annotation) for word in _expected(part)]
    return [*inside, "null"] if inside and NoneType in get_args(annotation) else inside


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
