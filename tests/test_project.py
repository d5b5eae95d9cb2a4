"""project.yml: nothing is missing, a second run does nothing, an edit runs again."""

import os
import re
import shlex
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

from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

ROOT = Path(__file__).parents[1]
TRAININGS = ("all", "own", "multiconer")
"""Workflows that train a pipeline."""


def project(**overrides):
    return load_project_config(ROOT, overrides={f"vars.{k}": v for k, v in overrides.items()})


@pytest.mark.parametrize("workflow", TRAININGS)
def test_every_dependency_is_there_or_made_before(workflow):
    config = project(multiconer="tests")  # any folder that is there, as assets are not
    commands = {command["name"]: command for command in config["commands"]}
    made = set()
    for name in config["workflows"][workflow]:
        for dep in commands[name].get("deps", []):
            present = (ROOT / dep).exists() and dep != "assets/encoder/"
            # A folder is there if something in it is
            made_before = any(Path(output).is_relative_to(dep) for output in made)
            assert present or made_before, f"{name} needs {dep}"
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


PATHS = {
    *("config", "encoder", "data", "taxonomy", "multiconer", "benchmark_data"),
    *("study", "study_base_encoder", "study_pos", "texts", "held_out", "teacher"),
    *("fewnerd", "wnut17", "checks", "techniques"),
}
NO_PATHS = {
    *("lang", "name", "version", "seed", "gpu", "steps", "multiconer_steps", "source", "license"),
    *("benchmark_sentences", "study_size", "study_workers", "soft"),
    *("checks_size", "checks_workers"),
}


def test_each_variable_is_a_path_or_not():
    assert project()["vars"].keys() == PATHS | NO_PATHS


@pytest.mark.parametrize("variable", sorted(PATHS))
@pytest.mark.parametrize("path", ["/some where/it's ~here", "some where/ü", "~/x"])
def test_a_path_is_one_argument_and_one_dependency_whatever_is_in_it(variable, path):
    mark = "${vars." + variable + "}"
    found = 0
    given = project(**{variable: path})["commands"]
    written = load_project_config(ROOT, interpolate=False)["commands"]
    for command, raw in zip(given, written, strict=True):
        for line, raw_line in zip(command["script"], raw["script"], strict=True):
            named = [word for word in shlex.split(line) if f"{word}/".startswith(f"{path}/")]
            assert len(named) == raw_line.count(mark), line
            found += raw_line.count(mark)
        for key in ("deps", "outputs"):
            for name, raw_name in zip(command.get(key, []), raw.get(key, []), strict=True):
                if mark in raw_name:
                    assert name == path + raw_name.removeprefix(mark)
                    assert Path("/project", name) == Path(
                        "/project", path, raw_name[len(mark) + 1 :]
                    )
    assert found


def test_each_workflow_writes_to_places_of_its_own():
    config = project()
    outputs = [output for command in config["commands"] for output in command.get("outputs", [])]
    assert len(outputs) == len(set(outputs))
    assert [wheel.rsplit("/", 1)[1] for wheel in outputs if wheel.endswith(".whl")] == [
        "en_finegrained_ner-0.1.0-py3-none-any.whl",
        "en_own_ner-0.1.0-py3-none-any.whl",
        "en_multiconer_ner-0.1.0-py3-none-any.whl",
    ]
    commands = {command["name"]: command for command in config["commands"]}
    for workflow in TRAININGS:
        text = str([commands[name] for name in config["workflows"][workflow]])
        named = re.findall(rf"(?:corpus|training|metrics)/({'|'.join(TRAININGS)})\b", text)
        assert set(named) == {workflow}


@pytest.mark.parametrize("workflow", TRAININGS)
def test_the_language_reaches_every_step(workflow):
    config = project(lang="de")
    commands = {command["name"]: command for command in config["commands"]}
    script = [line for name in config["workflows"][workflow] for line in commands[name]["script"]]
    takes = {
        "spacy_finegrained_ner convert ": "--lang de",
        "spacy train ": "--nlp.lang de",
        "check-name ": "check-name de ",
        "rmtree": "packages/de_",
        "pip install ": "/dist/de_",
        "unseen.conll": " de_finegrained_ner ",
    }
    assert {called for called in takes if any(called in line for line in script)} >= {
        called for called in takes if called != "unseen.conll"
    }
    for line in script:
        assert "en_" not in line
        for called, taken in takes.items():
            assert called not in line or taken in line, line


