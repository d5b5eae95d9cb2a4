"""Runs of `finegrained_llm`: cache, budget, what is told, threads and processes."""

import gc
import json
import multiprocessing
import os
import signal
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import chat_server as server
import pytest
from chat_server import ChatServer
from chatting import make_llm, report_of
from pipelines import entities

from spacy_finegrained_ner.baselines.llm.cache import FILE, size_of
from spacy_finegrained_ner.baselines.llm.failures import BudgetReached

NAMES = [*server.KNOWN]
TEXTS = [f"{i} {NAMES[i % len(NAMES)]} and {NAMES[i % 3]}" for i in range(40)]


@pytest.fixture
def chat():
    found = ChatServer()
    yield found
    found.close()


def annotations(docs) -> list:
    return [entities(doc) for doc in docs]


def test_killed_in_the_middle_and_started_again(tmp_path, chat):
    undisturbed = annotations(make_llm(chat.url).pipe(TEXTS))
    assert all(undisturbed)
    chat.asked.clear()
    chat.behave = {"": lambda handler, text: (time.sleep(0.03), server.well(handler, text))}
    nlp = make_llm(chat.url, cache=str(tmp_path))
    child = os.fork()
    if child == 0:
        list(nlp.pipe(TEXTS))
        os._exit(0)
    while sum(chat.asked.values()) < 18:
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    before = sum(chat.asked.values())
    assert before < len(TEXTS)
    answers, _ = size_of(tmp_path)  # as it was left
    assert before - 4 <= answers <= before
    assert annotations(nlp.pipe(TEXTS)) == undisturbed
    parallel = nlp.get_pipe("finegrained_llm")._engine.limits.parallel
    assert sum(chat.asked.values()) <= len(TEXTS) + parallel  # those that were under way
    assert report_of(nlp).cached >= before - parallel
    report = report_of(nlp)
    assert report.cached + report.requests == len(TEXTS)


def test_a_budget_of_requests_stops_and_another_run_goes_on(tmp_path, chat):
    texts = TEXTS[:12]
    expected = annotations(make_llm(chat.url).pipe(texts))
    chat.asked.clear()
    nlp = make_llm(chat.url, cache=str(tmp_path), budget={"requests": 5}, progress=True)
    docs = []
    with pytest.raises(BudgetReached, match=r"used up \(requests: 5 of 5\)"):
        docs.extend(nlp.pipe(texts))
    assert sum(chat.asked.values()) == report_of(nlp).requests == 5
    with pytest.raises(BudgetReached):
        nlp(texts[-1])
    assert entities(nlp(texts[0])) == expected[0]  # what is cached costs nothing
    again = make_llm(chat.url, cache=str(tmp_path))
    assert annotations(again.pipe(texts)) == expected
    assert set(chat.asked.values()) == {1}
    assert (report_of(again).cached, report_of(again).requests) == (5, 7)


def test_all_that_was_under_way_is_stored_before_the_budget_is_told(tmp_path, chat):
    chat.behave = {"": server.slowly}
    nlp = make_llm(chat.url, cache=str(tmp_path), budget={"requests": 4})
    with pytest.raises(BudgetReached):
        list(nlp.pipe(TEXTS))
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == (4,)


@pytest.mark.parametrize(
    ("budget", "used"),
    [({"tokens": 300}, "tokens: 330 of 300"), ({"cost": 0.0006}, r"cost: 0\.0007 of 0\.0006")],
)
def test_a_budget_of_tokens_or_money(chat, budget, used):
    prices = {"prompt": 2.0, "answer": 4.0}  # 0.00024 for each answer
    nlp = make_llm(chat.url, budget=budget, prices=prices, limits={"parallel": 1})
    with pytest.raises(BudgetReached, match=used):
        list(nlp.pipe(TEXTS))
    assert report_of(nlp).requests == 3
    assert report_of(nlp).cost == pytest.approx(3 * 0.00024)


