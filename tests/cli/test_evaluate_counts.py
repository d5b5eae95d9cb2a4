"""What `evaluate` counts, and on which texts."""

import pytest
import spacy
import srsly
from pipelines import LINEAR, examples, make_nlp, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from test_commands import run, write_spacy

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
