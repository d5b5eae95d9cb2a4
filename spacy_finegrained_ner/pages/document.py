"""A page as one structure, written twice: Markdown with figures beside it, and one HTML file that
needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt

from spacy_finegrained_ner.pages.svg import Plot

SHORT = 12
"""Rows of a table that is not cut in print."""


@dataclass(frozen=True)
class Table:
    """Cells are inline Markdown; the first of a row names it. Rows are as long as `head`."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


Part = str | Table | Plot
"""Markdown, a table or a plot."""


@dataclass
class Section:
    """parts: in their order."""

    title: str
    parts: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """lead: Markdown right after the title; conclusions: after that, with headings of its own."""

    title: str
    lead: str
    conclusions: str
    sections: Sequence[Section]

    @property
    def plots(self) -> list[Plot]:
        return [part for one in self.sections for part in one.parts if isinstance(part, Plot)]


def fill(template: str, slots: Mapping[str, Sequence[Part]], conclusions: str = "") -> Page:
    """A page of a template: Markdown whose title is a heading and whose sections are headings of
    the second level. A paragraph `{{name}}` is where the parts of that name go; a section with such
    paragraphs is left out where there is no part for any of them.

    Raises a KeyError for a name that is not among the slots.
    """
    first, *rest = re.split(r"^## ", template.strip(), flags=re.MULTILINE)
    title, lead = first.removeprefix("# ").split("\n", 1)
    sections = []
    for text in rest:
        heading, *paragraphs = text.strip().split("\n\n")
        asked = [_slot(paragraph) for paragraph in paragraphs]
        if any(asked) and not any(slots[name] for name in asked if name):
            continue
        section = Section(heading)
        for name, paragraph in zip(asked, paragraphs, strict=True):
            section.parts += slots[name] if name else [paragraph]
        sections.append(section)
    return Page(title, lead.strip(), conclusions.strip(), sections)


def _slot(paragraph: str) -> str | None:
    found = re.fullmatch(r"\{\{(\w+)\}\}", paragraph.strip())
    return found[1] if found else None


def to_markdown(page: Page, figures: str) -> str:
    """figures: folder of the plots' files, as the page sees it."""
    blocks = [f"# {page.title}", page.lead]
    if page.conclusions:
        blocks.append(page.conclusions)
    for section in page.sections:
        blocks.append(f"## {section.title}")
        for part in section.parts:
            if isinstance(part, Table):
                blocks += [f"*{part.caption}*", _markdown_table(part)]
            elif isinstance(part, Plot):
                blocks += [f"![{part.title}]({figures}/{part.name}.svg)", f"*{part.caption}*"]
            else:
                blocks.append(part)
    return "\n\n".join(blocks) + "\n"


def to_html(page: Page) -> str:
    """Without scripts, and without anything from elsewhere."""
    md = MarkdownIt("commonmark", {"html": False}).enable("table")
    body = [f"<header>\n<h1>{md.renderInline(page.title)}</h1>\n{md.render(page.lead)}</header>"]
    if page.conclusions:
        body.append(f'<section id="conclusions">\n{_boxed(md.render(page.conclusions))}</section>')
    links = (f'<li><a href="#{_slug(s.title)}">{escape(s.title)}</a></li>' for s in page.sections)
    body.append(f'<nav aria-label="Sections"><ul>{"".join(links)}</ul></nav>')
    for section in page.sections:
        parts = (_html(part, md) for part in section.parts)
        body.append(
            f'<section id="{_slug(section.title)}">\n<h2>{md.renderInline(section.title)}</h2>\n'
            f"{''.join(parts)}</section>"
        )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _html(part: str | Table | Plot, md: MarkdownIt) -> str:
    if isinstance(part, Plot):
        caption = md.renderInline(part.caption)
        return f"<figure>\n{part.inline}\n<figcaption>{caption}</figcaption>\n</figure>\n"
    if isinstance(part, str):
        return _boxed(md.render(part))
    head = "".join(f'<th scope="col">{md.renderInline(cell)}</th>' for cell in part.head)
    rows = "\n".join(f"<tr>{_html_row(row, md)}</tr>" for row in part.rows)
    short = " short" if len(part.rows) <= SHORT else ""
    # A box that scrolls must be reached by keyboard too, and its caption must not scroll with it
    return (
        f'<p class="caption">{md.renderInline(part.caption)}</p>\n'
        f'<div class="table{short}" tabindex="0" role="region" aria-label="{escape(part.caption)}">'
        "<table>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n"
    )


def _html_row(row: Iterable[str], md: MarkdownIt) -> str:
    name, *cells = row
    return f'<th scope="row">{md.renderInline(name)}</th>' + "".join(
        f"<td>{md.renderInline(cell)}</td>" for cell in cells
    )


def _boxed(html: str) -> str:
    """Tables of hand-written Markdown scroll in a box as well."""
    return html.replace("<table>", '<div class="table" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )


def _markdown_table(table: Table) -> str:
    lines = [table.head, ("---", *("--:" for _ in table.head[1:])), *table.rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


CSS = """
:root { color-scheme: light dark; --back: #fff; --ink: #1b1d20; --soft: #5a6068; --line: #d6dade;
  --box: #f4f5f7; --link: #0a5aa8; }
@media (prefers-color-scheme: dark) { :root { --back: #15171a; --ink: #e6e8ea; --soft: #a3a9b1;
  --line: #3a3f45; --box: #1f2226; --link: #7db8f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); overflow-wrap: break-word;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1, h2, h3, p, ul, ol, pre, nav { max-width: 46rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p, ul, ol { margin: 0 0 .85rem; }
ul, ol { padding-left: 1.25rem; }
li { margin: .35rem 0; }
a { color: var(--link); }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--box); border-radius: .4rem; padding: .7rem .9rem; margin: 0 0 1rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
nav { background: var(--box); border-radius: .4rem; padding: .7rem .9rem; margin: 1.25rem 0; }
nav li { margin: .15rem 0; }
nav ul { list-style: none; margin: 0; padding: 0; columns: 2 14rem; font-size: .92rem; }
#conclusions { border-left: .25rem solid var(--link); padding-left: 1rem; margin: 1.5rem 0; }
#conclusions h2 { border: 0; padding: 0; margin: 1.25rem 0 .5rem; }
.table { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: separate; border-spacing: 0; font-size: 14px; line-height: 19px;
  font-variant-numeric: tabular-nums; }
.caption { color: var(--soft); font-size: .9rem; margin: 1.25rem 0 .3rem; break-after: avoid; }
th, td { padding: 5px .5rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th { vertical-align: bottom; white-space: normal; border-bottom: 2px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; white-space: normal; min-width: 7.5rem; }
th:first-child { position: sticky; left: 0; background: var(--back); }
figure { margin: 1.25rem 0 1.75rem; }
figure svg { display: block; width: 100%; max-width: 30rem; height: auto; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .4rem; max-width: 40rem; }
@page { margin: 1.5cm; }
@media print {
  :root { color-scheme: light; --back: #fff; --ink: #000; --soft: #444; --line: #bbb;
    --box: #f4f5f7; --link: #000; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  h1, h2, h3 { break-after: avoid; }
  figure, tr, pre, .short { break-inside: avoid; }
  figure svg { width: auto; max-width: 13cm; max-height: 21cm; margin: 0 auto; }
  thead { display: table-header-group; }
  .table { overflow: visible; }
  table { font-size: 7.5pt; line-height: 1.3; }
  th, td { padding: .2rem .35rem; }
  .caption, figcaption { font-size: 9pt; }
}
"""
"""Light and dark, phone and print: tables scroll in their boxes, figures are not cut."""