@pytest.mark.parametrize("workflow", TRAININGS)
def test_what_works_after_the_install_is_printed(workflow):
    config = project(lang="de", name="tickets")
    named = {"all": "finegrained_ner", "own": "tickets", "multiconer": "multiconer_ner"}
    (install,) = (
        command
        for command in config["commands"]
        if command["name"] in config["workflows"][workflow] and "install" in command["name"]
    )
    call = shlex.split(install["script"][-1])
    said = subprocess.run([sys.executable, *call[1:]], check=True, stdout=subprocess.PIPE)
    expected = f'Installed: spacy.load("de_{named[workflow]}") works now'
    assert said.stdout.decode().strip() == expected


def test_the_asset_is_the_file_that_convert_looks_for():
    assets = project()["assets"]
    found = [asset["dest"] for asset in assets if not asset.get("extra")]
    assert found == ["assets/multiconer/en_train.conll", "assets/multiconer/en_dev.conll"]
    folders = {str(Path(asset["dest"]).parent) for asset in assets}
    assert folders == {project()["vars"][name] for name in ("multiconer", "fewnerd", "wnut17")}
    for asset in assets:  # of a commit
        assert re.search(r"/[0-9a-f]{40}/", asset["url"])


def test_only_the_official_dev_set_is_for_reporting():
    scripts = {command["name"]: " ".join(command["script"]) for command in project()["commands"]}
    assert [name for name, text in scripts.items() if "--dev-reports" in text] == [
        *("convert-multiconer", "convert-fewnerd", "convert-wnut17")
    ]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The project in another folder, with a tiny encoder and a tiny corpus."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "project.yml", folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    tiny_bert(folder / "assets" / "encoder")
    (folder / "my data").mkdir()
    (folder / "my data" / "types.toml").write_text(
        'Person = ["Scientist", "Athlete"]\nOther = ["HumanSettlement", "Drink"]\n'
    )
    conll = "\n\n".join(text.replace(" ", "\n").replace("/", " ") for text in SENTENCES)
    for part in ("train", "valid"):
        (folder / "my data" / f"{part}.conll").write_text(conll + "\n")
    return folder


def run(folder: Path, command: str, *overrides: str, **options) -> str:
    done = subprocess.run(
        [*(sys.executable, "-m", "spacy", "project", "run", command, str(folder)), *overrides],
        **{"check": True, "stdout": subprocess.PIPE, "text": True, **options},
    )
    return done.stdout


@pytest.mark.slow
def test_the_steps_run_once_and_again_after_an_edit(copy):
    # A path with a space, and one that is absolute
    paths = ["--vars.data", "my data", "--vars.taxonomy", str(copy / "my data" / "types.toml")]
    given = [*paths, "--vars.steps", "4"]
    for command in ("convert-own", "train-own", "evaluate-own"):
        assert f"Skipping '{command}'" not in run(copy, command, *given)
    report = srsly.read_json(copy / "metrics" / "own.json")
    assert report["sentences"] == len(SENTENCES)
    run(copy, "convert-own", *given)  # always runs, and leaves what it would write again
    for command in ("train-own", "evaluate-own"):
        assert f"Skipping '{command}'" in run(copy, command, *given)
    config = copy / "configs" / "default.cfg"
    config.write_text(config.read_text().replace("dropout = 0.2", "dropout = 0.25"))
    types = copy / "my data" / "types.toml"
    types.write_text(types.read_text().replace("Other", "Else"))
    run(copy, "convert-own", *given)
    assert "Skipping 'train-own'" not in run(copy, "train-own", *given)
    trained = spacy.load(copy / "training" / "own" / "model-best")
    assert trained.config["training"]["eval_frequency"] == 1  # four times in four steps
    assert trained.config["components"]["finegrained_ner"]["model"]["dropout"] == 0.25
    assert trained.get_pipe("finegrained_ner").taxonomy.coarse == ("Person", "Else")


