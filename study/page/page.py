"""The study's page: from the records of a folder to HTML, Markdown, figures and JSON beside it."""

from __future__ import annotations

import os
from pathlib import Path

import srsly

from spacy_finegrained_ner.pages.document import Page, to_html, to_markdown
from study.analysis.analysis import DRAWS, analyse
from study.analysis.scores import gold_of
from study.page import method, sections, sentences
from study.plan.stages import StudyError
from study.runs.runner import read_records

TITLE = "What each technique adds to fine-grained NER"


def write_page(folder: Path, output: Path | None = None, draws: int = DRAWS) -> Path:
    """Write study.html, README.md, figures/*.svg and analysis.json. The same records give the same
    bytes.

    folder: of the records, with runs/*.json and gold-*.json; text of its conclusions.md, if there
    is one, comes right after the title. output: folder to write to, `folder` if None. draws: of the
    bootstrap. RETURNS: the path of the HTML.
    Raises a StudyError where there are no records, or one can't be read.
    """
    records = read_records(folder)
    if not records:
        raise StudyError(
            f"{folder}: there are no records in its folder runs. `study run` writes them."
        )
    output = output or folder
    analysis = analyse(records, folder, draws)
    tables = sorted({(r["data"], name) for r in records.values() for name in r["sets"]})
    gold = {name: gold_of(folder, data, name) for data, name in reversed(tables)}
    conclusions = folder / "conclusions.md"
    where = os.path.relpath(folder, output).replace(os.sep, "/")
    page = Page(
        TITLE,
        sentences.what_was_run(analysis, records, gold),
        conclusions.read_text(encoding="utf-8").strip() if conclusions.exists() else "",
        [
            *sections.of_page(analysis),
            method.measured(analysis, records),
            method.raw(
                records,
                "" if where == "." else f"{where}/",
                [f"gold-{data}-{name}.json" for data, name in tables],
            ),
        ],
    )
    figures = output / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for plot in page.plots:
        (figures / f"{plot.name}.svg").write_text(plot.file, encoding="utf-8")
    srsly.write_json(output / "analysis.json", analysis)
    (output / "README.md").write_text(to_markdown(page, "figures"), encoding="utf-8")
    html = output / "study.html"
    html.write_text(to_html(page), encoding="utf-8")
    return html
