"""A run that is stopped, by whatever, and started again gives what one gives that is not."""

import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress

import pytest
from filelock import FileLock
from json_lines import read_jsonl
from knowing import trained
from knowledge_names import NAMES, names_file
from typer.testing import CliRunner

from spacy_finegrained_ner.annotate.engines import BlockAnnotator
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.errors import UserError


@pytest.fixture
def many(tmp_path, texts):
    path = tmp_path / "many.jsonl"
    rows = [json.dumps({"id": i, "text": texts[i % 90]}) for i in range(1000)]
    rows[500] = '{"text": '
    path.write_text("\n".join(rows) + "\n")
    return path


def verb(model, given, output, *words):
    return [
        *(sys.executable, "-m", "spacy", "finegrained-ner", "annotate", str(model), str(given)),
        *("--output", str(output), *words),
    ]


def kill_at(command, environment, folder, parts):
    """Kill it as soon as there are so many parts. RETURNS: whether it was still at work."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    while process.poll() is None:
        if len(list(folder.glob("*.json"))) > parts:  # one is the manifest
            process.send_signal(signal.SIGKILL)
        time.sleep(0.002)
    process.stdout.close()
    return process.returncode == -signal.SIGKILL


def killed_and_resumed(model, annotate, given, tmp_path, environment, kills, words):
    """RETURNS: the undisturbed output and that of a run that was killed so many times."""
    plain, output = tmp_path / "plain.jsonl", tmp_path / "killed.jsonl"
    assert annotate(given, "--output", plain, *words)[0] == 0
    folder = tmp_path / "killed.jsonl.parts"
    draw = random.Random(0)
    for _ in range(kills):
        before = len(list(folder.glob("[0-9]*.json")))
        parts = before + draw.randint(1, 20)
        assert kill_at(verb(model, given, output, *words), environment, folder, parts)
        assert not output.exists()
        assert len(list(folder.glob("[0-9]*.json"))) >= before
    assert annotate(given, "--output", output, *words)[0] == 0
    assert not folder.exists()
    return plain, output


def test_killed_twice_it_is_as_if_it_had_not_been(model, annotate, many, tmp_path, environment):
    words = ("--block-rows", "5")
    plain, output = killed_and_resumed(model, annotate, many, tmp_path, environment, 2, words)
    assert output.read_bytes() == plain.read_bytes()
    assert [row["id"] for row in read_jsonl(output)] == [i for i in range(1000) if i != 500]
    (bad,) = read_jsonl(output.with_name("killed.jsonl.bad"))
    assert (bad["row"], bad["file"]) == (501, str(many))
    assert bad["reason"].startswith("not JSON")
    assert bad["found"] == '{"text": '


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--workers", "2"), ("--to", "parquet")], ids=str)
def test_killed_ten_times(model, annotate, texts, tmp_path, environment, words):
    given = tmp_path / "given.jsonl"
    lines = [json.dumps({"id": i, "text": texts[i % 97]}) for i in range(5000)]
    given.write_text("\n".join(lines))
    words = ("--block-rows", "10", *words)
    plain, output = killed_and_resumed(model, annotate, given, tmp_path, environment, 10, words)
    assert output.read_bytes() == plain.read_bytes()


class Stop(BaseException):
    """As if the process were gone: nothing catches it."""


@pytest.fixture
def stop_after(monkeypatch):
    """Stop at the n-th call of a function of a module."""

    def set_up(module, name, calls, error=Stop):
        function, left = getattr(module, name), [calls]

        def stopping(*args, **kwargs):
            left[0] -= 1
            if left[0] < 0:
                raise error
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, stopping)

    return set_up


@pytest.mark.parametrize("calls", range(0, 16, 3))
def test_stopped_before_any_write(annotate, model, jsonl, tmp_path, stop_after, calls, monkeypatch):
    """Also between a part and its record, and before the output takes its place."""
    words = (jsonl, "--block-rows", 20)
    assert annotate(*words, "--output", tmp_path / "plain.jsonl")[0] == 0
    stop_after(os, "fsync", calls)
    output = tmp_path / "o.jsonl"
    with pytest.raises(Stop) if calls < 12 else nullcontext():
        annotate(*words, "--output", output)
    assert output.exists() == (calls >= 12)
    monkeypatch.undo()
    code, said = annotate(*words, "--output", output)
    assert code == 0
    # The manifest comes first, then two writes for each part
    done = max(0, calls - 1) // 2
    assert ("finished by an earlier run" in said) == (done > 0 and calls < 12)
    assert output.read_bytes() == (tmp_path / "plain.jsonl").read_bytes()


def test_what_is_finished_is_not_done_again(annotate, jsonl, tmp_path, stop_after, monkeypatch):
    stop_after(os, "fsync", 7)
    with pytest.raises(Stop):
        annotate(jsonl, "--block-rows", 20, "--output", tmp_path / "o.jsonl")
    monkeypatch.undo()
    done = []
    part = BlockAnnotator.part
    monkeypatch.setattr(
        BlockAnnotator, "part", lambda self, *args: done.append(args[0].number) or part(self, *args)
    )
    assert annotate(jsonl, "--block-rows", 20, "--output", tmp_path / "o.jsonl")[0] == 0
    assert done == [3, 4]


@pytest.fixture
def begun(annotate, jsonl, tmp_path, stop_after, monkeypatch):
    """An output that an earlier run has begun. RETURNS: its path."""
    stop_after(os, "fsync", 5)
    with pytest.raises(Stop):
        annotate(jsonl, "--block-rows", 20, "--output", tmp_path / "o.jsonl")
    monkeypatch.undo()
    return tmp_path / "o.jsonl"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--to", "doccano"), "form of the output: 'JsonLines', now 'Doccano'"),
        (("--block-rows", 10), r"blocks: \[20, 500000\], now \[10, 500000\]"),
        (("--text-column", "id"), "text column: 'text', now 'id'"),
    ],
)
def test_other_settings_are_refused_unless_anew(annotate, jsonl, begun, words, says):
    before = sorted(path.name for path in (begun.parent / "o.jsonl.parts").iterdir())
    call = (jsonl, "--block-rows", 20, *words, "--output", begun)
    code, said = annotate(*call)
    assert code == 1
    assert "with other settings" in said
    assert re.search(says, said)
    assert "Give --restart" in said
    assert sorted(path.name for path in (begun.parent / "o.jsonl.parts").iterdir()) == before
    if "id" not in words:
        assert annotate(*call, "--restart")[0] == 0
        assert len(read_jsonl(begun)) == 100


def test_what_has_finished_nothing_is_in_nobodys_way(annotate, jsonl, tmp_path):
    """The column was misspelled: the command with the right one is no other run."""
    output = tmp_path / "o.jsonl"
    code, said = annotate(jsonl, "--output", output, "--text-column", "txet")
    assert code == 1
    assert "None of the first" in said
    assert annotate(jsonl, "--output", output)[0] == 0
    assert [row["id"] for row in read_jsonl(output)] == list(range(100))


def test_another_pipeline_is_refused(annotate, jsonl, begun, model):
    config = model / "meta.json"
    before = config.read_text()
    config.write_text(before + " ")
    try:
        code, said = annotate(jsonl, "--block-rows", 20, "--output", begun)
    finally:
        config.write_text(before)
    assert code == 1
    assert "contents of the pipeline" in said


def test_another_input_is_refused(annotate, jsonl, begun):
    rows = jsonl.read_text().splitlines()
    jsonl.write_text("\n".join([*rows[:25], '{"text": "other"}', *rows[26:]]))
    code, said = annotate(jsonl, "--block-rows", 20, "--output", begun)
    assert code == 1
    assert "the rows from 21 on are not those that an earlier run has annotated" in said
    jsonl.write_text("\n".join(rows[:15]))
    code, said = annotate(jsonl, "--block-rows", 20, "--output", begun)
    assert code == 1
    assert "are not those that" in said
    jsonl.write_text("\n".join(rows[:20]) + "\n")
    code, said = annotate(jsonl, "--block-rows", 20, "--output", begun)
    assert code == 1
    assert "has less than when an earlier run was stopped: 1 blocks, and 2 then" in said
    # What was only added to is gone on with
    jsonl.write_text("\n".join([*rows, '{"text": "more"}']))
    assert annotate(jsonl, "--block-rows", 20, "--output", begun)[0] == 0
    assert [row["text"] for row in read_jsonl(begun)][-1] == "more"


def test_two_at_once_are_refused(annotate, jsonl, begun):
    with FileLock(begun.with_name("o.jsonl.parts") / "lock"):
        code, said = annotate(jsonl, "--block-rows", 20, "--output", begun)
    assert code == 1
    assert "is in use: another annotate writes there" in said


def test_a_folder_of_somebody_else_is_left_alone(annotate, jsonl, tmp_path):
    (tmp_path / "o.jsonl.parts").mkdir()
    (tmp_path / "o.jsonl.parts" / "mine").write_text("")
    code, said = annotate(jsonl, "--restart", "--output", tmp_path / "o.jsonl")
    assert code == 1
    assert "is there, and not of annotate" in said
    assert (tmp_path / "o.jsonl.parts" / "mine").exists()


def test_an_old_output_stays_until_there_is_a_new_one(annotate, jsonl, begun):
    begun.write_text("old")
    begun.with_name("o.jsonl.bad").write_text("old")
    (begun.parent / "bad.jsonl").write_text("[")
    assert annotate(begun.parent / "bad.jsonl", "--output", begun)[0] == 1
    assert begun.read_text() == "old"
    assert annotate(jsonl, "--block-rows", 20, "--output", begun)[0] == 0
    assert len(read_jsonl(begun)) == 100
    assert not begun.with_name("o.jsonl.bad").exists()


def test_stopped_by_hand(annotate, jsonl, tmp_path, stop_after):
    stop_after(os, "fsync", 5, KeyboardInterrupt)
    code, said = annotate(jsonl, "--block-rows", 20, "--output", tmp_path / "o.jsonl")
    assert code == 130
    assert "the same command goes on with it" in said


def test_other_names_outside_of_the_pipeline_are_refused(jsonl, tmp_path, stop_after, monkeypatch):
    trained(tmp_path / "names", 3, inside=False).to_disk(tmp_path / "model")
    call = ("annotate", tmp_path / "model", jsonl, "--block-rows", 20)
    call = [*map(str, call), "--output", str(tmp_path / "o.jsonl")]
    stop_after(os, "fsync", 5)
    with pytest.raises(Stop):
        CliRunner().invoke(app, call)
    monkeypatch.undo()
    names_file(tmp_path / "names", NAMES[:9])
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "contents of the pipeline" in " ".join(done.output.split())


@pytest.mark.parametrize("workers", [(), ("--workers", "1")])
def test_blocks_before_a_damaged_end_are_kept(annotate, tmp_path, texts, workers):
    rows = [json.dumps({"id": i, "text": texts[i % 90]}) for i in range(400)]
    whole = gzip.compress("\n".join([*rows, ""]).encode(), mtime=0)
    (tmp_path / "a.jsonl.gz").write_bytes(whole + b"and no gzip")
    output = tmp_path / "o.jsonl"
    code, said = annotate(tmp_path / "a.jsonl.gz", "--block-rows", 50, *workers, "--output", output)
    assert code == 1
    assert "Whole blocks of rows before that are annotated and kept" in said
    there, blocks = 0, Inputs([str(tmp_path / "a.jsonl.gz")], block_rows=50).blocks()
    with suppress(UserError):
        for there, _ in enumerate(blocks, 1):  # noqa: B007
            pass
    assert len(list((tmp_path / "o.jsonl.parts").glob("*.part"))) == there > 2
