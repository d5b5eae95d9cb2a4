"""The verb tune, as a user types it, and what it calls."""

from unittest.mock import patch

import numpy as np
import pytest
import spacy
from pipelines import SENTENCES, entities, examples, make_nlp, sentence, train
from spacy.tokens import DocBin, Span
from test_commands import run, write_spacy

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.gold import annotated_labels
from spacy_finegrained_ner.data.soft_targets import SOFT_TARGETS
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.pipeline.teaching import taught
from spacy_finegrained_ner.pipeline.tuning import tune

NEW = [
    "she/O drives/O a/O volvo/B-Vehicle",
    "a/O volvo/B-Vehicle is/O not/O a/O honda/B-Vehicle",
    "the/O honda/B-Vehicle of/O my/O sister/O",
]


def test_tune_adds_a_label_and_keeps_the_others(tmp_path):
    nlp = make_nlp(auxiliary={"@misc": "spacy-finegrained-ner.CoarseTask.v1"})
    train(nlp, examples(nlp), 40)
    nlp.to_disk(tmp_path / "old")
    old = [entities(nlp(" ".join(sentence(text).words))) for text in SENTENCES]
    gold = write_spacy(tmp_path / "new.spacy", NEW)
    code, said = run(
        *("tune", tmp_path / "old", gold, tmp_path / "tuned", "--taxonomy", "multiconer2"),
        *("--rate", "0.0001", "--steps", "80", "--check", gold),
    )
    assert code == 0, said
    assert "with the new labels Vehicle" in said
    assert "after │ 100.0" in said
    tuned = spacy.load(tmp_path / "tuned")
    assert tuned.get_pipe("finegrained_ner").labels[-1] == "Vehicle"
    assert [entities(tuned(" ".join(sentence(text).words))) for text in SENTENCES] == old
    assert entities(tuned("a volvo for marie curie")) == [
        ("volvo", "Vehicle", "Product"),
        ("marie curie", "Scientist", "Person"),
    ]
    # The pipeline that was given is as it was
    assert spacy.load(tmp_path / "old").get_pipe("finegrained_ner").labels == tuple(
        nlp.get_pipe("finegrained_ner").labels
    )


def test_tune_on_corrections_keeps_the_labels(model, tmp_path):
    gold = write_spacy(tmp_path / "gold.spacy", ["pelé/B-Drink drinks/O nothing/O"])
    code, said = run("tune", model, gold, tmp_path / "tuned", "--rate", "0.001")
    assert code == 0, said
    assert "with the labels that it had" in said
    tuned = spacy.load(tmp_path / "tuned")
    assert (
        tuned.get_pipe("finegrained_ner").labels
        == spacy.load(model).get_pipe("finegrained_ner").labels
    )
    assert entities(tuned("pelé drinks nothing")) == [("pelé", "Drink", "Product")]


def test_tune_remembers_what_it_finds_in_other_texts(tmp_path):
    """Whatever their annotation says."""
    nlp = make_nlp(auxiliary={"@misc": "spacy-finegrained-ner.CoarseTask.v1"})
    train(nlp, examples(nlp), 40)
    model = tmp_path / "model"
    nlp.to_disk(model)
    gold = write_spacy(tmp_path / "gold.spacy", ["pelé/B-Drink drinks/O nothing/O"])
    texts = [" ".join(sentence(text).words) for text in SENTENCES]
    old = [entities(nlp(text)) for text in texts]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    wrong = write_spacy(
        tmp_path / "wrong.spacy", [f"{text.replace(' ', '/O ')}/O" for text in texts]
    )
    columns = tmp_path / "columns.txt"
    columns.write_text("\n\n".join(text.replace(" ", " O\n") + " O" for text in texts))
    for given in (tmp_path / "texts.txt", wrong, columns):
        output = tmp_path / given.stem
        words = ("--rate", "0.002", "--steps", "80", "--remember", given)
        code, said = run("tune", model, gold, output, *words)
        assert code == 0, said
        assert "will forget" not in said
        tuned = spacy.load(output)
        assert entities(tuned("pelé drinks nothing")) == [("pelé", "Drink", "Product")]
        assert [entities(tuned(text)) for text in texts] == old
    # Without, as many steps at that rate are enough to forget
    code, said = run("tune", model, gold, tmp_path / "alone", *words[:4])
    assert code == 0, said
    assert "few texts (1), and the pipeline will forget" in said
    alone = spacy.load(tmp_path / "alone")
    assert [entities(alone(text)) for text in texts] != old


