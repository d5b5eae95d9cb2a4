"""Temperatures: found again where it is known which are right."""

import json
import re

import numpy as np
import pytest
import spacy
import torch
from enumeration import Case
from pipelines import examples, make_nlp, train
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.calibration import fit_temperatures, judged

NAME = "finegrained_ner"


@pytest.fixture(scope="module")
def nlp():
    nlp = make_nlp()
    train(nlp, examples(nlp), 15)
    return nlp


@pytest.fixture(scope="module")
def gold(nlp):
    """Texts whose entities are drawn from what the pipeline believes: it is calibrated on them."""
    rng = np.random.default_rng(0)
    pipe = nlp.get_pipe(NAME)
    tags = pipe._tag_set
    words = sorted({token.text for eg in examples(nlp) for token in eg.reference})
    docs = []
    for _ in range(600):
        doc = Doc(nlp.vocab, words=rng.choice(words, size=3).tolist())
        emissions, transitions, starts, ends = (
            torch.from_numpy(np.array(x)).double() for x in pipe.model.predict([doc])[0].tasks[0]
        )
        transitions[~torch.from_numpy(tags.legal_transitions)] = -torch.inf
        starts[~torch.from_numpy(tags.legal_starts)] = -torch.inf
        case = Case(emissions, torch.tensor([3]), transitions, starts, ends)
        shares = case.scores(0).softmax(dim=0).numpy()
        path = case.paths(0)[rng.choice(len(shares), p=shares / shares.sum())]
        doc.set_ents([Span(doc, *e) for e in tags.decode(path.numpy())], default="outside")
        docs.append(doc)
    return docs


@pytest.fixture
def overconfident(nlp, tmp_path):
    """All its scores are three times as far apart."""
    nlp.to_disk(tmp_path / "model")
    sharp = spacy.load(tmp_path / "model")
    with torch.no_grad():
        for parameter in sharp.get_pipe(NAME).model.get_ref("tagger").shims[0]._model.parameters():
            if parameter.ndim < 2 or parameter.shape[0] == len(sharp.get_pipe(NAME)._tag_set):
                parameter *= 3.0
    sharp.to_disk(tmp_path / "model")
    return tmp_path / "model"


def test_of_a_calibrated_pipeline_they_are_about_1(nlp, gold):
    found = fit_temperatures(nlp, NAME, gold)
    assert found == {"path": pytest.approx(1.0, abs=0.2), "label": pytest.approx(1.0, abs=0.25)}


def test_one_three_times_too_sure_is_found_out_and_mended(nlp, gold, overconfident, tmp_path):
    data = tmp_path / "gold.spacy"
    DocBin(docs=gold).to_disk(data)
    report = tmp_path / "report.json"
    done = CliRunner().invoke(
        app, ["calibrate", str(overconfident), str(data), "--output", str(report)]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(report.read_text())
    assert found["temperatures"]["path"] == pytest.approx(3.0, rel=0.2)
    assert found["temperatures"]["label"] == pytest.approx(1.0, abs=0.25)
    for level in ("fine", "span"):
        assert found["before"][level]["ece"] > 2 * found["after"][level]["ece"]
    again = spacy.load(overconfident)
    again.to_disk(tmp_path / "saved")
    for loaded in (again, spacy.load(tmp_path / "saved")):
        assert loaded.get_pipe(NAME).temperatures == found["temperatures"]
        ours = judged(loaded, NAME, gold[:50])
        np.testing.assert_allclose(
            ours.probability, judged(nlp, NAME, gold[:50]).probability, atol=0.08
        )
        assert [list(map(str, loaded(d.text).ents)) for d in gold[:50]] == [
            list(map(str, nlp(d.text).ents)) for d in gold[:50]
        ]
    pipe = again.get_pipe(NAME)
    again.initialize(lambda: examples(again))
    assert pipe.temperatures == {}


def test_thresholds_are_tuned_and_stored_in_the_config(gold, overconfident, tmp_path):
    data = tmp_path / "gold.spacy"
    DocBin(docs=gold).to_disk(data)
    arguments = ["back-off", str(overconfident), str(data), "--precision", "0.6"]
    report = tmp_path / "report.json"
    done = CliRunner().invoke(app, [*arguments, "--output", str(report)])
    assert done.exit_code == 0, done.output
    both = json.loads(report.read_text())["ways"]["both"]
    assert both["precision"] >= 0.6
    nlp = spacy.load(
        overconfident, config={"components": {NAME: {"back_off": {"spans_key": "sure"}}}}
    )
    docs = list(nlp.pipe(Doc(nlp.vocab, words=[t.text for t in doc]) for doc in gold))
    assert sum(len(doc.spans["sure"]) for doc in docs) == both["fine"] + both["coarse"]
    coarse = set(nlp.get_pipe(NAME).taxonomy.coarse_of.values())
    shown = [span.label_ for doc in docs for span in doc.spans["sure"]]
    assert sum(label in coarse for label in shown) == both["coarse"]


def test_where_nearly_all_are_right_nothing_is_fitted_and_it_is_told(nlp, overconfident, tmp_path):
    """Any temperature that makes all sure would be as good."""
    known = [eg.reference for eg in examples(nlp)] * 12
    DocBin(docs=known).to_disk(tmp_path / "known.spacy")
    done = CliRunner().invoke(app, ["calibrate", str(overconfident), str(tmp_path / "known.spacy")])
    assert done.exit_code == 0
    assert re.search(r"Not calibrated: of \d+ entities .* that says nothing", done.output)
    assert spacy.load(overconfident).get_pipe(NAME).temperatures == {}
    with pytest.raises(ValueError, match=r"finds nothing in 1 texts"):
        fit_temperatures(nlp, NAME, [Doc(nlp.vocab, words=["nothing", "to", "see", "here"])])


def test_on_data_where_nothing_is_found_there_are_no_numbers(nlp, gold, overconfident, tmp_path):
    DocBin(docs=gold).to_disk(tmp_path / "gold.spacy")
    none = Doc(nlp.vocab, words=["nothing", "to", "see"], ents=["O"] * 3)
    DocBin(docs=[none]).to_disk(tmp_path / "none.spacy")
    files = [str(overconfident), str(tmp_path / "gold.spacy"), "--check"]
    files += [str(tmp_path / "none.spacy"), "--output", str(tmp_path / "new" / "x.json")]
    done = CliRunner().invoke(app, ["calibrate", *files])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "new" / "x.json").read_text())["after"]["fine"]["ece"] is None
    assert spacy.load(overconfident).get_pipe(NAME).temperatures["path"] > 2.0
    done = CliRunner().invoke(app, ["back-off", str(overconfident), str(tmp_path / "none.spacy")])
    assert done.exit_code == 1
    assert "there is nothing to tune" in done.output


