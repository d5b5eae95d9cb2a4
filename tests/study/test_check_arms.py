"""The arms of the paper's checks, by the settings that they train with, against numbers by hand."""

from functools import partial

import pytest
from spacy.util import registry
from test_experiments import INPUTS, command

from study.plan.checks import best, best_also_linear, best_and_worst
from study.plan.experiments import EXPERIMENTS
from study.runs import runner
from study.runs.pipelines import config_of

DECAY, SCHEDULES, BLENDING = (EXPERIMENTS[name] for name in ("decay", "schedules", "blending"))
FEWNERD, WNUT, OWN = (EXPERIMENTS[name] for name in ("fewnerd", "wnut17", "own"))
# What goes into the loss beside w: of the fine task, and of the coarse one
INTERPOLATED = ("spacy-finegrained-ner.interpolated.v1", 1.5)  # (1 - w) fine + 1.5 w coarse
ADDED = ("spacy-finegrained-ner.additive.v1", 1.0)  # fine + w coarse


def config(experiment, arm):
    (training,) = experiment.arms[arm].trainings
    return config_of(training, 0, INPUTS).interpolate()


def schedule(experiment, arm, at):
    """w at these parts of the training."""
    block = config(experiment, arm)["training"]["before_update"]["schedule"]
    w = registry.resolve({"schedule": block})["schedule"]
    return [round(w(progress), 3) for progress in at]


def loss(experiment, arm):
    found = config(experiment, arm)["components"]["finegrained_ner"]["loss"]
    return found["@losses"], found["scale"]


def epochs(n, first=1e-6, last=1 - 1e-6):
    """In each epoch its beginning and its end."""
    return [(epoch + at) / n for epoch in range(n) for at in (first, last)]


@pytest.mark.parametrize(
    ("arm", "n", "expected"),
    [
        ("paper", 8, [1, 0.75, 0.5, 0.25, 0.1, 0.1, 0.1, 0.1]),
        # As the authors' code has it
        (
            *("paper16", 16),
            [*(1 - n / 12 for n in range(12)), 0.1, 0.1, 0.1, 0.1],
        ),
        ("constant", 8, [0.1] * 8),
    ],
)
def test_the_decay_is_the_papers_in_each_epoch(arm, n, expected):
    w = schedule(DECAY, arm, epochs(n))
    assert w == [round(one, 3) for one in expected for _ in range(2)]
    (training,) = DECAY.arms[arm].trainings
    assert (training.epochs, training.part) == (n, "train")


def test_the_other_arms_of_the_decay():
    assert schedule(DECAY, "linear", (0, 0.375, 0.75, 1)) == [1, 0.55, 0.1, 0.1]
    assert {arm: loss(DECAY, arm) for arm in ("paper", "paper16", "linear", "constant")} == {
        "paper": INTERPOLATED,
        "paper16": INTERPOLATED,
        "linear": ADDED,
        "constant": ADDED,
    }
    assert "auxiliary" not in head(DECAY, "none")
    assert {arm: DECAY.arms[arm].trainings[0].epochs for arm in ("none", "linear")} == {
        "none": 8,
        "linear": 8,
    }
    seeds = {arm: {r.seed for r in DECAY.runs() if r.arm == arm} for arm in DECAY.arms}
    assert seeds == {arm: {0} if arm == "paper16" else {0, 1} for arm in DECAY.arms}
    assert DECAY.arms["linear"].trainings[0].pooled


def test_the_schedules():
    at = (0, 0.25, 0.5, 0.75, 1)
    w = {arm: schedule(SCHEDULES, arm, at) for arm in SCHEDULES.arms if arm != "none"}
    assert w == {
        "linear": [1, 0.7, 0.4, 0.1, 0.1],
        "exponential": [1, 0.464, 0.215, 0.1, 0.1],  # by a factor of .1 ** (1 / 3)
        "cosine": [1, 0.775, 0.325, 0.1, 0.1],  # .55 + .45 cos of 60 and 120 degrees
        "step": [1, 0.7, 0.4, 0.1, 0.1],
        "constant": [0.1] * 5,
        "paper": [1, 0.667, 0.333, 0.1, 0.1],  # 1, 1 - 4 / 12, 1 - 8 / 12
    }
    assert schedule(SCHEDULES, "step", (0.24, 0.26, 0.49)) == [1, 0.7, 0.7]
    own = {arm: loss(SCHEDULES, arm) for arm in w}
    assert own == {arm: INTERPOLATED if arm == "paper" else ADDED for arm in w}
    assert "auxiliary" not in head(SCHEDULES, "none")
    assert {t.epochs for arm in SCHEDULES.arms.values() for t in arm.trainings} == {3}


