"""`python -m spacy_finegrained_ner <verb>`."""

from spacy_finegrained_ner.cli.main import app

if __name__ == "__main__":
    app(prog_name="python -m spacy_finegrained_ner")
