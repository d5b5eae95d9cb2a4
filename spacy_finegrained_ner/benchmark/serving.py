"""The service under many clients: wrong answers, how long they take, and its memory."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import spacy

from spacy_finegrained_ner.annotate.records import entity_records
from spacy_finegrained_ner.benchmark.annotating import growth, resident_mib, sample
from spacy_finegrained_ner.benchmark.speed import Say, machine
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.evaluation import component_of

LOOKS = 200
"""At the memory, of each side."""
HEADERS = {"Content-Type": "application/json"}


def serving(model: str, data: Path, clients: int, seconds: float, say: Say) -> dict[str, Any]:
    """Of `serve`, in a process of its own: one client, one request at a time, then so many at once,
    each for so many seconds. A request has one text; an answer is right where its entities are
    those of `nlp.pipe`. Memory is the median in the second tenth of the time, and that in the last.
    """
    nlp = spacy.load(model)
    texts = sample(data, 2000)
    component = component_of(nlp)[1]
    wanted = {doc.text: _plain(entity_records(doc, component)) for doc in nlp.pipe(texts)}
    command = [sys.executable, "-m", "spacy", "finegrained-ner", "serve", model, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = _port(server)
        report: dict[str, Any] = {"machine": machine(), "seconds": seconds, "sides": {}}
        _ask(port, wanted, 1, 2.0)  # the first texts
        for count in (1, clients):
            say(f"{count} clients, {seconds:g} seconds")
            with ThreadPoolExecutor(1) as aside:
                asking = aside.submit(_ask, port, wanted, count, seconds)
                began = time.perf_counter()
                seen: list[tuple[float, float]] = []
                while not asking.done():
                    share = (time.perf_counter() - began) / seconds
                    seen.append((share, resident_mib(server.pid)))
                    time.sleep(seconds / LOOKS)
                took, wrong = asking.result()
            cuts = quantiles(took, n=100, method="inclusive")
            report["sides"][str(count)] = {
                "requests": len(took),
                "wrong": wrong,
                "per_second": len(took) / seconds,
                "p50_ms": 1000 * median(took),
                "p99_ms": 1000 * cuts[98],
                "mib": growth(seen),
            }
        return report
    finally:
        server.terminate()
        server.wait()


def _port(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    for line in server.stdout:
        if "http://" in line:
            return int(line.partition("http://")[2].split()[0].rpartition(":")[2])
    raise UserError("The server did not start: what it said stands above.")


def _ask(
    port: int, wanted: dict[str, Any], clients: int, seconds: float
) -> tuple[list[float], int]:
    """RETURNS: how long each answer took, and how many were wrong or errors."""
    texts = list(wanted)
    took: list[float] = []
    wrong: list[str] = []
    end = time.perf_counter() + seconds

    def client(seed: int) -> None:
        draw = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while (start := time.perf_counter()) < end:
            text = draw.choice(texts)
            connection.request("POST", "/annotate", json.dumps({"texts": [text]}), HEADERS)
            response = connection.getresponse()
            found = json.loads(response.read())
            took.append(time.perf_counter() - start)
            if response.status != 200 or _plain(found["docs"][0]["entities"]) != wanted[text]:
                wrong.append(text)
        connection.close()

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, len(wrong)


def _plain(records: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [(record["start"], record["end"], record["label"]) for record in records]
