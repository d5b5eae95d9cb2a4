"""The page in headless Chromium: `python -m pytest -m browser` (see CONTRIBUTING.md)."""

import os
import shutil

import pytest
from made import TAXONOMY, TEXTS, examples, read_sure

from spacy_finegrained_ner.report.outcomes import Training
from spacy_finegrained_ner.report.page import Subject, render

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")  # else playwright's own
    flags = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    training = Training({"Artist": 3, "City": 1200}, {"anna"})
    subject = Subject("en_made 1.0", "valid.spacy")
    path.write_text(render(subject, examples(), TAXONOMY, read_sure, training, samples=20))
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    seen = []
    page.on("pageerror", lambda error: seen.append(error))
    page.on("request", lambda request: seen.append(request.url))
    page.goto(address)
    yield page
    context.close()
    assert seen == [address]  # nothing is fetched, and no script fails


def types(page):
    return page.locator("table.sortable tbody th").all_inner_texts()


def texts(page):
    """Numbers of those that are shown."""
    items = page.locator(".texts > li").all()
    return [number for number, item in enumerate(items) if item.is_visible()]


def test_types_are_sorted_by_mouse_and_by_keyboard(page):
    assert types(page) == ["City", "Artist", "Athlete", "River"]  # by gold
    head = page.get_by_role("columnheader", name="in training")
    head.get_by_role("button").click()
    assert types(page)[:2] == ["City", "Artist"]
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert types(page)[2:] == ["Artist", "City"]  # 3 before 1,200
    assert head.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="type", exact=True).press("Space")
    assert types(page) == ["Artist", "Athlete", "City", "River"]
    assert page.locator("[aria-sort]").count() == 1


@pytest.mark.parametrize(
    ("kind", "type_", "shown"),
    [
        ("with and without", "all types", [0, 1, 2]),
        ("any error", "all types", [0, 1]),
        ("no error", "all types", [2]),
        ("missed", "all types", [1]),
        ("with and without", "River", [1]),
        ("missed", "River", [1]),
        ("invented", "River", []),  # another entity of the text is invented
        ("wrong coarse type", "City", [0]),
    ],
)
def test_texts_are_filtered_by_what_one_entity_is(page, kind, type_, shown):
    page.get_by_role("combobox", name="Errors").select_option(label=kind)
    page.get_by_role("combobox", name="Type").select_option(label=type_)
    assert texts(page) == shown
    assert page.locator("output").inner_text() == f"{len(shown)} of {len(TEXTS)} texts"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("YORK AND", [1]), ("bob in", [0]), ("here", [2]), ("artist", []), ("[", [])],
)
def test_texts_are_searched_without_their_labels(page, typed, shown):
    page.get_by_role("searchbox").fill(typed)
    assert texts(page) == shown


def test_everything_is_reached_by_keyboard_and_seen_there(page):
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        name, width = page.evaluate(
            "(at => [at.tagName, getComputedStyle(at).outlineWidth])(document.activeElement)"
        )
        reached.add(name)
        assert name == "BODY" or width == "3px", name
    assert reached >= {"A", "TABLE", "BUTTON", "SELECT", "INPUT"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_tables_and_not_the_page(page, scheme):
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    wide = page.get_by_role("table", name="By length of the text, in words")
    assert wide.evaluate("t => t.scrollWidth > t.clientWidth")


def test_print_has_all_texts_and_no_form(page):
    page.emulate_media(media="print")
    assert texts(page) == [0, 1, 2]
    assert not page.locator("form").is_visible()


def test_without_scripts_all_is_there_to_read(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert texts(page) == [0, 1, 2]
    assert types(page)[0] == "City"
    assert not page.locator("form").is_visible()
    context.close()