@pytest.mark.parametrize(
    ("new", "many", "reminders", "rate", "rates"),
    [
        (True, False, False, 0.0, (2e-5, 50.0)),
        (True, False, True, 0.0, (2e-5, 50.0)),
        (True, True, False, 0.0, (1e-4, 10.0)),
        (True, False, False, 1e-4, (1e-4, 10.0)),
        (True, False, False, 2e-3, (2e-3, 1.0)),
        (False, False, True, 0.0, (5e-5, 1.0)),
        (False, False, False, 0.0, (5e-6, 1.0)),
        (False, False, False, 1e-4, (1e-4, 1.0)),
    ],
)
def test_rates_of_tune(model, new, many, reminders, rate, rates):
    nlp = spacy.load(model)
    gold = [sentence_to_doc(nlp.vocab, sentence(f"a/O volvo/B-{'Vehicle' if new else 'Drink'}"))]
    remember = [nlp.make_doc("pelé drinks")] if reminders else []
    tuned = tune(
        *(nlp, "finegrained_ner", gold * (1000 if many else 1)),
        **{"steps": 1, "rate": rate, "remember": remember, "taxonomy": read_taxonomy()},
    )
    optimizer = tuned.config["training"]["optimizer"]
    found = optimizer["learn_rate"]["rate"], optimizer["groups"]["head"]["factor"]
    assert found == pytest.approx(rates)


@pytest.mark.parametrize(
    ("label", "reminders", "steps"),
    [("Vehicle", 1, 200), ("Vehicle", 0, 60), ("Drink", 1, 60)],
)
def test_fewest_steps_of_tune(model, label, reminders, steps):
    nlp = spacy.load(model)
    gold = [sentence_to_doc(nlp.vocab, sentence(f"a/O volvo/B-{label}"))]
    remember = [nlp.make_doc("pelé drinks")] * reminders
    with patch("spacy_finegrained_ner.pipeline.tuning.train"):
        tuned = tune(nlp, "finegrained_ner", gold, remember=remember, taxonomy=read_taxonomy())
    assert tuned.config["training"]["max_steps"] == steps


def test_of_many_texts_to_remember_some_are_drawn(model):
    """And none that has been corrected."""
    nlp = spacy.load(model)
    # Cut otherwise than by the tokenizer, as words in files are
    gold = [sentence_to_doc(nlp.vocab, sentence("isn't/O it/O tea/B-Drink"))] * 2
    others = ("isn't it tea", " ", *(f"pelé {i}" for i in range(150)))
    remember = [nlp.make_doc(text) for text in others]
    assert len(remember[0]) == 4
    with patch("spacy_finegrained_ner.pipeline.tuning.taught", wraps=taught) as asked:
        tune(nlp, "finegrained_ner", gold, steps=1, remember=remember)
        tune(nlp, "finegrained_ner", gold * 10, steps=1, remember=remember)
    some, all_of_them = ([doc.text for doc in call.args[1]] for call in asked.call_args_list)
    assert len(set(some)) == len(some) == 100
    assert all_of_them == [doc.text for doc in remember[2:]]


WRITTEN = {"labels": ["HumanSettlement"], "mapping": {"HumanSettlement": "PLACE"}}


