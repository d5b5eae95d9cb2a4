"""The page in a headless Chromium, and its server in a thread."""

import random
import shutil
import socket
import threading

import pytest

from spacy_finegrained_ner.app.server import make_app
from spacy_finegrained_ner.labels.confidence import label_at

pytestmark = pytest.mark.browser
TEXT = "\U0001f600 marie curie met pelé\nin lyon"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        # That of the system, if there is one; else playwright's own
        found = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def serve():
    """Serve a pipeline; gives its address."""
    import uvicorn

    servers = []

    def start(nlp) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(make_app(nlp), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        servers.append((server, thread, listening))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for server, thread, listening in servers:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def address(serve, nlp):
    return serve(nlp)


@pytest.fixture
def page(browser, address):
    """With a check that nothing went wrong in it, and that it asked nobody else."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: asked.url.startswith(address) or wrong.append(asked.url))
    page.goto(address)
    yield page
    page.close()
    # An answer that is an error, which a test may ask for, is reported by the browser
    assert not [text for text in wrong if not text.startswith(("data:,", "Failed to load"))]


def shown(page) -> list[str]:
    return page.locator("#drawn mark").all_inner_texts()


def drawn(page) -> str:
    """Without the names of types."""
    return page.locator("#drawn").evaluate(
        "p => [...p.childNodes].map(n => (n.firstChild ?? n).data).join('')"
    )


def ask(page, text: str) -> None:
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Find entities").click()
    page.locator("#count").wait_for()


def slide(page, label: str, to: float) -> None:
    page.get_by_label(label).fill(str(to))


def test_by_keyboard_alone(page):
    page.keyboard.type("marie curie")  # the field has the focus
    page.keyboard.press("Enter")
    page.keyboard.type("met pelé")
    page.keyboard.press("Control+Enter")
    page.locator("#count").wait_for()
    assert shown(page) == ["marie curieScientist", "peléAthlete"]
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "fine"
    page.keyboard.press("End")
    assert shown(page) == ["marie curiePerson", "peléPerson"]
    assert page.locator("#fine").get_attribute("aria-valuetext") == "never"
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert shown(page) == []
    assert page.locator("#count").inner_text() == "2 entities, 2 not shown"
    page.keyboard.press("Home")
    assert shown(page) == ["marie curiePerson", "peléPerson"]


def test_the_text_is_drawn_as_it_is_with_its_entities(page):
    ask(page, TEXT)
    assert drawn(page) == TEXT
    assert shown(page) == ["marie curieScientist", "peléAthlete", "lyonHumanSettlement"]
    numbers = page.locator("#list li").first.inner_text()
    assert "Scientist (Person)" in numbers
    assert "any Person" in numbers


def test_hue_is_the_coarse_type_and_opacity_the_confidence(page):
    ask(page, TEXT)
    style = [mark.get_attribute("style") for mark in page.locator("#drawn mark").all()]
    hues = [part.split(";")[0] for part in style]
    assert hues[0] == hues[1] != hues[2]
    slide(page, "Fine type", 1.01)
    coarse = page.locator("#drawn mark").first
    assert coarse.evaluate("m => getComputedStyle(m).borderBottomStyle") == "dashed"
    back = "m => getComputedStyle(m).backgroundColor"
    full = coarse.evaluate(f"m => (m.style.setProperty('--sure', 1), ({back})(m))")
    none = coarse.evaluate(f"m => (m.style.setProperty('--sure', 0), ({back})(m))")
    assert full != none
    assert none in ("color(srgb 1 1 1)", "rgb(255, 255, 255)")


def test_the_rule_is_that_of_label_at(page):
    draw = random.Random(0)
    cases = [
        (draw.choice([None, draw.random()]), draw.random(), draw.random(), draw.random())
        for _ in range(300)
    ] + [(0.5, 0.7, 0.5, 0.5), (0.4, 0.7, 0.5, 0.7), (0.4, 0.6, 0.5, 0.7)]
    found = page.evaluate(
        """cases => cases.map(([p, q, fine, coarse]) => labelAt({label: "A", coarse_label: "B",
        confidence: p, coarse_confidence: q}, fine, coarse))""",
        cases,
    )
    for (p, q, fine, coarse), label in zip(cases, found, strict=True):
        facts = {} if p is None else {"confidence": p, "coarse_confidence": q}
        assert label == label_at("A", "B", facts, fine, coarse)
    assert {*found} == {"A", "B", None}


@pytest.mark.parametrize(
    ("length", "says"),
    [(20_001, "text: String should have at most 20000"), (5_000_000, "more than 241,000 bytes")],
)
def test_what_is_wrong_is_said_and_goes_away(page, length, says):
    ask(page, "pelé")
    field = page.locator("#text")
    # Not seen: a browser takes long to draw so much
    field.evaluate("(it, n) => { it.hidden = true; it.value = 'a'.repeat(n) }", length)
    page.get_by_role("button", name="Find entities").click()
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert says in alert.inner_text()
    assert not page.locator("#result").is_visible()
    field.evaluate("it => { it.value = ''; it.hidden = false }")
    ask(page, "pelé")
    assert not alert.is_visible()
    assert shown(page) == ["peléAthlete"]


def test_markup_is_text_and_there_are_no_sliders_without_confidence(browser, serve, odd):
    page = browser.new_page()
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(serve(odd))
    assert page.title().startswith("en_a<b>")
    text = "<img src=x onerror=alert(3)> see it"
    ask(page, text)
    assert 'it"><script>alert(1)</script>' in shown(page)
    assert drawn(page) == text
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert not page.locator("#back-off").is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_readable_on_a_phone_and_in_the_dark(browser, address, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(address)
    ask(page, TEXT + " " + "x" * 200)
    page.get_by_text("Types", exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # WCAG 2.1, level AA: of the text in a mark, whatever its hue and confidence
    contrast = page.evaluate(
        """() => {
      const light = (css) => {
        const context = document.createElement("canvas").getContext("2d");
        context.fillStyle = css;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((x) => x / 255)
          .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
      };
      return [...document.querySelectorAll("dl mark")].flatMap((mark) => [0, 0.5, 1].map((sure) => {
        mark.style.setProperty("--sure", sure);
        const { color, backgroundColor } = getComputedStyle(mark);
        const [a, b] = [light(color), light(backgroundColor)];
        return Math.max(a, b) / Math.min(a, b);
      }));
    }"""
    )
    assert len(contrast) == 18
    assert min(contrast) > 4.5
    page.close()
