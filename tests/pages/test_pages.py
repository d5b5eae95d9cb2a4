"""Pages of templates, and plots with intervals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.pages.document import Table, fill, to_html, to_markdown
from spacy_finegrained_ner.pages.forest import forest
from spacy_finegrained_ner.pages.intervals import Interval
from spacy_finegrained_ner.pages.svg import BLUE, Style

TEMPLATE = """
# A title

A lead.

## First

Words before.

{{tables}}

## Second

Only words.

## Third

{{none}}
"""
TABLE = Table("A caption", ("name", "F1"), [("a|b", "1.0")])


def test_parts_go_into_their_places_and_what_is_empty_is_left_out():
    page = fill(TEMPLATE, {"tables": [TABLE], "none": []}, "- A conclusion.\n")
    assert (page.title, page.lead) == ("A title", "A lead.")
    assert [section.title for section in page.sections] == ["First", "Second"]
    assert page.sections[0].parts == ["Words before.", TABLE]
    text = to_markdown(page, "figures")
    assert text.index("A lead.") < text.index("- A conclusion.") < text.index("## First")
    assert "| a&#124;b | 1.0 |" in text
    assert "Third" not in text + to_html(page)


def test_a_place_that_nobody_fills_is_an_error():
    with pytest.raises(KeyError, match="none"):
        fill(TEMPLATE, {"tables": []})


def test_rows_and_headings_of_a_plot_are_in_their_order():
    """Not in that of a set, which differs from process to process."""
    rows = {f"heading {i}": f"heading {i}" for i in range(9)} | {"a": "only row"}
    panels = {"panel": {"series": {"a": Interval(0.5, 0.4, 0.6)}}}
    plot = forest("x", "t", "c", rows, panels, {"series": Style("s", BLUE, "o")}, label="F1, %")
    found = re.findall(r">(heading \d|only row|panel|s)<", plot.svg)
    assert [text for text in found if text.startswith("heading")] == list(rows)[:9]
    assert {"only row", "panel", "s"} <= set(found)


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_sign_is_that_of_what_is_printed(value, below, above):
    interval = Interval(value, value - below, value + above)
    low, high = (float(x.replace("\N{MINUS SIGN}", "-")) for x in interval.range.split(" to "))
    assert interval.sign == (1 if low > 0 else -1 if high < 0 else 0)
    assert interval.signed.startswith("+") == (float(f"{100 * value:.1f}") > 0)
