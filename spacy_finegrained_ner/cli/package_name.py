"""The name and the version of a packaged pipeline: only such that packaging leaves as they are.
Light: the check comes before all that takes long."""

from __future__ import annotations

import re

from packaging.version import InvalidVersion, Version


class PackageNameError(ValueError):
    """A package would get another name than asked for. The message has one that it may have."""


def check_package_name(lang: str, name: str, version: str) -> None:
    """Check that `spacy package` and setuptools make of these the package `<lang>_<name>` and the
    wheel `<lang>_<name>-<version>`.

    spaCy takes a name that begins with the language for a whole one; in the name of a wheel letters
    are small and signs in between are one `_`; and versions have one spelling (PEP 440).
    Raises a `PackageNameError`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        words = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")
        raise PackageNameError(
            f"{name!r} is not a valid name of a package: expected small letters, digits and single "
            f"_ between them, such as {words or 'my_ner'!r}."
        )
    if name.startswith(f"{lang}_"):
        raise PackageNameError(
            f"{name!r} is not a valid name of a package: the language is put before it. Expected "
            f"it without, {name.removeprefix(f'{lang}_')!r}."
        )
    try:
        canonical = str(Version(version))
    except InvalidVersion:
        canonical = "0.1.0"
    if canonical != version:
        raise PackageNameError(
            f"{version!r} is not a valid version of a package, as PEP 440 spells it: expected one "
            f"such as {canonical!r}."
        )
