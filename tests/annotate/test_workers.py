"""Worker processes, and what becomes of a block whose process dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spacy_finegrained_ner.annotate import engines
from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.engines import BlockAnnotator, in_process, in_workers
from spacy_finegrained_ner.annotate.forms import JsonLines
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.errors import UserError


class Deadly(JsonLines):
    """Ends the process that writes a given text: for good, or the first time.

    once: a file that is there once it has.
    """

    def __init__(self, text, once=None):
        super().__init__("text", "entities")
        self.text, self.once = text, once
        self.parent = os.getpid()

    def part(self, rows, schema):
        fatal = any(row.text == self.text for row, _ in rows) and os.getpid() != self.parent
        if fatal and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().part(rows, schema)


@pytest.fixture
def inputs(tmp_path, texts):
    path = tmp_path / "a.txt"
    lines = [texts[i] + f" {i}" for i in range(60)]
    path.write_text("\n".join(lines) + "\n")
    return Inputs([str(path)], block_rows=10)


def data_of(parts):
    return {part.number: part.data for part in parts}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_process_that_dies_is_replaced_and_its_block_done_again(
    model, inputs, tmp_path, texts, workers
):
    form = Deadly(texts[25] + " 25", once=tmp_path / "died")
    parts = list(in_workers(BlockAnnotator(Annotator(model), form), inputs, {}, workers=workers))
    assert form.once.exists()
    assert sorted(part.number for part in parts) == list(range(6))
    alone = in_process(BlockAnnotator(Annotator(model), form), inputs, {})
    assert data_of(parts) == data_of(alone)
    assert sum(part.counts.texts for part in parts) == 60


@pytest.mark.slow
def test_a_block_that_always_kills_is_named_and_the_others_are_done(model, inputs, texts):
    form = Deadly(texts[25] + " 25")
    done = []
    where = r"died 3 times at the texts from .*a.txt, row 21, to .*a.txt, row 30"
    parts = in_workers(BlockAnnotator(Annotator(model), form), inputs, {}, workers=2)
    with pytest.raises(UserError, match=where):
        done.extend(part.number for part in parts)
    assert set(done) >= {0, 1}
    assert 2 not in done


def test_cores_are_shared(model):
    worker = BlockAnnotator(Annotator(model), JsonLines("text", "entities"))
    annotator = worker.annotator
    engines.share_cores(worker, 1000)
    assert (worker.annotator.threads, annotator.threads) == (1, None)
    worker = BlockAnnotator(Annotator(model, threads=3), JsonLines("text", "entities"))
    engines.share_cores(worker, 1000)
    assert worker.annotator.threads == 3


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_workers_end_with_a_parent_that_is_killed(model, tmp_path, texts, environment):
    given = tmp_path / "a.txt"
    given.write_text("\n".join(texts[i % 90] for i in range(20_000)))
    verb = [sys.executable, "-m", "spacy", "finegrained-ner", "annotate", str(model), str(given)]
    words = ["--output", str(tmp_path / "o.jsonl"), "--workers", "2", "--block-rows", "10"]
    process = subprocess.Popen([*verb, *words], env=environment)
    folder = tmp_path / "o.jsonl.parts"
    while len(list(folder.glob("[0-9]*.json"))) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    for _ in range(500):
        if not any(map(alive, children)):
            break
        time.sleep(0.01)
    assert not any(map(alive, children))