@pytest.mark.parametrize("written", [None, WRITTEN])
def test_what_is_remembered_beside_new_labels_may_have_them(tmp_path, written):
    """The pipeline does not know them: what it finds nothing in may be one of them. What it does
    not write, or under another name, it knows all the same."""
    nlp = make_nlp(auxiliary={"@misc": "spacy-finegrained-ner.CoarseTask.v1"})
    train(nlp, examples(nlp), 40)
    texts = ["pelé drinks green tea", "is there volvo in lyon ?"]
    found = [entities(nlp(text)) for text in texts]
    if written:
        nlp.get_pipe("finegrained_ner").written = written
    gold = [sentence_to_doc(nlp.vocab, sentence(text)) for text in NEW]
    with patch("spacy_finegrained_ner.pipeline.tuning.DocBin", wraps=DocBin) as kept:
        tuned = tune(
            *(nlp, "finegrained_ner", gold),
            **{"steps": 200, "rate": 0.0001, "taxonomy": read_taxonomy()},
            remember=map(nlp.make_doc, texts),
        )
    remembered = kept.call_args.kwargs["docs"][-2:]
    for doc, ents in zip(remembered, found, strict=True):
        assert [(e.text, e.label_) for e in doc.ents] == [(text, label) for text, label, _ in ents]
        assert SOFT_TARGETS not in doc.user_data
        labels = frozenset(nlp.get_pipe("finegrained_ner").labels)
        assert annotated_labels(doc) == [labels] * len(doc)
    tuned.get_pipe("finegrained_ner").written = {"labels": None, "mapping": {}}
    assert ("volvo", "Vehicle", "Product") in entities(tuned(texts[1]))
    assert ("lyon", "HumanSettlement", "Location") in entities(tuned(texts[1]))
    assert ("green tea", "Drink", "Product") in entities(tuned(texts[0]))


def test_what_it_teaches_itself_is_not_calibrated(model):
    """Or it would not be what it is already."""
    nlp = spacy.load(model)
    gold = [sentence_to_doc(nlp.vocab, sentence("a/O tea/B-Drink"))]
    targets = []
    for path in (1.0, 3.0):
        nlp.get_pipe("finegrained_ner").temperatures = {"path": path}
        with patch("spacy_finegrained_ner.pipeline.tuning.DocBin", wraps=DocBin) as kept:
            tune(nlp, "finegrained_ner", gold, steps=1, remember=[nlp.make_doc("pelé drinks")])
        targets.append(kept.call_args.kwargs["docs"][-1].user_data[SOFT_TARGETS])
    assert str(targets[0]) == str(targets[1])


def test_what_is_not_trained_in_steps_is_not_tuned():
    nlp = spacy.blank("xx")
    nlp.add_pipe("crf_ner", config={"features": {"pos": False}, "report_every": 0})
    nlp.initialize(lambda: examples(nlp))
    with pytest.raises(UserError, match=r"'crf_ner' \(crf_ner\) is not trained step by step"):
        tune(nlp, "crf_ner", [eg.reference for eg in examples(nlp)])


def test_tune_says_what_is_wrong(model, tmp_path):
    (tmp_path / "none.txt").touch()
    data = write_spacy(tmp_path / "data.spacy", ["pelé/B-Drink"])
    code, said = run("tune", model, data, tmp_path / "x", "--remember", tmp_path / "none.txt")
    assert code == 1
    assert "none.txt: the file holds no texts" in said
    gold = write_spacy(tmp_path / "gold.spacy", ["a/O wug/B-Wug"])
    code, said = run("tune", model, gold, tmp_path / "tuned")
    assert code == 1
    assert "'Wug'" in said
    nothing = write_spacy(tmp_path / "nothing.spacy", [])
    code, said = run("tune", model, nothing, tmp_path / "tuned")
    assert code == 1
    assert "found no texts" in said
    right = write_spacy(tmp_path / "right.spacy", ["pelé/B-Athlete drinks/O"])
    with patch("spacy_finegrained_ner.pipeline.tuning.tune") as begun:
        code, said = run("tune", model, right, tmp_path / "tuned", "--check", tmp_path / "none")
    assert code == 1
    assert "none: there is no such file" in said
    assert not begun.called
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "file").touch()
    code, said = run("tune", model, gold, tmp_path / "tuned")
    assert code == 1
    assert "there is something already" in said


