"""The clocks of annotating: what is measured is real, not how fast it is."""

import pytest
import spacy
import srsly
from pipelines import LINEAR, SENTENCES, examples, make_nlp, sentence, train
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.engines import in_process
from spacy_finegrained_ner.benchmark import annotating
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.corpus import sentence_to_doc


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotating")
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 30)
    nlp.to_disk(folder / "model")
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]
    DocBin(docs=docs).to_disk(folder / "data.spacy")
    return folder


def test_texts_that_come_again_have_a_word_of_their_own(folder):
    texts = annotating.sample(folder / "data.spacy", 12)
    assert len(set(texts)) == 12
    assert texts[5] == texts[0] + " 5"


@pytest.mark.parametrize("texts", [100, 3000])
def test_rates_and_memory(folder, tmp_path, texts):
    path = annotating._write(tmp_path / "texts.jsonl", folder / "data.spacy", texts)
    model = str(folder / "model")
    assert annotating._rate(Annotator(model), path, in_process) > 10
    found = annotating._memory(model, path)
    assert 50 < found["early"] <= found["most"] >= found["late"]


@pytest.mark.parametrize(
    ("seen", "early", "late", "most"),
    [
        # The first tenth does not count, and of the second and the last it is the median
        ([(0.05, 999), (0.1, 100), (0.15, 102), (0.2, 101), (0.5, 300), (0.9, 110), (1, 112)],
         101, 111, 300),
        ([(0.5, 100), (1, 120)], 100, 120, 120),
        ([(0.4, 100), (0.8, 120)], 100, 120, 120),  # many texts had an error
        ([(0.01, 90), (0.02, 100)], 100, 100, 100),
    ],
)  # fmt: skip
def test_memory_is_that_of_the_second_tenth_and_of_the_last(seen, early, late, most):
    found = annotating.growth(seen)
    assert found == {"early": early, "late": late, "most": most, "growth": late / early - 1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("annotate", ["--texts", "3000", "--long", "2000", "--rounds", "1"]),
        ("serve", ["--clients", "5", "--seconds", "2"]),
    ],
)
def test_the_verbs(folder, tmp_path, verb, words):
    call = [str(folder / "model"), str(folder / "data.spacy"), "--output", str(tmp_path), *words]
    done = CliRunner().invoke(app, ["benchmark", verb, *call])
    assert done.exit_code == 0, done.output
    report = srsly.read_json(tmp_path / f"{verb}.json")
    assert (tmp_path / f"{verb}.md").read_text().startswith("# ")
    if verb == "annotate":
        assert [row["of"] for row in report["ratios"]] == ["in-process", "worker processes"]
        assert all(row["median"] > 0 for row in report["ratios"])
        assert report["memory"]["texts"] == 2000
    else:
        assert [side["wrong"] for side in report["sides"].values()] == [0, 0]
        assert all(side["requests"] > 10 for side in report["sides"].values())
        assert all(0 < s["p50_ms"] <= s["p99_ms"] for s in report["sides"].values())
