"""The workflow `checks`, small: from the data to the pages, and again from the records."""

import shutil
from pathlib import Path

import pytest
from encoders import tiny_bert
from pipelines import SENTENCES
from test_project import ROOT, run

from spacy_finegrained_ner.data.corpus import EMBEDDED
from study.plan.experiments import EXPERIMENTS

CHECKS = ("decay", "fewnerd", "wnut17", "blending", "schedules")


def write_parts(folder: Path, names: dict[str, str], **times: int) -> None:
    """The sentences of the tests as CoNLL, so often in each part, under other names of types."""
    text = "\n\n".join(text.replace(" ", "\n").replace("/", " ") for text in SENTENCES)
    for name, other in names.items():
        text = text.replace(f"-{name}", f"-{other}")
    folder.mkdir()
    for part, many in times.items():
        (folder / f"{part}.conll").write_text("\n\n".join([text] * many) + "\n")


@pytest.mark.slow
def test_all_checks_from_the_data_to_the_pages_and_again_from_the_records(tmp_path):
    shutil.copy(ROOT / "project.yml", tmp_path)
    for name in ("configs", "study"):
        shutil.copytree(ROOT / name, tmp_path / name)
    tiny_bert(tmp_path / "assets" / "encoder", layers=1)
    fine = {
        **{"Scientist": "person-scholar", "Athlete": "person-athlete"},
        **{"HumanSettlement": "location-GPE", "Drink": "product-food"},
    }
    write_parts(tmp_path / "few nerd", fine, train=8, valid=2, dev=2)
    flat = {"Scientist": "person", "Athlete": "person", "HumanSettlement": "location"}
    write_parts(tmp_path / "wnut", flat | {"Drink": "product"}, train=10, dev=2)
    given = ["--vars.multiconer", str(EMBEDDED), "--vars.fewnerd", "few nerd"]
    given += ["--vars.wnut17", str(tmp_path / "wnut"), "--vars.checks_size", "smoke"]
    run(tmp_path, "checks", *given)
    checks = tmp_path / "metrics" / "checks"
    taxonomy = (tmp_path / "corpus" / "fewnerd" / "taxonomy.toml").read_text()
    assert 'person = ["person-athlete", "person-scholar"]' in taxonomy
    records = sorted(checks.glob("*/runs/*.json"))
    for name in CHECKS:
        arms = {path.name.split("-")[1] for path in records if path.name.startswith(f"{name}-")}
        assert {arm for arm, one in EXPERIMENTS[name].arms.items() if not one.later} <= arms
    assert checks / "blending" / "runs" / "blending-none_linear-seed0.json" in records
    assert "Strict and pooled" in (checks / "decay" / "README.md").read_text(encoding="utf-8")
    assert "by sentence" in (checks / "blending" / "README.md").read_text(encoding="utf-8")
    assert "## Dev part" in (checks / "wnut17" / "README.md").read_text(encoding="utf-8")
    page = (checks / "checks" / "README.md").read_text(encoding="utf-8")
    assert page.count("| not run yet |") == 1  # that of the study
    pages = sorted(checks.glob("*/*.md")) + sorted(checks.glob("*/page.html"))
    assert len(pages) == 2 * len(CHECKS) + 2
    before = {path: path.read_bytes() for path in [*pages, *records]}
    for path in pages:
        path.unlink()
    run(tmp_path, "checks", *given)
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(checks.glob("*/runs/*.json")) == records


@pytest.mark.slow
def test_the_techniques_on_data_of_ones_own(tmp_path):
    shutil.copy(ROOT / "project.yml", tmp_path)
    for name in ("configs", "study"):
        shutil.copytree(ROOT / name, tmp_path / name)
    tiny_bert(tmp_path / "assets" / "encoder", layers=1)
    names = {"Scientist": "Scholar", "Athlete": "Player", "HumanSettlement": "Town"}
    write_parts(tmp_path / "my data", names, train=10, valid=2, dev=2)
    types = 'person = ["Scholar", "Player"]\nelse = ["Town", "Drink"]\n'
    (tmp_path / "types.toml").write_text(types)
    given = ["--vars.data", "my data", "--vars.taxonomy", "types.toml"]
    run(tmp_path, "techniques", *given, "--vars.checks_size", "smoke")
    folder = tmp_path / "metrics" / "techniques"
    records = {path.stem for path in (folder / "runs").glob("*.json")}
    assert records == {f"own-{arm}-seed0" for arm in EXPERIMENTS["own"].arms}
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# The techniques, on data of yours")
    assert "## Dev part" in page
