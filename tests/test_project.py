"""project.yml: nothing is missing, a second run does nothing, an edit runs again."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from encoders import tiny_bert
from pipelines import SENTENCES
from weasel.util import load_project_config

ROOT = Path(__file__).parents[1]


def project(**overrides):
    return load_project_config(ROOT, overrides={f"vars.{k}": v for k, v in overrides.items()})


@pytest.mark.parametrize("workflow", ["all", "own", "multiconer"])
def test_every_dependency_is_there_or_made_before(workflow):
    config = project(multiconer="tests")  # any folder that is there, as assets are not
    commands = {command["name"]: command for command in config["commands"]}
    made = set()
    for name in config["workflows"][workflow]:
        for dep in commands[name].get("deps", []):
            present = (ROOT / dep).exists() and dep != "./assets/encoder"
            assert present or dep in made, f"{name} needs {dep}"
        made |= set(commands[name].get("outputs", []))


def test_only_python_is_called_and_every_file_in_a_script_is_a_dependency_or_an_output():
    # weasel rewrites `python` to the interpreter it runs in, and nothing else.
    for command in project()["commands"]:
        known = [*command.get("deps", []), *command.get("outputs", [])]
        known = [path.removeprefix("./") for path in known]
        for line in command["script"]:
            assert line.startswith("python -")
            for path in re.findall(r"(?:corpus|tests|configs|assets|metrics)/[\w./-]+", line):
                assert any(path.startswith(k) or k.startswith(path) for k in known), (line, path)


def test_the_asset_is_the_file_that_convert_looks_for():
    assets = [asset["dest"] for asset in project()["assets"]]
    assert assets == ["assets/multiconer/en_train.conll", "assets/multiconer/en_dev.conll"]
    assert {str(Path(a).parent) for a in assets} == {project()["vars"]["multiconer"]}


def test_only_the_official_dev_set_is_for_reporting():
    scripts = {command["name"]: " ".join(command["script"]) for command in project()["commands"]}
    assert [name for name, text in scripts.items() if "--dev-reports" in text] == [
        "convert-multiconer"
    ]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project in another folder, with a tiny encoder and a tiny corpus."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "project.yml", folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    tiny_bert(folder / "assets" / "encoder")
    (folder / "data").mkdir()
    (folder / "taxonomy.toml").write_text(
        'Person = ["Scientist", "Athlete"]\nOther = ["HumanSettlement", "Drink"]\n'
    )
    conll = "\n\n".join(text.replace(" ", "\n").replace("/", " ") for text in SENTENCES)
    for part in ("train", "valid"):
        (folder / "data" / f"{part}.conll").write_text(conll + "\n")
    return folder


def run(folder: Path, command: str) -> str:
    overrides = ["--vars.data", "data", "--vars.taxonomy", "taxonomy.toml", "--vars.steps", "4"]
    return subprocess.run(
        [sys.executable, "-m", "spacy", "project", "run", command, str(folder), *overrides],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_steps_run_once_and_again_after_an_edit(copy):
    for command in ("convert", "train", "evaluate"):
        assert f"Skipping '{command}'" not in run(copy, command)
    report = srsly.read_json(copy / "metrics" / "all.json")
    assert report["sentences"] == len(SENTENCES)
    for command in ("convert", "train", "evaluate"):
        assert f"Skipping '{command}'" in run(copy, command)
    config = copy / "configs" / "default.cfg"
    config.write_text(config.read_text().replace("dropout = 0.2", "dropout = 0.25"))
    assert "Skipping 'convert'" in run(copy, "convert")
    assert "Skipping 'train'" not in run(copy, "train")
    trained = spacy.load(copy / "training" / "all" / "model-best")
    assert trained.config["components"]["finegrained_ner"]["model"]["dropout"] == 0.25
    assert trained.get_pipe("finegrained_ner").taxonomy.coarse == ("Person", "Other")
