"""The key is in the environment, in the requests to the one host, and nowhere else."""

import json
import logging
import pickle
import traceback

import chat_server as server
import pytest
from chat_server import ChatServer
from chatting import failure_of, make_llm, report_of

KEY = 'sk-3f9"quite/secret\\7b1e'
FORMS = (KEY, json.dumps(KEY)[1:-1], KEY.replace("/", "\\/"), "quite/secret")
"""Also as JSON may escape it."""


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("CHAT_KEY", f" {KEY}\n")


def clean(text) -> None:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    for form in FORMS:
        assert form not in text


def everything(error: BaseException) -> str:
    """As a debugger, or a service that collects errors, shows it: with all local variables."""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def bearer(handler) -> str:
    return handler.headers["Authorization"].removeprefix("Bearer ")


def tells_it(handler, text) -> None:
    handler.send(server.completion(f'{{"entities": []}} {bearer(handler)}'))


def refuses_by_it(status: int):
    def do(handler, text):
        message = "x" * 190 + f" wrong key {bearer(handler)} " * 3
        handler.send({"error": {"message": message}}, status)

    return do


def redirects_to_it(handler, text) -> None:
    handler.send(b"", 302, Location=f"http://{bearer(handler)}.example/")


def no_json_but_it(handler, text) -> None:
    handler.send(f'{{"oops": "{bearer(handler)}'.encode())


BEHAVE = {
    "tells": tells_it,
    "fails": refuses_by_it(500),
    "redirected": redirects_to_it,
    "broken": no_json_but_it,
    "cut": server.hangs_up_in_the_middle,
    "hung": server.hangs,
    "final": refuses_by_it(401),
}


def test_it_is_nowhere(tmp_path, caplog, capfd, recwarn, monkeypatch):
    monkeypatch.setenv("HTTPX_LOG_LEVEL", "trace")
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio", "spacy"):
        caplog.set_level(logging.DEBUG, logger=name)
    other = ChatServer()
    to_other = server.redirects(f"{other.url}/chat/completions")
    chat = ChatServer({**BEHAVE, "elsewhere": to_other})
    try:
        nlp = make_llm(
            chat.url,
            api_key_env="CHAT_KEY",
            cache=str(tmp_path / "cache"),
            progress=True,
            limits={"give_up_after": 0, "timeout": 0.3},
        )
        texts = ["lyon", *(word for word in BEHAVE if word != "final"), "elsewhere", "pelé"]
        docs = list(nlp.pipe(texts))
        assert [failure_of(doc) for doc in docs] == [
            *(None, None, "HTTP 500", "redirect", "no chat completion", "connection cut"),
            *("time-out", "redirect", None),
        ]
        with pytest.raises(ValueError, match="HTTP 401") as caught:
            nlp("final")
        clean(everything(caught.value))
        assert all(f"Bearer {KEY}" in headers for headers in chat.headers)
        assert other.headers == []  # nothing at all
    finally:
        chat.close()
        other.close()
    nlp.to_disk(tmp_path / "pipeline")
    report_of(nlp).to_disk(tmp_path / "report.json")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"answers.sqlite3", "config.cfg", "report.json"} <= {path.name for path in files}
    for path in files:
        clean(path.read_bytes())
        clean(str(path))
    for doc in docs:
        clean(doc.to_bytes())
        clean(repr(doc.user_data))
    clean(pickle.dumps(nlp))
    clean(nlp.to_bytes())
    clean(nlp.config.to_str())
    clean(repr(vars(nlp.get_pipe("finegrained_llm"))))
    written = capfd.readouterr()
    # httpcore logs the headers of responses: what a server sends back in those is in its log
    logged = "\n".join(line for line in caplog.text.splitlines() if "(b'Location'," not in line)
    assert len(logged) > len(caplog.text) / 2
    assert "Bearer" not in logged
    for text in (logged, written.out, written.err, *(str(w.message) for w in recwarn)):
        clean(text)
    assert "requests" in written.err  # the line at the end


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "The environment variable CHAT_KEY is not set"),
        ("  ", "The environment variable CHAT_KEY is not set"),
        ("two words", "CHAT_KEY has spaces"),
        ("schlüssel", "CHAT_KEY has spaces, line breaks or letters beyond ASCII"),
        ("line\nbreak", "CHAT_KEY has spaces"),
    ],
)
def test_a_key_that_is_none_is_told_before_anything_is_sent(value, message, monkeypatch):
    if value is None:
        monkeypatch.delenv("CHAT_KEY")
    else:
        monkeypatch.setenv("CHAT_KEY", value)
    chat = ChatServer()
    try:
        nlp = make_llm(chat.url, api_key_env="CHAT_KEY")
        with pytest.raises(ValueError, match=message) as caught:
            list(nlp.pipe(["lyon", "pelé"]))
        if value and value.strip():
            assert value not in str(caught.value)
        assert not chat.asked
    finally:
        chat.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("api_key_env", "sk-secret"),
        ("url", "https://me:sk-secret@host/v1"),
        ("url", "me:sk-secret@host/v1"),
        ("url", "https:/me:sk-secret@host/v1"),
        ("url", "https://me:sk-secret/ret@host/v1"),
        ("url", "https://host/v1?key=sk-secret"),
    ],
)
def test_a_key_in_the_config_is_refused_and_not_printed(setting, value):
    settings = {"url": "http://host/v1", setting: value}
    with pytest.raises(ValueError, match=setting) as caught:
        make_llm(**settings)
    assert "sk-secret" not in str(caught.value)


def test_without_a_key_there_is_no_header():
    chat = ChatServer()
    try:
        make_llm(chat.url)("lyon")
        assert "authorization" not in chat.headers[0].lower()
    finally:
        chat.close()


def test_a_key_that_would_go_in_clear_is_told(caplog, monkeypatch):
    nlp = make_llm("http://some-host.invalid/v1", api_key_env="CHAT_KEY", limits={"retries": 0})
    with pytest.raises(ValueError, match="no connection"):
        nlp("lyon")
    assert "UNENCRYPTED" in caplog.text


@pytest.mark.parametrize("key", ["lyon", "entities", "1", "EMPTY"])
def test_a_key_that_is_a_word_changes_no_answer(monkeypatch, key):
    """As servers on one's own machine have them."""
    monkeypatch.setenv("CHAT_KEY", key)
    chat = ChatServer()
    try:
        nlp = make_llm(chat.url, api_key_env="CHAT_KEY")
        assert [ent.text for ent in nlp("pelé in lyon").ents] == ["pelé", "lyon"]
        assert report_of(nlp).prompt_tokens == 100
    finally:
        chat.close()


def test_a_server_on_this_machine_is_not_asked_through_a_proxy(monkeypatch):
    proxy, chat = ChatServer(), ChatServer()
    try:
        for name in ("http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert make_llm(chat.url)("pelé in lyon").ents
        assert (len(proxy.headers), len(chat.headers)) == (0, 1)
    finally:
        proxy.close()
        chat.close()
