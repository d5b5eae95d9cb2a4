"""The application, asked without a network."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from pipelines import LINEAR, examples, make_nlp, train
from spacy.tokens import Span
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from spacy_finegrained_ner.app.answer import about, answer
from spacy_finegrained_ner.app.server import MAX_BYTES, MAX_CHARACTERS, make_app
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.colors import taxonomy_colors

TEXT = "marie curie met pelé in lyon"
LOCAL = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def client(nlp):
    return TestClient(make_app(nlp), LOCAL)


def ask(client, text=TEXT, **more):
    return client.post("/entities", json={"text": text}, **more)


def test_an_answer_has_what_the_doc_has(nlp, client):
    response = ask(client)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    found = response.json()
    assert found["text"] == TEXT
    doc = nlp(TEXT)
    assert [e["text"] for e in found["entities"]] == ["marie curie", "pelé", "lyon"]
    for entity, ent in zip(found["entities"], doc.ents, strict=True):
        assert TEXT[entity["start"] : entity["end"]] == entity["text"] == ent.text
        assert entity["label"] == ent.label_
        assert entity["coarse_label"] == ent._.coarse_label
        assert entity["confidence"] == pytest.approx(ent._.confidence)
        assert entity["coarse_confidence"] == pytest.approx(ent._.coarse_confidence)
        assert entity["span_confidence"] == pytest.approx(ent._.span_confidence)
        assert [label for label, _ in entity["alternatives"]] == [
            label for label, _ in ent._.alternatives
        ]


@pytest.mark.parametrize("text", ["", " \n", "\U0001f600 pelé\r\n\0 in lyon", "<script>pelé"])
def test_any_text_comes_back_as_it_is(client, text):
    found = ask(client, text).json()
    assert found["text"] == text
    for entity in found["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]


def test_many_at_once_get_what_one_gets(nlp, client):
    words = TEXT.split()
    texts = [" ".join(words[i % 6 :] + words[: i % 6] * (i % 3)) for i in range(24)]
    expected = [answer(nlp, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        found = [response.json() for response in pool.map(lambda text: ask(client, text), texts)]
    for one, other in zip(found, expected, strict=True):
        assert one["text"] == other["text"]
        assert [e["label"] for e in one["entities"]] == [e["label"] for e in other["entities"]]
        sure = [[e["confidence"] for e in each["entities"]] for each in (one, other)]
        assert sure[0] == pytest.approx(sure[1], abs=1e-5)


def test_a_text_may_be_so_long_and_no_longer(client):
    assert ask(client, "a " * (MAX_CHARACTERS // 2)).status_code == 200
    response = ask(client, "a" * (MAX_CHARACTERS + 1))
    assert response.status_code == 422
    assert response.json() == {"error": "text: String should have at most 20000 characters."}


def test_the_longest_text_fits_the_largest_body_however_it_is_written():
    assert len(json.dumps({"text": "\U0001f600" * MAX_CHARACTERS})) <= MAX_BYTES


def test_of_a_body_that_is_too_large_the_rest_is_not_read(client):
    read = []

    def body():
        for _ in range(1000):
            read.append(1)
            yield b" " * 100_000

    sent = {"Content-Type": "application/json"}
    response = client.post("/entities", content=body(), headers=sent)
    assert response.status_code == 413
    assert response.json()["error"].startswith("The body has more than 241,000 bytes")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "body: Invalid JSON"),
        (b"[" * 100_000, "body: Invalid JSON"),
        (b'"pele"', "body: Input should be an object"),
        (b"{}", "text: Field required"),
        (b'{"text": 1}', "text: Input should be a valid string"),
        (b'{"text": "a", "b": 1}', "b: Extra inputs are not permitted"),
        (b'{"text": "\\ud800"}', "body: Invalid JSON"),
        (b'{"text": "\xff"}', "body: Invalid JSON"),
    ],
)
def test_another_body_is_refused(client, body, says):
    sent = {"Content-Type": "application/json; charset=utf-8"}
    response = client.post("/entities", content=body, headers=sent)
    assert response.status_code == (400 if "JSON" in says else 422)
    assert response.json()["error"].startswith(says)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken_which_no_other_site_can_send(client, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    response = client.post("/entities", content=b'{"text": "a"}', headers=headers)
    assert response.status_code == 415
    assert "expected application/json" in response.json()["error"]
    asked = client.options(
        "/entities",
        headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
    )
    assert asked.status_code == 405
    assert not [name for name in asked.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("localhost.evil.example:8000", 400),
        ("127.0.0.1.evil.example", 400),
    ],
)
def test_only_names_of_this_machine_are_answered(client, host, status):
    for path in ("/", "/entities"):
        method = "GET" if path == "/" else "POST"
        json = {"text": "a"} if method == "POST" else None
        assert client.request(method, path, json=json, headers={"Host": host}).status_code == status


def test_other_hosts_and_more_paths_when_asked_for(nlp):
    async def more(request):
        return JSONResponse(answer(nlp, "pelé"))

    app = make_app(nlp, ["a.example"], [Route("/more", more)])
    there = TestClient(app, "http://a.example")
    assert there.get("/more").json()["entities"][0]["text"] == "pelé"
    assert TestClient(app, LOCAL).get("/more").status_code == 400
    assert TestClient(make_app(nlp, "*"), "http://b.example").get("/").status_code == 200


def test_errors_are_json(nlp, client, monkeypatch):
    assert client.get("/nothing").json() == {"error": "Not Found"}
    assert client.get("/entities").status_code == 405

    def fail(doc):
        raise RuntimeError("secret")

    broken = TestClient(make_app(nlp), LOCAL, raise_server_exceptions=False)
    monkeypatch.setattr(nlp, "make_doc", fail)
    response = ask(broken)
    assert response.status_code == 500
    assert "terminal of the server" in response.json()["error"]
    assert "secret" not in response.text


def test_the_page_needs_nothing_from_elsewhere_and_runs_its_own_script_only(client):
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"""(?:src|href|action)=["'](?!data:,)""", response.text)
    assert "http" not in response.text
    assert "script-src 'sha256-" in response.headers["content-security-policy"]
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_every_control_has_a_label(client):
    html = client.get("/").text
    controls = re.findall(r'<(?:textarea|input) id="([^"]+)"', html)
    assert controls == ["text", "fine", "coarse"]
    assert re.findall(r'<label for="([^"]+)"', html) == controls


