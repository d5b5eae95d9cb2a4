"""What a user did wrong, in a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from spacy_finegrained_ner.errors import UserError
from study.plan.stages import StudyError


@contextmanager
def told() -> Iterator[None]:
    """Errors of the user's input inside of it are told, without a traceback, and end the command.
    So is what only the study needs and is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "scipy":
            raise
        message = f'The page needs {error.name}: python -m pip install ".[study]"'
    except (OSError, StudyError, UserError) as error:
        message = str(error)
    else:
        return
    typer.secho(message, fg="red", err=True)
    raise typer.Exit(1)