def test_a_budget_that_the_server_does_not_let_hold_is_told(chat):
    reply = server.completion('{"entities": []}')
    chat.behave = {"": lambda handler, text: handler.send({**reply, "usage": None})}
    assert report_of_run(chat)["without_usage"] == 2
    nlp = make_llm(chat.url, budget={"tokens": 300}, limits={"parallel": 1})
    with pytest.raises(ValueError, match=r"does not tell the tokens.*Bound requests"):
        list(nlp.pipe(TEXTS))
    assert report_of(nlp).requests == 1


def report_of_run(chat) -> dict:
    nlp = make_llm(chat.url)
    list(nlp.pipe(["lyon", "pelé"]))
    return report_of(nlp).as_dict()


@pytest.mark.parametrize(
    ("other", "asked"),
    [
        ({}, 1),
        ({"limits": {"parallel": 1}, "progress": True}, 1),
        ({"model": "other"}, 2),
        ({"request": {"temperature": 0.5}}, 2),
        ({"request": {"seed": None}}, 2),
        ({"request": {"response_format": "text"}}, 2),
        ({"request": {"extra": {"top_p": 0.9}}}, 2),
        ({"examples": {"number": 0, "seed": 1}}, 1),  # there are none to draw from
    ],
)
def test_the_cache_is_keyed_by_what_matters(tmp_path, chat, other, asked):
    for settings in ({}, other):
        assert make_llm(chat.url, cache=str(tmp_path), **settings)("lyon").ents
    assert chat.asked["lyon"] == asked


def test_another_host_is_asked_anew(tmp_path, chat):
    second = ChatServer()
    try:
        for url in (chat.url, f"{chat.url}/", second.url):
            make_llm(url, cache=str(tmp_path))("lyon")
        assert (chat.asked["lyon"], second.asked["lyon"]) == (1, 1)
    finally:
        second.close()


def test_failures_are_asked_again_and_bad_answers_are_not(tmp_path, chat):
    chat.behave = {"busy": server.fails(500), "prose": server.says("no idea")}
    for _ in range(2):
        nlp = make_llm(chat.url, cache=str(tmp_path), limits={"retries": 0})
        list(nlp.pipe(["busy", "prose"]))
        assert report_of(nlp).failed == {"HTTP 500": 1, "not JSON": 1}
    assert (chat.asked["busy"], chat.asked["prose"]) == (2, 1)


def test_one_text_many_times_is_asked_once(chat):
    nlp = make_llm(chat.url)
    docs = list(nlp.pipe(["lyon"] * 30))
    assert chat.asked["lyon"] == 1
    assert all(doc.ents for doc in docs)
    assert (report_of(nlp).requests, report_of(nlp).cached) == (1, 29)


@pytest.mark.parametrize("what", ["a file", "no database", "an odd answer"])
def test_a_cache_that_is_none_is_told(tmp_path, chat, what):
    path = tmp_path / "cache"
    if what == "a file":
        path.write_text("notes")
    else:
        path.mkdir()
        (path / FILE).write_text("notes" * 100)
    if what == "an odd answer":
        (path / FILE).unlink()
        make_llm(chat.url, cache=str(path))("lyon")
        with sqlite3.connect(path / FILE) as db:
            db.execute("UPDATE answers SET reply = '[]'")
    with pytest.raises(ValueError, match=r"cache.*can't be used as a cache of answers"):
        make_llm(chat.url, cache=str(path))("lyon")


def test_the_folder_is_for_its_owner_only(tmp_path, chat):
    make_llm(chat.url, cache=str(tmp_path / "new"))("lyon")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) & 0o077 == 0


def test_it_is_told_first_and_once_what_leaves(tmp_path, chat, caplog):
    nlp = make_llm(chat.url, cache=str(tmp_path))
    nlp("lyon")
    caplog.clear()
    again = make_llm(chat.url, cache=str(tmp_path))
    again("lyon")
    assert not caplog.text  # nothing leaves
    host = chat.url.removeprefix("http://").removesuffix("/v1")
    chat.behave = {"": lambda handler, text: (seen.append(caplog.text), server.well(handler, text))}
    seen: list[str] = []
    list(again.pipe(["lyon", "pelé", "green tea", " "], batch_size=4))
    list(again.pipe(["marie curie"]))
    assert f"2 of the first 4 texts go to {host} (model tiny)" in seen[0]
    assert f"in the folder {tmp_path}" in seen[0]
    assert "UNENCRYPTED" not in seen[0]  # it does not leave the machine
    assert caplog.text.count("texts go to") == 1


