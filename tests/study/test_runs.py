"""Runs: configs of all levels, records, and what happens when they are broken off. The encoder is
tiny: what is tested is not how good it is."""

from dataclasses import replace
from functools import partial

import pytest
import spacy
import srsly
from encoders import tiny_bert
from filelock import FileLock
from numpy.testing import assert_allclose
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin
from spacy.util import load_config, load_model_from_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.scoring.bootstrap import f_scores
from study.analysis.scores import sentence_counts
from study.plan.factors import DEFAULT, FACTORS, PLAIN, settings
from study.plan.stages import SIZES, Run, StudyError, Training
from study.runs.pipelines import CONFIGS, Inputs, apply, config_of
from study.runs.progress import telling
from study.runs.records import (
    GOLD,
    RECORD,
    Found,
    Record,
    Trained,
    hours,
    read_gold,
    read_records,
    write,
)
from study.runs.runner import run_all, run_study
from study.runs.sample import gold_table, prepare
from study.runs.training import run_once

SIZE = replace(SIZES["smoke"], sample=15, held_out=0)
TRAINING = Training(epochs=12, rate=1e-2, settings=settings(DEFAULT), looks=3)
RUN = Run("a", "arms", "default", 0, (TRAINING,))


def run_of(training: Training, **changes) -> Run:
    return replace(RUN, trainings=(training,), **changes)


LEVELS = [(factor.key, level) for factor in FACTORS for level in factor.levels]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    tiny_bert(folder / "encoder", layers=3)  # the last three are a level
    vocab = spacy.blank("en").vocab
    texts = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES * 4]
    for doc in texts:
        for token in doc:
            token.pos_ = "X"
    DocBin(docs=texts).to_disk(folder / "data.spacy")
    parts = {"train": folder / "data.spacy", "valid": folder / "data.spacy"}
    docs = prepare(parts, SIZE, None, folder / "work")
    for part in ("train", "sample"):
        table, seen = gold_table(docs["valid"], docs[part], read_taxonomy())
        write(GOLD.dump_json(table), folder / "work" / f"gold-{part}-valid.json")
        srsly.write_json(folder / "work" / f"seen-{part}.json", sorted(seen))
    return Inputs(folder / "work", str(folder / "encoder"), str(folder / "encoder"))


def test_the_default_levels_are_the_default_config():
    """Whoever changes one of the two changes the other."""
    config = load_config(CONFIGS / "default.cfg")
    before = config.copy()
    apply(config, settings(DEFAULT))
    assert config == before


@pytest.mark.parametrize(("factor", "level"), LEVELS)
def test_each_level_is_a_config_that_builds(inputs, factor, level):
    training = replace(TRAINING, settings=settings(DEFAULT | {factor: level}))
    nlp = load_model_from_config(config_of(training, 0, inputs), auto_fill=True)
    assert nlp.pipe_names == ["transformer", "finegrained_ner"]


def test_spacys_ner_has_the_encoder_of_its_users(inputs):
    """Whatever layers the default config takes."""
    config = config_of(Training("ner", looks=3), 0, inputs)
    assert config["components"]["transformer"]["model"]["layers"] == 1
    assert load_model_from_config(config, auto_fill=True).pipe_names == ["transformer", "ner"]


def test_a_setting_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match=r"training\.nonsense"):
        apply(load_config(CONFIGS / "default.cfg"), {"training.nonsense": 1})


TRAININGS = {
    "finegrained": TRAINING,
    "ner": Training("ner", epochs=12, rate=1e-2, looks=3),
    "crf": Training("crf"),
    "base": replace(TRAINING, encoder="base", settings=settings(PLAIN)),
}


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_record_says_what_came_out(inputs, kind):
    run = run_of(TRAININGS[kind], sets=("valid", "sample+valid"))
    record = run_once(run, inputs)
    assert RECORD.validate_json(RECORD.dump_json(record)) == record
    found = record.sets["valid"]
    counts = sentence_counts(found, read_gold(inputs.work, "sample", "valid")).sum(axis=(0, 1))
    micro, macro = f_scores(counts)
    assert_allclose(micro, found.scores["ents_f"])
    assert_allclose(macro, found.scores["ents_macro_f"])
    assert found.scores["ents_f"] > 0.5  # sentences of the training
    # Of several parts together only scores
    assert record.counted == ["valid"]
    assert record.sets["sample+valid"].scores["ents_f"] > 0.5
    assert record.run == run
    assert record.versions["spacy"] == spacy.__version__
    (trained,) = record.trained
    assert trained.config["training"]["max_steps"] == trained.steps
    if kind != "crf":
        assert trained.steps == trained.curve[-1].step
        assert trained.curve[0].step == 0
        assert len(trained.curve) == 4
        if kind == "finegrained":
            assert trained.curve[0].w == 1.0
            assert trained.curve[-1].w == pytest.approx(0.1)


