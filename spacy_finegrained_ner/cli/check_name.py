"""The verb `check-name`: only names and versions that packaging leaves as they are."""

import re
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.errors import UserError


def check_name(
    lang: Annotated[str, typer.Argument(help="Language code.")],
    name: Annotated[str, typer.Argument(help="Name of the package, without the language.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
) -> None:
    """Check that a packaged pipeline may have this name and version."""
    from spacy_finegrained_ner.data.language import language_of

    language_of(lang)  # may fail
    check_package_name(lang, name, version)
    messages.good(f"{lang}_{name} {version}")


def check_package_name(lang: str, name: str, version: str) -> None:
    """Check that `spacy package` and setuptools make of these the package `<lang>_<name>` and the
    wheel `<lang>_<name>-<version>`.

    spaCy takes a name that begins with the language for a whole one; in the name of a wheel letters
    are small and signs in between are one `_`; and versions have one spelling (PEP 440).
    Raises a `UserError` with a name or version that a package may have.
    """
    from packaging.version import InvalidVersion, Version

    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        raise UserError(
            f"{name!r} is not a valid name of a package: expected small letters, digits and single "
            f"_ between them, such as {words or 'my_ner'!r}."
        )
    if name.startswith(f"{lang}_"):
        raise UserError(
            f"{name!r} is not a valid name of a package: the language is put before it. Expected "
            f"it without, {name.removeprefix(f'{lang}_')!r}."
        )
    try:
        canonical = str(Version(version))
    except InvalidVersion:
        canonical = "0.1.0"
    if canonical != version:
        raise UserError(
            f"{version!r} is not a valid version of a package, as PEP 440 spells it: expected one "
            f"such as {canonical!r}."
        )