def head(experiment, arm):
    """What of the techniques an arm has: the rest is as by default."""
    found = config(experiment, arm)
    component = found["components"]["finegrained_ner"]
    model = component["model"]
    block = model["blending"] or {"@layers": "none"}
    kind = block["@layers"].rpartition(".blend_")[2].removesuffix(".v1")
    told = [model["decoder"], (model["sequence"] or {"@layers": ""})["@layers"].split(".")[-2:][0]]
    told += [kind, block["place"]] if kind != "none" else ["no blending"]
    told += ["learned"] if block.get("learned") else []
    told += ["auxiliary"] if component["auxiliary"] else []
    factor = found["training"]["optimizer"]["groups"]["head"]["factor"]
    return " ".join(str(one) for one in [*told, factor] if one != "")


def test_what_is_blended_where():
    arms = {
        f"{kind}_{place}": f"{kind} {place}"
        for kind, places in {
            "concatenate": ("vectors", "sequence", "emissions"),
            "gated": ("vectors", "sequence", "emissions"),
            "average": ("vectors", "sequence"),  # with fixed weights: not "learned"
        }.items()
        for place in places
    } | {"none": "no blending"}
    found = {arm: head(BLENDING, arm) for arm in BLENDING.arms}
    assert found == {arm: f"crf BiLSTM {told} auxiliary 30.0" for arm, told in arms.items()} | {
        f"{arm}_linear": f"linear {told} auxiliary 10.0" for arm, told in arms.items()
    }


def test_the_techniques_are_left_out_one_by_one():
    # Without a sequence layer this place is that of the vectors
    default = "crf concatenate sequence auxiliary 10.0"
    expected = {
        "default": default,
        "no_blending": "crf no blending auxiliary 10.0",
        "no_auxiliary": "crf concatenate sequence 10.0",
        "linear": "linear no blending 10.0",
    }
    for experiment in (FEWNERD, OWN):
        told = {arm: head(experiment, arm) for arm in experiment.arms if arm != "ner"}
        assert told == expected
        assert {run.seed for run in experiment.runs() if run.arm == "ner"} == {0, 1, 2}
        assert {run.trainings[0].epochs for run in experiment.runs()} == {3}
    ner = config(FEWNERD, "ner")
    assert "finegrained_ner" not in ner["components"]
    assert ner["components"]["ner"]["factory"] == "ner"
    linear = expected["linear"]
    assert {arm: head(WNUT, arm) for arm in WNUT.arms} == {"default": default, "linear": linear}


@pytest.mark.parametrize("none", [0.05, 0.25, 0.9])
def test_arms_are_chosen_among_those_with_the_technique(none):
    f1 = {"a": 0.1, "none": none, "c": 0.3}
    assert best_and_worst(f1) == ["c", "a", "none"]
    assert best(f1) == ["c", "none"]
    assert best_also_linear(f1) == ["c", "none", "c_linear", "none_linear"]
    assert best_and_worst({"a": 0.1, "none": none}) == ["a", "none"]


@pytest.mark.parametrize("experiment", [SCHEDULES, BLENDING])
def test_nothing_is_chosen_until_all_have_run_and_dev_is_reported(experiment):
    f1 = {arm: 0.5 for arm, one in experiment.arms.items() if not one.later}
    assert experiment.chosen(f1)
    for arm in f1:
        some = {name: one for name, one in f1.items() if name != arm}
        assert experiment.chosen(some) == []
        assert {run.seed for run in experiment.runs(some)} == {0}
    assert {run.sets for run in experiment.runs(f1)} == {("valid", "dev")}


def test_only_some_runs(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(runner, "prepare", lambda *args: {"train": [], "valid": []})
    monkeypatch.setattr(runner, "_write_gold", lambda *args: None)
    monkeypatch.setattr(runner, "run_all", lambda runs, *args: asked.append([*runs]))
    for part in ("train", "valid"):
        (tmp_path / f"{part}.spacy").touch()
    call = partial(
        command,
        *("experiment", "decay", tmp_path, "--output", tmp_path, "--encoder", "e"),
        *("--work", tmp_path / "work"),
    )
    assert call()[0] == 0
    assert call("--arm", "paper", "--arm", "none", "--seed", "1")[0] == 0
    assert call("--seed", "0")[0] == 0
    assert [[r.name for r in runs] for runs in asked] == [
        [r.name for r in DECAY.runs()],
        ["decay-paper-seed1", "decay-none-seed1"],
        [f"decay-{arm}-seed0" for arm in DECAY.arms],
    ]
    code, said = call("--arm", "papr")
    assert code == 1
    assert "has no arm 'papr', expected some of paper, none, linear" in said
    code, said = call("--seed", "7")
    assert code == 1
    assert "no run of these arms and seeds" in said
    assert "Its seeds are 0, 1." in said
