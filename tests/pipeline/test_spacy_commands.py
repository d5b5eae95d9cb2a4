"""spaCy's own commands on a pipeline."""

from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import SENTENCES, entities, examples, make_nlp, train
from spacy.cli import app as spacy_app
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.util import load_config
from thinc.api import Config
from typer.testing import CliRunner

NAME = "finegrained_ner"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A trained pipeline on disk."""
    nlp = make_nlp()
    nlp.add_pipe("sentencizer")
    train(nlp, examples(nlp), 60)
    folder = tmp_path_factory.mktemp("saved")
    nlp.to_disk(folder)
    return folder


def found(nlp: Language) -> list[list[tuple[str, str, str]]]:
    return [entities(nlp(eg.text)) for eg in examples(nlp, SENTENCES)]


def spacy_command(*arguments) -> str:
    result = CliRunner().invoke(spacy_app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_spacys_commands(saved, tmp_path):
    """evaluate, assemble and benchmark speed; others below and in tests/test_configs.py."""
    nlp = spacy.load(saved)
    DocBin(docs=[eg.reference for eg in examples(nlp)]).to_disk(tmp_path / "data.spacy")
    data, scores = tmp_path / "data.spacy", tmp_path / "scores.json"
    spacy_command("evaluate", saved, data, "--output", scores)
    assert srsly.read_json(scores)["ents_f"] == 1.0

    config = nlp.config.copy()
    config["components"] = {name: {"source": str(saved)} for name in nlp.pipe_names}
    config.to_disk(tmp_path / "sourced.cfg")
    spacy_command("assemble", tmp_path / "sourced.cfg", tmp_path / "assembled")
    assert found(spacy.load(tmp_path / "assembled")) == found(spacy.load(saved))

    speed = ["--warmup", "1", "--batches", "30", "--batch-size", "2"]
    assert "words/s" in spacy_command("benchmark", "speed", saved, data, *speed)


def test_labels_from_a_file(saved, tmp_path):
    """As `spacy init labels` writes them; with them a training reads no data for the labels."""
    nlp = spacy.load(saved)
    labels = nlp.get_pipe(NAME).label_data
    srsly.write_json(tmp_path / "labels.json", labels)
    config = nlp.config.copy()
    config["initialize"]["components"] = {
        NAME: {
            "labels": {"@readers": "spacy.read_labels.v1", "path": str(tmp_path / "labels.json")}
        }
    }
    again = type(nlp).from_config(config)
    again.initialize(lambda: examples(again, ["nothing/O to/O see/O"]))
    assert again.get_pipe(NAME).labels == tuple(labels)


def write_config(nlp, folder: Path) -> Path:
    """What a user writes: no more than what differs from the defaults."""
    DocBin(docs=[eg.reference for eg in examples(nlp)]).to_disk(folder / "data.spacy")
    blocks = nlp.config.interpolate()
    partial = Config(
        {
            "paths": {"train": str(folder / "data.spacy"), "dev": str(folder / "data.spacy")},
            "nlp": {"lang": "en", "pipeline": [NAME]},
            "components": {
                NAME: {
                    "factory": NAME,
                    "model": {"tok2vec": blocks["components"][NAME]["model"]["tok2vec"]},
                }
            },
            "corpora": {
                part: {"@readers": "spacy.Corpus.v1", "path": f"${{paths.{part}}}"}
                for part in ("train", "dev")
            },
        }
    )
    partial.to_disk(folder / "partial.cfg")
    return folder / "partial.cfg"


def test_from_a_few_settings_to_a_package(tmp_path):
    """init fill-config, debug config, init labels, train with the labels, package."""
    partial, filled = write_config(make_nlp(), tmp_path), tmp_path / "filled.cfg"
    spacy_command("init", "fill-config", partial, filled)
    component = load_config(filled)["components"][NAME]
    assert component["auxiliary"] == {"@misc": "spacy-finegrained-ner.CoarseTask.v1"}
    assert component["model"]["@architectures"] == "spacy-finegrained-ner.Tagger.v1"
    spacy_command("debug", "config", filled)

    spacy_command("init", "labels", filled, tmp_path / "labels")
    labels = tmp_path / "labels" / f"{NAME}.json"
    assert srsly.read_json(labels) == ["Athlete", "Drink", "HumanSettlement", "Scientist"]
    config, out = load_config(filled), tmp_path / "out"
    reader = {"@readers": "spacy.read_labels.v1", "path": str(labels)}
    config["initialize"]["components"] = {NAME: {"labels": reader}}
    config["training"] |= {"max_steps": 60, "eval_frequency": 30}
    config.to_disk(filled)
    spacy_command("train", filled, "--output", out)
    nlp = spacy.load(out / "model-best")
    assert nlp.get_pipe(NAME).labels == tuple(srsly.read_json(labels))

    (tmp_path / "packages").mkdir()
    package = ["--name", "tickets", "--version", "0.1.0", "--build", "none"]
    spacy_command("package", out / "model-best", tmp_path / "packages", *package)
    (packaged,) = (tmp_path / "packages").rglob("config.cfg")
    assert found(spacy.load(packaged.parent)) == found(nlp)
