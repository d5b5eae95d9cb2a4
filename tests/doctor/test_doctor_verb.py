"""The verb `doctor`, as a user types it."""

import io
import sys

import pytest
import srsly
from patients import healthy, small, text, write
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.doctor.finding import NAMES, Finding, worst_first


@pytest.fixture
def doctor(tmp_path):
    """Runs the verb. RETURNS: exit code, and what was printed, on one line."""

    def run(folder, *options, **changes):
        small(**changes).to_disk(tmp_path / "my.cfg")
        arguments = ["doctor", folder, "--config", tmp_path / "my.cfg", *options]
        result = CliRunner().invoke(app, [str(x) for x in arguments], env={"COLUMNS": "250"})
        wrong = result.exception
        assert wrong is None or isinstance(wrong, SystemExit), wrong
        return result.exit_code, " ".join(result.output.split())

    return run


def faulty(folder, warning=True, error=True):
    parts = healthy()
    if warning:
        parts["train"] += [text(f"{word} barks/B-Sound") for word in "qwert"]
    if error:
        parts["train"][0][0][1], parts["train"][0][1][1] = "B-athlete", "I-athlete"
    return write(folder, parts)


def test_good_data_is_good(doctor, good, tmp_path):
    options = ("--output", tmp_path / "a" / "found.json", "--training.max_steps", "200")
    code, said = doctor(good, *options)
    assert code == 0
    assert "Found nothing that is wrong." in said
    assert "What the doctor found" not in said
    assert "200 steps take" in said
    found = srsly.read_json(tmp_path / "a" / "found.json")
    assert found["findings"] == []
    assert found["parts"] == {"train": 168, "valid": 57}
    assert found["estimate"]["parameters"] > 0


def test_errors_end_it_with_1_and_come_first(doctor, tmp_path):
    folder = faulty(tmp_path / "data")
    code, said = doctor(folder, "--no-probe", "--output", tmp_path / "found.json")
    assert code == 1
    assert said.index("two-spellings") < said.index("rare-types") < said.index("type-only-in")
    assert "Found 1 error, 1 warning and 1 note." in said
    found = srsly.read_json(tmp_path / "found.json")["findings"]
    assert [one["severity"] for one in found] == ["error", "warning", "note"]
    assert found[0]["where"][0].endswith("train.conll:1: athlete")
    assert found[0]["group"] == "labels"


def test_warnings_end_it_with_1_where_asked(doctor, tmp_path):
    folder = faulty(tmp_path / "data", error=False)
    assert doctor(folder, "--no-probe")[0] == 0
    assert doctor(folder, "--no-probe", "--strict")[0] == 1
    code, said = doctor(
        folder, "--no-probe", "--strict", "--ignore", "rare-types", "--ignore", "type-only-in-train"
    )
    assert code == 0
    assert "Ignored: rare-types, type-only-in-train" in said


def test_what_is_wrong_with_the_command_is_told(doctor, good, tmp_path):
    code, said = doctor(good, "--ignore", "rare")
    assert code == 1
    assert "there is no such finding" in said
    code, said = doctor(good, "--cross-fit", "2", "--suspects", "a.html")
    assert code == 1
    assert "ends in .tsv or .json" in said
    code, said = doctor(good, "--no-probe", "--training.max_stps", "2")
    assert code == 1
    assert "config-error" in said


def test_without_a_probe_no_step_is_taken(doctor, good):
    assert "A step takes" not in doctor(good, "--no-probe")[1]


def test_the_taxonomy_is_that_of_the_config_or_the_option(doctor, good, tmp_path):
    (tmp_path / "my.toml").write_text('"A" = ["Athlete", "Drink"]\n')
    code, said = doctor(good, "--no-probe", "--taxonomy", tmp_path / "my.toml")
    assert code == 1
    assert "The label 'Station' is not in the taxonomy" in said
    code, said = doctor(good, "--no-probe", paths__taxonomy=str(tmp_path / "my.toml"))
    assert "outside-taxonomy" in said


def test_cross_fit_writes_a_list(doctor, good, tmp_path):
    path = tmp_path / "out" / "suspects.json"
    code, said = doctor(
        good, "--no-probe", "--cross-fit", "2", "--suspects", path, "--training.max_steps", "3"
    )
    assert code == 0, said
    rows = srsly.read_json(path)
    assert f"Wrote {path}: {len(rows):,} labels" in said
    assert [row["score"] for row in rows] == sorted((x["score"] for x in rows), reverse=True)
    assert set(rows[0]) == {"score", "where", "entity", "gold", "suggested", "sentence"}
    assert (
        "Fold 1 of 2 is there"
        in doctor(
            good, "--no-probe", "--cross-fit", "2", "--suspects", path, "--training.max_steps", "3"
        )[1]
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_console_will_do(tmp_path, monkeypatch, encoding):
    parts = healthy()
    parts["train"] += [text(f"{word} 日本/B-[b]日本") for word in "qwert"]
    folder = write(tmp_path / "日本", parts)
    small().to_disk(tmp_path / "my.cfg")
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    arguments = ["doctor", str(folder), "--config", str(tmp_path / "my.cfg"), "--no-probe"]
    app(arguments, standalone_mode=False)
    stdout.flush()
    printed = stdout.buffer.getvalue().decode(encoding)
    assert "rare-types" in printed
    assert "[b]??" in printed


def test_worst_first():
    def found(name, severity):
        return Finding(name, severity, "", "")

    one, two, three, four = (
        found("windows", "note"),
        found("patience", "warning"),
        found("rare-types", "warning"),
        found("no-end", "error"),
    )
    assert worst_first([one, two, three, four]) == [four, three, two, one]


def test_the_page_has_all_names(request):
    page = (request.config.rootpath / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"`{name}`" for names in NAMES.values() for name in names]
