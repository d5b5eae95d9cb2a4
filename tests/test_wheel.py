"""The packaged pipeline, in a virtual environment without the source tree."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from pipelines import examples, make_nlp, train

ROOT = Path(__file__).parents[1]


def call(*command, cwd: Path) -> str:
    """Run without anything of this process's environment that could bring the source tree in."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def copy_source(folder: Path) -> None:
    for name in ("spacy_finegrained_ner", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)


def test_every_folder_with_code_is_in_the_list_of_packages():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in ROOT.glob("spacy_finegrained_ner/**/*.py")}
    assert {*listed} == {".".join(f.parts) for f in folders} | {"spacy_finegrained_ner.configs"}


def test_configs_and_templates_travel_in_the_wheel(tmp_path):
    """Made without the package index, and run from nowhere near the source tree."""
    copy_source(tmp_path / "source")
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    call(sys.executable, "-c", build, cwd=tmp_path / "source")
    shutil.rmtree(tmp_path / "source")
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        archive.extractall(tmp_path / "site")
    configs = tmp_path / "site" / "spacy_finegrained_ner" / "configs"
    assert {p.name for p in configs.iterdir()} == {p.name for p in ROOT.glob("configs/*.cfg")}
    templates = {p.name for p in configs.parent.glob("*/templates/*")}
    assert templates >= {"document.html", "page.html", "page.js", "report.js"}
    assert (configs.parent / "cli" / "card.md").exists()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from spacy_finegrained_ner.cli import configs\n"
        "print(configs.shipped()['default'])"
    )
    found = call(sys.executable, "-c", code, cwd=tmp_path)
    assert Path(found.strip()) == configs / "default.cfg"


@pytest.mark.slow
def test_the_release_and_the_packaged_wheel_bring_all_they_need(tmp_path):
    """Needs the package index. The release and the pipeline's wheel in a folder; one name to
    install. Of the release the source distribution: its wheel is built on the way."""
    nlp = make_nlp()
    train(nlp, examples(nlp), 60)
    nlp.to_disk(tmp_path / "model")
    expected = [(e.text, e.label_) for e in nlp("marie curie met pelé in lyon").ents]
    assert expected
    dist = tmp_path / "dist"
    source = tmp_path / "source"
    copy_source(source)
    shutil.copytree(ROOT / "study", source / "study")
    call(sys.executable, "-m", "build", "--outdir", dist, source, cwd=tmp_path)
    (ours,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    call(sys.executable, "-m", "twine", "check", "--strict", ours, sdist, cwd=tmp_path)
    with zipfile.ZipFile(ours) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith("-info")} == {"spacy_finegrained_ner"}
    shutil.rmtree(source)
    ours.unlink()
    package = ["--name", "finegrained_ner", "--version", "0.1.0", "--build", "wheel"]
    call(sys.executable, "-m", "spacy", "package", "model", ".", *package, cwd=tmp_path)
    built = next(tmp_path.glob("en_finegrained_ner-0.1.0/dist/*.whl"))
    shutil.copy(built, dist)

    with zipfile.ZipFile(built) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("ner/meta.json")]
        meta = json.loads(archive.read(name))
    assert "spacy-finegrained-ner>=0.1.0,<0.2.0" in meta["requirements"]

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    call(*pip, "--find-links", dist, "en_finegrained_ner", cwd=tmp_path)
    code = (
        "import spacy, spacy_finegrained_ner as p; print(p.__file__);"
        "nlp = spacy.load('en_finegrained_ner');"
        "doc = nlp('marie curie met pelé in lyon');"
        "print([(ent.text, ent.label_, ent._.coarse_label) for ent in doc.ents])"
    )
    where, found = call(python, "-c", code, cwd=tmp_path).splitlines()[-2:]
    assert where.startswith(str(tmp_path / "venv"))
    assert found == str(
        [(*pair, {"HumanSettlement": "Location"}.get(pair[1], "Person")) for pair in expected]
    )
