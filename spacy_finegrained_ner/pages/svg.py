"""Plots as SVG: text as text, colors of the page, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 4.4
"""Inches. On a phone about as large as here, so that 9 points stay readable."""

INK = "#010203"
"""Stands for the page's color of text: light on dark in dark mode."""

GRID = "#8a8f96"

COLORS = BLUE, ORANGE, GREEN, PINK, RED, SKY, YELLOW, GRAY = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#c9b900", "#7f7f7f"),
)
"""Okabe and Ito's colors (the yellow is darker), which the colorblind can tell apart; each has a
marker too."""


STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
WITHOUT_DATE = {"Date": None, "Creator": None, "Format": None, "Type": None}
FONTS = 'system-ui, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif'


@dataclass(frozen=True)
class Style:
    """Of a series. title: in the legend; without it is in none."""

    title: str
    color: str
    marker: str


@dataclass(frozen=True)
class Plot:
    """name: of its file. title: what a reader who can't see it is told. svg: with `INK`."""

    name: str
    title: str
    svg: str

    def __str__(self) -> str:
        """As Markdown, in a page with a folder of figures."""
        return f"![{self.title}](figures/{self.name}.svg)"

    @property
    def inline(self) -> str:
        """For an HTML page, whose color of text it takes."""
        return self.svg.replace(INK, "currentColor")

    @property
    def file(self) -> str:
        """For itself: on white, with a size."""
        white = '<rect width="100%" height="100%" fill="#ffffff"/>'
        drawn = self.svg.replace(INK, "#1b1d20").replace("</title>", f"</title>\n{white}", 1)
        drawn = re.sub(r'viewBox="0 0 (\S+) ([^" ]+)"', _with_size, drawn, count=1)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{drawn}\n'


def draw(name: str, title: str, height: float, paint: Callable[[Figure], None]) -> Plot:
    """height: inches. paint: puts everything on the figure."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=WITHOUT_DATE, transparent=True)
    return Plot(name, title, _embedded(written.getvalue(), name, title))


def legend(figure: Figure, styles: Mapping[str, Style], columns: int = 3) -> None:
    """With the titles of the styles, above everything."""
    handles = [
        Line2D([], [], color=one.color, marker=one.marker, label=one.title)
        for one in styles.values()
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=columns)


def _embedded(svg: str, name: str, title: str) -> str:
    """Fit to stand in a page with others: no ids that are there twice, no style that would hold
    for the page, a size that follows the column, and a title."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"\s*<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}".replace('"', "'"), svg)
    # The layout is sure to a millionth, and ids are made of it
    svg = re.sub("<[^>]*>", lambda tag: re.sub(r"\d+\.\d{3,}", _rounded, tag[0]), svg)
    ids: dict[str, str] = {}
    svg = re.sub(
        r'(?<= id=")[^"]+|(?<=url\(#)[^)]+|(?<=href="#)[^"]+',
        lambda found: ids.setdefault(found[0], f"{name}_{len(ids)}"),
        svg,
    )
    # Line ends inside of paths are half of a page
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    svg = re.sub(r'(?<=[0-9z])\s*\n(?=[LCQMz"])', " ", svg)
    svg = re.sub(
        r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="\\1" role="img" aria-labelledby="title-{name}" '
        f'stroke-linejoin="round" stroke-linecap="butt">\n'
        f'<title id="title-{name}">{escape(title)}</title>',
        svg,
    )
    return svg


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _with_size(box: re.Match[str]) -> str:
    width, height = (1.5 * float(side) for side in box.groups())
    return f'{box[0]} width="{width:.0f}" height="{height:.0f}"'
