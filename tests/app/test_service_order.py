"""`POST /annotate`: who has his turn when, and clients that are not as they should be."""

import asyncio
import http.client
import socket
import threading
import time
from concurrent.futures import Future

from spacy_finegrained_ner.app import service


class Counted:
    """In place of an annotator: parts as they come, each of which takes a while."""

    def __init__(self):
        self.parts = []

    def submit(self, part):
        self.parts.append(part[0])
        future = Future()
        threading.Timer(0.01, future.set_result, [[[] for _ in part]]).start()
        return future


def test_large_requests_come_one_after_the_other(monkeypatch):
    """And a small one between their parts."""
    monkeypatch.setattr(service, "PART_TEXTS", 2)
    annotator = Counted()
    asked = service.Service(annotator)

    async def ask():
        await asyncio.gather(*(asked.ask(list(texts)) for texts in ("aabbcc", "xxyyzz", "k")))

    asyncio.run(ask())
    assert annotator.parts[:2] == ["a", "k"]
    assert annotator.parts[2:] == ["b", "c", "x", "y", "z"]


def test_symbols_that_the_tokenizer_does_not_take_long_for_are_taken(client):
    texts = ["a" * 19_000, "a," * 9_000, "\u3002\u4e2d" * 9_000, "(" * 1900, "! " * 9_000]
    assert client.post("/annotate", json={"texts": texts}).status_code == 200


def test_a_client_that_goes_away_is_no_failure(address, caplog):
    head = "POST /annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", address)) as client:
        client.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        time.sleep(0.2)
    connection = http.client.HTTPConnection("127.0.0.1", address, timeout=30)
    connection.request("GET", "/ready")
    assert connection.getresponse().status == 200
    connection.close()
    assert not caplog.records
