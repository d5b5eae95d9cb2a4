"""`finegrained_llm` before servers that do what they should not: a row each."""

import gzip
import json
import time

import chat_server as server
import pytest
from chat_server import ChatServer
from chatting import failure_of, make_llm, report_of
from pipelines import entities

GOOD = ("pelé in lyon", "marie curie drinks green tea", "nothing to see here")
FOUND = [("pelé", "Athlete", "Person"), ("lyon", "HumanSettlement", "Location")]
LYON = FOUND[1:]
UNKNOWN = '{"entities": [{"text": "odd", "label": "Dragon"}, {"text": "lyon", "label": "%s"}]}'
TOWN = "HumanSettlement"


def mention(text: str, label: str = TOWN) -> dict:
    return {"text": text, "label": label}


def listed(*mentions: dict) -> str:
    return json.dumps({"entities": mentions})


ANSWERED = {
    "well": (server.well, {}),
    "slowly": (server.slowly, {}),
    "429 without Retry-After": (server.once(server.fails(429)), {"retries": 1}),
    "429 with seconds": (server.once(server.fails(429, Retry_After="0.3")), {"retries": 1}),
    "429 with a date": (server.once(server.fails(429, Retry_After=server.at(-5))), {"retries": 1}),
    "429 with nonsense": (server.once(server.fails(429, Retry_After="soon")), {"retries": 1}),
    "500 once": (server.once(server.fails(500)), {"retries": 1}),
    "cut once": (server.once(server.hangs_up_in_the_middle), {"retries": 1}),
    "hung once": (server.once(server.hangs), {"retries": 1}),
    "prose": (
        server.says(f"Sure! Here it is:\n```json\n{listed(mention('lyon'))}\n```\nAnything else?"),
        {"recovered": 1},
    ),
    "said twice": (server.says(listed(mention("lyon")) * 2), {"recovered": 1}),
    "another case": (server.says(listed(mention("Lyon"))), {"respelled": 1}),
    "label in another case": (server.says(listed(mention("lyon", "HUMANsettlement"))), {}),
    "a label outside": (
        server.says(UNKNOWN % TOWN),
        {"dropped": {"label outside the taxonomy": 1}},
    ),
    "a coarse label": (
        server.says(listed(mention("lyon", "Location"), mention("lyon"))),
        {"dropped": {"label outside the taxonomy": 1}},
    ),
    "not in the text": (
        server.says(listed(mention("lyon"), mention("paris"), mention(" "), mention("\ud800"))),
        {"dropped": {"mention not in the text": 3}},
    ),
    "off the tokens": (
        server.says(listed(mention("lyon"), mention("dd"))),
        {"dropped": {"mention off token boundaries": 1}},
    ),
    "overlap": (
        server.says(listed(mention("lyon"), mention("lyon", "Station"))),
        {"dropped": {"overlaps another mention": 1}},
    ),
}

ANSWERED |= {
    f"usage that is {name}": (server.uses(usage), {"prompt_tokens": 300})
    for name, usage in {
        "no block": [1],
        "below 0": {"prompt_tokens": -1000},
        "beyond all numbers": {"prompt_tokens": 10**400},
        "no whole number": {"prompt_tokens": 12.5},
    }.items()
}
LONG = "lyon " * 150_000
ANSWERED["a mention longer than the text"] = (
    server.says(listed(mention(LONG), mention("lyon"))),
    {"dropped": {"mention not in the text": 1}},
)
TWICE = '{"entities": [{"text": "lyon", "label": "Drink", "label": "Station"}]}'
PACKED = gzip.compress(gzip.compress(b" " * 10_000_000))
DRAFT = listed(mention("lyon")) + " or " + listed(mention("odd"))
FAILED = {
    "429 always": (server.fails(429), "HTTP 429"),
    "429 for an hour": (server.fails(429, Retry_After="3600"), "HTTP 429"),
    "500 always": (server.fails(500), "HTTP 500"),
    "400": (server.fails(400, "too long"), "HTTP 400"),
    "broken JSON": (server.says('{"entities": [{"text": "lyon", "la'), "not JSON"),
    "no JSON at all": (server.says("I see lyon."), "not JSON"),
    "braces": (server.says("{" * 5000 + "[" * 5000), "not JSON"),
    "nested too deeply": (server.says('{"a":' * 50_000), "not JSON"),
    "a list": (server.says('["lyon"]'), "JSON of another form"),
    "another form": (server.says('{"lyon": "HumanSettlement"}'), "JSON of another form"),
    "a label that is a number": (
        server.says('{"entities": [{"text": "lyon", "label": 3}]}'),
        "JSON of another form",
    ),
    "two answers": (server.says(DRAFT), "several answers"),
    "a label said twice": (server.says(TWICE), "several answers"),
    "many nested braces": (server.says(('{"a":' * 700 + "x") * 50), "not JSON"),
    "packed": (
        lambda handler, text: handler.send(PACKED, Content_Encoding="gzip, gzip"),
        "no chat completion",
    ),
    "429 with a zone beyond all": (
        server.fails(429, Retry_After=f"Mon, 01 Jan 2024 00:00:00 +{'9' * 14}"),
        "HTTP 429",
    ),
    "429 for a text about quotas": (server.fails(429, "insufficient_quota"), "HTTP 429"),
    "half an answer": (server.says('{"entities": [{"text": "ly', "length"), "cut off"),
    "empty": (server.says(""), "empty"),
    "null": (server.says(None), "empty"),
    "refusal": (server.says(None, refusal="I can't help with that."), "refusal"),
    "filtered": (server.says("", "content_filter"), "refusal"),
    "half a body": (server.sends(b'{"choices": [{"mess'), "no chat completion"),
    "a body that is no JSON": (server.sends(b"\xff<html>busy</html>"), "no chat completion"),
    "no choices": (server.sends(b'{"choices": []}'), "no chat completion"),
    "too much": (server.sends(b" " * 5_000_000), "no chat completion"),
    "hung": (server.hangs, "time-out"),
    "dripping": (server.drips, "time-out"),
    "dripping headers": (server.drips_headers, "time-out"),
    "cut in the middle": (server.hangs_up_in_the_middle, "connection cut"),
    "cut at once": (server.hangs_up_at_once, "connection cut"),
}


