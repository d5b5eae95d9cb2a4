"""Runs: configs of all levels, records, and what happens when they are broken off. The encoder is
tiny: what is tested is not how good it is."""

from dataclasses import replace
from pathlib import Path

import pytest
import spacy
import srsly
from encoders import tiny_bert
from numpy.testing import assert_allclose
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin
from spacy.util import load_config, load_model_from_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.analysis.counts import macro_f1, micro_f1, sentence_counts
from study.plan import stages as plan
from study.plan.factors import DEFAULT, FACTORS, PLAIN, settings
from study.plan.stages import Run, StudyError
from study.runs.runner import read_records, run_all
from study.runs.sample import gold_table, prepare
from study.runs.training import Inputs, apply, config_of, run_once

CONFIGS = Path(__file__).parents[2] / "configs"
SIZE = replace(plan.SIZES["smoke"], sample=15, held_out=0)
RUN = Run("a", "arms", "default", 0, rate=1e-2, settings=settings(DEFAULT), epochs=12, looks=3)
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
        srsly.write_json(folder / "work" / f"gold-{part}-valid.json", table)
        srsly.write_json(folder / "work" / f"seen-{part}.json", sorted(seen))
    return Inputs(folder / "work", CONFIGS, str(folder / "encoder"), str(folder / "encoder"))


def test_the_default_levels_are_the_default_config():
    """Whoever changes one of the two changes the other."""
    config = load_config(CONFIGS / "default.cfg")
    before = config.copy()
    apply(config, settings(DEFAULT))
    assert config == before


@pytest.mark.parametrize(("factor", "level"), LEVELS)
def test_each_level_is_a_config_that_builds(inputs, factor, level):
    levels = DEFAULT | {factor: level}
    run = replace(RUN, settings=settings(levels), levels=levels)
    nlp = load_model_from_config(config_of(run, inputs), auto_fill=True)
    assert nlp.pipe_names == ["transformer", "finegrained_ner"]


def test_spacys_ner_has_the_encoder_of_its_users(inputs):
    """Whatever layers the default config takes."""
    config = config_of(replace(RUN, kind="ner", settings={}), inputs)
    assert config["components"]["transformer"]["model"]["layers"] == 1
    assert load_model_from_config(config, auto_fill=True).pipe_names == ["transformer", "ner"]


def test_a_setting_that_is_not_there_is_refused():
    with pytest.raises(KeyError, match=r"training\.nonsense"):
        apply(load_config(CONFIGS / "default.cfg"), {"training.nonsense": 1})


@pytest.mark.parametrize("kind", ["finegrained", "ner", "crf", "base"])
def test_a_record_says_what_came_out(inputs, kind):
    run = {
        "finegrained": RUN,
        "ner": replace(RUN, kind="ner", settings={}),
        "crf": replace(RUN, kind="crf", arm="crf", settings={}, looks=0),
        "base": replace(RUN, encoder="base", settings=settings(PLAIN)),
    }[kind]
    record = srsly.json_loads(srsly.json_dumps(run_once(run, inputs)))
    gold = srsly.read_json(inputs.work / "gold-sample-valid.json")
    found = record["sets"]["valid"]
    counts = sentence_counts(found, gold).sum(axis=(0, 1))
    assert_allclose(micro_f1(counts), found["scores"]["ents_f"])
    assert_allclose(macro_f1(counts), found["scores"]["ents_macro_f"])
    assert found["scores"]["ents_f"] > 0.5  # sentences of the training
    assert record["name"] == "a"
    assert record["versions"]["spacy"] == spacy.__version__
    if kind != "crf":
        assert record["steps"] == record["curve"][-1]["step"]
        assert record["curve"][0]["step"] == 0
        assert len(record["curve"]) == 4
        weights = [point["w"] for point in record["curve"]]
        if kind == "finegrained":
            assert weights[0] == 1.0
            assert weights[-1] == pytest.approx(0.1)


def test_the_same_seed_gives_the_same_record(inputs):
    first, second = (run_once(replace(RUN, epochs=2), inputs) for _ in range(2))
    other = run_once(replace(RUN, epochs=2, seed=1), inputs)
    assert first["sets"] == second["sets"]
    assert first["curve"] == second["curve"]
    assert first["curve"] != other["curve"]


def test_what_is_done_is_not_done_again(inputs, tmp_path, monkeypatch):
    runs = [replace(RUN, name=name, epochs=1, looks=0) for name in "abc"]
    done = []

    def fake(run, inputs):
        if run.name == "c" and len(done) < 3:
            done.append("broken off")
            raise KeyboardInterrupt
        done.append(run.name)
        return {**srsly.json_loads(srsly.json_dumps(run.__dict__)), "seconds": 1.0} | {
            "sets": {"valid": {"scores": {"ents_f": 0.5, "ents_macro_f": 0.4}}}
        }

    monkeypatch.setattr("study.runs.runner.run_once", fake)
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        run_all(runs, inputs, tmp_path, command=["x"], say=lines.append)
    assert sorted(read_records(tmp_path)) == ["a", "b"]
    run_all(runs, inputs, tmp_path, command=["x"], say=lines.append)
    assert done == ["a", "b", "broken off", "c"]
    assert sorted(read_records(tmp_path)) == ["a", "b", "c"]
    assert "3 runs, 2 of them done before." in lines
    assert read_records(tmp_path)["a"]["command"] == ["x"]


def test_a_record_of_other_settings_or_a_broken_one_is_named(inputs, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    path = tmp_path / "runs" / "a.json"
    record = srsly.json_loads(srsly.json_dumps(RUN.__dict__))
    srsly.write_json(path, record | {"rate": 0.5})
    with pytest.raises(StudyError, match=r"a.json.*rate is 0.5, expected 0.01"):
        run_all([RUN], inputs, tmp_path, command=[], say=str)
    path.write_text("{")
    with pytest.raises(StudyError, match=r"a.json: can't be read.*Delete it"):
        read_records(tmp_path)


def test_two_at_once_give_what_one_gives(inputs, tmp_path):
    runs = [replace(RUN, name=f"r{seed}", seed=seed, epochs=1, looks=0) for seed in (0, 1)]
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        run_all(runs, inputs, folder, command=[], workers=workers, say=str)
    one, two = (read_records(tmp_path / str(workers)) for workers in (1, 2))
    assert {name: r["sets"] for name, r in one.items()} == {
        name: r["sets"] for name, r in two.items()
    }
