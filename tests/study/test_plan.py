"""What is run: names, stages, and the choice of the rate."""

from dataclasses import replace

from simulated import simulate

from study.plan.arms import ARMS
from study.plan.factors import FACTORS
from study.plan.stages import SIZES, Stages
from study.runs.records import best_rate

SMALL = SIZES["small"]
STAGES = Stages(SMALL, pos=True, dev=True)


def test_the_follow_up_has_the_rates_at_which_all_heads_learn():
    first, second = (STAGES.screening(stage) for stage in ("screening", "followup"))
    assert {run.levels["head_rate"] for run in first if run.levels} == {"1", "3", "10", "30"}
    assert {run.levels["head_rate"] for run in second if run.levels} == {"10", "30"}
    assert not {run.name for run in first} & {run.name for run in second}


def test_names_are_unique_and_each_stage_has_its_seeds():
    runs = STAGES.grid() + STAGES.screening() + STAGES.classic() + STAGES.base()
    assert len({run.name for run in runs}) == len(runs)
    screened = [run for run in runs if run.stage == "screening"]
    assert len(screened) == SMALL.points * len(SMALL.seeds)
    assert {run.seed for run in screened} == {0, 1}
    assert all(len(size.arm_seeds) >= 2 for size in SIZES.values())


def test_without_parts_of_speech_no_run_needs_them():
    without = Stages(SIZES["smoke"], pos=False, dev=False)
    assert all(run.levels and run.levels["auxiliary"] != "pos" for run in without.screening())
    assert any(run.levels and run.levels["auxiliary"] == "pos" for run in STAGES.screening())
    assert [run.name for run in without.classic()] == ["classic-crf"]


def test_without_a_dev_set_none_is_scored():
    assert {run.sets for run in Stages(SMALL, pos=True, dev=False).grid()} == {("valid",)}
    assert {run.sets for run in STAGES.grid()} == {("valid", "dev")}
    assert {run.sets for run in STAGES.screening()} == {("valid",)}


def test_each_side_has_the_same_grid_and_the_best_of_it():
    records, _ = simulate()
    best = {"linear": 1e-4, "default": 2e-4, "ner": 4e-4}
    changed = []
    for record in records:
        if record.run.stage == "arms" and record.run.arm in best:
            score = 0.9 if record.rate == best[record.run.arm] else 0.5
            found = replace(record.sets["valid"], scores={"ents_macro_f": score})
            record = replace(record, sets={"valid": found})
        changed.append(record)
    runs = STAGES.arms({arm: best_rate(changed, arm) for arm in best})
    chosen = {run.arm: run.trainings[0].rate for run in runs}
    assert chosen == best | dict.fromkeys(ARMS.keys() - best.keys(), 2e-4)
    assert len(runs) == len(ARMS) * 3 - 6  # three are not repeated
    # What the grid did is not done again
    grid = {run.name for run in STAGES.grid()}
    assert len(grid & {run.name for run in runs}) == 7  # three that are tuned, four candidates


def test_a_grid_that_is_not_done_has_no_best_rate():
    records, _ = simulate()
    some = [r for r in records if r.run.name != "arm-ner-1e-04-seed0"]
    assert best_rate(some, "ner") is None
    assert best_rate(some, "linear") is not None


def test_the_factors_cover_the_issue():
    assert [f.key for f in FACTORS].count("head_rate") == 2
    assert {f.key for f in FACTORS} == {
        "head", "blending", "place", "window", "auxiliary", "schedule", "residual", "head_rate",
        "layers",
    }  # fmt: skip
