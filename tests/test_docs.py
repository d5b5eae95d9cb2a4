"""Links, anchors and code blocks of the pages for people: what they name is there, and runs."""

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import spacy
from encoders import tiny_bert
from knowledge_names import names_file
from listening import make_listening
from pipelines import examples, train
from spacy.util import load_model

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = {"extending.md"}
"""Pages whose Python one module is made of: tests/test_extending.py runs it."""

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for _, found, body in FENCE.findall(text) if found == language]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", prose(page), re.MULTILINE)
    texts = [re.sub(r"\[(.+?)\]\(.+?\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


@pages
def test_links_and_anchors_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if page.parent.name == "docs":  # the site has nothing else
            assert path.is_relative_to(ROOT / "docs"), target
        if anchor:
            assert anchor in anchors(path), target


@pages
def test_a_fence_is_of_a_language_that_is_tested_or_plain_text(page):
    found = {language for _, language, _ in FENCE.findall(page.read_text(encoding="utf-8"))}
    assert found <= {"python", "bash", "toml", "ini", "text"}


@pages
def test_toml_and_ini_can_be_read(page):
    for block in blocks(page, "toml"):
        assert tomllib.loads(block)
    for block in blocks(page, "ini"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(block)
        assert parser.sections()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """As the packaged pipelines are: with an encoder that is a pipe of its own."""
    names = tmp_path_factory.mktemp("names") / "names"
    names_file(names, [("Carlo Ancelotti", "SportsManager", ["web"])])
    block = {"@layers": "spacy-finegrained-ner.names.v1", "path": str(names)}
    model = {"dropout": 0.0, "blending": None, "knowledge": block}
    nlp = make_listening(tmp_path_factory.mktemp("encoder"), model=model)
    text = "is/O carlo/B-SportsManager ancelotti/I-SportsManager still/O coaching/O"
    train(nlp, examples(nlp, [f"{text} real/B-SportsGRP madrid/I-SportsGRP"]), 60)
    folder = tmp_path_factory.mktemp("trained")
    nlp.to_disk(folder)
    return folder


def load(name: str, folder: Path, **more):
    if name == "en_core_web_sm":
        return spacy.blank("en")
    assert name in ("en_finegrained_ner", "en_tickets")
    return load_model(folder, **more)


def write_own_data(folder: Path) -> None:
    """The data and the taxonomy of the README, and an encoder."""
    tiny_bert(folder / "assets" / "encoder")
    (folder / "my_data").mkdir()
    (folder / "my_data" / "train.conll").write_text(*blocks(ROOT / "README.md", "text"))
    (folder / "my_taxonomy.toml").write_text(*blocks(ROOT / "README.md", "toml"))


@pytest.mark.filterwarnings("error:.*W006")  # displaCy has nothing to draw
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in ELSEWHERE and blocks(page, "python")],
    ids=lambda page: page.name,
)
def test_the_python_runs(page, trained, monkeypatch, tmp_path, capsys):
    """The blocks of a page one after the other, as a reader would type them."""
    text = page.read_text(encoding="utf-8")
    # A comment counts for the next fence
    text = re.sub(r"<!-- not run: .+? -->.*?```python\n.*?\n```", "", text, flags=re.DOTALL)
    found = [body for _, language, body in FENCE.findall(text) if language == "python"]
    monkeypatch.setattr(spacy, "load", lambda name, **more: load(name, trained, **more))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.txt").write_text("is carlo ancelotti still coaching real madrid\n")
    if page.name == "README.md":
        write_own_data(tmp_path)
    names: dict = {}
    for block in found:
        exec(block, names)
    printed = capsys.readouterr().out
    for expected in PRINTED.get(page.name, ()):
        assert expected in printed


PRINTED = {
    "README.md": (
        "carlo ancelotti SportsManager Person\nreal madrid SportsGRP Group\n",
        "[('carlo ancelotti', 'SportsManager', 'Person'), ('real madrid', 'SportsGRP', 'Group')]",
    ),
    "using.md": (
        "carlo ancelotti SportsManager Person\nreal madrid SportsGRP Group\n",
        "[('carlo ancelotti', 'SportsManager'), ('real madrid', 'SportsGRP')] ['Person', 'Group']",
        "('carlo ancelotti', 'PERSON', 'SportsManager'), ('real madrid', 'ORG', 'SportsGRP')",
    ),
    "nn.md": ("tensor([[1, 2, 0],\n        [0, 1, 0]])",),
}


def test_every_page_is_in_the_index_and_in_the_readme():
    names = {page.name for page in ROOT.glob("docs/*.md")} - {"index.md"}
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)", index)) == names
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(docs/([\w-]+\.md)", readme)) >= names - {"api.md"}


def test_the_changelog_begins_with_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    releases = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[:2] == ["Unreleased", version]


@pytest.mark.slow
def test_the_site_can_be_built(tmp_path):
    """Strict: a link that leads nowhere ends it."""
    build = ["-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run([sys.executable, *build], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "api.html").read_text(encoding="utf-8")
    for name in ("extend.crf_loss", "nn.viterbi.viterbi", "data.gold.label_only"):
        assert f'id="spacy_finegrained_ner.{name}"' in reference
    fetched = re.findall(r'<(?:script|link)[^>]+(?:src|href)="https?:[^"]+"', reference)
    assert not fetched
