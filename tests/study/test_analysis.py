"""Means of arms, with intervals that are around them."""

from dataclasses import replace

import numpy as np
from simulated import gold, record

from study.analysis.analysis import compare
from study.analysis.scores import Part, score_groups
from study.plan.experiments import EXPERIMENTS
from study.runs import training
from study.runs.records import GOLD, write

ALL = Part("all", "all", 9)


def test_the_interval_of_single_runs_is_around_them_as_that_of_several(tmp_path):
    """Draws are lower by .1 than what they are drawn from: F1 of drawn sentences is biased so."""
    write(GOLD.dump_json(gold()), tmp_path / "gold-train-valid.json")
    runs = [run for run in EXPERIMENTS["wnut17"].runs() if run.seed < 2]
    draws = np.random.default_rng(0).normal(-0.1, 0.01, (len(runs), 2000))

    def score(records, name, table, n):
        values = np.array([[0.5 + 0.1 * (r.run.arm == "linear")] for r in records])
        return {(ALL, "micro"): np.hstack([values, values + draws[: len(records)]])}

    for seeds in (1, 2):
        some = [
            record(replace(run, sets=("valid",)), {"valid": gold()}, 0.5, n)
            for n, run in enumerate(runs)
            if run.seed < seeds
        ]
        found = compare(some, tmp_path, 2000, [], score)["valid"]
        for mean in found.means:
            value = 0.6 if mean.arm == "linear" else 0.5
            assert abs(mean.value - value) < 1e-9
            width = 0.0196 / np.sqrt(seeds)
            assert np.allclose([mean.low, mean.high], [value - width, value + width], atol=1e-3)


def test_the_draws_take_four_bytes_for_each_sentence(tmp_path, monkeypatch):
    seen = []

    def counted(counts, times):
        seen.append(times.dtype)
        return np.zeros((len(times), *counts.shape[1:]))

    monkeypatch.setattr("study.analysis.scores.resampled", counted)
    (run, *_) = EXPERIMENTS["wnut17"].runs()
    one = record(replace(run, sets=("valid",)), {"valid": gold()}, 0.5, 0)
    score_groups([one], "valid", gold(), 3, {})
    assert seen == [np.float32]


def test_the_commit_is_that_of_the_beginning(monkeypatch):
    """And the clone may have another one when the run ends."""
    training._commit.cache_clear()
    first = training.made_with()["commit"]
    monkeypatch.setattr(training.subprocess, "run", lambda *args, **more: 1 / 0)
    assert training.made_with()["commit"] == first
    training._commit.cache_clear()
