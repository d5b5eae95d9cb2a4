"""The whole study, small: from the command line to the page."""

import sys
from pathlib import Path

import pytest
import srsly
from encoders import tiny_bert
from typer.testing import CliRunner

from spacy_finegrained_ner.data.corpus import EMBEDDED
from study.__main__ import app
from study.plan.stages import SIZES
from study.runs.records import read_records


def study(folder: Path, *more: str, verb: str = "run", data: Path = EMBEDDED) -> str:
    if verb == "run":
        encoder = str(folder / "encoder")
        more = (str(data), "--output", str(folder / "out"), "--encoder", encoder, *more)
        more += ("--work", str(folder / "work"), "--size", "smoke")
    done = CliRunner().invoke(app, [verb, *more])
    assert done.exit_code == 0, done.output + done.stderr
    return done.output


@pytest.mark.slow
def test_the_smoke_study_from_the_embedded_corpus_to_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["spacy_finegrained_ner", "study", "run"])
    tiny_bert(tmp_path / "encoder", layers=3)  # the last three are a level
    said = study(tmp_path, "--base-encoder", str(tmp_path / "encoder"))
    assert "Stage base" in said
    records = read_records(tmp_path / "out")
    smoke = SIZES["smoke"]
    stages = [record.run.stage for record in records]
    designed = smoke.points * len(smoke.seeds)
    assert stages.count("screening") == stages.count("followup") == designed
    assert stages.count("arms") in (21, 25)  # more where the middle rate was not best
    assert stages.count("classic") == stages.count("base") == 1
    # Again: nothing is left to do
    said = study(tmp_path, "--base-encoder", str(tmp_path / "encoder"))
    assert said.count(f" {designed} of them done before") == 2  # both screenings
    assert read_records(tmp_path / "out") == records
    study(tmp_path, str(tmp_path / "out"), verb="page")
    for name in ("study.html", "README.md", "analysis.json"):
        assert (tmp_path / "out" / name).stat().st_size > 1000
    effects = srsly.read_json(tmp_path / "out" / "analysis.json")["screenings"]["screening"][
        "effects"
    ]
    assert {row["factor"] for row in effects} >= {"head", "blending", "auxiliary", "layers"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--size", "tiny"), "There is no size 'tiny', expected one of smoke, small, full"),
        (("--stages", "grid,arm"), "There is no stage 'arm', expected some of grid"),
        (("--stages", "arms"), "of default, linear, ner is not done: run the stage 'grid'"),
        (("--pos", "no_such_pipeline"), "Expected a pipeline with a tagger"),
    ],
)
def test_what_can_not_be_run_is_told(tmp_path, more, message):
    arguments = [str(EMBEDDED), "--output", str(tmp_path / "out"), "--encoder", "x"]
    arguments += ["--work", str(tmp_path / "work"), "--size", "smoke"]
    done = CliRunner().invoke(app, ["run", *arguments, *more])
    assert done.exit_code == 1
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output + done.stderr


def test_a_folder_without_data_is_told(tmp_path):
    done = CliRunner().invoke(
        app, ["run", str(tmp_path), "--output", str(tmp_path), "--encoder", "x"]
    )
    assert done.exit_code == 1
    assert "found no train and no valid part" in " ".join(done.stderr.split())
