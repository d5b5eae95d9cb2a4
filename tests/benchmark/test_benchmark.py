"""The clocks, on a tiny encoder: what is measured is real, not how fast it is."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import spacy
import srsly
from encoders import tiny_bert
from knowledge_names import names_file
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.benchmark import growth as growth_module
from spacy_finegrained_ner.benchmark import names, report, speed
from spacy_finegrained_ner.benchmark.growth import Size, Work, growth
from spacy_finegrained_ner.benchmark.pipelines import Pipeline
from spacy_finegrained_ner.benchmark.profiling import Clock, profile
from spacy_finegrained_ner.benchmark.sentences import draw
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.errors import UserError

CONFIG = Path(__file__).parents[2] / "configs" / "benchmark.cfg"


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    tiny_bert(folder / "encoder")
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES * 8]
    DocBin(docs=docs).to_disk(folder / "data.spacy")
    return folder


@pytest.fixture(scope="module")
def sample(folder):
    return draw(folder / "data.spacy", 0, CONFIG, str(folder / "encoder"))


def test_a_sample_is_the_same_each_time_and_of_the_size_asked_for(folder, sample):
    some = [draw(folder / "data.spacy", 7, CONFIG, "x") for _ in range(2)]
    assert some[0] == some[1]
    vocab = spacy.blank("en").vocab
    assert len(some[0].gold(vocab)) == 7
    assert sample.words == sum(len(doc) for doc in sample.gold(vocab)) == 8 * 27
    assert not any(doc.ents for doc in sample.bare(vocab))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.txt", "x", "data.txt:1: found 1 column"),
        ("data.conll", "tea _ _ O\n", "no entities in the 1 sentences"),
        ("missing.conll", None, "missing.conll: there is no such file"),
    ],
)
def test_bad_data_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message):
        draw(tmp_path / name, 0, CONFIG, "x")


@pytest.mark.parametrize("name", speed.CONFIGS)
def test_each_pipeline_trains_on_all_of_the_sample_and_annotates_it(name, sample):
    pipeline = Pipeline(speed.CONFIGS[name](sample), sample)
    before = pipeline.nlp.get_pipe(pipeline.nlp.pipe_names[-1]).model.to_bytes()
    assert pipeline.train(0) == sample.words
    assert pipeline.train(1, part=100) <= sample.words
    assert pipeline.nlp.get_pipe(pipeline.nlp.pipe_names[-1]).model.to_bytes() != before
    for _ in range(2):
        pipeline.prepare()
        assert pipeline.annotate() == sample.words


def test_both_random_sides_see_the_same_batches(sample):
    found = []
    for name in (speed.OURS_RANDOM, speed.NER_RANDOM):
        pipeline = Pipeline(speed.CONFIGS[name](sample), sample)
        found.append([[eg.text for eg in batch] for batch in pipeline.batches(3)])
    assert found[0] == found[1]
    assert {len(batch) for batch in found[0]} == {16, 8}


def test_the_sides_without_spacy_do_the_same_work(sample):
    sides = speed._build(sample, quiet)
    assert sides.keys() == {*speed.TRAINING, *speed.PREDICTION}
    for name in (speed.PLAIN, speed.ENCODER):
        assert sides[name].train(0) == sample.words
    for name in (speed.MODULES, speed.ENCODER):
        assert sides[name].annotate() == sample.words


def test_a_round_measures_each_side_once_and_ratios_are_within_a_round():
    calls = []

    def ready(side):
        def run(turn):
            calls.append((turn, side))
            time.sleep(0.02 * side)
            return 100

        return run

    found = speed._measure({"a": 1, "b": 5}, ready, lambda side: None, 3, quiet)
    assert calls == [(0, 1), (0, 5), (1, 5), (1, 1), (2, 1), (2, 5)]
    (row,) = speed._ratios(found, (("a", "b", 1.5),))
    assert row["low"] <= row["median"] <= row["high"]
    assert 2 < row["median"] < 8


def test_a_clock_counts_the_time_of_a_part_without_that_of_its_parts():
    clock = Clock()
    clock.reset()
    with clock.part("outer"):
        time.sleep(0.01)
        with clock.part("inner"):
            time.sleep(0.03)
    seconds = clock.stop()
    assert 0.009 < seconds["outer"] < 0.028
    assert 0.029 < seconds["inner"] < 0.06


def test_the_profile_has_all_parts_and_they_sum_to_the_whole(sample):
    found = profile(sample, 2, quiet)
    for what, parts in {
        "training": {"encoder, backward", "optimizer", "CRF loss, coarse", "head, backward"},
        "prediction": {"Viterbi", "annotation"},
    }.items():
        names = set(found[what])
        assert names >= parts | {"tokenizing", "encoder, forward", "BiLSTM, forward"}
        assert sum(row["share"] for row in found[what].values()) == pytest.approx(1.0)
    text = report.profile_markdown({"data": "x", **found})
    assert "| Viterbi | " in text


def test_growth_compares_equal_results_and_draws_them(tmp_path, monkeypatch):
    monkeypatch.setattr(growth_module, "_LEAST", 0.001)
    found = growth(1, quiet, {"tags": (5, 9), "tokens": (3,)})
    assert len(found["rows"]) == 6
    assert all(row["faster"]["median"] > 0 and row["ours"]["mib"] >= 0 for row in found["rows"])
    text = report.growth_markdown(found)
    assert text.count("| tags = 5 |") == 2
    report.growth_plot(found, tmp_path / "growth.svg")
    assert "pytorch-crf, Viterbi" in (tmp_path / "growth.svg").read_text()


def test_both_sides_of_growth_compute_the_same():
    work = Work(Size(batch=3, tokens=6, tags=4))
    for ours, theirs in zip(
        work.run("ours", "loss and backward"),
        work.run("pytorch-crf", "loss and backward"),
        strict=True,
    ):
        assert ours.numpy() == pytest.approx(theirs.numpy(), abs=1e-5)
    paths = work.run("ours", "Viterbi").tolist()
    assert [p[:n] for p, n in zip(paths, work.lengths, strict=True)] == work.run(
        "pytorch-crf", "Viterbi"
    )


@pytest.mark.slow
def test_the_command_writes_all_figures(folder, tmp_path):
    arguments = ["benchmark", "speed", folder / "data.spacy", "--config", CONFIG]
    arguments += ["--encoder", folder / "encoder", "--output", tmp_path, "--rounds", 1]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    found = srsly.read_json(tmp_path / "speed.json")
    assert set(found["training"]) == set(speed.TRAINING)
    assert [row["bar"] for row in found["prediction_ratios"]] == [1.6, 1.0, 0.8, None]
    assert all(side["peak_mib"] > 100 for side in found["alone"].values())
    assert "## Prediction" in (tmp_path / "speed.md").read_text()


def test_the_command_names_what_is_wrong(folder, tmp_path):
    arguments = ["benchmark", "profile", tmp_path / "no.conll", "--config", CONFIG]
    arguments += ["--encoder", folder / "encoder", "--output", tmp_path]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1
    assert "there is no such file" in result.output


def test_the_cost_of_names(folder, tmp_path, monkeypatch):
    """In this process: that each has one of its own is in `speed`."""
    monkeypatch.setattr(names, "in_process", lambda function, *args: function(*args))
    file = tmp_path / "names"
    names_file(file)
    config = CONFIG.with_name("knowledge.cfg")
    sample = draw(folder / "data.spacy", 10, config, str(folder / "encoder"))
    found = names.names_cost(sample, file, 2, quiet)
    for what in ("load", "pipe", "peak_mib"):
        assert {side: len(values) for side, values in found[what].items()} == {
            names.WITH: 2,
            names.WITHOUT: 2,
        }
        assert all(value > 0 for values in found[what].values() for value in values)
    a, b = (found["pipe"][side] for side in (names.WITH, names.WITHOUT))
    ratios = sorted(x / y for x, y in zip(a, b, strict=True))
    assert found["pipe_ratio"]["low"] == ratios[0]
    text = names.names_markdown(found)
    assert f"File of names: {file.stat().st_size / 1e6:.1f} MB" in text
    assert f"| CPU time to load | {found['load_ratio']['median']:.2f}" in text


@pytest.mark.slow
def test_a_measuring_process_ends_with_the_one_that_is_killed():
    child = "print('up', flush=True); __import__('time').sleep(60)"
    code = f"from {speed.__name__} import in_process; in_process(exec, {child!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"up\n"
        finally:
            process.kill()
        # Only the death of the child closes the pipe that both hold
        assert process.communicate(timeout=30) == (b"", None)
