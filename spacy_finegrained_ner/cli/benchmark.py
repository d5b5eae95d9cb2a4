"""The verb `benchmark`: speed, profile, growth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import srsly
from rich.console import Console
from rich.markdown import Markdown

from spacy_finegrained_ner.benchmark import report as reports
from spacy_finegrained_ner.benchmark.growth import growth
from spacy_finegrained_ner.benchmark.profiling import profile
from spacy_finegrained_ner.benchmark.sentences import draw
from spacy_finegrained_ner.benchmark.speed import speed


def run_speed(
    data: Path, config: Path, encoder: str, output: Path, sentences: int, rounds: int
) -> None:
    """Measure all sides; write speed.json and speed.md."""
    found = speed(draw(data, sentences, config, encoder), rounds, _say)
    _write(output, "speed", {"data": str(data), **found}, reports.speed_markdown)


def run_profile(
    data: Path, config: Path, encoder: str, output: Path, sentences: int, rounds: int
) -> None:
    """Find where the time goes; write profile.json and profile.md."""
    found = profile(draw(data, sentences, config, encoder), rounds, _say)
    _write(output, "profile", {"data": str(data), **found}, reports.profile_markdown)


def run_growth(output: Path, rounds: int) -> None:
    """Measure the CRF at all sizes; write growth.json, growth.md and growth.svg."""
    found = growth(rounds, _say)
    output.mkdir(parents=True, exist_ok=True)
    reports.growth_plot(found, output / "growth.svg")
    _write(output, "growth", found, reports.growth_markdown)


def _say(line: str) -> None:
    Console(stderr=True, markup=False, highlight=False).print(line)


def _write(folder: Path, name: str, found: dict[str, Any], markdown: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    srsly.write_json(folder / f"{name}.json", found)
    text = markdown(found)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    Console().print(Markdown(text))
    Console(markup=False).print(f"All figures are in {folder / name}.json and {folder / name}.md")
