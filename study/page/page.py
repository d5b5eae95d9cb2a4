"""The study's page: from the records of a folder to HTML, Markdown, figures and JSON beside it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import srsly

from spacy_finegrained_ner.pages.document import Part, fill, to_html, to_markdown
from study.analysis.analysis import DRAWS, analyse
from study.page import plots, tables
from study.plan.stages import StudyError
from study.runs.records import Record, read_gold, read_records

TEMPLATE = Path(__file__).with_name("page.md")


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
    slots: dict[str, Sequence[Part]] = {
        **tables.of_arms(analysis),
        **tables.of_screenings(analysis),
        **plots.of_page(analysis),
        **_of_records(records, folder, output),
    }
    conclusions = folder / "conclusions.md"
    text = conclusions.read_text(encoding="utf-8") if conclusions.exists() else ""
    page = fill(TEMPLATE.read_text(encoding="utf-8"), slots, text)
    figures = output / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for plot in page.plots:
        (figures / f"{plot.name}.svg").write_text(plot.file, encoding="utf-8")
    srsly.write_json(output / "analysis.json", asdict(analysis))
    (output / "README.md").write_text(to_markdown(page, "figures"), encoding="utf-8")
    html = output / "study.html"
    html.write_text(to_html(page), encoding="utf-8")
    return html


def _of_records(records: Sequence[Record], folder: Path, output: Path) -> dict[str, Sequence[Part]]:
    """Links to the records, as the page sees them."""
    where = os.path.relpath(folder, output).replace(os.sep, "/")
    where = "" if where == "." else f"{where}/"
    scored = sorted({(r.run.trainings[-1].part, name) for r in records for name in r.counted})
    links: dict[str, list[str]] = {}
    for r in records:
        link = f"[{r.run.name.split('-', 1)[-1]}]({where}runs/{r.run.name}.json)"
        links.setdefault(r.run.stage, []).append(link)
    links["gold"] = [f"[{a}-{b}]({where}gold-{a}-{b}.json)" for a, b in scored]
    commands = dict.fromkeys(shlex.join(r.command) for r in records)
    gold = {name: read_gold(folder, data, name) for data, name in reversed(scored)}
    return {
        "made": tables.of_records(records, gold),
        "files": [f"**{stage}**: {', '.join(some)}" for stage, some in links.items()],
        "commands": ["\n".join(["```sh", *commands, "```"])],
    }
