"""The Typer app. spaCy imports this module with every `spacy` command: it must stay light, so
each verb imports what it needs when it runs."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="finegrained-ner",
    help="Fine-grained named-entity recognition: fetch, convert, evaluate, show.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
