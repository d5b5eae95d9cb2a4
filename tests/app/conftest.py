import socket
import threading

import pytest
import spacy
import uvicorn
from pipelines import LINEAR, examples, make_nlp, train
from spacy.training import Example
from starlette.testclient import TestClient

from spacy_finegrained_ner.app.server import make_app


@pytest.fixture(scope="session")
def nlp():
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 60)
    return nlp


@pytest.fixture(scope="session")
def odd():
    """Flat labels, no confidence, and names that look like markup."""
    nlp = spacy.blank("en")
    nlp.meta |= {"name": "a<b>", "description": "</script><script>alert(2)</script>"}
    nlp.add_pipe("finegrained_ner", config={"model": LINEAR, "confidence": False})
    texts = {"see it": [(4, 6, '"><script>alert(1)</script>')], "see nothing": []}
    data = [
        Example.from_dict(nlp.make_doc(text), {"entities": spans}) for text, spans in texts.items()
    ]
    train(nlp, data, 60)
    return nlp


@pytest.fixture
def client(nlp):
    return TestClient(make_app(nlp), "http://127.0.0.1:8000", raise_server_exceptions=False)


@pytest.fixture
def address():
    """A server in a thread, and its pipeline: of its own, as the others go on being used."""
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 60)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(nlp), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()