def test_entities_of_rules_are_left_out_and_counted(nlp, gold, tmp_path):
    nlp.to_disk(tmp_path / "model")
    ruled = spacy.load(tmp_path / "model")
    ruler = ruled.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "Drink", "pattern": "green"}])
    plain, found = judged(nlp, NAME, gold[:60]), judged(ruled, NAME, gold[:60])
    assert found.others == sum(token.text == "green" for doc in gold[:60] for token in doc) > 0
    assert len(plain.sentence) - found.others <= len(found.sentence) <= len(plain.sentence)
    ruled.get_pipe(NAME).certainty.on = False
    with pytest.raises(ValueError, match=r"None of .* entities has a confidence"):
        judged(ruled, NAME, gold[:60])


def test_of_flat_labels_the_gold_may_have_others(nlp, gold):
    flat = make_nlp()
    flat.get_pipe(NAME).initialize(
        lambda: examples(flat),
        nlp=flat,
        taxonomy=Taxonomy({label: label for label in nlp.get_pipe(NAME).labels}),
    )
    docs = [Doc(flat.vocab, words=["a", "b"], ents=["B-Unheard", "O"])] * 3
    found = judged(flat, NAME, docs)
    assert not found.right[:, :2].any()
    assert found.gold.tolist() == [1, 1, 1]


def test_of_two_components_each_has_its_own_numbers(nlp, gold, overconfident):
    sharp = spacy.load(overconfident)
    alone = judged(nlp, NAME, gold[:40])
    both = spacy.blank("en")
    both.add_pipe(NAME, source=nlp)
    second = both.add_pipe(NAME, name="second", source=sharp)
    second.annotate, second.spans_key = "spans", "second"
    np.testing.assert_array_equal(judged(both, NAME, gold[:40]).probability, alone.probability)


@pytest.mark.parametrize(
    ("verb", "more"), [("calibrate", ()), ("back-off", ("--precision", "0.4"))]
)
def test_an_interrupted_write_leaves_the_pipeline(
    verb, more, gold, overconfident, tmp_path, monkeypatch
):
    DocBin(docs=gold).to_disk(tmp_path / "gold.spacy")
    before = {p: p.read_bytes() for p in overconfident.rglob("*") if p.is_file()}

    def full(self, target):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full)
    done = CliRunner().invoke(app, [verb, str(overconfident), str(tmp_path / "gold.spacy"), *more])
    assert done.exit_code == 1
    assert "no space left" in done.output
    assert {p: p.read_bytes() for p in overconfident.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("verb", ["calibrate", "back-off"])
def test_a_package_is_no_folder(verb, tmp_path):
    done = CliRunner().invoke(app, [verb, "en_core_web_sm", str(tmp_path / "gold.spacy")])
    assert done.exit_code == 1
    assert "Expected the folder of a trained pipeline" in " ".join(done.output.split())
