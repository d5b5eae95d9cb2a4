"""The entry point `spacy_cli`: our verbs in spaCy's command, `spacy finegrained-ner <verb>`."""

from spacy.cli import app as spacy_app

from spacy_finegrained_ner.cli.main import app

spacy_app.add_typer(app, name="finegrained-ner")
