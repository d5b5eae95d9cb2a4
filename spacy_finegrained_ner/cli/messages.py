"""Lines for the terminal, with spaCy's icons, or plain text where it can't print them."""

from __future__ import annotations

import io
import sys
from functools import partial

import typer


def print_anything() -> None:
    """From here on, standard output has a `?` in place of what it can't print (names in other
    scripts, frames of tables; file names that are no text), as standard error has `\\u2714`: no
    command does its work and then fails to say so."""
    stdout = sys.stdout
    # Not where another way is asked for (PYTHONIOENCODING=cp1252:backslashreplace)
    if isinstance(stdout, io.TextIOWrapper) and stdout.errors in ("strict", "surrogateescape"):
        stdout.reconfigure(errors="replace")


def _say(icon: str, plain: str, text: str, color: str | None = None, err: bool = False) -> None:
    try:
        icon.encode((sys.stderr if err else sys.stdout).encoding or "ascii")
    except UnicodeEncodeError:
        icon = plain
    typer.secho(f"{icon} {text}", fg=color, err=err)


good = partial(_say, "✔", "[+]")
info = partial(_say, "ℹ", "[i]")  # noqa: RUF001
warn = partial(_say, "⚠", "[!]", color="yellow")
fail = partial(_say, "✘", "[x]", color="red", err=True)
