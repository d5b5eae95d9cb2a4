import io
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from spacy.training.loggers import console_logger_v3
from thinc.api import Config

from spacy_finegrained_ner.training import logger
from spacy_finegrained_ner.training.logger import build_logger_v1

ALL_SCORES = {
    "ents_macro_f": 1.0,
    "ents_f": 0.0,
    "ents_p": 0.0,
    "ents_r": 0.0,
    "ents_coarse_f": 0.0,
    "ents_mention_f": 0.0,
    "ents_per_type": None,
}


def component(weight: float = 0.25, name: str = "ner") -> SimpleNamespace:
    """Stands in for a component with an auxiliary task."""
    return SimpleNamespace(
        is_trainable=True,
        task_losses={"fine": f"{name}_fine", "auxiliary": f"{name}_auxiliary"},
        auxiliary_weight=weight,
        combination=lambda w: (1 - w, 2 * w),
    )


def fake_nlp(scores=None, **pipes) -> SimpleNamespace:
    training = {
        **{"max_steps": 20, "max_epochs": 0},
        "eval_frequency": "${training.accumulate}",
        "accumulate": 10,
        "score_weights": {"ents_f": 1.0} if scores is None else scores,
    }
    return SimpleNamespace(pipeline=list(pipes.items()), config=Config({"training": training}))


def info(step: int, losses: dict, scores: dict | None = None, score: float = 0.5) -> dict:
    return {
        "epoch": step // 10,
        "step": step,
        "seconds": 60 + step,
        "losses": losses,
        "other_scores": {"ents_f": 0.5} if scores is None else scores,
        "score": score,
    }


def log(nlp, infos: list, **settings) -> list[str]:
    """What is printed on steps with these infos (None: without an evaluation)."""
    stdout = io.StringIO()
    log_step, finalize = build_logger_v1(**settings)(nlp, stdout, io.StringIO())
    for one in infos:
        log_step(one)
    finalize()
    lines = stdout.getvalue().splitlines()
    return [line for line in lines if line and not line.startswith(("Length:", "Loss of"))]


def cells(line: str) -> list[str]:
    return line.split()


TABLE = """
           transformer ---- finegrained_ner ---- ------------------ ents ------------------
                                                  macro                      coarse mention
  E      #        loss   loss   fine    aux    w      f      f      p      r      f       f  score
--- ------ ----------- ------ ------ ------ ---- ------ ------ ------ ------ ------ ------- ------
  0      0       0.125  3.000  3.500  0.750 0.25  50.00 100.00  12.50   0.00  75.00   80.00   0.50
"""


def test_the_table_of_a_usual_pipeline_fits_100_columns_and_names_everything():
    nlp = fake_nlp(
        ALL_SCORES,
        transformer=SimpleNamespace(is_trainable=True),
        finegrained_ner=component(name="finegrained_ner"),
    )
    losses = {
        "transformer": 0.125,
        "finegrained_ner": 3.0,
        "finegrained_ner_fine": 3.5,
        "finegrained_ner_auxiliary": 0.75,
    }
    scores = {
        "ents_macro_f": 0.5,
        "ents_f": 1.0,
        "ents_p": 0.125,
        "ents_r": 0.0,
        "ents_coarse_f": 0.75,
        "ents_mention_f": 0.8,
        "ents_per_type": {"Athlete": {"p": 1.0}},
    }
    assert "\n".join(log(nlp, [info(0, losses, scores)])) == TABLE.strip("\n")


def test_losses_are_means_per_step_since_the_row_before():
    nlp = fake_nlp(ner=component())
    key = {"ner": 1.0, "ner_fine": 2.0, "ner_auxiliary": 4.0}
    summed = {name: 10 * loss for name, loss in key.items()}
    rows = log(nlp, [info(0, key), *[None] * 9, info(10, summed), *[None] * 9, info(20, summed)])
    assert [cells(row)[2:5] for row in rows[-3:]] == [["1.000", "2.000", "4.000"]] * 3


