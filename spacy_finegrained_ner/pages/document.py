"""Markdown with tables and plots as one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from spacy_finegrained_ner.pages.svg import Plot


@dataclass(frozen=True)
class Table:
    """As Markdown, if it is printed. Cells are plain text, whatever is in them; the first of a row
    names it. Rows are as long as `head`."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [[plain(cell) for cell in row] for row in (self.head, *self.rows)]
        lines.insert(1, ["---", *["--:"] * (len(self.head) - 1)])
        return "\n".join([f"*{plain(self.caption)}*\n", *(f"| {' | '.join(x)} |" for x in lines)])


def plain(text: str) -> str:
    """Text as Markdown in which nothing of it is markup."""
    return re.sub(r"([\\`*_\[\]<>&|~])", r"\\\1", " ".join(text.split()))


def to_html(markdown: str, plots: Iterable[Plot] = ()) -> str:
    """A document without scripts and without anything from elsewhere. HTML in the text stays text.

    markdown: begins with the title, `# Title`. Headings of the second level are its sections.
    plots: take the places of images by their `name`: `![...](folder/name.svg)`.
    Raises a ValueError where there is no title, or an image that is none of the plots.
    """
    named = {f"{plot.name}.svg": plot for plot in plots}

    def image(tokens: Sequence[Token], at: int, *_: object) -> str:
        source = str(tokens[at].attrs["src"])
        if (plot := named.get(source.rsplit("/", 1)[-1])) is None:
            raise ValueError(
                f"The image {source} is none of the page's plots, expected one of "
                f"{', '.join(named) or 'none'}: a page holds nothing from elsewhere."
            )
        return plot.inline

    md = MarkdownIt("commonmark", {"html": False}).enable("table")
    md.renderer.rules["image"] = image  # type: ignore[attr-defined]
    tokens = md.parse(markdown)
    if len(tokens) < 3 or tokens[0].tag != "h1":
        raise ValueError(f"A page begins with its title, '# Title', found {markdown[:40]!r}.")
    sections = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            token.attrs["id"] = _slug(tokens[at + 1].content)
            sections.append((token.attrs["id"], tokens[at + 1].content))
        elif token.type == "table_open":
            # It scrolls, and must be reached by keyboard too
            token.attrs["tabindex"] = "0"
        elif token.type == "th_open":
            token.attrs["scope"] = "col"
        elif token.type == "td_open" and tokens[at - 1].type == "tr_open":
            token.tag = tokens[at + 2].tag = "th"
            token.attrs["scope"] = "row"
    return _TEMPLATES.get_template("document.html").render(
        title=tokens[1].content,
        sections=sections,
        body=Markup(md.renderer.render(tokens[3:], md.options, {})),
    )


def _slug(title: str) -> str:
    """As GitHub's, so that links are the same in both."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def templates(*packages: str) -> Environment:
    """The templates of these packages, of the first that has one."""
    return Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


_TEMPLATES = templates("spacy_finegrained_ner.pages")
