"""Experiments: their plans, runs of the small kinds, and the page."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import spacy
from encoders import tiny_bert
from knowledge_names import names_file
from numpy.testing import assert_allclose
from pipelines import SENTENCES, examples, make_nlp, sentence
from simulated import TYPES, gold, record
from spacy.tokens import DocBin
from thinc.api import Adam, fix_random_seed
from typer.testing import CliRunner

from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.data.gold import annotated_labels
from spacy_finegrained_ner.pages.intervals import percent
from study.__main__ import app
from study.analysis.analysis import compare
from study.analysis.scores import score_groups, score_parts
from study.page.experiment import write_experiment
from study.plan.experiment import Compared, Experiment
from study.plan.experiments import EXPERIMENTS
from study.plan.names import NAMES
from study.plan.new_types import FEW, NEW, OLD, divided
from study.plan.stages import StudyError, Taught, Training
from study.plan.teaching import halves
from study.runs.pipelines import Inputs, config_of
from study.runs.pooled import OnBatches
from study.runs.records import GOLD, RECORD, read_records, write
from study.runs.training import _place

INPUTS = Inputs(Path("work"), "encoder", knowledge="names")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_training_is_a_config_and_every_comparison_of_arms(name):
    experiment = EXPERIMENTS[name]
    runs = experiment.runs()
    assert len({run.name for run in runs}) == len(runs)
    assert {arm for pair in experiment.comparisons for arm in pair} <= experiment.arms.keys()
    for run in runs:
        made = []
        for training in run.trainings:
            if training.taught:
                assert training.taught.teacher in made
            if training.tuned:
                assert training.tuned in made
            else:
                config_of(training, run.seed, INPUTS).interpolate()
            made.append(training.name)


def vocab():
    return spacy.blank("en").vocab


def texts(times=8):
    shared = vocab()
    return [sentence_to_doc(shared, sentence(text)) for text in SENTENCES * times]


def test_halves_are_all_of_the_data_once():
    docs = texts()
    cut = halves({"train": docs})
    assert len(cut["half_a"]) == len(cut["half_b"])
    assert sorted(map(id, cut["half_a"] + cut["half_b"])) == sorted(map(id, docs))
    again = halves({"train": docs})
    assert [*map(id, again["half_a"])] == [*map(id, cut["half_a"])]


def test_new_types_are_annotated_in_one_half_and_old_ones_in_the_other():
    whole_part = {"train": texts()}
    parts, cut = divided(whole_part), halves(whole_part)
    for name, half, types in (("old_types", "half_a", OLD), ("new_types", "half_b", NEW)):
        for doc, whole in zip(parts[name], cut[half], strict=True):
            expected = [(e.text, e.label_) for e in whole.ents if e.label_ in types]
            assert [(e.text, e.label_) for e in doc.ents] == expected
            assert all(token.ent_iob for token in doc)
    both = parts["old_types"] + parts["new_types"]
    for doc, outside, others, any_tag in zip(
        both, parts["as_outside"], parts["as_others"], parts["as_any"], strict=True
    ):
        found = [(e.text, e.label_) for e in doc.ents]
        assert all(
            [(e.text, e.label_) for e in x.ents] == found for x in (outside, others, any_tag)
        )
        assert annotated_labels(outside) is None
        assert {*map(len, annotated_labels(others))} <= {len(OLD), len(NEW)}
        assert {t.ent_iob for t in any_tag} <= {0, 1, 3}
    having = {id(doc) for doc in parts["new_types"] if doc.ents}
    few, remembered = ({*map(id, parts[name])} for name in ("new_few", "remembered"))
    assert few <= having
    assert len(few) == min(FEW, len(having))
    assert remembered <= {*map(id, parts["old_types"])}


def test_some_arms_are_run_with_all_seeds_once_the_first_is_known():
    experiment = EXPERIMENTS["schedules"]
    f1 = {name: n / 10 for n, name in enumerate(experiment.arms)}
    first, later = experiment.runs(), experiment.runs(f1)
    assert {run.seed for run in first} == {0}
    assert [run.name for run in first] == [run.name for run in later if run.seed == 0]
    assert {run.arm for run in later if run.seed == 2} == {"none", "linear", "paper"}


def simulated(folder, probabilities=(0.5, 0.8)) -> Experiment:
    """Two arms, three seeds each."""
    table = gold()
    write(GOLD.dump_json(table), folder / "gold-train-valid.json")
    arms = {name: Compared(f"arm {name}", (Training(),)) for name in ("low", "high")}
    experiment = Experiment(
        "made-up",
        "A made-up experiment",
        arms,
        [("high", "low")],
        groups={"people": TYPES[:2], "things": TYPES[2:]},
    )
    for run in experiment.runs():
        p = dict(zip(arms, probabilities, strict=True))[run.arm]
        one = record(run, {"valid": table}, p, run.seed + 10 * (run.arm == "high"))
        write(RECORD.dump_json(one), folder / "runs" / f"{run.name}.json")
    return experiment


def test_groups_of_types_are_what_their_types_are(tmp_path):
    simulated(tmp_path)
    records, table = read_records(tmp_path), gold()
    groups = {"people": TYPES[:2], "drinks": ("Drink",)}
    found = {
        (part.value, metric): f1
        for (part, metric), f1 in score_groups(records, "valid", table, 50, groups).items()
    }
    parts = {
        (part.value, metric): f1
        for (part, metric), f1 in score_parts(records, "valid", table, 50).items()
    }
    for metric in ("micro", "macro"):
        assert_allclose(found["all", metric], parts["all", metric])
    assert_allclose(found["drinks", "micro"], parts["Drink", "micro"])
    mean = np.mean([parts[label, "micro"] for label in TYPES[:2]], axis=0)
    assert_allclose(found["people", "macro"], mean)


def test_the_page_has_what_was_put_in(tmp_path):
    experiment = simulated(tmp_path)
    (tmp_path / "conclusions.md").write_text("High is better.\n", encoding="utf-8")
    write_experiment(experiment, tmp_path, draws=200)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    (effect,) = [
        row
        for row in compare(
            read_records(tmp_path),
            tmp_path,
            200,
            [("high", "low")],
            partial(score_groups, groups=experiment.groups),
        )["valid"].comparisons
        if row.part.kind == "all" and row.metric == "micro"
    ]
    assert effect.low > 0.1
    assert text.startswith("# A made-up experiment\n\nHigh is better.\n\nF1 is strict")
    (line,) = [x for x in text.splitlines() if x.startswith("| arm high, against arm low |")]
    cell = line.split("|")[2].strip()
    assert cell.startswith(f"+{percent(effect.value)} (")
    assert cell.endswith("\\*")
    assert "macro F1, people" in text
    first = (tmp_path / "page.html").read_bytes()
    write_experiment(experiment, tmp_path, draws=200)
    assert (tmp_path / "page.html").read_bytes() == first
    with pytest.raises(StudyError, match="no records of the experiment 'teaching'"):
        write_experiment(EXPERIMENTS["teaching"], tmp_path)


def command(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    return done.exit_code, done.output + done.stderr


def test_an_experiment_that_there_is_not():
    for verb in (("experiment", "nothing", "."), ("page", ".", "--experiment", "nothing")):
        more = ("--output", "x", "--encoder", "x") if verb[0] == "experiment" else ()
        code, said = command(*verb, *more)
        assert code == 1
        assert "There is no experiment 'nothing', expected one of teaching" in said


def test_teachers_and_tuned_pipelines_run(tmp_path, monkeypatch):
    """Each kind of run once; what comes out of a kept training is not trained again."""
    tiny_bert(tmp_path / "encoder", layers=1)
    (tmp_path / "data").mkdir()
    for name in ("train", "valid"):
        DocBin(docs=texts(4)).to_disk(tmp_path / "data" / f"{name}.spacy")
    first = Training(part="half_a", epochs=15, rate=1e-2, name="first")
    taught = Taught("first", "half_b", soft=True, gold="half_a")
    arms = {
        "first": Compared("first", (first,)),
        "taught": Compared("taught", (first, replace(first, name="model", taught=taught))),
        "tuned": Compared("tuned", (first, Training(part="half_b", epochs=2, tuned="first"))),
    }
    experiment = Experiment(
        *("tiny", "Tiny", arms, [("taught", "first")], halves),
        seeds=(0,),
        sets=("valid", "dev"),  # there is no dev part
    )
    monkeypatch.setitem(EXPERIMENTS, "tiny", experiment)
    monkeypatch.setattr(sys, "argv", ["study", "experiment"])
    asked = (
        *("experiment", "tiny", tmp_path / "data", "--output", tmp_path / "out"),
        *("--encoder", tmp_path / "encoder", "--work", tmp_path / "work"),
    )
    code, said = command(*asked)
    assert code == 0, said
    records = {r.run.arm: r for r in read_records(tmp_path / "out")}
    assert [len(records[arm].trained) for arm in arms] == [1, 2, 2]
    assert len(list((tmp_path / "work" / "kept").glob("*/trained.json"))) == 1
    assert records["taught"].trained[0] == records["first"].trained[0]
    for one in records.values():
        assert one.sets["valid"].scores["ents_f"] > 0.5
    (tmp_path / "out" / "runs" / "tiny-first-seed0.json").unlink()
    code, said = command(*asked)
    assert code == 0
    assert "3 runs, 2 of them done before" in said
    again = {r.run.arm: r for r in read_records(tmp_path / "out")}
    assert again["first"].sets == records["first"].sets
    code, said = command("page", tmp_path / "out", "--experiment", "tiny")
    assert code == 0, said
    assert "# Tiny" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_what_is_predicted_on_the_batches_of_the_last_epoch_is_counted():
    """Against a component that is asked after each step what it would have said before it."""
    nlp = make_nlp()
    component = nlp.get_pipe("finegrained_ner")
    data = examples(nlp)
    fix_random_seed(0)
    nlp.initialize(lambda: data)
    watch = OnBatches(component, batches=2)
    sgd = Adam(0.01)
    expected = []
    for _ in range(12):
        for batch in (data[:2], data[2:]):
            found = component.predict([eg.predicted for eg in batch])
            expected.append(
                [
                    ({(e.start, e.end, e.label_) for e in eg.reference.ents}, set(one.entities))
                    for eg, one in zip(batch, found, strict=True)
                ]
            )
            nlp.update(batch, sgd=sgd)
    pairs = [pair for batch in expected[-2:] for pair in batch]
    total = np.zeros(3, dtype=int)
    for gold_entities, found in pairs:
        total += [
            len(gold_entities & found),
            len(found - gold_entities),
            len(gold_entities - found),
        ]
    assert np.sum([*watch.counts.values()], axis=0).tolist() == total.tolist()
    assert total[0] > 0
    assert watch.counts["Drink"][0] + watch.counts["Drink"][2] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["teaching", "new-types", "corrections"])
def test_a_smoke_experiment(tmp_path, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study", "experiment"])
    tiny_bert(tmp_path / "encoder", layers=1)
    code, said = command(
        *("experiment", name, EMBEDDED, "--output", tmp_path / "out", "--smoke"),
        *("--encoder", tmp_path / "encoder", "--work", tmp_path / "work"),
    )
    assert code == 0, said
    code, said = command("page", tmp_path / "out", "--experiment", name)
    assert code == 0, said


def test_other_names_and_other_data_are_another_training(tmp_path):
    """What is kept of trainings is found by what is in the files, not by where they are."""
    tiny_bert(tmp_path / "encoder", layers=1)
    (tmp_path / "work").mkdir()
    inputs = Inputs(
        tmp_path / "work", str(tmp_path / "encoder"), knowledge=str(tmp_path / "names.kb")
    )

    def place(topic, count):
        DocBin(docs=texts(count)).to_disk(tmp_path / "work" / "train.spacy")
        names_file(tmp_path / "names.kb", [("lyon", topic, ["web"])])
        return _place(replace(NAMES.arms["with"].trainings[0], settings={}), 0, inputs)

    assert place("city", 3) == place("city", 3)
    assert len({place("city", 3), place("film", 3), place("city", 4)}) == 3
