"""`POST /annotate`: right under any interleaving, and its limits."""

import http.client
import json
import random
import threading
import time

import pytest

from spacy_finegrained_ner.annotate.records import entity_records
from spacy_finegrained_ner.app import service
from spacy_finegrained_ner.app.server import make_app
from spacy_finegrained_ner.app.service import MAX_BYTES, MAX_CHARACTERS, MAX_TEXTS

TEXT = "marie curie met pelé in lyon"


def ask(client, *texts):
    return client.post("/annotate", json={"texts": list(texts)})


def near(value):
    if isinstance(value, list):
        return [near(one) for one in value]
    if isinstance(value, dict):
        return {key: near(one) for key, one in value.items()}
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def expected(nlp, texts):
    component = nlp.get_pipe("finegrained_ner")
    return [
        {"text": doc.text, "entities": near(entity_records(doc, component))}
        for doc in nlp.pipe(texts)
    ]


def test_docs_in_the_order_of_the_texts(nlp, client):
    texts = [TEXT, "", "green tea", "\U0001f600 pelé\0\r\n", "a " * 3000]
    response = ask(client, *texts)
    assert response.status_code == 200
    assert response.json()["docs"] == expected(nlp, texts)
    assert ask(client).json() == {"docs": []}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "body: Invalid JSON"),
        (b'{"texts": "a"}', 422, "texts: Input should be a valid"),
        (b'{"texts": [1]}', 422, "texts.0: Input should be a valid string"),
        (b'{"text": ["a"]}', 422, "texts: Field required"),
        (json.dumps({"texts": ["a"] * (MAX_TEXTS + 1)}).encode(), 413, "1,001 texts, and at most"),
        (
            json.dumps({"texts": ["a", "b" * (MAX_CHARACTERS + 1)]}).encode(),
            413,
            "Text 1 has 20,001 characters, and at most 20,000",
        ),
        (
            json.dumps({"texts": ["a", "no " + "(.!" * 1000]}).encode(),
            413,
            "Text 1 has thousands of symbols without a space",
        ),
        (b" " * (MAX_BYTES + 1), 413, "The body has more than 4,194,304 bytes"),
    ],
)
def test_what_is_not_taken(client, body, status, says):
    sent = {"Content-Type": "application/json"}
    response = client.post("/annotate", content=body, headers=sent)
    assert response.status_code == status
    assert response.json()["error"].startswith(says)


def test_health_and_readiness(client):
    assert client.get("/health").json() == {"status": "alive"}
    assert client.get("/ready").json() == {"status": "ready", "waiting": 0}


class Slow:
    """Holds the pipeline back until it is let go."""

    def __init__(self, nlp, monkeypatch):
        self.go, self.begun = threading.Event(), threading.Event()
        make_doc = nlp.make_doc

        def wait(text):
            self.begun.set()
            assert self.go.wait(30)
            return make_doc(text)

        monkeypatch.setattr(nlp, "make_doc", wait)


def test_time_outs_and_an_overload(nlp, client, monkeypatch):
    slow = Slow(nlp, monkeypatch)
    monkeypatch.setattr(service, "TIME_OUT", 0.3)
    monkeypatch.setattr(service, "READY_IN", 0.1)
    monkeypatch.setattr(service, "MAX_WAITING", 3)
    # No waiting requests may be left over, which would fill the queue for ever
    for _ in range(2):
        response = ask(client, "a", "b")
        assert response.status_code == 504
        assert "No answer within 0.3 seconds" in response.json()["error"]
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    response = ask(client, "a", "b", "c", "d")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    slow.go.set()
    monkeypatch.setattr(service, "TIME_OUT", 30)
    assert ask(client, TEXT).status_code == 200
    assert client.get("/ready").status_code == 200


