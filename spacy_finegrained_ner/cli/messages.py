"""Lines for the terminal, with spaCy's icons, or plain text where it can't print them."""

from __future__ import annotations

import io
import sys

import typer

_GOOD, _INFO, _WARN, _FAIL = ("✔", "[+]"), ("ℹ", "[i]"), ("⚠", "[!]"), ("✘", "[x]")  # noqa: RUF001


def print_anything() -> None:
    """From here on, standard output has a `?` in place of what it can't print (names in other
    scripts, frames of tables; file names that are no text), as standard error has `\\u2714`: no
    command does its work and then fails to say so."""
    stdout = sys.stdout
    # Not where another way is asked for (PYTHONIOENCODING=cp1252:backslashreplace)
    if isinstance(stdout, io.TextIOWrapper) and stdout.errors in ("strict", "surrogateescape"):
        stdout.reconfigure(errors="replace")


def good(text: str) -> None:
    """What was done."""
    typer.echo(f"{_icon(_GOOD)} {text}")


def info(text: str) -> None:
    """What was decided on the way."""
    typer.echo(f"{_icon(_INFO)} {text}")


def warn(text: str) -> None:
    """What is perhaps not meant."""
    typer.secho(f"{_icon(_WARN)} {text}", fg="yellow")


def fail(text: str) -> None:
    """What went wrong, on standard error."""
    typer.secho(f"{_icon(_FAIL, err=True)} {text}", fg="red", err=True)


def _icon(pair: tuple[str, str], err: bool = False) -> str:
    encoding = (sys.stderr if err else sys.stdout).encoding or "ascii"
    try:
        pair[0].encode(encoding)
    except UnicodeEncodeError:
        return pair[1]
    return pair[0]
