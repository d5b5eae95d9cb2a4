"""The study's page: from the records of a folder to HTML, Markdown, figures and JSON beside it."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import srsly
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from spacy_finegrained_ner.pages.document import to_html
from study.analysis.analysis import DRAWS, analyse
from study.page import plots, tables
from study.page.titles import pick, set_title
from study.plan.arms import CANDIDATES, TUNED
from study.plan.stages import MIDDLE_RATE, StudyError
from study.runs.records import read_gold, read_records


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
            f"{folder}: there are no records in its folder runs. `python -m study run` writes them."
        )
    output = output or folder
    analysis = analyse(records, folder, draws)
    drawn = plots.of_page(analysis)
    scored = sorted({(r.run.trainings[-1].part, name) for r in records for name in r.counted})
    gold = {name: read_gold(folder, data, name) for data, name in reversed(scored)}
    conclusions = folder / "conclusions.md"
    text = _TEMPLATES.get_template("page.md").render(
        conclusions=conclusions.read_text(encoding="utf-8") if conclusions.exists() else "",
        plots={plot.name: plot for plot in drawn},
        analysis=analysis,
        # The part to report on comes first
        stages={
            stage: {f"{set_title(name).capitalize()} part": sets[name] for name in reversed(sets)}
            for stage, sets in analysis.arms.items()
        },
        tables=tables,
        pick=pick,
        made=tables.made(records, gold),
        tuned=[r for r in analysis.tried if r.arm in TUNED],
        candidates=[r for r in analysis.tried if r.arm in CANDIDATES and r.rate == MIDDLE_RATE],
        records=records,
        gold=scored,
        folder=os.path.relpath(folder, output).replace(os.sep, "/"),
        commands=dict.fromkeys(shlex.join(r.command) for r in records),
    )
    markdown = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    (output / "figures").mkdir(parents=True, exist_ok=True)
    for plot in drawn:
        (output / "figures" / f"{plot.name}.svg").write_text(plot.file, encoding="utf-8")
    srsly.write_json(output / "analysis.json", asdict(analysis))
    (output / "README.md").write_text(markdown, encoding="utf-8")
    html = output / "study.html"
    html.write_text(to_html(markdown, drawn), encoding="utf-8")
    return html


# What it gives is Markdown: what is HTML in it is made text when that is rendered
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    finalize=lambda found: "\n\n".join(map(str, found)) if isinstance(found, list) else found,
)