def test_steps_in_which_a_task_has_no_weight_do_not_count_for_its_mean():
    pipe = component(1.0)
    stdout = io.StringIO()
    log_step, _ = build_logger_v1()(fake_nlp(ner=pipe), stdout, io.StringIO())
    # The fine task has no weight with w = 1: not in the first row, nor in 3 of the 5 steps behind.
    log_step(info(0, {"ner": 4.0, "ner_auxiliary": 2.0}))
    for _ in range(3):
        log_step(None)
    pipe.auxiliary_weight = 0.5
    log_step(None)
    log_step(info(5, {"ner": 20.0, "ner_fine": 12.0, "ner_auxiliary": 10.0}))
    # And the auxiliary one has none with w = 0.
    pipe.auxiliary_weight = 0.0
    log_step(info(6, {"ner": 3.0, "ner_fine": 3.0}))
    assert [cells(row)[2:6] for row in stdout.getvalue().splitlines()[-3:]] == [
        ["4.000", "-", "2.000", "1.00"],
        ["4.000", "6.000", "2.000", "0.50"],
        ["3.000", "3.000", "-", "0.00"],
    ]


def test_without_an_auxiliary_task_there_is_one_column():
    pipe = component()
    pipe.task_losses = {}
    header, titles, _, row = log(fake_nlp(ner=pipe), [info(0, {"ner": 1.5})])
    assert cells(header)[0] == "ner"
    assert cells(titles) == ["E", "#", "loss", "f", "score"]
    assert cells(row) == ["0", "0", "1.500", "50.00", "0.50"]


def test_components_that_are_not_trained_have_no_column():
    pipes = {"rules": SimpleNamespace(is_trainable=False), "function": lambda doc: doc}
    titles = log(fake_nlp(**pipes), [])[1]
    assert cells(titles) == ["E", "#", "f", "score"]


def test_two_components_with_long_names():
    names = ["a_component_with_quite_a_long_name", "b"]
    nlp = fake_nlp(**{name: component(name=name) for name in names})
    lines = log(nlp, [info(0, dict.fromkeys(names, 1.0))])
    assert all(name in lines[0] for name in names)
    assert cells(lines[1]) == ["E", "#", *["loss", "fine", "aux", "w"] * 2, "f", "score"]
    assert len({len(line) for line in lines[1:]}) == 1, "columns are in line"


@pytest.mark.parametrize(
    ("loss", "cell"), [(0.00049, "0.000"), (99.9, "99.900"), (100.0, "100"), (-250000, "-250000")]
)
def test_losses_of_any_size(loss, cell):
    assert cells(log(fake_nlp(ner=component()), [info(0, {"ner": loss})])[-1])[2] == cell


def test_speed_is_no_percentage_and_a_score_that_is_not_there_no_zero():
    nlp = fake_nlp({"speed": 0.0, "ents_f": 1.0, "tag_acc": 0.0})
    lines = log(nlp, [info(0, {}, {"speed": 12345.6, "ents_f": 0.25})])
    assert cells(lines[-1]) == ["0", "0", "12346", "25.00", "-", "0.50"]


