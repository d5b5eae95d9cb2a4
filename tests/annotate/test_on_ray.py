"""Ray Data as the engine: a cluster of its own on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from json_lines import read_jsonl

pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture
def given(tmp_path, texts):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(texts[i % 90] for i in range(3000)) + "\n")
    return path


def verb(model, given, output):
    words = ["--engine", "ray", "--workers", "2", "--threads", "1", "--block-rows", "20"]
    command = [sys.executable, "-m", "spacy", "finegrained-ner", "annotate", str(model)]
    return [*command, str(given), "--output", str(output), *words]


def actors():
    """Processes of Ray that hold an Annotator, by the names that it gives them."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"MapWorker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_it_gives_what_one_process_gives(annotate, model, given, tmp_path, environment):
    plain, output = tmp_path / "plain.jsonl", tmp_path / "o.jsonl"
    assert annotate(given, "--block-rows", 20, "--output", plain)[0] == 0
    subprocess.run(verb(model, given, output), env=environment, check=True, timeout=300)
    assert output.read_bytes() == plain.read_bytes()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
@pytest.mark.parametrize("whom", ["actor", "driver"])
def test_killed_it_goes_on(annotate, model, given, tmp_path, environment, whom):
    """An actor: Ray replaces it. The whole: the next run goes on where it was."""
    plain, output = tmp_path / "plain.jsonl", tmp_path / "o.jsonl"
    assert annotate(given, "--block-rows", 20, "--output", plain)[0] == 0
    others = set(actors())
    process = subprocess.Popen(verb(model, given, output), env=environment)
    folder = tmp_path / "o.jsonl.parts"
    while len(list(folder.glob("[0-9]*.json"))) < 3:
        assert process.poll() is None
        time.sleep(0.005)
    if whom == "actor":
        own = sorted(set(actors()) - others)
        assert own
        os.kill(own[0], signal.SIGKILL)
        assert process.wait(timeout=300) == 0
    else:
        process.kill()
        process.wait()
        before = len(list(folder.glob("[0-9]*.json")))
        assert 3 <= before < 150
        subprocess.run(verb(model, given, output), env=environment, check=True, timeout=300)
    assert output.read_bytes() == plain.read_bytes()
    assert len(read_jsonl(output)) == 3000


def test_standard_input_is_refused(annotate, tmp_path):
    code, said = annotate(
        "-", "--from", "text", "--engine", "ray", "--output", tmp_path / "o.jsonl"
    )
    assert code == 1
    assert "--engine ray can't read standard input" in said
