"""What `evaluate` counts, and on which texts."""

import re

import pytest
import spacy
import srsly
from pipelines import LINEAR, examples, make_nlp, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from test_commands import run, write_spacy

from spacy_finegrained_ner.cli.tables import print_scores
from spacy_finegrained_ner.scoring.evaluation import model_name

REMEMBERED = []


@Language.component("eager")
def eager(doc):
    """Another component that calls every word an entity of a type of ours."""
    doc.ents = [Span(doc, i, i + 1, "Drink") for i in range(len(doc))]
    return doc


@pytest.mark.parametrize("annotate", ["spans", "overwrite"])
def test_the_intervals_are_those_of_the_scores(tmp_path, annotate):
    """They count what the component has written, and where. All is right: no spread."""
    nlp = make_nlp(model=LINEAR, annotate=annotate)
    train(nlp, examples(nlp), 60)
    if annotate == "spans":
        nlp.add_pipe("eager")
    nlp.to_disk(tmp_path / "model")
    data = write_spacy(tmp_path / "data.spacy")
    output = tmp_path / "scores.json"
    code, printed = run("evaluate", tmp_path / "model", data, "--output", output, "--bootstrap", 20)
    assert code == 0, printed
    assert printed.count("95% interval, bootstrap over sentences, 20 samples") == 2
    for side in ("gold_tokens", "running_text"):
        scores = srsly.read_json(output)[side]
        assert scores["ents_f"] == 1.0
        assert scores["bootstrap"]["intervals"] == {"ents_f": [1, 1], "ents_macro_f": [1, 1]}


def test_on_gold_tokens_the_texts_are_those_of_the_data(tmp_path):
    """With the spaces that a Doc knows of, on the tokens that it has."""
    words, spaces = ["lyon", ",", "pelé", "'s", "."], [False, True, False, False, False]
    doc = Doc(spacy.blank("en").vocab, words=words, spaces=spaces)
    doc.set_ents([], default="outside")
    DocBin(docs=[doc, Doc(doc.vocab, words=words)]).to_disk(tmp_path / "data.spacy")
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 1)
    nlp.add_pipe("remember", first=True)
    nlp.to_disk(tmp_path / "model")
    REMEMBERED.clear()
    code, printed = run(
        "evaluate", tmp_path / "model", tmp_path / "data.spacy", "--output", tmp_path / "s.json"
    )
    assert code == 0, printed
    assert REMEMBERED[:2] == ["lyon, pelé's.", "lyon , pelé 's . "]


@Language.component("remember")
def remember(doc):
    REMEMBERED.append(doc.text)
    return doc


def test_where_there_is_no_entity_there_is_nothing_to_score(model, tmp_path):
    """In the table, the interval and the bar alike."""
    data = write_spacy(tmp_path / "data.spacy", ["nothing/O to/O see/O here/O"])
    command = ["evaluate", model, data, "--output", tmp_path / "s.json", "--bootstrap", 20]
    code, printed = run(*command)
    assert code == 0, printed
    nothing = "nothing to score: no entity in gold or prediction"
    assert f"gold: {nothing} running text: {nothing}" in printed
    assert not re.search(r" - | 0\.0 |┃", printed)
    for side in ("gold_tokens", "running_text"):
        scores = srsly.read_json(tmp_path / "s.json")[side]
        assert scores["ents_f"] is None
        assert scores["bootstrap"]["intervals"] == {"ents_f": None, "ents_macro_f": None}
    code, printed = run(*command, "--at-least", "ents_f=0.5")
    assert code == 1
    assert printed.endswith(f"ents_f has no value ({nothing}), expected at least 0.500 ")
    code, printed = run(*command, "--at-least", "ents_x=0.5")
    assert code == 1
    assert "there is no such score. There are: ['ents_coarse_f'," in printed


def test_one_side_may_have_something_to_score(capsys):
    score = {"p": 0.0, "r": 0.0, "f": 0.0, "support": 0}
    sides = {
        "gold_tokens": {"ents_p": None, "ents_per_type": None, "bootstrap": {}},
        "running_text": {"ents_p": 0.0, "ents_per_type": {"X": score}},
    }
    nothing = {"ents_f": None, "ents_macro_f": None}
    sides["running_text"]["bootstrap"] = {"samples": 1, "level": 0.95, "intervals": nothing}
    report = {"model": "m", "data": "d", "sentences": 1, "entities": 0, "unreachable": 0}
    print_scores(report | sides | {"taxonomy": {"X": "C"}}, per_type=True)
    printed = " ".join(capsys.readouterr().out.split())
    assert "fine types, micro │ running text │ 0.0" in printed
    assert "gold: nothing to score" in printed
    assert "running text: no interval: no entity in any of 1 samples" in printed


def test_a_label_that_the_taxonomy_does_not_cover_is_told_with_its_place(model, tmp_path):
    (tmp_path / "a.conll").write_text("tea O\n\nsmaug B-Dragon\n")
    spacy_data = write_spacy(tmp_path / "a.spacy", ["tea/O", "smaug/B-Dragon sleeps/O"])
    for data, place in ((tmp_path / "a.conll", ":3"), (spacy_data, ", text 2")):
        code, printed = run("evaluate", model, data, "--output", tmp_path / "s.json")
        assert code == 1
        assert printed.startswith(f"✘ {data}{place}: The label 'Dragon' is not in the taxonomy")


@pytest.mark.parametrize("name", ["pipeline", "tickets"])
def test_a_pipeline_without_a_name_is_called_by_its_folder(model, tmp_path, name):
    nlp = spacy.load(model)
    nlp.meta["name"] = name
    nlp.to_disk(tmp_path / "best")
    data = write_spacy(tmp_path / "data.spacy", ["green/B-Drink tea/I-Drink"])
    run("evaluate", tmp_path / "best", data, "--output", tmp_path / "s.json")
    called = {"pipeline": str(tmp_path / "best"), "tickets": "en_tickets 0.0.0"}[name]
    assert srsly.read_json(tmp_path / "s.json")["model"] == called


def test_a_pipeline_that_was_never_saved_has_no_folder():
    assert model_name(spacy.blank("en")) == "en_pipeline 0.0.0"


def test_a_pipeline_that_needs_a_package_says_so_and_nothing_else(monkeypatch, tmp_path):
    def load(model):
        raise ImportError("The Korean tokenizer needs natto-py")

    monkeypatch.setattr(spacy, "load", load)
    (tmp_path / "a.conll").write_text("tea O\n")
    code, printed = run("evaluate", "m", tmp_path / "a.conll", "--output", tmp_path / "s.json")
    assert (code, printed) == (1, "✘ m: The Korean tokenizer needs natto-py ")
