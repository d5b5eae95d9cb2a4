"""The contract of `crf_ner`."""

import builtins
import copy
import pickle

import pytest
import spacy
from pipelines import SENTENCES, entities, examples
from spacy.tokens import Doc, Span
from spacy.training import Example
from tagged import ODD, TEXTS, make_crf
from thinc.api import ConfigValidationError

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, read_taxonomy


def test_it_learns_a_small_corpus(trained):
    scores = trained.evaluate(examples(trained))
    for key in ("ents_f", "ents_macro_f", "ents_coarse_f", "ents_mention_f"):
        assert scores[key] == 1.0, key
    assert entities(trained("marie curie met pelé in lyon")) == [
        ("marie curie", "Scientist", "Person"),
        ("pelé", "Athlete", "Person"),
        ("lyon", "HumanSettlement", "Location"),
    ]
    assert trained.get_pipe("crf_ner").labels == (
        *("Athlete", "Drink", "HumanSettlement", "Scientist"),
    )
    assert trained("nothing to see here").has_annotation("ENT_IOB")


@pytest.mark.parametrize("way", ["disk", "bytes", "pickle", "copy"])
def test_saved_and_loaded_predicts_the_same(trained, tmp_path, way):
    if way == "disk":
        trained.to_disk(tmp_path / "model")
        again = spacy.load(tmp_path / "model")
    elif way == "bytes":
        again = make_crf().from_bytes(trained.to_bytes())
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(trained))
    else:
        again = copy.deepcopy(trained)
    for text in TEXTS + ODD:
        assert entities(again(text)) == entities(trained(text))
    pipes = [nlp.get_pipe("crf_ner") for nlp in (again, trained)]
    assert pipes[0].taxonomy == pipes[1].taxonomy
    assert pipes[0].features == pipes[1].features
    assert pipes[0].to_bytes() == pipes[1].to_bytes()


@pytest.mark.parametrize("settings", [{"batch_size": 3}, {"n_process": 2}])
def test_pipe_equals_call(trained, settings):
    texts = TEXTS + ODD
    expected = [entities(trained(text)) for text in texts]
    assert [entities(doc) for doc in trained.pipe(texts, **settings)] == expected
    assert any(expected)


def test_whitespace_within_an_entity_belongs_to_it_and_at_its_ends_it_does_not(trained):
    doc = trained("  marie   curie  met pelé ")
    assert [ent.text for ent in doc.ents] == ["marie   curie", "pelé"]


def test_saved_before_the_training_it_can_be_trained_later(tmp_path):
    make_crf().to_disk(tmp_path / "model")
    nlp = spacy.load(tmp_path / "model")
    for use in (lambda: nlp("pelé"), lambda: nlp.get_pipe("crf_ner").taxonomy):
        with pytest.raises(ValueError, match=r"E109.*crf_ner.*nlp.initialize"):
            use()
    nlp.initialize(lambda: examples(nlp))
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0


def test_unknown_tags_cut_the_sentence_and_are_counted():
    nlp = make_crf()
    data = examples(nlp, [*SENTENCES[:4], "serena/- likes/O green/- tea/- a/O lot/-", "no/- no/-"])
    unknown = Example(nlp.make_doc("not annotated"), nlp.make_doc("not annotated"))
    with (
        pytest.warns(UserWarning, match="2 texts of the training data have no entity annotation"),
        pytest.warns(UserWarning, match="4 of 29 tokens is not known.*1 of 5 texts are cut there"),
    ):
        nlp.initialize(lambda: [*data, unknown])
    assert nlp.evaluate(data[:4])["ents_f"] == 1.0
    known = nlp.get_pipe("crf_ner").cfg["trained_on"]
    assert (known["texts"], known["texts_without_annotation"]) == (5, 2)


def test_tokens_that_differ_from_the_gold_are_unknown_unless_they_align():
    nlp = make_crf()
    words = ["marie", "curiemet", "pelé", "in", "lyon"]
    other = Example(Doc(nlp.vocab, words=words), examples(nlp)[0].reference)
    with pytest.warns(UserWarning, match="is not known"):
        nlp.initialize(lambda: [other, *examples(nlp)])
    unknown = nlp.get_pipe("crf_ner").cfg["trained_on"]["unknown_tokens"]
    assert 1 <= unknown <= 2
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["no/O one/O"], "'crf_ner' found no entities in the training data"),
        ([], "E930|no entities"),
    ],
)
def test_nothing_to_learn_from_is_an_error(texts, message):
    nlp = make_crf()
    with pytest.raises((ValueError, TypeError), match=message):
        nlp.initialize(lambda: examples(nlp, texts))


def test_initialize_without_examples_is_an_error():
    with pytest.raises(ValueError, match="found no entities in the training data"):
        make_crf().initialize()


def test_a_streamed_corpus_is_told_as_only_its_beginning_is_learned():
    nlp = make_crf()
    nlp.config["training"]["max_epochs"] = -1
    with pytest.warns(UserWarning, match="trained on 100 texts at most.*Set max_epochs = 0"):
        nlp.initialize(lambda: examples(nlp))


def test_features_that_are_all_too_rare_are_an_error():
    nlp = make_crf(min_freq=1000)
    with pytest.raises(ValueError, match=r"'crf_ner' can't be trained.*found 0 weights.*min_freq"):
        nlp.initialize(lambda: examples(nlp))