def test_what_waits_goes_into_one_batch_and_what_was_given_up_into_none(nlp, monkeypatch):
    annotator = make_app(nlp).state.annotator
    slow = Slow(nlp, monkeypatch)
    sizes = []
    pipe = nlp.pipe

    def counting(docs, **settings):
        sizes.append(len(docs))
        return pipe(docs, **settings)

    monkeypatch.setattr(nlp, "pipe", counting)
    first = annotator.submit(["a"])
    assert slow.begun.wait(30)
    others = [annotator.submit([TEXT, str(n)]) for n in range(10)]
    assert others[3].cancel()
    slow.go.set()
    assert first.result() == [[]] or first.result()
    for n, future in enumerate(others):
        if n != 3:
            assert [e["text"] for e in future.result()[0]] == ["marie curie", "pelé", "lyon"]
    assert sizes == [1, 18]


def test_one_text_that_fails_fails_its_request_only(nlp, client, monkeypatch):
    make_doc = nlp.make_doc

    def fail(text):
        if text == "secret":
            raise RuntimeError(text)
        return make_doc(text)

    monkeypatch.setattr(nlp, "make_doc", fail)
    with_it, without = ask(client, TEXT, "secret"), ask(client, TEXT)
    assert (with_it.status_code, without.status_code) == (500, 200)
    assert "terminal of the server" in with_it.json()["error"]
    assert "secret" not in with_it.text


def test_fifty_clients_get_what_one_gets(nlp, address):
    words = [*TEXT.split(), "serena", "williams", "drinks", "green", "tea"]
    draw = random.Random(0)
    texts = [" ".join(draw.choices(words, k=draw.randint(0, 12))) for _ in range(200)]
    wanted = dict(zip(texts, expected(nlp, texts), strict=True))
    wrong, asked = [], []
    end = time.monotonic() + 3

    def client(seed):
        draw = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", address, timeout=30)
        while time.monotonic() < end and not wrong:
            some = draw.choices(texts, k=draw.choice([1, 1, 2, 20]))
            page = draw.random() < 0.2
            path, body = (
                ("/entities", {"text": some[0]}) if page else ("/annotate", {"texts": some})
            )
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            found = json.loads(response.read())
            if page:
                labels = [e["label"] for e in wanted[some[0]]["entities"]]
                right = response.status == 200 and [e["label"] for e in found["entities"]] == labels
            else:
                right = response.status == 200 and found["docs"] == [wanted[text] for text in some]
            asked.append(1)
            if not right:
                wrong.append((path, body, found))
        connection.close()

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(asked) > 100


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"texts": [' + b"1," * 2_000_000 + b"1]}", "texts.0: Input should be a valid string."),
        (
            b"{%b}" % b",".join(b'"%d":1' % i for i in range(50_000)),
            "body: 50,001 things are wrong with it, expected an object with texts and nothing "
            "else.",
        ),
    ],
)
def test_of_very_much_that_is_wrong_little_is_told(client, body, says):
    response = client.post("/annotate", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert response.json() == {"error": says}


def test_a_large_request_lets_others_have_their_turn(nlp, client, monkeypatch):
    """And given up, it costs no more than the part that has begun."""
    monkeypatch.setattr(service, "PART_TEXTS", 4)
    monkeypatch.setattr(service, "TIME_OUT", 0.5)
    slow = Slow(nlp, monkeypatch)
    made = []
    make_doc = nlp.make_doc
    monkeypatch.setattr(nlp, "make_doc", lambda text: (made.append(text), make_doc(text))[1])
    assert ask(client, *map(str, range(20))).status_code == 504
    slow.go.set()
    monkeypatch.setattr(service, "TIME_OUT", 30)
    assert ask(client, TEXT).status_code == 200
    assert made.count(TEXT) == 1
    assert len([text for text in made if text.isdecimal()]) <= 4
    docs = ask(client, *[TEXT, "in lyon"] * 9).json()["docs"]
    assert [doc["text"] for doc in docs] == [TEXT, "in lyon"] * 9
    assert [e["text"] for e in docs[16]["entities"]] == ["marie curie", "pelé", "lyon"]


def test_a_pipeline_that_fails_is_not_ready(nlp, client, monkeypatch):
    def fail(text):
        raise RuntimeError("gone")

    monkeypatch.setattr(nlp, "make_doc", fail)
    response = client.get("/ready")
    assert response.status_code == 503
    assert "The pipeline fails" in response.json()["error"]
