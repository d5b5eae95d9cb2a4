"""The verb `report`, on trained pipelines."""

import re

import pytest
import srsly
from pipelines import LINEAR, SENTENCES, examples, make_nlp, train
from test_commands import run, write_spacy

GOLD = [*SENTENCES[:3], "serena/B-Scientist williams/I-Scientist met/O nobody/B-Drink"]


def report(folder, model, texts, *options):
    data = write_spacy(folder / "gold.spacy", texts)
    code, printed = run("report", model, data, "--output", folder / "new" / "r.html", *options)
    page = folder / "new" / "r.html"
    return code, printed, page.read_text(encoding="utf-8") if page.exists() else ""


def test_the_page_has_the_scores_of_evaluate(model, tmp_path):
    trained_on = write_spacy(tmp_path / "train.spacy")
    code, printed, page = report(tmp_path, model, GOLD, "--train", trained_on, "--bootstrap", "20")
    assert (code, "The report on 4 texts" in printed) == (0, True), printed
    run("evaluate", model, tmp_path / "gold.spacy", "--output", tmp_path / "scores.json")
    scores = srsly.read_json(tmp_path / "scores.json")["gold_tokens"]
    assert 0 < scores["ents_f"] < 1
    for mean, name in (("micro", "ents_f"), ("macro", "ents_macro_f")):
        assert f"{mean} F1 {100 * scores[name]:.1f} (" in page
    assert 'id="confidence"' in page
    assert "in training" in page


def test_a_pipeline_without_confidence_has_a_report(tmp_path):
    nlp = make_nlp(model=LINEAR, confidence=False)
    train(nlp, examples(nlp), 30)
    nlp.to_disk(tmp_path / "model")
    code, _, page = report(tmp_path, tmp_path / "model", GOLD)
    assert (code, "The entities have no confidence." in page) == (0, True)


def test_flat_labels_may_have_one_that_the_pipeline_does_not_know(tmp_path):
    texts = ("smaug/B-Dragon met/O tom/B-Troll", "tom/B-Troll sleeps/O")
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp, texts), 30)
    nlp.to_disk(tmp_path / "model")
    code, _, page = report(tmp_path, tmp_path / "model", [*texts, "a/O wolf/B-Warg"])
    assert code == 0
    assert re.search(r'<th scope="row">Warg</th>', page)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["nothing/O"], [], "there is no entity in gold or prediction"),
        (GOLD, ["--train", "no.spacy"], "no.spacy: there is no such file"),
        (["a/B-Nonsense"], [], "The label 'Nonsense' is not in the taxonomy"),
    ],
)
def test_what_is_wrong_is_told(model, tmp_path, texts, options, message):
    code, printed, page = report(tmp_path, model, texts, *options)
    assert (code, message in printed, page) == (1, True, ""), printed