def test_a_student_finds_its_teacher(inputs):
    """A run of two trainings: the second begins with the encoder of the first."""
    teacher = replace(TRAINING, name="teacher", looks=0, epochs=1)
    config = config_of(TRAINING, 0, inputs)
    sourced = {"components.transformer": {"source": "${paths.teacher}"}}
    changes = {key: v for key, v in TRAINING.settings.items() if "transformer" not in key}
    student = replace(TRAINING, name="student", epochs=1, settings=changes | sourced)
    record = run_once(replace(RUN, trainings=(teacher, student)), inputs)
    assert [len(one.curve) for one in record.trained] == [0, 2]
    assert "teacher" in record.trained[1].config["paths"]
    assert "source" in record.trained[1].config["components"]["transformer"]
    assert "source" not in config["components"]["transformer"]
    assert RECORD.validate_json(RECORD.dump_json(record)) == record


def test_the_same_seed_gives_the_same_record(inputs):
    short = replace(TRAINING, epochs=2)
    first, second, other = (run_once(run_of(short, seed=s), inputs) for s in (0, 0, 1))
    assert first.sets == second.sets
    assert first.trained[0].curve == second.trained[0].curve
    assert first.trained[0].curve != other.trained[0].curve


def test_what_is_done_is_not_done_again(inputs, tmp_path, monkeypatch, capsys):
    runs = [replace(RUN, name=name) for name in "abc"]
    one = Record(RUN, [Trained(1, 1.0)], {"valid": Found({"ents_f": 0.5, "ents_macro_f": 0.4})},
                 1, {}, None, ["x"])  # fmt: skip
    done = []

    def fake(run, inputs):
        if run.name == "c" and len(done) < 3:
            done.append("broken off")
            raise KeyboardInterrupt
        done.append(run.name)
        return replace(one, run=run)

    monkeypatch.setattr("study.runs.runner.run_once", fake)
    with pytest.raises(KeyboardInterrupt):
        run_all(runs, inputs, tmp_path)
    assert [record.run.name for record in read_records(tmp_path)] == ["a", "b"]
    run_all(runs, inputs, tmp_path)
    assert done == ["a", "b", "broken off", "c"]
    assert [record.run.name for record in read_records(tmp_path)] == ["a", "b", "c"]
    assert "3 runs, 2 of them done before." in capsys.readouterr().err
    # A record of other settings, and a broken one, are named
    with pytest.raises(StudyError, match=r"a.json.*seed is 0, expected 1"):
        run_all([replace(runs[0], seed=1)], inputs, tmp_path)
    (tmp_path / "runs" / "a.json").write_text("{")
    with pytest.raises(StudyError, match=r"a.json: can't be read[\s\S]*Delete it"):
        read_records(tmp_path)


def test_a_run_says_how_far_it_is(inputs, monkeypatch, capsys):
    """And is the same as without."""
    short = replace(TRAINING, epochs=2, looks=0)
    silent = run_once(run_of(short), inputs)
    assert "batches" not in capsys.readouterr().err  # it took less than a minute
    monkeypatch.setattr("study.runs.training.telling", partial(telling, every=0.0))
    record = run_once(run_of(short), inputs)
    assert record.sets == silent.sets
    lines = capsys.readouterr().err.splitlines()
    steps = record.trained[0].steps + 1  # spaCy takes step 0 and the last one
    assert [line.split(", ")[0] for line in lines] == [
        f"    a (model): {step} of {steps} batches" for step in range(1, steps + 1)
    ]
    assert lines[-1].endswith("about 0 min left")


@pytest.mark.slow
def test_two_at_once_give_what_one_gives(inputs, tmp_path):
    short = replace(TRAINING, epochs=1, looks=0)
    runs = [run_of(short, name=f"r{seed}", seed=seed) for seed in (0, 1)]
    for workers in (1, 2):
        run_all(runs, inputs, tmp_path / str(workers), workers)
    one, two = (read_records(tmp_path / str(workers)) for workers in (1, 2))
    assert [record.sets for record in one] == [record.sets for record in two]


@pytest.mark.slow
def test_of_two_that_begin_alike_one_waits_for_the_other(inputs, tmp_path):
    """And the training of both counts once."""
    before = replace(TRAINING, name="before", epochs=1, looks=0)
    tuned = Training(part="sample", epochs=1, tuned="before", rate=1e-6)
    runs = [replace(RUN, name=name, trainings=(before, tuned)) for name in "ab"]
    run_all(runs, replace(inputs, taxonomy="multiconer2"), tmp_path, 2)
    one, two = read_records(tmp_path)
    assert one.trained[0] == two.trained[0]
    seconds = one.trained[0].seconds + one.trained[1].seconds + two.trained[1].seconds
    assert hours([one, two]) == pytest.approx(seconds / 3600)


def test_two_do_not_write_the_same_files(inputs, tmp_path):
    with (
        FileLock(inputs.work / "in-use.lock"),
        pytest.raises(StudyError, match="is in use: another run of the study"),
    ):
        run_study(inputs.work, tmp_path, SIZE, ["base"], inputs)


def test_hours_of_what_is_kept_are_counted_once():
    before = replace(TRAINING, name="before")
    trained = [Trained(1, 7200.0), Trained(1, 3600.0)]
    records = [
        Record(replace(RUN, name=name, seed=seed, trainings=(before, TRAINING)), trained, {}, 1, {},
               None)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]  # fmt: skip
    assert hours(records) == 2 * 2 + 3 * 1
