"""The verb `serve`."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.cli.serve import _is_loopback, hosts_of, listen


def run(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, re.sub(r"\s+", " ", result.output)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_it_serves_until_it_is_told_to_stop(model):
    verb = [sys.executable, "-u", "-m", "spacy", "finegrained-ner", "serve"]
    command = [*verb, model, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline()).group()
            with urllib.request.urlopen(address) as page:
                assert b"<textarea" in page.read()
            question = urllib.request.Request(
                f"{address}/entities",
                json.dumps({"text": "pelé in lyon"}).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(question) as found:
                entities = json.load(found)["entities"]
            assert [entity["label"] for entity in entities] == ["Athlete", "HumanSettlement"]
            elsewhere = urllib.request.Request(address, headers={"Host": "evil.example"})
            with pytest.raises(urllib.error.HTTPError, match="400"):
                urllib.request.urlopen(elsewhere)
            server.send_signal(signal.SIGINT)
            assert server.wait(20) in (0, 130)
        finally:
            server.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_client_that_is_stuck_does_not_keep_it_from_ending(model):
    code = "from spacy_finegrained_ner.cli import serve; serve.END_IN = 1; import spacy.cli as cli"
    command = [sys.executable, "-u", "-c", f"{code}; cli.setup_cli()", "finegrained-ner", "serve"]
    with subprocess.Popen([*command, model, "--port", "0"], stdout=-1, text=True) as server:
        try:
            port = int(re.search(r":(\d+) ", server.stdout.readline()).group(1))
            with socket.create_connection(("127.0.0.1", port)) as client:
                head = "POST /annotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n"
                client.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
                time.sleep(0.5)
                server.send_signal(signal.SIGTERM)
                server.wait(20)
        finally:
            server.kill()


def test_a_port_that_is_taken_is_told_at_once():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, printed = run("nothing", "--port", port)
    assert code == 1
    assert f"Can't listen at 127.0.0.1, port {port}" in printed
    assert "Give another --port" in printed


def test_what_is_sent_does_not_wait_for_what_was_sent_before():
    with (
        listen("127.0.0.1", 0) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_pipeline_that_is_not_there_is_told(tmp_path):
    code, printed = run(tmp_path / "nothing", "--port", 0)
    assert code == 1
    assert "Expected an installed pipeline package or the folder" in printed


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_an_extra_that_is_not_installed_is_told(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; import spacy.cli as cli; cli.setup_cli()"
    command = [sys.executable, "-c", code, "finegrained-ner", "serve", "nothing"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    told = re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert 'python -m pip install "spacy-finegrained-ner[serve]"' in told


@pytest.mark.parametrize(
    ("host", "loopback", "hosts"),
    [
        ("127.0.0.1", True, {"127.0.0.1", "localhost", "[::1]"}),
        ("localhost", True, {"127.0.0.1", "localhost", "[::1]"}),
        ("::1", True, {"127.0.0.1", "localhost", "[::1]"}),
        ("192.168.1.5", False, {"127.0.0.1", "localhost", "[::1]", "192.168.1.5"}),
        ("fe80::1", False, {"127.0.0.1", "localhost", "[::1]", "[fe80::1]"}),
        ("0.0.0.0", False, {"*"}),
        ("::", False, {"*"}),
    ],
)
def test_who_is_answered(host, loopback, hosts):
    assert _is_loopback(host) == loopback
    assert {*hosts_of(host)} == hosts
