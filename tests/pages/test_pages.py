"""Documents that need nothing else, and plots with intervals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from spacy_finegrained_ner.pages.document import Table, to_html
from spacy_finegrained_ner.pages.forest import forest
from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.pages.svg import BLUE, Plot, Style

PAGE = "# A title\n\nA lead.\n\n"


def test_a_section_is_found_by_its_heading():
    html = to_html(PAGE + "## What is & isn't\n\nWords.\n")
    assert html.count("<h1>A title</h1>") == 1
    assert '<li><a href="#what-is-isn-t">What is &amp; isn&#39;t</a></li>' in html
    assert '<h2 id="what-is-isn-t">' in html
    assert "<nav" not in to_html(PAGE)


def test_text_stays_text_wherever_it_stands():
    evil = "<script>alert(1)</script>"
    table = Table(evil, (evil, "F1"), [(evil, evil)])
    html = to_html(f"# {evil}\n\n{evil}\n\n## {evil}\n\n{table}\n")
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 9  # twice in head and list


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@given(st.lists(WORDS, min_size=1, max_size=3))
def test_a_cell_is_shown_as_it_is_given(cells):
    """Whatever there is in a label or a text that would be markup, but for white space."""
    table = str(Table("c", ["n"] * len(cells), [cells]))
    tokens = MarkdownIt("commonmark").enable("table").parse(table)
    found = [token for token in tokens if token.type == "inline"][-len(cells) :]
    shown = ["".join(part.content for part in cell.children) for cell in found]
    assert [text.strip() for text in shown] == [" ".join(cell.split()).strip() for cell in cells]


def test_rows_of_a_table_have_names():
    html = to_html(PAGE + str(Table("A caption", ("name", "F1"), [("a|b", "1.0"), ("c", "2.0")])))
    assert '<p><em>A caption</em></p>\n<table tabindex="0">' in html
    assert re.findall(r'<th[^>]* scope="(\w+)"[^>]*>([^<]*)</th>', html) == [
        *[("col", "name"), ("col", "F1"), ("row", "a|b"), ("row", "c")]
    ]
    assert re.findall("<td[^>]*>([^<]*)</td>", html) == ["1.0", "2.0"]


def test_a_plot_is_inside_of_the_document_and_nothing_from_elsewhere():
    plot = Plot("x", "What is seen", "<svg>x</svg>")
    assert str(plot) == "![What is seen](figures/x.svg)"
    assert "<p><svg>x</svg></p>" in to_html(f"{PAGE}{plot}\n", [plot])
    with pytest.raises(ValueError, match=r"image https://a.b/y.svg is none.*expected one of x.svg"):
        to_html(f"{PAGE}![](https://a.b/y.svg)", [plot])


@pytest.mark.parametrize("text", ["", "Words.", "## A section"])
def test_a_page_without_a_title_is_refused(text):
    with pytest.raises(ValueError, match="begins with its title"):
        to_html(text)


def test_rows_and_headings_of_a_plot_are_in_their_order():
    """Not in that of a set, which differs from process to process."""
    rows = {f"heading {i}": f"heading {i}" for i in range(9)} | {"a": "only row"}
    panels = {"panel": {"series": {"a": Interval(0.5, 0.4, 0.6)}}}
    plot = forest("x", "t", rows, panels, {"series": Style("s", BLUE, "o")}, label="F1, %")
    found = re.findall(r">(heading \d|only row|panel|s)<", plot.svg)
    assert [text for text in found if text.startswith("heading")] == list(rows)[:9]
    assert {"only row", "panel", "s"} <= set(found)


def test_a_drawing_has_ids_of_its_own_and_no_more_digits_than_are_sure():
    rows, panels = {"a": "0.12345"}, {"panel": {"series": {"a": Interval(0.5, 1 / 3, 2 / 3)}}}
    styles = {"series": Style("s", BLUE, "o")}
    one, same, other = (
        forest(name, "t", rows, panels, styles, label="F1, %").svg for name in ("x", "x", "y")
    )
    assert one == same
    ids = [{*re.findall(r' id="([^"]+)"', svg)} for svg in (one, other)]
    assert not ids[0] & ids[1]
    assert {*re.findall(r'(?:url\(|href=")#([^")]+)', one)} <= ids[0]
    assert ">0.12345<" in one
    assert not re.search(r"\d\.\d{3}", "".join(re.findall("<[^>]*>", one)))


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_sign_is_that_of_what_is_printed(value, below, above):
    interval = Interval(value, value - below, value + above)
    low, high = (float(x.replace("\N{MINUS SIGN}", "-")) for x in interval.range.split(" to "))
    assert interval.sign == (1 if low > 0 else -1 if high < 0 else 0)
    assert interval.signed.startswith("+") == (float(f"{100 * value:.1f}") > 0)
