"""What is run: names, stages, and the choice of the rate."""

import pytest
from simulated import simulate

from study.plan import stages as plan
from study.plan.arms import ARMS
from study.plan.factors import FACTORS
from study.plan.stages import RATES, SIZES, StudyError, best_rate

SMALL = SIZES["small"]


def test_the_follow_up_has_the_rates_at_which_all_heads_learn():
    first, second = (plan.screening(SMALL, True, stage) for stage in ("screening", "followup"))
    assert {run.levels["head_rate"] for run in first if run.levels} == {"1", "3", "10", "30"}
    assert {run.levels["head_rate"] for run in second if run.levels} == {"10", "30"}
    assert not {run.name for run in first} & {run.name for run in second}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_names_are_unique_and_each_stage_has_its_seeds(size):
    runs = plan.grid(size, dev=True) + plan.screening(size, pos=True) + plan.base(size, dev=True)
    assert len({run.name for run in runs}) == len(runs)
    screened = [run for run in runs if run.stage == "screening"]
    assert len(screened) == size.points * len(size.seeds)
    assert len({run.seed for run in screened}) >= (1 if size is SIZES["smoke"] else 2)
    assert len(size.arm_seeds) >= 2


def test_without_parts_of_speech_no_run_needs_them():
    runs = plan.screening(SMALL, pos=False)
    assert all(run.levels and run.levels["auxiliary"] != "pos" for run in runs)
    assert any(
        run.levels and run.levels["auxiliary"] == "pos" for run in plan.screening(SMALL, True)
    )
    assert [run.name for run in plan.classic(SMALL, pos=False, dev=False)] == ["classic-crf"]


def test_without_a_dev_set_none_is_scored():
    assert {run.sets for run in plan.grid(SMALL, dev=False)} == {("valid",)}
    assert {run.sets for run in plan.screening(SMALL, pos=True)} == {("valid",)}


def test_each_side_has_the_same_grid_and_the_best_of_it():
    records, _ = simulate()
    for arm, rate in (("linear", 1e-4), ("default", 2e-4), ("ner", 4e-4)):
        for record in records.values():
            if record["stage"] == "arms" and record["arm"] == arm:
                score = 0.9 if record["rate"] == rate else 0.5
                record["sets"]["valid"]["scores"]["ents_macro_f"] = score
    runs = plan.arms(SMALL, records, dev=True)
    chosen = {run.arm: run.rate for run in runs}
    assert chosen == {
        "linear": 1e-4, "default": 2e-4, "ner": 4e-4,
        "no_auxiliary": 2e-4, "layers": 2e-4, "wide": 2e-4, "bilstm": 2e-4, "no_blending": 2e-4,
        "paper": 2e-4,
    }  # fmt: skip
    assert len(runs) == len(ARMS) * 3 - 6  # three are not repeated
    # What the grid did is not done again
    grid = {run.name for run in plan.grid(SMALL, dev=True)}
    assert len(grid & {run.name for run in runs}) == 7  # three that are tuned, four candidates


def test_arms_wait_for_the_grid():
    records, _ = simulate()
    del records[f"arm-ner-{RATES[0]:.0e}-seed0"]
    with pytest.raises(StudyError, match="of 'ner' has 2 of 3 rates: run the stage 'grid'"):
        best_rate(records, "ner")


def test_a_stage_that_there_is_not_is_named():
    with pytest.raises(StudyError, match="no stage 'arm', expected some of grid, screening"):
        plan.check_stages(["grid", "arm"])


def test_the_factors_cover_the_issue():
    assert [f.key for f in FACTORS].count("head_rate") == 2
    assert {f.key for f in FACTORS} == {
        "head", "blending", "place", "window", "auxiliary", "schedule", "residual", "head_rate",
        "layers",
    }  # fmt: skip
