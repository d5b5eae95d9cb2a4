"""The page of a study that was never run: what is there, and what it may not say."""

import builtins
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from simulated import put, simulate
from typer.testing import CliRunner

from study.__main__ import app
from study.page.page import write_page
from study.plan.stages import StudyError
from study.runs.records import read_records

DRAWS = 60
SECTIONS = (
    "The answer in numbers",
    "What the techniques add",
    "The paper's claim: 0.03 to 0.05 macro F1 by the techniques",
    "Open question 2: does another auxiliary task help?",
    "Open question 3: does blending help at every length?",
    "Screening: every technique on its own",
    "The same with low rates of the head",
    "The choice of the default config",
    "Learning rates",
    "Where it matters: length, seen and unseen entities",
    "Which types gain",
    "Learning curves",
    "Traditional CRF",
    "Larger encoder",
    "How it was measured",
    "Raw results",
)
FIGURES = ("arms", "comparisons", "curves", "length", "screening", "all_rates", "seen", "types")
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Checks that tags are balanced, and keeps what is seen and what is referred to."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.headings, self.ids = [], [], [], []
        self.assets, self.links = [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        keys = ("src", "srcset", "data", "xlink:href") + (() if tag == "a" else ("href",))
        self.assets += [found[key] for key in keys if key in found]
        self.links += [found["href"]] if tag == "a" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def read(html):
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def headings(folder):
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    return [line[3:] for line in lines if line.startswith("## ")]


def tables(markdown):
    """Each as a list of rows of cells."""
    found, rows = [], []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            found.append(rows)
            rows = []
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    put(folder, *simulate())
    (folder / "conclusions.md").write_text("## What to take\n\nTake `default.cfg`, <b>now</b>.\n")
    write_page(folder, draws=DRAWS)
    return folder


@pytest.fixture(scope="module")
def markdown(folder):
    return (folder / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def html(folder):
    return (folder / "study.html").read_text(encoding="utf-8")


@pytest.fixture
def some(tmp_path):
    """Writes the records that are asked for, and their page."""
    records, gold = simulate()

    def make(wanted, **changes):
        put(tmp_path, [replace(r, **changes) for r in records if wanted(r.run)], gold)
        write_page(tmp_path, draws=DRAWS)
        read((tmp_path / "study.html").read_text(encoding="utf-8"))
        return headings(tmp_path)

    return make


def test_all_sections_are_there_in_both_and_in_order(folder, html):
    assert headings(folder) == ["What to take", *SECTIONS]
    assert read(html).headings == ["What to take", *SECTIONS]


def test_conclusions_come_after_the_title_and_bring_no_markup_of_html(markdown, html):
    assert markdown.index("# What each") < markdown.index("What to take")
    assert markdown.index("What to take") < markdown.index(SECTIONS[0])
    assert "<b>now" not in html
    assert "&lt;b&gt;now" in html


def test_figures_are_inside_of_the_html_and_beside_the_markdown(folder, markdown, html):
    assert {path.stem for path in folder.glob("figures/*.svg")} == set(FIGURES)
    assert html.count("<svg") == len(FIGURES)
    for name in FIGURES:
        assert f"(figures/{name}.svg)" in markdown
        svg = (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        read(svg)
        assert "<title" in svg
        assert "currentColor" not in svg
        assert "#010203" not in svg + html


def test_the_html_needs_nothing_else(folder, html):
    reader = read(html)
    assert all(asset.startswith("#") for asset in reader.assets)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", html)
    assert "<script" not in html
    assert len(reader.ids) == len(set(reader.ids))
    for link in reader.links:
        there = link[1:] in reader.ids if link.startswith("#") else (folder / link).exists()
        assert there, link


def test_nothing_is_missing_in_what_is_seen(markdown, html):
    for text in (" ".join(read(html).text), markdown):
        assert not re.search(r"\b(nan|None|inf)\b", text)


def test_a_star_is_for_an_interval_without_0(markdown):
    stars = 0
    for rows in tables(markdown):
        for row in rows[2:]:
            for cell in row:
                if edges := re.search(
                    r"\((\S+) to (\S+)\) \\\*", cell.replace("\N{MINUS SIGN}", "-")
                ):
                    assert float(edges[1]) > 0 or float(edges[2]) < 0, row
                    stars += 1
    assert stars > 10


def test_what_was_put_in_comes_out(markdown):
    """The CRF adds, and nothing else does."""
    rows = {row[0]: row for table in reversed(tables(markdown)) for row in table}
    assert rows["head: CRF, against linear"][1].endswith("*")
    assert rows["default config, against plain linear head"][1].endswith("*")
    assert "*" not in rows["window of the blending: 2, against 1"][1]


def test_the_same_records_give_the_same_bytes(folder, tmp_path):
    again = write_page(folder, tmp_path / "page", draws=DRAWS).parent
    for name in ("study.html", "README.md", "analysis.json"):
        ours, theirs = ((f / name).read_text(encoding="utf-8") for f in (folder, again))
        # Only the links to the records differ
        assert theirs.replace(os.path.relpath(folder, again), ".") == ours
    for name in FIGURES:
        path = f"figures/{name}.svg"
        assert (folder / path).read_bytes() == (again / path).read_bytes()


def test_only_the_screening(some):
    found = some(lambda run: run.stage == "screening")
    assert found == [*(SECTIONS[i] for i in (3, 4, 5, 9)), "How it was measured", "Raw results"]


def test_a_screening_of_too_few_points(some):
    found = some(lambda run: run.arm in ("point 0", "point 1", "point 2"))
    assert found == ["How it was measured", "Raw results"]


def test_a_part_of_the_screening(some):
    first = {f"point {number}" for number in range(30)}
    found = some(lambda run: run.arm in first and run.seed == 0)
    assert set(found) <= {*SECTIONS}


def test_only_the_grid(some, tmp_path):
    """Or a part of it."""
    found = some(lambda run: run.stage == "arms" and run.seed == 0 and run.arm == "linear")
    assert "Learning rates" in found
    assert "What the techniques add" not in found


def test_arms_without_dev(some, tmp_path):
    records, _ = simulate()
    valid = next(r for r in records if r.run.name == "arm-linear-2e-04-seed0").sets["valid"]
    arms = ("default", "linear")
    found = some(
        lambda run: run.stage == "arms" and run.arm in arms, sets={"valid": valid}, commit=None
    )
    assert "What the techniques add" in found
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "Dev part" not in text
    assert "| commit | unknown |" in text


def test_some_arms_with_one_seed(some):
    one = {"default": (0, 1, 2), "linear": (0,), "ner": (0,)}
    found = some(lambda run: run.stage == "arms" and run.seed in one.get(run.arm, ()))
    assert "What the techniques add" in found


@pytest.mark.parametrize("stage", ["classic", "base"])
def test_a_late_stage_alone(some, stage):
    title = {"classic": "Traditional CRF", "base": "Larger encoder"}[stage]
    assert title in some(lambda run: run.stage == stage)


def test_the_traditional_crf_with_pooled_counts_beside_the_papers(markdown):
    assert "| traditional CRF | 95.1 | 93.4 |" in markdown
    assert "the paper's traditional CRF with parts of speech | no | 75 | 70 |" in markdown


def test_versions_that_differ_are_told(markdown):
    seeds = [record.run.seed for record in simulate()[0]]
    for seed in (0, 1, 2):
        assert f"| spacy | 3.8.{seed} | {seeds.count(seed)} |" in markdown


def test_the_study_that_came_with_the_project():
    """Its records can be read, whatever is added to a record."""
    records = read_records(Path(__file__).parents[2] / "docs" / "study" / "small")
    assert len(records) == 174
    assert {record.run.stage for record in records} == {
        *("arms", "screening", "followup", "classic", "base")
    }


def test_no_records(tmp_path):
    with pytest.raises(StudyError, match="no records"):
        write_page(tmp_path)


def test_the_command_writes_the_page(some, tmp_path, monkeypatch):
    some(lambda run: run.stage == "classic")
    (tmp_path / "study.html").unlink()
    result = CliRunner().invoke(app, ["page", str(tmp_path)])
    assert result.exit_code == 0
    assert "study.html" in result.output
    assert (tmp_path / "study.html").exists()


def test_the_command_tells_what_is_missing(tmp_path, monkeypatch):
    result = CliRunner().invoke(app, ["page", str(tmp_path)])
    assert result.exit_code == 1
    assert "no records" in result.output

    genuine = builtins.__import__

    def without_scipy(name, *arguments, **keywords):
        if name == "study.page.page":
            raise ModuleNotFoundError("No module named 'scipy'", name="scipy")
        return genuine(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    result = CliRunner().invoke(app, ["page", str(tmp_path)])
    assert result.exit_code == 1
    assert 'scipy: python -m pip install ".[study]"' in result.output
