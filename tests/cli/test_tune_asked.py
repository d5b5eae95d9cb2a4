"""What is told of a call of `tune`, before the training and not after it."""

import pytest
import spacy
from pipelines import entities
from test_commands import run, write_spacy


@pytest.fixture
def gold(tmp_path):
    return write_spacy(tmp_path / "gold.spacy", ["pelé/B-Drink drinks/O nothing/O"])


def test_the_folder_is_made_with_those_above_it(model, gold, tmp_path):
    code, said = run("tune", model, gold, tmp_path / "a" / "b", "--steps", "1")
    assert code == 0, said
    assert spacy.load(tmp_path / "a" / "b").pipe_names


def test_a_file_is_no_folder(model, gold):
    code, said = run("tune", model, gold, gold)
    assert code == 1
    assert "there is something already. Give a new folder." in said


@pytest.mark.parametrize(
    "call", [("tune", "model", "gold", "new"), ("doctor", "gold", "--no-probe")]
)
def test_a_gpu_that_is_not_there(model, gold, tmp_path, call):
    given = {"model": model, "gold": gold, "new": tmp_path / "new"}
    code, said = run(*(given.get(word, word) for word in call), "--gpu-id", "97")
    assert code == 1
    assert "GPU 97 can't be used" in said


def test_entities_that_are_none_are_learned(model, tmp_path):
    text = "pelé drinks green tea"
    assert entities(spacy.load(model)(text))
    gold = write_spacy(tmp_path / "gold.spacy", ["pelé/O drinks/O green/O tea/O"])
    code, said = run("tune", model, gold, tmp_path / "new", "--rate", "0.003", "--steps", "60")
    assert code == 0, said
    assert "has no entities: that its texts have none is what is learned" in said
    assert not entities(spacy.load(tmp_path / "new")(text))


def test_of_the_gold_itself_nothing_is_left_to_remember(model, gold, tmp_path):
    code, said = run("tune", model, gold, tmp_path / "new", "--remember", gold)
    assert code == 1
    assert "and so none is left to remember" in said


@pytest.mark.parametrize("rate", ["-1", "1e9", "inf"])
def test_a_rate_that_is_none(model, gold, tmp_path, rate):
    code, said = run("tune", model, gold, tmp_path / "new", "--rate", rate)
    assert code == 2
    assert "should be" in said
