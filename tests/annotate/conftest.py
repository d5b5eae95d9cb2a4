import json
import os

import pytest
import spacy
from pipelines import LINEAR, examples, make_nlp, train
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app

WORDS = [
    *("marie", "curie", "met", "pelé", "in", "lyon", "serena"),
    *("williams", "drinks", "green", "tea", "wrote", "to"),
]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Folder of a pipeline that has learned its sentences."""
    folder = tmp_path_factory.mktemp("model")
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 60)
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def nlp(model):
    """To compare with: nobody's memory zone."""
    return spacy.load(model)


@pytest.fixture(scope="session")
def texts():
    """A hundred, of different lengths, some empty or odd."""
    made = [" ".join(WORDS[(i * j) % 13] for j in range(1, 1 + i % 11)) for i in range(96)]
    return [*made, "", "\U0001f600 pelé\tin  lyon", "\0 lyon", "green tea " * 200]


@pytest.fixture
def jsonl(tmp_path, texts):
    path = tmp_path / "texts.jsonl"
    rows = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def annotate(model):
    """The verb, in this process. RETURNS: its exit code and what it said."""

    def call(*words):
        done = CliRunner().invoke(app, ["annotate", str(model), *map(str, words)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, " ".join(done.output.split())

    return call