def test_the_page_shows_the_types_in_their_colors(nlp, client):
    html = client.get("/").text
    taxonomy = nlp.get_pipe("finegrained_ner").taxonomy
    colors = taxonomy_colors(taxonomy)
    for coarse in taxonomy.coarse:
        assert f'<mark style="--hue: {colors[coarse]}">{coarse}</mark>' in html
    person = [label for label in taxonomy.fine if taxonomy.coarse_label(label) == "Person"]
    assert f"<dd>{', '.join(person)}</dd>" in html


def test_names_and_labels_that_look_like_markup_are_text(odd):
    client = TestClient(make_app(odd), LOCAL)
    html = client.get("/").text
    assert re.findall("<script[^>]*>", html) == [
        '<script type="application/json" id="types">',
        "<script>",
    ]
    assert "<title>en_a&lt;b&gt; 0.0.0</title>" in html
    label = '"><script>alert(1)</script>'
    island = re.search(r'id="types">(.*?)</script>', html).group(1)
    assert json.loads(island)[0]["name"] == label
    (entity,) = ask(client, "see it").json()["entities"]
    assert entity["label"] == label
    assert entity["confidence"] is None
    assert entity["alternatives"] == []


def test_flat_labels_have_one_threshold(odd):
    html = TestClient(make_app(odd), LOCAL).get("/").text
    assert re.findall(r'type="range"', html) == ['type="range"']
    assert '<label for="fine">Label</label>' in html


def test_the_sliders_begin_where_the_pipeline_backs_off():
    nlp = make_nlp(model=LINEAR, back_off={"spans_key": None, "fine": 0.83, "coarse": 1.01})
    nlp.initialize(lambda: examples(nlp))
    html = TestClient(make_app(nlp), LOCAL).get("/").text
    assert re.findall(r'type="range" .* value="(.*)"', html) == ["0.83", "1.01"]


def test_entities_in_a_span_group_and_those_of_a_rule():
    nlp = make_nlp(model=LINEAR, annotate="spans", spans_key="x")
    train(nlp, examples(nlp), 60)

    @spacy.Language.component("test_app_rule")
    def rule(doc):
        doc.spans["x"] = [*doc.spans["x"], Span(doc, 2, 3, "Athlete")]
        return doc

    nlp.add_pipe("test_app_rule")
    found = answer(nlp, TEXT)["entities"]
    assert [e["text"] for e in found] == ["marie curie", "pelé", "lyon", "met"]
    assert [e["confidence"] is None for e in found] == [False, False, False, True]
    assert found[-1]["coarse_label"] == "Person"


def test_the_traditional_crf_has_no_confidence():
    pytest.importorskip("pycrfsuite")
    nlp = spacy.blank("en")
    nlp.add_pipe("crf_ner", config={"features": {"pos": False}, "report_every": 0})
    nlp.initialize(lambda: examples(nlp))
    client = TestClient(make_app(nlp), LOCAL)
    found = ask(client).json()["entities"]
    assert [e["text"] for e in found] == ["marie curie", "pelé", "lyon"]
    assert {e["confidence"] for e in found} == {None}
    assert about(nlp)["fine"] == 0.0


def test_a_pipeline_without_a_trained_component_is_refused():
    with pytest.raises(UserError, match="no component 'finegrained_ner'"):
        make_app(spacy.blank("en"))
    with pytest.raises(UserError, match="initialize"):
        make_app(make_nlp(model=LINEAR))
