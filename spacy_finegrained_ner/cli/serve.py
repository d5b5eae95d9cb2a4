"""The verb `serve`: a page to type in, on this machine."""

import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model, load
from spacy_finegrained_ner.errors import UserError

END_IN = 30
"""Seconds that a server which should end waits for its clients: as long as a request may take."""


def serve(
    model: Model,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at. Any but this machine's own lets others in.")
    ] = "127.0.0.1",
    code: Code = None,
) -> None:
    """Serve a page to type in: entities, how sure they are, and what a back-off would show."""
    try:
        import uvicorn

        from spacy_finegrained_ner.app.server import make_app
    except ImportError as error:
        raise UserError(
            f"serve needs Starlette and uvicorn ({error}). Install them: "
            'python -m pip install "spacy-finegrained-ner[serve]"'
        ) from None
    with listen(host, port) as listening:
        # In a thread that ends. Threads that torch's OpenMP has got for this one would stay, and
        # where there are more of them than cores, the annotator's sleep between operations
        with ThreadPoolExecutor(1) as aside:
            nlp = aside.submit(load, model, code).result()
        app = make_app(nlp, hosts_of(host))
        if not _is_loopback(host):
            messages.warn(
                f"--host {host}: other machines can reach this, with no password and no encryption."
            )
        where = f"{_in_url(host)}:{listening.getsockname()[1]}"
        messages.good(f"{model} is at http://{where} (Ctrl+C ends it)")
        uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=END_IN,
            )
        ).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else: a pipeline takes long to load. Raises a `UserError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
        # As asyncio does for sockets of its own: without, an answer waits 40 ms until the client
        # has acknowledged its headers
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise UserError(
            f"Can't listen at {host}, port {port}: {error}. Give another --port (0 for any that "
            "is free), or a --host that this machine has."
        ) from None


def hosts_of(host: str) -> list[str]:
    """What may stand in the header Host, where `host` is listened at: anything where that is all
    addresses of this machine, as it has names that only others know."""
    from spacy_finegrained_ner.app.server import LOOPBACK

    return ["*"] if host in ("0.0.0.0", "::", "") else [*LOOPBACK, _in_url(host)]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