def test_a_label_outside_the_taxonomy_is_named_and_own_ones_are_taken():
    nlp = make_crf()
    data = examples(nlp, ["smaug/B-Dragon sleeps/O"])
    message = r"^text 'smaug sleeps': The label 'Dragon' is not in the taxonomy"
    with pytest.raises(TaxonomyError, match=message):
        nlp.get_pipe("crf_ner").initialize(lambda: data, taxonomy=read_taxonomy())
    nlp.initialize(lambda: data)  # flat: the packaged one has none of the labels
    assert entities(nlp("smaug sleeps")) == [("smaug", "Dragon", "Dragon")]
    nlp.get_pipe("crf_ner").initialize(lambda: data, taxonomy=Taxonomy({"Dragon": "Beast"}))
    assert entities(nlp("smaug sleeps")) == [("smaug", "Dragon", "Beast")]


def test_trained_again_it_starts_anew(trained):
    nlp = make_crf().from_bytes(trained.to_bytes())
    nlp.initialize(lambda: examples(nlp, ["ibm/B-PublicCorp hired/O marie/B-Scientist"]))
    assert nlp.get_pipe("crf_ner").labels == ("PublicCorp", "Scientist")
    assert entities(nlp("ibm hired marie")) == [
        ("ibm", "PublicCorp", "Group"),
        ("marie", "Scientist", "Person"),
    ]


def test_a_training_that_fails_leaves_the_component_as_it_was(trained):
    nlp = make_crf(min_freq=1000).from_bytes(trained.to_bytes())
    with pytest.raises(ValueError, match="min_freq"):
        nlp.initialize(lambda: examples(nlp, ["ibm/B-PublicCorp hired/O"]))
    assert entities(nlp(TEXTS[0])) == entities(trained(TEXTS[0]))


def test_a_gazetteer_tells_names_that_were_never_seen_and_is_saved(tmp_path):
    # The words of training and test differ: only the list tells
    path = tmp_path / "names.tsv"
    towns = ["aa", "bb", "cc dd", "ee", "xx", "yy zz", "o'neill"]
    path.write_text("".join(f"{town}\tHumanSettlement\n" for town in towns))
    texts = [
        *("in/O aa/B-HumanSettlement", "in/O ff/O", "in/O bb/B-HumanSettlement", "in/O gg/O"),
        *("in/O cc/B-HumanSettlement dd/I-HumanSettlement", "in/O hh/O", "in/O jj/O kk/O"),
    ]
    features = {"pos": False, "affixes": 0, "shape": False, "flags": False}
    nlp = make_crf(features=features)
    nlp.config["initialize"]["components"]["crf_ner"] = {"gazetteer": str(path)}
    nlp.initialize(lambda: examples(nlp, texts * 5))
    path.unlink()
    again = make_crf(features=features).from_bytes(nlp.to_bytes())
    for text in ("in xx", "in yy zz", "in o'neill"):
        assert [ent.text for ent in nlp(text).ents] == [text.removeprefix("in ")], text
        assert [ent.text for ent in again(text).ents] == [text.removeprefix("in ")], text
    # The file is gone: initialized again, it has the names that it was saved with
    again.config["initialize"]["components"]["crf_ner"] = {"gazetteer": str(path)}
    again.initialize(lambda: examples(again, texts * 5))
    assert [ent.text for ent in again("in yy zz").ents] == ["yy zz"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"c1": -0.1}, r"c1 of \[components.crf_ner\] is -0.1, expected a number >= 0"),
        ({"c1": "much"}, "c1"),
        ({"c2": float("nan")}, "(?s)E961.*c2"),
        ({"c2": 1e999}, "(?s)E961.*c2"),
        ({"max_iterations": 0}, "max_iterations of .* is 0, expected a whole number >= 1"),
        ({"max_iterations": 2.5}, "max_iterations"),
        ({"min_freq": -1}, "min_freq of .* is -1"),
        ({"all_possible_transitions": "perhaps"}, "all_possible_transitions"),
        ({"report_every": -1}, "report_every of .* is -1"),
        ({"features": {"window": -1}}, r"window of \[components.crf_ner.features\] is -1"),
        ({"features": {"windows": 1}}, r"unknown settings \['windows'\]"),
        ({"features": 3}, "features"),
        ({"annotate": "append"}, "annotate of 'crf_ner' is 'append'"),
        ({"annotate": "spans", "spans_key": ""}, "spans_key of 'crf_ner' is empty"),
        ({"algorithm": "lbfgs"}, "algorithm"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises((ValueError, ConfigValidationError), match=message):
        make_crf(**settings)


def test_missing_crfsuite_is_told_with_the_remedy(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pycrfsuite":
            raise ImportError("No module named 'pycrfsuite'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "spacy-finegrained-ner\[crf\]"'):
        make_crf()


def test_into_spans_beside_other_entities(trained):
    nlp = make_crf(annotate="spans")
    nlp.initialize(lambda: examples(nlp))
    doc = nlp.make_doc("pelé in lyon")
    doc.set_ents([Span(doc, 1, 2, "OTHER")])
    doc = nlp.get_pipe("crf_ner")(doc)
    assert [ent.text for ent in doc.ents] == ["in"]
    assert [span.text for span in doc.spans["crf_ner"]] == ["pelé", "lyon"]
    assert nlp.evaluate(examples(nlp))["spans_crf_ner_f"] == 1.0
