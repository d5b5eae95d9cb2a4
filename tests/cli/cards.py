"""A trained pipeline with what evaluate and calibrate write, and its card."""

import shutil

import srsly
from pipelines import SENTENCES
from spacy.util import load_config
from test_commands import run, write_spacy

WRONG = "pelé/B-Drink met/O marie/B-Scientist curie/I-Scientist"
"""Pelé is found as an athlete."""


def meta(folder, *more, model="model", train="train.spacy"):
    """Of the `folder`: code, printed, card, meta.json."""
    output = folder / "meta.json"
    output.unlink(missing_ok=True)
    code, printed = run(
        *("meta", folder / model, "--train", folder / train, "--output", output), *more
    )
    card = folder / model / "README.md"
    if code:
        return code, printed, None, None
    return code, printed, card.read_text(encoding="utf-8"), srsly.read_json(output)


def with_config(folder, target, **sections):
    """A copy of the model with other values in its config, as `training__seed=1`."""
    shutil.copytree(folder / "model", target / "model")
    config = load_config(target / "model" / "config.cfg", interpolate=False)
    for path, value in sections.items():
        section, key = path.rsplit("__", 1)
        at = config
        for part in section.split("__"):
            at = at.setdefault(part, {})
        at[key] = value
    config.to_disk(target / "model" / "config.cfg")


def row(card: str, title: str) -> list[str]:
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def make(model, folder):
    shutil.copytree(model, folder / "model")
    write_spacy(folder / "train.spacy")
    valid = write_spacy(folder / "valid.spacy", [*SENTENCES, WRONG] * 12)
    pipeline = folder / "model"
    steps = (
        ("calibrate", pipeline, valid, "--output", folder / "calibration.json"),
        ("evaluate", pipeline, valid, "--output", folder / "scores.json", "--bootstrap", 50),
    )
    for step in steps:
        code, printed = run(*step)
        assert code == 0, printed
    return folder
