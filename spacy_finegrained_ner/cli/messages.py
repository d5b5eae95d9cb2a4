"""Lines for the terminal, with spaCy's icons, or plain text where it can't print them."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

import typer

PACKAGE = Path(__file__).parents[1]


def print_anything() -> None:
    """From here on, standard output has a `?` in place of what it can't print (names in other
    scripts, frames of tables; file names that are no text), as standard error has `\\u2714`: no
    command does its work and then fails to say so."""
    stdout = sys.stdout
    # Not where another way is asked for (PYTHONIOENCODING=cp1252:backslashreplace)
    if isinstance(stdout, io.TextIOWrapper) and stdout.errors in ("strict", "surrogateescape"):
        stdout.reconfigure(errors="replace")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings of this package are lines as the others, without the place in its code. Those of
    others stay as they are: their place says whose they are."""
    before = warnings.formatwarning

    def formatted(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if category is UserWarning and Path(filename).is_relative_to(PACKAGE):
            return f"{with_icon('⚠', '[!]', str(message), sys.stderr)}\n"
        return before(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = before


def with_icon(icon: str, plain: str, text: str, stream: TextIO) -> str:
    """A line as it can be printed there."""
    try:
        icon.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        icon = plain
    return f"{icon} {text}"


def _say(icon: str, plain: str, text: str, color: str | None = None, err: bool = False) -> None:
    line = with_icon(icon, plain, text, sys.stderr if err else sys.stdout)
    typer.secho(line, fg=color, err=err)


good = partial(_say, "✔", "[+]")
info = partial(_say, "ℹ", "[i]")  # noqa: RUF001
warn = partial(_say, "⚠", "[!]", color="yellow")
fail = partial(_say, "✘", "[x]", color="red", err=True)