def test_without_a_taxonomy_labels_are_flat(copy):
    run(copy, "convert-own", "--vars.data", "my data")
    taxonomy = read_taxonomy(copy / "corpus" / "own" / "taxonomy.toml")
    assert taxonomy.flat
    assert taxonomy.fine


def test_a_student_has_the_taxonomy_that_its_teacher_was_asked_to_write():
    commands = {command["name"]: command for command in project(texts="a.txt")["commands"]}
    (taught,), (trained,) = (
        commands[name]["script"] for name in ("teach-student", "train-student")
    )
    (where,) = re.findall(r"--write-taxonomy (\S+)", taught)
    assert f"--paths.taxonomy {where} " in trained
    assert where in commands["teach-student"]["outputs"]
    assert where in commands["train-student"]["deps"]


def test_an_encoder_that_is_not_there_is_not_replaced_by_another(copy):
    shown = run(
        copy, "encoder", "--vars.encoder", "no/where", check=False, stderr=subprocess.STDOUT
    )
    assert "no/where: there is no encoder" in shown
    assert not (copy / "no").exists()


def test_what_no_package_can_be_called_is_refused_before_the_training(copy):
    paths = ["--vars.data", "my data", "--vars.taxonomy", "my data/types.toml"]
    given = [*paths, "--vars.name", "Tickets"]
    shown = run(copy, "convert-own", *given, check=False, stderr=subprocess.STDOUT)
    assert "'Tickets' is not a valid name of a package" in shown
    assert "Converted" not in shown


GERMAN = (
    "wo/O gibt/O es/O grünen/B-Drink Tee/I-Drink ?/O",
    "der/O Bohrer/B-Tool von/O Bosch/B-Maker ist/O kaputt/O",
    "die/O Säge/B-Tool von/O Stihl/B-Maker klemmt/O",
    "ein/O Kaffee/B-Drink neben/O der/O Säge/B-Tool",
)


@pytest.mark.slow
def test_a_german_pipeline_of_ones_own(copy, tmp_path):
    """A few dozen sentences, from another folder, through the steps of the workflow."""
    data = tmp_path / "meine Daten"
    data.mkdir()
    texts = [text.replace(" ", "\n").replace("/", " ") for text in GERMAN]
    for part, times in (("train", 10), ("valid", 1)):
        (data / f"{part}.conll").write_text("\n\n".join(texts * times) + "\n", encoding="utf-8")
    (data / "typen.toml").write_text('Ding = ["Tool", "Drink"]\nFirma = ["Maker"]\n')
    given = ["--vars.data", str(data), "--vars.taxonomy", str(data / "typen.toml")]
    given += ["--vars.lang", "de", "--vars.name", "werkstatt", "--vars.steps", "60"]
    given += ["--vars.source", "Werkstatt | CC BY 4.0", "--vars.license", "MIT"]
    steps = ("convert", "train", "evaluate", "package")  # the encoder is there
    for step in steps:
        run(copy, f"{step}-own", *given)
    for step in steps[1:]:
        assert f"Skipping '{step}-own'" in run(copy, f"{step}-own", *given)
    site = str(tmp_path / "site")
    run(copy, "install-own", *given, env=os.environ | {"PIP_TARGET": site})
    assert srsly.read_json(copy / "metrics" / "own.json")["sentences"] == len(GERMAN)
    code = "import spacy; nlp = spacy.load('de_werkstatt'); print(nlp.lang, nlp.config['training'])"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": site},
    ).stdout
    assert shown.startswith("de ")
    (card,) = Path(site).glob("de_werkstatt/de_werkstatt-*/README.md")
    written = card.read_text(encoding="utf-8")
    assert "- Werkstatt: CC BY 4.0" in written
    assert "This part selected the model" in written
    (info,) = Path(site).glob("de_werkstatt-*/METADATA")
    assert "# de\\_werkstatt" in info.read_text(encoding="utf-8")
    assert "'eval_frequency': 15" in shown
