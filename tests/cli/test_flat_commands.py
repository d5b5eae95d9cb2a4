"""The verbs with labels that have no coarse types."""

import re

import pytest
import srsly
from pipelines import LINEAR, examples, make_nlp, train
from test_commands import run, write_spacy

TEXTS = ("smaug/B-Dragon met/O tom/B-Troll", "tom/B-Troll sleeps/O")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp, TEXTS), 30)
    # As spacy train writes it where there are no coarse scores
    nlp.meta["performance"] = {"ents_f": 1.0, "ents_coarse_f": 0.0, "ents_coarse_per_type": 0.0}
    folder = tmp_path_factory.mktemp("flat")
    nlp.to_disk(folder)
    return folder


def convert(folder, train, valid):
    (folder / "train.conll").write_text(train)
    (folder / "valid.conll").write_text(valid)
    return run("convert", folder, folder / "out")


def test_convert_takes_them_as_they_are(tmp_path):
    text = "a B-Dragon\n\nb B-Troll\n"
    code, printed = convert(tmp_path, text, "a B-Dragon\n")
    assert (code, "2 of 2" in printed, "1 of 2" in printed) == (0, True, True), printed
    assert "multiconer2" not in printed
    code, printed = convert(tmp_path, text, "a B-dragon\n")
    two = (
        f"in two ways: 'Dragon' ({tmp_path}/train.conll:1) and 'dragon' ({tmp_path}/valid.conll:1)"
    )
    assert (code, two in printed) == (1, True), printed


def test_convert_says_that_they_look_like_the_packaged_ones(tmp_path):
    text = "a B-Artist\n\nb B-Athlete\n\nc B-Artisst\n"
    code, printed = convert(tmp_path, text, text)
    assert (code, "2 of 3 labels are those of the packaged one" in printed) == (0, True), printed
    assert "'Artisst'" in printed


def test_convert_says_that_they_have_coarse_types_in_their_names(tmp_path):
    text = "a B-fruit/apple\n\nb B-fruit/pear\n\nc B-city/lyon\n"
    code, printed = convert(tmp_path, text, text)
    assert code == 0, printed
    said = "3 labels seem to have 2 coarse types before '/', such as 'city'. init-taxonomy writes"
    assert said in " ".join(printed.split())
    assert "seem to have" not in convert(tmp_path, "a B-a/b\n\nb B-c\n", "a B-c\n")[1]


def test_evaluate_and_show_have_no_coarse_types(model, tmp_path):
    gold = write_spacy(tmp_path / "data.spacy", [*TEXTS, "a/O wolf/B-Warg"])
    code, printed = run("evaluate", model, gold, "--output", tmp_path / "scores.json")
    assert (code, "coarse" in printed) == (0, False), printed
    assert re.search(r"Warg [│ ]*0\.0", printed), printed
    (tmp_path / "texts.txt").write_text("smaug met tom\n")
    code, _ = run("show", model, tmp_path / "texts.txt", "--output", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert (code, "Troll</mark>" in page, "<dt>Troll" in page) == (0, True, False)


def test_meta_has_no_coarse_scores(model, tmp_path):
    data = write_spacy(tmp_path / "data.spacy", TEXTS)
    code, _ = run("meta", model, "--train", data, "--output", tmp_path / "meta.json")
    meta = srsly.read_json(tmp_path / "meta.json")
    assert (code, meta["performance"]) == (0, {"ents_f": 1.0})
    assert meta["description"].endswith("trained on 2 texts.")