def test_requests_are_parallel_and_bounded(chat):
    chat.behave = {"": server.slowly}
    nlp = make_llm(chat.url, limits={"parallel": 5})
    assert len(list(nlp.pipe(TEXTS[:10], batch_size=2))) == 10
    assert 3 <= chat.most <= 5


def test_threads_share_one_component(chat, caplog):
    chat.behave = {"": lambda handler, text: (time.sleep(0.02), server.well(handler, text))}
    nlp = make_llm(chat.url, limits={"parallel": 3})
    expected = annotations(make_llm(chat.url).pipe(TEXTS))
    chat.asked.clear()
    caplog.clear()
    chat.most = 0
    with ThreadPoolExecutor(8) as threads:
        docs = list(threads.map(nlp, TEXTS))
    assert annotations(docs) == expected
    assert chat.most <= 3
    assert report_of(nlp).requests == report_of(nlp).texts == len(TEXTS)
    assert caplog.text.count("texts go to") == 1


def test_within_a_running_event_loop(chat):
    import asyncio

    async def notebook():
        return make_llm(chat.url)("lyon").ents

    assert asyncio.run(notebook())


def test_whoever_stops_listening_ends_the_requests(chat):
    chat.behave = {"": server.slowly}
    nlp = make_llm(chat.url, limits={"parallel": 2})
    for _ in nlp.pipe(TEXTS, batch_size=20):
        break
    time.sleep(0.7)
    assert sum(chat.asked.values()) <= 6
    assert nlp("lyon").ents


def test_workers_are_refused(chat):
    nlp = make_llm(chat.url)
    with pytest.raises(ValueError, match=r"(?s)worker process.*n_process = 1.*parallel"):
        list(nlp.pipe(TEXTS, n_process=2, batch_size=5))
    process = multiprocessing.get_context("spawn").Process(target=len, args=(nlp,))
    with pytest.raises(ValueError, match="worker process"):
        process.start()
    assert not chat.asked


def test_the_report_as_json(tmp_path, chat, capsys):
    chat.behave = {"busy": server.fails(500), "town": server.says('{"entities": []} ')}
    nlp = make_llm(chat.url, prices={"prompt": 1.0, "answer": 2.0}, progress=True)
    list(nlp.pipe(["busy", "town", "lyon", " "]))
    report_of(nlp).to_disk(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found.pop("seconds") > 0
    assert found == {
        **{"texts": 4, "empty": 1, "cached": 0, "requests": 4, "retries": 1},
        **{"prompt_tokens": 200, "answer_tokens": 20, "without_usage": 0},
        **{"recovered": 0, "respelled": 0, "cost": 0.00024},
        **{"failed": {"HTTP 500": 1}, "dropped": {}},
    }
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("finegrained_llm: 4 texts, 4 requests, 0 from the cache, 200 + 20 tok")
    assert line.endswith("1 without an answer (HTTP 500 1)")


def test_a_component_that_is_dropped_ends_its_thread_and_is_not_waited_for(chat):
    """The garbage collector may come by in any thread, with any lock held."""
    nlp = make_llm(chat.url)
    nlp("lyon")
    loop = nlp.get_pipe("finegrained_llm")._engine.loop()
    assert loop.is_running
    held, waited_for = threading.Event(), []

    async def block() -> None:
        waited_for.append(not held.wait(5))

    loop.submit(block())
    del nlp
    gc.collect()
    held.set()
    deadline = time.perf_counter() + 10
    while loop.is_running and time.perf_counter() < deadline:
        time.sleep(0.02)
    assert not loop.is_running
    assert waited_for == [False]
