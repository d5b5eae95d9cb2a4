"""The commands of the pages for people exist, with their options, settings and variables."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import srsly
from spacy.cli import app as spacy_app
from test_docs import blocks, pages
from thinc.api import Config
from typer.main import get_command

from spacy_finegrained_ner.cli.main import app
from study.__main__ import app as study

ROOT = Path(__file__).parents[1]
PROJECT = srsly.read_yaml(ROOT / "project.yml")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def commands(page: Path) -> list[list[str]]:
    text = "".join(blocks(page, "bash")).replace("\\\n", " ")
    parts = [part for line in text.splitlines() for part in line.split(" && ")]
    return [words for part in parts if (words := shlex.split(part, comments=True))]


def parse(command, words: list[str]) -> list[str]:
    """The words behind the name of a verb, against its options; those that are left over."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    parser = command.make_parser(context)
    parser.ignore_unknown_options = bool(command.context_settings.get("ignore_unknown_options"))
    values, left, _ = parser.parse_args(list(words))
    for parameter in command.params:
        if parameter.required:
            assert values.get(parameter.name) is not None, f"{words}: no {parameter.name}"
    return left


def check_settings(words: list[str], config_file: str = "configs/default.cfg") -> None:
    config = Config().from_disk(ROOT / config_file, interpolate=False)
    for word in words:
        if word.startswith("--"):
            section, _, name = word.removeprefix("--").rpartition(".")
            at = config
            for part in section.split("."):
                at = at[part]
            assert name in at, word


def verb(of, words: list[str]):
    """The command that the first words name, and the other words."""
    command = get_command(of)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def check(words: list[str]) -> None:
    if words[2:3] == ["spacy_finegrained_ner"]:
        words = ["python", "-m", "spacy", "finegrained-ner", *words[3:]]
    match words:
        case ["python", "-m", "spacy", "finegrained-ner", *rest]:
            assert not parse(*verb(app, rest)), words
        case ["python", "-m", "spacy", "project", "run", workflow, *rest]:
            assert workflow in PROJECT["workflows"]
            variables = {word.removeprefix("--vars.") for word in rest if word.startswith("--")}
            assert variables <= set(PROJECT["vars"]), words
        case ["python", "-m", "study", *rest]:
            assert not parse(*verb(study, rest)), words
        case ["python", "-m", "spacy", *rest]:
            command, rest = verb(spacy_app, rest)
            left = parse(command, rest)
            if command.name == "train":
                shipped = rest[0].startswith("configs/")
                check_settings(left, rest[0] if shipped else "configs/default.cfg")
            elif command.name == "assemble":
                check_settings(left, f"configs/{rest[0]}")
            else:
                assert not left, words
        case ["pip", "install", *_] | ["python", "-m", "pip", "install", *_]:
            for extras in re.findall(r"\[([\w,]+)\]", " ".join(words)):
                known = PYPROJECT["project"]["optional-dependencies"]
                assert set(extras.split(",")) <= set(known), words
        case _:
            assert words[:3] in (["python", "-m", "pytest"], ["python", "-m", "venv"]) or words in (
                [".", ".venv/bin/activate"],
                ["python", "-m", "build"],
                ["mkdocs", "serve"],
            ), words


@pages
def test_the_commands_exist(page):
    for words in commands(page):
        check(words)


@pytest.mark.parametrize(
    "line",
    [
        "python -m spacy finegrained-ner convert my_data",
        "python -m spacy finegrained-ner convert my_data corpus --langs de",
        "python -m spacy finegrained-ner benchmark nothing",
        "python -m spacy project run nothing",
        "python -m spacy project run own . --vars.nothing 1",
        "python -m spacy train my.cfg --training.nothing 1",
        'pip install ".[nothing]"',
        "nothing",
    ],
)
def test_a_command_that_does_not_exist_is_found(line):
    try:
        check(shlex.split(line))
    except Exception:
        return
    raise AssertionError("taken for a command")