def test_what_is_not_known_the_pipeline_teaches_itself(model):
    """And the Docs that were given stay as they are."""
    nlp = spacy.load(model)
    doc = sentence_to_doc(nlp.vocab, sentence("pelé/- drinks/O green/B-Vehicle tea/I-Vehicle"))
    doc.set_ents([Span(doc, 2, 4, "Vehicle")], default="missing")
    before = doc.to_bytes()
    tuned = tune(nlp, "finegrained_ner", [doc], rate=0.001, taxonomy=read_taxonomy())
    assert entities(tuned("pelé drinks green tea")) == [
        ("pelé", "Athlete", "Person"),
        ("green tea", "Vehicle", "Product"),
    ]
    assert doc.to_bytes() == before


def test_tune_keeps_what_a_pipeline_is_beside_its_components(model, tmp_path):
    nlp = spacy.load(model)
    nlp.meta.update(name="tickets", version="3.1.4", license="MIT", performance={"ents_f": 1.0})
    nlp.tokenizer.add_special_case("teatime", [{"ORTH": "tea"}, {"ORTH": "time"}])
    nlp.vocab.lookups.add_table("mine", {"a": "b"})
    nlp.vocab.set_vector("tea", np.ones(5, dtype="float32"))
    gold = [
        sentence_to_doc(nlp.vocab, sentence(f"a/O volvo/B-{x}")) for x in ("vehicle", "VEHICLE")
    ]
    tune(nlp, "finegrained_ner", gold, steps=1, taxonomy=read_taxonomy()).to_disk(
        tmp_path / "tuned"
    )
    tuned = spacy.load(tmp_path / "tuned")
    assert tuned.get_pipe("finegrained_ner").labels[-1] == "Vehicle"
    assert [tuned.meta[key] for key in ("name", "version", "license")] == [
        "tickets",
        "3.1.4",
        "MIT",
    ]
    assert tuned.meta["performance"] == {}
    assert [token.text for token in tuned("teatime")] == ["tea", "time"]
    assert tuned.vocab.lookups.get_table("mine")["a"] == "b"
    assert tuned.vocab["tea"].vector.tolist() == [1.0] * 5
    assert tuned.config["paths"]["train"] is None


def test_tune_does_not_take_a_misspelled_label(model):
    nlp = spacy.load(model)
    gold = [sentence_to_doc(nlp.vocab, sentence("a/O volvo/B-Vehicle"))]
    with pytest.raises(
        UserError, match=r"\['Vehcle'\] should be annotated .* the data \['Vehicle'\]"
    ):
        tune(nlp, "finegrained_ner", gold, annotated=["Vehcle", "vehicle", "DRINK"])


def test_names_that_the_pipeline_writes_are_learned_as_its_labels(model, tmp_path):
    nlp = spacy.load(model)
    component = nlp.get_pipe("finegrained_ner")
    component.written = {"labels": None, "mapping": {"Athlete": "PERSON", "Drink": "PRODUCT"}}
    doc = nlp("pelé drinks green tea")
    assert [ent.label_ for ent in doc.ents] == ["PERSON", "PRODUCT"]
    tuned = tune(nlp, "finegrained_ner", [doc], steps=1)
    assert tuned.get_pipe("finegrained_ner").labels == component.labels
    # Of gold to score on, too, and in any case
    block = {"finegrained_ner": {"written": component.written}}
    spacy.load(model, config={"components": block}).to_disk(tmp_path / "names")
    gold = write_spacy(tmp_path / "gold.spacy", ["pelé/B-person drinks/O green/B-PRODUCT tea/O"])
    call = ("tune", tmp_path / "names", gold, tmp_path / "tuned", "--check", gold)
    code, said = run(*call, "--steps", "1", "--rate", "1e-9")
    assert code == 0, said
    assert "before │ 50.0" in said  # green, and not green tea
    component.written = {"labels": None, "mapping": {"Athlete": "PERSON", "Scientist": "PERSON"}}
    with pytest.raises(UserError, match=r"'PERSON' is what .* writes for Scientist, Athlete"):
        tune(nlp, "finegrained_ner", [nlp("pelé drinks green tea")], steps=1)
