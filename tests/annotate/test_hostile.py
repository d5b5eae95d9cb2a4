"""Hostile input and a hostile machine: a message, exit code 1, and nothing half-written."""

import errno
import json
import os
import shutil
import subprocess

import pytest
from json_lines import read_jsonl

from spacy_finegrained_ner.annotate import work


def left(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jsonl", b'{"text": "a"\n[]\n', r"None of the first 2 rows.*row 1: not JSON"),
        (
            "a.jsonl",
            b'{"body": "a"}\n' * 9,
            r"None of the first 9 rows.*no 'text' (see --text-column), only ['body']",
        ),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n\0\0", "a.jsonl is binary"),
        ("a.jsonl", b"[" * 100_000, "not JSON"),
        ("a.csv", b"body\na\n", "the header has no column 'text' with the texts"),
        ("a.txt", b"\xff\n", "row 1: not UTF-8"),
        ("a.txt", b"x" * 1_000_001, "E088"),
        ("a.txt.gz", b"\x1f\x8bno", "a.txt.gz: what is compressed in it is damaged"),
        ("a.parquet", b"no", "a.parquet: can't be read as Parquet"),
        ("a.spacy", b"no", "a.spacy: can't be read as a .spacy file"),
    ],
)
def test_of_input_that_is_nothing_nothing_is_written(annotate, tmp_path, name, data, says):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(data)
    code, said = annotate(tmp_path / name, "--output", tmp_path / "o.jsonl")
    assert code == 1
    for part in says.split(".*"):
        assert part in said
    assert "Traceback" not in said
    assert not (tmp_path / "o.jsonl").exists()


def test_a_line_of_100_mb_is_set_aside(annotate, tmp_path):
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "pele"}\n{"text": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "lyon"}\n')
    code, said = annotate(path, "--output", tmp_path / "o.jsonl")
    assert code == 0
    assert "1 of 3 rows are set aside, with why:" in said
    assert [row["text"] for row in read_jsonl(tmp_path / "o.jsonl")] == ["pele", "lyon"]
    (bad,) = read_jsonl(tmp_path / "o.jsonl.bad")
    assert (bad["row"], bad["reason"]) == (2, "more than 16,777,216 bytes")


def test_texts_that_the_pipeline_fails_at_are_set_aside(annotate, tmp_path):
    rows = [{"text": "pelé"}, {"text": "x" * 1_000_001}, {"text": "lyon"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert annotate(tmp_path / "a.jsonl", "--output", tmp_path / "o.jsonl")[0] == 0
    assert [row["text"] for row in read_jsonl(tmp_path / "o.jsonl")] == ["pelé", "lyon"]
    (bad,) = read_jsonl(tmp_path / "o.jsonl.bad")
    assert (bad["row"], bad["reason"][:18]) == (2, "ValueError: [E088]")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{d}/none.jsonl", "--output", "{d}/o.jsonl"], "none.jsonl: there is no such file"),
        (["{d}/a.jsonl", "--output", "{d}/a.jsonl"], "is one of the files to read"),
        (["{d}/*.jsonl", "--output", "{d}/a.jsonl"], "is one of the files to read"),
        (["{d}/a.jsonl", "--output", "{d}/folder.jsonl"], "is a folder, expected a file to write"),
        (["{d}/a.jsonl", "--output", "{d}/a.jsonl/o.jsonl"], "Not a directory"),
        (["{d}/a.jsonl", "--output", "/proc/o.jsonl"], "No such file or directory"),
        (["{d}/a.jsonl", "--output", "{d}/o.jsonl", "--engine", "x"], "expected local or ray"),
        (["{d}/a.jsonl", "--output", "{d}/o.jsonl", "--gpu-id", "99"], "GPU 99 can't be used"),
    ],
)
def test_what_a_user_gets_wrong(annotate, tmp_path, words, says):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "folder.jsonl").mkdir()
    code, said = annotate(*(word.format(d=tmp_path) for word in words))
    assert code == 1
    assert says in said
    assert (tmp_path / "a.jsonl").read_text() == '{"text": "a"}\n'


def test_no_such_pipeline(tmp_path):
    from typer.testing import CliRunner

    from spacy_finegrained_ner.cli.main import app

    (tmp_path / "a.txt").write_text("a")
    for workers in ("0", "2"):
        words = [f"{tmp_path}/none", f"{tmp_path}/a.txt", "--output", f"{tmp_path}/o.jsonl"]
        done = CliRunner().invoke(app, ["annotate", *words, "--workers", workers])
        assert done.exit_code == 1
        assert "there is no such pipeline" in done.output


def test_without_permission(annotate, jsonl, tmp_path, monkeypatch):
    def refuse(path, data):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(work, "write", refuse)
    code, said = annotate(jsonl, "--output", tmp_path / "o.jsonl")
    assert code == 1
    assert "Permission denied" in said


def full_disk(tmp_path, size):
    """A small file system of its own; where this user can't mount one, the test is skipped."""
    folder = tmp_path / "small"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this user can't mount")
    return folder


@pytest.mark.parametrize("size", ["16k", "40k"])
def test_a_full_disk(annotate, jsonl, tmp_path, size):
    """At the parts, and at the output of them."""
    folder = full_disk(tmp_path, size)
    try:
        output = folder / "o.jsonl"
        code, said = annotate(jsonl, "--block-rows", 20, "--output", output)
        assert code == 1
        assert "No space left on device" in said
        assert "goes on with it" in said
        assert not output.exists()
        subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)
        assert annotate(jsonl, "--block-rows", 20, "--output", output)[0] == 0
        assert len(read_jsonl(output)) == 100
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("call", range(11))
def test_a_disk_that_is_full_at_any_write(annotate, jsonl, tmp_path, monkeypatch, call):
    """As above, where nobody may mount: the first write is that of the manifest."""
    sync, left_over = os.fsync, [call]

    def fail(path):
        left_over[0] -= 1
        if left_over[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        sync(path)

    monkeypatch.setattr(os, "fsync", fail)
    output = tmp_path / "o.jsonl"
    code, said = annotate(jsonl, "--block-rows", 20, "--output", output)
    assert (code, output.exists()) == (1, False)
    assert "No space left on device" in said
    folder = tmp_path / "o.jsonl.parts"
    assert not list(folder.glob("*.new"))
    for record in folder.glob("[0-9]*.json"):
        assert len(read_jsonl(record.with_suffix(".part"))) == 20
