"""How often a training is evaluated: the last step always is."""

from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import SENTENCES, sentence
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.training.evaluations import build_evaluations_v1

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("steps", "frequency", "evaluations", "expected"),
    [
        (800, "${training.max_steps}", 4, 200),  # the demonstration
        (2829, "${training.max_steps}", 4, 943),  # MultiCoNER: after each of three epochs
        (60, "${training.max_steps}", 4, 15),
        (60, 200, 4, 15),  # of a pipeline that was trained for longer
        (1, "${training.max_steps}", 4, 1),
        (1009, "${training.max_steps}", 4, 1009),  # a prime: only at the end
        (5, "${training.max_steps}", 4, 1),
        (20000, "${training.max_steps}", 20, 1000),
        (800, 100, 4, 100),  # one's own
        (2829, 500, 4, 943),  # 500 is no divisor
        (800, 0, 4, 200),
    ],
)
def test_the_frequency_divides_the_steps(caplog, steps, frequency, evaluations, expected):
    nlp = spacy.blank("en")
    nlp.config["training"] |= {"max_steps": steps, "eval_frequency": frequency}
    build_evaluations_v1(evaluations)(nlp)
    assert nlp.config["training"]["eval_frequency"] == expected
    assert nlp.config["training"]["max_steps"] == steps
    rounded = "eval_frequency is 500, which does not divide max_steps, 2829: every 943 steps"
    assert (rounded in caplog.text) == (frequency == 500)
    assert len(caplog.records) == (frequency == 500 or steps == 1009)


@pytest.mark.parametrize(
    ("steps", "said"), [(1009, "only 1 evaluation(s)"), (2829, None), (60, None), (1, None)]
)
def test_a_number_of_steps_that_does_not_divide_is_told(steps, said, caplog):
    nlp = spacy.blank("en")
    nlp.config["training"] |= {"max_steps": steps, "eval_frequency": 0}
    with caplog.at_level("WARNING", logger="spacy"):
        build_evaluations_v1(4)(nlp)
    assert bool(said) == bool(caplog.records)
    if said:
        assert said in caplog.text
        assert "such as 1008" in caplog.text


def test_an_open_end_is_an_error():
    nlp = spacy.blank("en")
    nlp.config["training"]["max_steps"] = 0
    with pytest.raises(ValueError, match=r"evaluations\.v1 needs .* max_steps is 0, an open end"):
        build_evaluations_v1(4)(nlp)


def test_spacy_train_evaluates_the_last_step_and_goes_on_where_it_was(tmp_path):
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]
    DocBin(docs=docs).to_disk(tmp_path / "data.spacy")
    data = str(tmp_path / "data.spacy")
    log = tmp_path / "log.jsonl"
    overrides = {
        "paths.train": data,
        "paths.dev": data,
        "training.logger.console_output": False,
        "training.logger.output_file": str(log),
    }

    def steps(config: Path, **settings) -> list[int]:
        log.unlink(missing_ok=True)
        spacy_train(config, tmp_path / "out", overrides=overrides | settings)
        return [row["step"] for row in srsly.read_jsonl(log)]

    settings = {"initialize.before_init.evaluations": 2, "training.max_steps": 9}
    assert steps(CONFIGS / "tok2vec.cfg", **settings) == [0, 3, 6, 9]
    saved = tmp_path / "out" / "model-last" / "config.cfg"
    assert load_config(saved)["training"]["eval_frequency"] == 3
    saved.rename(tmp_path / "again.cfg")
    assert steps(tmp_path / "again.cfg", **{"training.max_steps": 2}) == [0, 1, 2]
