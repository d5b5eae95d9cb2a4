"""Lines for the terminal, with spaCy's icons, or plain text where it can't print them."""

from __future__ import annotations

import io
import sys

import typer


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
    _say("✔", "[+]", text)


def info(text: str) -> None:
    """What was decided on the way."""
    _say("ℹ", "[i]", text)  # noqa: RUF001


def warn(text: str) -> None:
    """What is perhaps not meant."""
    _say("⚠", "[!]", text, "yellow")


def fail(text: str) -> None:
    """What went wrong, on standard error."""
    _say("✘", "[x]", text, "red", err=True)


def _say(icon: str, plain: str, text: str, color: str | None = None, err: bool = False) -> None:
    try:
        icon.encode((sys.stderr if err else sys.stdout).encoding or "ascii")
    except UnicodeEncodeError:
        icon = plain
    typer.secho(f"{icon} {text}", fg=color, err=err)
