"""A real HTTP server on the loopback with a chat endpoint, which answers well or does not."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KNOWN = {
    "marie curie": "Scientist",
    "serena williams": "Athlete",
    "green tea": "Drink",
    "pelé": "Athlete",
    "lyon": "HumanSettlement",
}
"""What the model knows: it finds these, wherever they are."""

USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def answer(text: str) -> str:
    places = sorted((text.find(name), name) for name in KNOWN if name in text)
    entities = [{"text": name, "label": KNOWN[name]} for _, name in places]
    return json.dumps({"entities": entities}, ensure_ascii=False)


def completion(content: str | None, finish: str = "stop", **message) -> dict:
    message = {"role": "assistant", "content": content, **message}
    return {"choices": [{"message": message, "finish_reason": finish}], "usage": USAGE}


class ChatServer(ThreadingHTTPServer):
    """behave: for a word in a text what the server does, given the handler and the text.

    asked: how often each text was asked. headers, bodies: of all requests. most: how many there
    were at a time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, behave: dict[str, Callable] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave or {}
        self.asked: Counter[str] = Counter()
        self.headers: list[str] = []
        self.bodies: list[dict] = []
        self.now = self.most = 0
        self.over = threading.Event()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address) -> None:
        """A client that has hung up is no news."""

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or "{}")
        prompt = body["messages"][-1]["content"] if body else ""
        text = prompt.rpartition("Text: ")[2].removesuffix("Answer:").strip()
        with server.lock:
            server.asked[text] += 1
            server.headers.append(str(self.headers))
            server.bodies.append(body)
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            for word, behave in server.behave.items():
                if word in text:
                    behave(self, text)
                    return
            self.send(completion(answer(text)))
        finally:
            with server.lock:
                server.now -= 1

    def send(self, value, status: int = 200, **headers: str) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, content in headers.items():
            self.send_header(name.replace("_", "-"), content)
        self.end_headers()
        self.wfile.write(data)


def says(content: str | None, finish: str = "stop", **message) -> Callable:
    return lambda handler, text: handler.send(completion(content, finish, **message))


def uses(usage: Any) -> Callable:
    """Well, but for what it says of tokens."""
    return lambda handler, text: handler.send({**completion(answer(text)), "usage": usage})


def well(handler: Handler, text: str) -> None:
    handler.send(completion(answer(text)))


def slowly(handler: Handler, text: str) -> None:
    time.sleep(0.3)
    well(handler, text)


def once(behave: Callable) -> Callable:
    """The first time that a text is asked; then well."""

    def do(handler: Handler, text: str) -> None:
        (behave if handler.server.asked[text] == 1 else well)(handler, text)

    return do


def fails(status: int, message: str = "no", **headers: str) -> Callable:
    error = {"error": {"message": message, "code": status}}
    return lambda handler, text: handler.send(error, status, **headers)


def at(seconds: float) -> str:
    """A date for Retry-After."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def sends(data: bytes) -> Callable:
    return lambda handler, text: handler.send(data)


def hangs(handler: Handler, text: str) -> None:
    handler.server.over.wait(10)
    handler.close_connection = True


def hangs_up_in_the_middle(handler: Handler, text: str) -> None:
    data = json.dumps(completion(answer(text))).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def hangs_up_at_once(handler: Handler, text: str) -> None:
    handler.close_connection = True


def drips(handler: Handler, text: str) -> None:
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.over.wait(0.05):
        handler.wfile.write(b" ")


def drips_headers(handler: Handler, text: str) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.over.wait(0.05):
        handler.wfile.write(b"x")


def redirects(url: str) -> Callable:
    return lambda handler, text: handler.send(b"", 307, Location=url)