def test_the_file_keeps_everything(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    nlp = fake_nlp(ner=component())
    scores = {"ents_f": 0.5, "ents_per_type": {"Athlete": {"p": 1.0, "r": None}}, "speed": 3.0}
    steps = [info(0, {"ner": 1.0}), None, info(2, {"ner": 6.0, "ner_fine": 4.0}, scores, 0.75)]
    lines = log(nlp, steps, output_file=str(path), console_output=False)
    assert lines == [f"Saving the log to {path}"]
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert records[1] == {
        "epoch": 0,
        "step": 2,
        "seconds": 62,
        "losses": {"ner": 3.0, "ner_fine": 2.0},
        "auxiliary_weights": {"ner": 0.25},
        "learn_rate": 0.0,
        "group_rates": {},
        "scores": scores,
        "score": 0.75,
    }
    assert records[0]["losses"] == {"ner": 1.0}
    assert len(records) == 2


def test_a_line_is_in_the_file_before_the_run_ends(tmp_path):
    path = tmp_path / "log.jsonl"
    log_step, _ = build_logger_v1(output_file=path)(fake_nlp(), io.StringIO(), io.StringIO())
    log_step(info(0, {}))
    assert json.loads(path.read_text(encoding="utf-8"))["step"] == 0


def test_numbers_of_numpy_are_written_too(tmp_path):
    path = tmp_path / "log.jsonl"
    log(fake_nlp(), [info(0, {}, {"ents_f": np.float32(0.5)})], output_file=path)
    assert json.loads(path.read_text(encoding="utf-8"))["scores"] == {"ents_f": 0.5}


def test_a_file_that_exists_is_kept(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("precious", encoding="utf-8")
    lines = log(fake_nlp(), [info(0, {})], output_file=path)
    assert lines[0] == f"Not saving the log: {path} exists already."
    assert path.read_text(encoding="utf-8") == "precious"


def chained(*loggers):
    """As `spacy.ChainLogger.v1` has it, in later versions of spacy-loggers."""

    def setup(nlp, stdout, stderr):
        pairs = [logger(nlp, stdout, stderr) for logger in loggers]
        return lambda info: [step(info) for step, _ in pairs], lambda: [end() for _, end in pairs]

    return setup


def test_other_loggers_in_a_chain_get_the_losses_and_w(tmp_path):
    """What a logger such as `spacy.WandbLogger.v5` takes from the info of a step."""
    path = tmp_path / "log.jsonl"
    seen = []

    def other(nlp, stdout, stderr):
        return lambda info: seen.append(info and dict(info)), lambda: None

    nlp = fake_nlp(ner=component())
    table = io.StringIO()
    logger = chained(build_logger_v1(output_file=path), other, console_logger_v3())
    log_step, finalize = logger(nlp, table, io.StringIO())
    losses = {"ner": 6.0, "ner_fine": 4.0, "ner_auxiliary": 8.0}
    log_step(None)
    log_step(info(2, losses))
    finalize()
    assert seen[0] is None
    assert seen[1]["losses"] == losses
    assert {key: value for key, value in seen[1].items() if "." in key} == {
        "mean_loss.ner": 3.0,
        "mean_loss.ner_fine": 2.0,
        "mean_loss.ner_auxiliary": 4.0,
        "auxiliary_weight.ner": 0.25,
    }
    (record,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert record["losses"]["ner"] == 3.0
    assert "LOSS NER" in table.getvalue(), "spaCy's table, too"


def test_it_takes_what_spacys_takes():
    """Each key of the info that ConsoleLogger reads, and no other; and its numbers of all kinds."""
    nlp = fake_nlp({"ents_f": 1.0, "tag_acc": 0.0, "ents_p": None}, ner=component())
    step = info(0, {"ner": np.float32(1.5)}, {"ents_f": np.float64(0.5)}, np.float32(0.5))
    del step["seconds"]
    stdout = io.StringIO()
    log_step, _ = console_logger_v3()(nlp, stdout, io.StringIO())
    log_step(dict(step))
    row = log(nlp, [step])[-1]
    assert cells(row) == ["0", "0", "1.500", "-", "-", "0.25", "50.00", "-", "0.50"]
    step["other_scores"] = {"ents_f": {"p": 1.0}}
    for build in (console_logger_v3, build_logger_v1):
        with pytest.raises(ValueError, match=r"E916.*ents_f"):
            build()(nlp, stdout, io.StringIO())[0](step)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("eval", ["Epoch 1:", " 0/10 ", " 2/10 "]),
        ("train", ["Last Eval Epoch: 0:", " 0/20 ", " 2/20 ", " 3/20 "]),
        (None, []),
    ],
)
def test_progress_bars(kind, shown, monkeypatch):
    # Drawn at once, not every tenth of a second.
    monkeypatch.setattr(logger, "tqdm", partial(logger.tqdm, mininterval=0.0, miniters=1))
    stderr = Terminal()
    log_step, finalize = build_logger_v1(progress_bar=kind)(fake_nlp(), io.StringIO(), stderr)
    for one in (info(0, {}), None, None, info(3, {})):
        log_step(one)
    finalize()
    assert [text for text in shown if text not in stderr.getvalue()] == []
    assert bool(stderr.getvalue()) == bool(shown)


def test_a_progress_bar_that_there_is_not():
    with pytest.raises(
        ValueError,
        match=r"progress_bar of .*logger\.v1 is 'all', expected 'train' or 'eval' or null",
    ):
        build_logger_v1(progress_bar="all")