def annotate(behave, **config):
    """An odd text among good ones. RETURNS: its Doc, and the counts."""
    chat = ChatServer({"odd": behave})
    try:
        nlp = make_llm(chat.url, **config)
        texts = [GOOD[0], "odd lyon", *GOOD[1:]]
        start = time.perf_counter()
        docs = list(nlp.pipe(texts))
        seconds = time.perf_counter() - start
        assert [doc.text for doc in docs] == texts
        assert entities(docs[0]) == FOUND
        assert [ent.text for ent in docs[2].ents] == ["marie curie", "green tea"]
        assert not docs[3].ents
        for good in (docs[0], *docs[2:]):
            assert good.has_annotation("ENT_IOB")
            assert failure_of(good) is None
        assert all(chat.asked[text] == 1 for text in GOOD)
        limits = nlp.get_pipe("finegrained_llm")._engine.limits
        assert seconds < (limits.retries + 1) * limits.timeout + limits.retries * 0.5 + 1
        return docs[1], report_of(nlp).as_dict()
    finally:
        chat.close()


@pytest.mark.parametrize("row", ANSWERED)
def test_an_answer_that_can_be_used(row):
    behave, counts = ANSWERED[row]
    doc, report = annotate(behave)
    assert entities(doc) == LYON
    assert failure_of(doc) is None
    expected = {"retries": 0, "recovered": 0, "respelled": 0, "dropped": {}, "failed": {}}
    expected |= {"texts": 4, "requests": 4 + counts.get("retries", 0), **counts}
    assert {key: report[key] for key in expected} == expected


@pytest.mark.parametrize("row", FAILED)
def test_no_answer_that_can_be_used_is_counted_and_the_text_marked(row):
    behave, kind = FAILED[row]
    doc, report = annotate(behave)
    assert not doc.ents
    assert not doc.has_annotation("ENT_IOB")
    assert failure_of(doc) == kind
    assert (report["texts"], report["failed"], report["dropped"]) == (4, {kind: 1}, {})


def test_retry_after_is_waited_for():
    start = time.perf_counter()
    annotate(server.once(server.fails(429, Retry_After="0.4")))
    assert time.perf_counter() - start > 0.4


def test_a_redirect_is_not_followed_and_the_key_stays(monkeypatch):
    monkeypatch.setenv("CHAT_KEY", "sk-of-the-first-host")
    other = ChatServer()
    try:
        behave = server.redirects(f"{other.url}/chat/completions")
        doc, report = annotate(behave, api_key_env="CHAT_KEY")
        assert failure_of(doc) == "redirect"
        assert report["failed"] == {"redirect": 1}
        assert other.headers == []
    finally:
        other.close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"HTTP 401: bad key.*Is the key"),
        (402, r"HTTP 402.*charged"),
        (403, r"HTTP 403.*May this key use this model"),
        (404, r"HTTP 404: bad key.*Are url and model right"),
        (429, r"HTTP 429: insufficient_quota.*no quota left"),
    ],
)
def test_what_would_happen_to_each_text_stops_all_at_once(status, message):
    code = {"code": "insufficient_quota"} if status == 429 else {}
    error = {"error": {"message": code.get("code", "bad key"), **code}}
    chat = ChatServer({"": lambda handler, text: handler.send(error, status)})
    try:
        nlp = make_llm(chat.url, limits={"parallel": 2})
        with pytest.raises(ValueError, match=message):
            list(nlp.pipe([f"text {i}" for i in range(50)]))
        assert sum(chat.asked.values()) <= 2  # those that were under way
    finally:
        chat.close()


def test_no_server_is_told_once():
    chat = ChatServer()
    chat.close()
    nlp = make_llm(chat.url)
    with pytest.raises(ValueError, match=r"no connection to 127\.0\.0\.1:\d+ .*Is the server run"):
        list(nlp.pipe([f"text {i}" for i in range(50)]))
    with pytest.raises(ValueError, match="no connection"):
        nlp("text")


def test_a_server_that_fails_all_the_time_is_given_up():
    chat = ChatServer({"": server.fails(503, "overloaded")})
    try:
        nlp = make_llm(chat.url, limits={"give_up_after": 5, "retries": 0, "parallel": 2})
        with pytest.raises(ValueError, match=r"5 texts in a row.*HTTP 503: overloaded"):
            list(nlp.pipe([f"text {i}" for i in range(50)]))
        assert sum(chat.asked.values()) <= 6
        nlp = make_llm(chat.url, limits={"give_up_after": 0, "retries": 0})
        docs = list(nlp.pipe([f"text {i}" for i in range(30)]))
        assert report_of(nlp).failed == {"HTTP 503": 30}
        assert {failure_of(doc) for doc in docs} == {"HTTP 503"}
    finally:
        chat.close()
