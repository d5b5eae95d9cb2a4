"""A training that falls to "O everywhere" is told, and a slow start is not."""

import io
import json
import logging
from pathlib import Path

import pytest
import spacy
from encoders import tiny_bert
from pipelines import LINEAR, SENTENCES, examples, make_nlp, sentence, train
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config_from_str
from thinc.api import Config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.training.logger import build_logger_v1

CONFIGS = Path(__file__).parents[2] / "configs"
# As in most corpora, nearly all tokens are O.
MOSTLY_O = [*SENTENCES, *["nothing/O to/O see/O here/O in/O green/O is/O there/O"] * 20]


@pytest.fixture(autouse=True)
def spacy_log_reaches_caplog(monkeypatch):
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)


def said(caplog) -> list[str]:
    return [m for m in caplog.messages if "predicted no entity" in m]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Data and an encoder."""
    folder = tmp_path_factory.mktemp("collapse")
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in MOSTLY_O]
    DocBin(docs=docs).to_disk(folder / "data.spacy")
    tiny_bert(folder / "encoder")
    return folder


def run(folder: Path, path: Path, rate: float, name: str = "finegrained_ner", **settings) -> tuple:
    """A run of the default config. RETURNS: predicted entities by step, and what is printed."""
    text = (CONFIGS / "default.cfg").read_text(encoding="utf-8")
    text = text.replace("finegrained_ner", name).replace(
        f'factory = "{name}"', 'factory = "finegrained_ner"'
    )
    data = str(folder / "data.spacy")
    overrides = {
        **{"paths.train": data, "paths.dev": data, "paths.encoder": str(folder / "encoder")},
        "training.batcher.max_padded": 100,
        "training.optimizer.learn_rate.rate": rate,
        "training.logger.output_file": str(path / "log.jsonl"),
        **settings,
    }
    stdout = io.StringIO()
    config = load_config_from_str(text, overrides=overrides, interpolate=False)
    spacy_train(init_nlp(config), stdout=stdout, stderr=io.StringIO())
    records = map(json.loads, (path / "log.jsonl").open(encoding="utf-8"))
    spans = settings.get(f"components.{name}.annotate") == "spans"
    counted = f"spans_{name}_predicted" if spans else "ents_predicted"
    counts = {r["step"]: r["scores"][counted] for r in records}
    return counts, stdout.getvalue().splitlines()


@pytest.mark.parametrize(
    ("name", "annotate", "console"),
    [("finegrained_ner", "overwrite", True), ("types", "spans", False)],
)
def test_a_rate_far_too_high_is_told_by_the_second_empty_evaluation(
    folder, tmp_path, caplog, name, annotate, console
):
    counts, lines = run(
        folder,
        tmp_path,
        0.1,
        name,
        **{
            **{"training.max_steps": 20, "training.eval_frequency": 10},
            f"components.{name}.annotate": annotate,
            "training.logger.console_output": console,
        },
    )
    assert (counts[10], counts[20]) == (0, 0), "not the run that this test is about"
    (warning,) = said(caplog)
    assert warning.startswith(f"'{name}' predicted no entity when evaluated at steps 10 and 20, ")
    assert "where the gold has 9: " in warning
    for setting in (
        "[training.optimizer.learn_rate] rate = 0.1:",
        "[training.optimizer.learn_rate] warmup = 0.1 (2 of 20 steps)",
        '[training.optimizer] clip = "module" and a smaller grad_clip',
        "[training.batcher] max_padded = 100",
    ):
        assert setting in warning
    assert lines.count(warning) == console
    if console:
        assert lines[lines.index(warning) - 1].split()[1] == "20", "not under the row"


def test_a_slow_start_is_told_nothing(folder, tmp_path, caplog):
    settings = {"training.max_steps": 60, "training.eval_frequency": 5}
    counts, lines = run(folder, tmp_path, 0.001, **settings)
    assert counts[10] == counts[15] == 0 < counts[60], "not the run that this test is about"
    assert said(caplog) == []
    assert not any("predicted no entity" in line for line in lines)


def test_a_crf_that_the_loop_does_not_train_is_told_at_once(tmp_path, caplog):
    data = tmp_path / "data.spacy"
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]).to_disk(data)
    overrides = {"paths.train": str(data), "paths.dev": str(data), "components.crf_ner.c2": 1e6}
    config = Config().from_disk(CONFIGS / "crf.cfg", overrides=overrides, interpolate=False)
    spacy_train(init_nlp(config), stdout=io.StringIO(), stderr=io.StringIO())
    (warning,) = said(caplog)
    assert warning.startswith("'crf_ner' predicted no entity when evaluated at step 0, where ")
    assert "[components.crf_ner] c1 = 0.1 and c2 = 1000000.0 and min_freq = 0: smaller" in warning


@pytest.fixture(scope="module")
def nlp():
    nlp = make_nlp("second", model=LINEAR)
    train(nlp, examples(nlp), 1)
    return nlp


def log(nlp, *evaluations: dict, frozen: tuple[str, ...] = ()) -> list[int]:
    """RETURNS: after which of these evaluations, one each ten steps, the logger tells. "losses" of
    one are means over its steps."""
    stdout = io.StringIO()
    with nlp.select_pipes(disable=frozen):
        log_step, _ = build_logger_v1()(nlp, stdout, io.StringIO())
    steps = []
    for step, scores in zip(range(0, 1000, 10), evaluations, strict=False):
        before = stdout.getvalue()
        means = {"second": 5.0, **scores.get("losses", {})}
        losses = {key: mean * (10 if step else 1) for key, mean in means.items()}
        other = {key: value for key, value in scores.items() if key != "losses"}
        info = {"epoch": 0, "step": step, "seconds": 0, "score": 0.0, "losses": losses}
        log_step({**info, "other_scores": other})
        for _ in range(9):
            log_step(None)
        if "predicted no entity" in stdout.getvalue().removeprefix(before):
            steps.append(step)
    return steps


NONE = {"ents_predicted": 0, "ents_gold": 5}


def test_it_is_told_once(nlp):
    assert log(nlp, *[NONE] * 6) == [20]


def test_the_warm_up_is_that_of_the_config(nlp, monkeypatch):
    schedule = {"@schedules": "spacy-finegrained-ner.warmup_linear.v1", "rate": 0.1}
    schedule |= {"warmup": 0.25, "total_steps": 99}
    monkeypatch.setitem(nlp.config["training"]["optimizer"], "learn_rate", schedule)
    assert log(nlp, *[NONE] * 6) == [40]


def test_a_component_that_is_not_trained_is_no_matter(nlp):
    assert log(nlp, *[NONE] * 6, frozen=("second",)) == []


def test_scores_that_are_not_ours_are_no_matter(nlp):
    assert log(nlp, *[{"ents_f": 0.0}] * 6) == []
    # None is left out by spaCy: nothing in the gold, nothing predicted
    assert log(nlp, NONE, NONE, {}, {}, NONE) == [40]


def test_it_is_the_fine_task_that_is_looked_at(nlp, monkeypatch):
    pipe = nlp.get_pipe("second")
    falls = [{**NONE, "losses": {"second_fine": 5.0 * 0.8**i}} for i in range(6)]
    assert log(nlp, *falls) == []
    # Until it has a weight
    assert log(nlp, *[NONE] * 6) == [20]
    monkeypatch.setattr(pipe, "combination", lambda w: (1 - w, w))
    monkeypatch.setattr(pipe, "auxiliary_weight", 1.0)
    assert log(nlp, *[NONE] * 6) == []


def test_the_counts_of_entities_are_no_percentages(nlp, monkeypatch):
    monkeypatch.setitem(nlp.config["training"], "score_weights", {"ents_predicted": 0.0})
    stdout = io.StringIO()
    log_step, _ = build_logger_v1()(nlp, stdout, io.StringIO())
    info = {"epoch": 0, "step": 0, "seconds": 0, "score": 0.0, "losses": {}}
    log_step({**info, "other_scores": {"ents_predicted": 7, "ents_gold": 5}})
    assert stdout.getvalue().splitlines()[-1].split()[-2] == "7"
