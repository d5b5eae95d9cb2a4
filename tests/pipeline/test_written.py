"""Labels as they are written: some of them, under other names; and what stays on fine labels."""

import pickle

import pytest
import spacy
from pipelines import examples, make_nlp, sentence, train
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from spacy_finegrained_ner.app.answer import about, answer
from spacy_finegrained_ner.cli.card import render_card
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.gold import annotated_labels, label_only
from spacy_finegrained_ner.data.written import names_of
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError
from spacy_finegrained_ner.pipeline.calibration import judged
from spacy_finegrained_ner.scoring.evaluation import score_pipeline

NAME = "finegrained_ner"
TEXT = "marie curie met pelé in lyon drinks green tea"
MAPPING = {"Person": "PERSON", "Drink": "THING", "HumanSettlement": "THING"}
"""Person is a coarse type, of Scientist and Athlete; THING has two coarse types."""
GROUPS = {
    "candidates": {"spans_key": "others", "at_least": 1e-3},
    "back_off": {"spans_key": "sure", "fine": 0.0, "coarse": 0.0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    nlp = make_nlp(**GROUPS)
    train(nlp, examples(nlp), 60)
    path = tmp_path_factory.mktemp("model")
    nlp.to_disk(path)
    return path


def load(folder, labels=None, mapping=None, **settings):
    written = {"labels": labels, "mapping": mapping or {}}
    return spacy.load(folder, config={"components": {NAME: {"written": written, **settings}}})


def marks(spans):
    return [(span.start, span.end, span.label_) for span in spans]


@pytest.fixture(scope="module")
def plain(folder):
    """What is found, as it is."""
    doc = spacy.load(folder)(TEXT)
    assert {ent.label_ for ent in doc.ents} == {"Scientist", "Athlete", "HumanSettlement", "Drink"}
    return doc


def test_other_names_are_written_and_the_rest_stays_on_fine_labels(folder, plain):
    doc = load(folder, mapping=MAPPING)(TEXT)
    expected = {"Scientist": "PERSON", "Athlete": "PERSON"}
    assert marks(doc.ents) == [(s, e, expected.get(x, "THING")) for s, e, x in marks(plain.ents)]
    for ent, fine in zip(doc.ents, plain.ents, strict=True):
        assert ent._.coarse_label == ("Person" if ent.label_ == "PERSON" else None)
        for name in ("confidence", "coarse_confidence", "span_confidence"):
            assert ent._.get(name) == pytest.approx(fine._.get(name))
        assert [x for x, _ in ent._.alternatives] == [x for x, _ in fine._.alternatives]
        for thresholds in ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0)):
            assert ent._.label_at(*thresholds) == fine._.label_at(*thresholds)
    for key in ("others", "sure"):
        assert marks(doc.spans[key]) == marks(plain.spans[key])
        attrs, same = doc.spans[key].attrs, plain.spans[key].attrs
        assert attrs["coarse_labels"] == same["coarse_labels"]
    assert doc.spans["sure"][0].label_ == "Scientist"


def test_some_labels_are_written(folder, plain):
    """By fine label and by coarse type, in any case."""
    doc = load(folder, labels=["PERSON", "drink"])(TEXT)
    kept = {"Scientist", "Athlete", "Drink"}
    assert marks(doc.ents) == [mark for mark in marks(plain.ents) if mark[2] in kept]
    for key in ("others", "sure"):
        assert marks(doc.spans[key]) == [m for m in marks(plain.spans[key]) if m[2] in kept]
    assert {ent._.coarse_label for ent in doc.ents} == {"Person", "Product"}


def test_a_fine_label_has_another_name_than_its_coarse_type(folder):
    doc = load(folder, labels=["Person"], mapping={"Person": "PERSON", "Athlete": "PLAYER"})(TEXT)
    assert [(ent.label_, ent._.coarse_label) for ent in doc.ents] == [
        ("PERSON", "Person"),
        ("PLAYER", "Person"),
    ]


def test_a_span_group(folder, plain):
    nlp = load(folder, mapping=MAPPING, annotate="spans", spans_key="mine")
    doc = nlp(TEXT)
    group = doc.spans["mine"]
    assert [span.label_ for span in group] == ["PERSON", "PERSON", "THING", "THING"]
    assert group.attrs["coarse_labels"] == ["Person", "Person", None, None]
    assert list(group.attrs["scores"]) == pytest.approx([e._.confidence for e in plain.ents])


def test_beside_what_is_there(folder):
    nlp = load(folder, mapping=MAPPING, annotate="fill")
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 3, 4, "RULE")])
    labels = [ent.label_ for ent in nlp(doc).ents]
    assert labels == ["PERSON", "RULE", "THING", "THING"]


def test_gold_is_named_alike_in_scores(folder):
    fine = spacy.load(folder)
    scores = fine.evaluate(examples(fine))
    assert scores["ents_f"] == 1.0
    nlp = load(folder, labels=["Person", "Drink"], mapping={"Person": "PERSON"})
    scores = nlp.evaluate(examples(nlp))
    assert (scores["ents_f"], scores["ents_coarse_f"]) == (1.0, 1.0)
    assert {x: s["support"] for x, s in scores["ents_per_type"].items()} == {
        "PERSON": 5,
        "Drink": 2,
    }
    # Gold that has the names already
    doc = Doc(nlp.vocab, words=["pelé", "met"], ents=["B-PERSON", "O"])
    example = Example(nlp.make_doc("pelé met"), doc)
    assert nlp.evaluate([example])["ents_per_type"]["PERSON"]["support"] == 1


def test_evaluate_and_meta_are_of_what_is_written(folder, tmp_path):
    """Gold in fine labels, in names, and of labels that are not written."""
    nlp = load(folder, labels=["Person"], mapping={"Person": "PERSON"})
    path = tmp_path / "gold.conll"
    path.write_text("pelé B-Athlete\nmet O\ngreen B-Drink\ntea I-Drink\n\npelé B-PERSON\n")
    report = score_pipeline(nlp, path, samples=10)
    assert report["taxonomy"] == {"PERSON": "Person"}
    for side in ("gold_tokens", "running_text"):
        assert (report[side]["ents_gold"], report[side]["ents_f"]) == (2, 1.0)
        assert report[side]["bootstrap"]["intervals"]["ents_f"] == (1.0, 1.0)
    card = render_card(nlp, nlp.meta, train=path, texts=2, scores=report)
    assert "PERSON" in card
    assert "Athlete" not in card
    path.write_text("pelé B-Dragon\n")
    with pytest.raises(TaxonomyError, match=r"gold\.conll:1: The label 'Dragon' is not in"):
        score_pipeline(nlp, path)


def test_what_the_page_to_type_in_says(folder):
    nlp = load(folder, mapping=MAPPING)
    found = [(one["label"], one["coarse_label"]) for one in answer(nlp, TEXT)["entities"]]
    assert found == [("PERSON", "Person")] * 2 + [("THING", None)] * 2
    names = [one["name"] for one in about(nlp)["types"]]
    assert "THING" in names


def test_the_traditional_crf_writes_them_too():
    nlp = spacy.blank("en")
    nlp.add_pipe("crf_ner", config={"written": {"labels": ["Person"], "mapping": MAPPING}})
    nlp.initialize(lambda: examples(nlp))
    doc = nlp("pelé met marie curie in lyon")
    assert [(ent.text, ent.label_, ent._.coarse_label) for ent in doc.ents] == [
        ("pelé", "PERSON", "Person"),
        ("marie curie", "PERSON", "Person"),
    ]
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0


def test_thresholds_and_temperatures_are_of_fine_labels(folder):
    found = []
    for settings in ({}, {"labels": ["Drink"], "mapping": MAPPING}):
        nlp = load(folder, **settings)
        gold = [
            sentence_to_doc(nlp.vocab, sentence(text)) for text in ("pelé/B-Drink met/O tea/O",)
        ]
        found.append(judged(nlp, NAME, gold))
        assert nlp.get_pipe(NAME).written["labels"] == settings.get("labels")
    assert found[0].probability == pytest.approx(found[1].probability)
    assert (found[0].right == found[1].right).all()


@pytest.mark.parametrize(
    "way",
    [
        lambda nlp, _: pickle.loads(pickle.dumps(nlp)),
        lambda nlp, path: (nlp.to_disk(path), spacy.load(path))[1],
        lambda nlp, _: type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes()),
    ],
)
def test_it_is_kept(folder, tmp_path, way):
    nlp = way(load(folder, ["Person", "HumanSettlement"], MAPPING), tmp_path)
    doc = nlp(TEXT)
    assert [ent.label_ for ent in doc.ents] == ["PERSON", "PERSON", "THING"]
    # All of the taxonomy counts, also what is not written
    assert [ent._.coarse_label for ent in doc.ents] == ["Person", "Person", "Location"]
    (same,) = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    assert [ent._.coarse_label for ent in same.ents] == ["Person", "Person", "Location"]
    assert [e._.confidence for e in same.ents] == [e._.confidence for e in doc.ents]
    assert nlp.get_pipe(NAME).read(same).entities == marks(doc.ents)


def test_two_components_may_write_one_name(folder):
    """Another with the same taxonomy, into a group of its own."""
    nlp = load(folder, mapping=MAPPING)
    nlp.add_pipe(NAME, name="plain", source=spacy.load(folder))
    nlp.get_pipe("plain").annotate = "spans"
    doc = nlp(TEXT)
    assert [ent.label_ for ent in doc.ents] == ["PERSON", "PERSON", "THING", "THING"]
    assert [span.label_ for span in doc.spans[NAME]][:2] == ["Scientist", "Athlete"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"labels": ["Dragon"]}, r"written\.labels of 'finegrained_ner' has 'Dragon', expected fi"),
        ({"mapping": {"Dragon": "X"}}, r"written\.mapping of .* has 'Dragon', expected fine label"),
        ({"labels": []}, r"written\.labels of .* is \[\], expected a list of labels, or null"),
        ({"labels": "Drink"}, r"written\.labels of .* is 'Drink', expected a list"),
        ({"labels": [1]}, r"written\.labels of .* is \[1\], expected a list"),
        ({"mapping": {"Drink": ""}}, r"written\.mapping of .*, expected a name for each label"),
        ({"mapping": {"Drink": 3}}, r"written\.mapping of .*, expected a name for each label"),
        ({"mapping": ["Drink"]}, r"written\.mapping of .*, expected a name for each label"),
        ({"names": 1}, r"written of .* has \['labels', 'mapping', 'names'\], expected \['labels"),
        (
            {"mapping": {"Drink": "Food", "Food": "MEAL"}},
            r"gives 'Drink' the name 'Food', which is a label that is itself not written as it is",
        ),
        ({"labels": ["Drink"], "mapping": {"Drink": "Food"}}, r"'Drink' the name 'Food', which is"),
        ({"mapping": {"Drink": "X", "Athlete": "x"}}, r"the names 'x' and 'X', expected one spell"),
    ],
)
def test_what_is_no_setting(folder, written, message):
    with pytest.raises(ValueError, match=message):
        spacy.load(folder, config={"components": {NAME: {"written": written}}})


def test_a_wrong_setting_is_told_before_the_training():
    nlp = make_nlp(written={"mapping": {"Dragon": "X"}})
    with pytest.raises(ValueError, match=r"written\.mapping of 'finegrained_ner' has 'Dragon'"):
        nlp.initialize(lambda: examples(nlp))


TREE = Taxonomy({"A": "Letter", "B": "Letter", "One": "Digit", "Two": "Digit"})


def named(labels, mapping):
    return names_of({"labels": labels, "mapping": mapping}, TREE, "x")


@pytest.mark.parametrize(
    ("labels", "mapping", "names", "coarse"),
    [
        (None, {"A": "L", "B": "L"}, "L L One Two", {"L": "Letter"}),
        (None, {"A": "L", "One": "L"}, "L B L Two", {"L": None}),
        (None, {"letter": "L"}, "L L One Two", {"L": "Letter"}),
        (None, {"B": "A"}, "A A One Two", {"A": "Letter"}),
        (None, {"One": "A"}, "A B A Two", {"A": None}),
        (None, {"a": "Letter"}, "Letter B One Two", {"Letter": "Letter"}),
        (["B", "Digit"], {"A": "L", "Two": "L"}, "- B One L", {"L": "Digit"}),
    ],
)
def test_names_of_a_taxonomy(labels, mapping, names, coarse):
    found = named(labels, mapping)
    assert [found.name_of.get(fine, "-") for fine in TREE.fine] == names.split()
    assert {name: found.coarse_of[name] for name in coarse} == coarse
    assert set(found.taxonomy.fine) == set(names.split()) - {"-"}


def test_gold_is_named_alike():
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=list("abcdefg"), ents=["B-a", "I-a", "B-One", "", "B-Two", "B-X", "O"])
    names = named(["Letter", "Two"], {"Letter": "L"})
    new = names.gold(doc, TREE)
    tags = [f"{t.ent_iob_}{t.ent_type_ and '-'}{t.ent_type_}" for t in new]
    assert tags == ["B-L", "I-L", "O", "", "B-Two", "B-X", "O"]
    assert [ent.label_ for ent in doc.ents] == ["a", "One", "Two", "X"]
    assert marks(names.gold(new, TREE).ents) == marks(new.ents)
    assert names_of({"labels": None, "mapping": {"A": "A"}}, TREE, "x").gold(doc, TREE) is doc


def test_a_name_is_annotated_where_all_of_its_labels_are():
    vocab = spacy.blank("en").vocab
    doc = Doc(vocab, words=list("abcdef"), ents=["B-A", "O", "O", "O", "O", "O"])
    label_only(doc[:2], ["a", "B", "One"])
    label_only(doc[2:4], ["A", "Two"])
    label_only(doc[4:5], ["A"])
    new = named(None, {"Letter": "L"}).gold(doc, TREE)
    assert annotated_labels(new) == [
        *[frozenset({"L", "One"})] * 2,
        *[frozenset({"Two"})] * 2,
        None,
        None,
    ]
    assert [token.ent_iob for token in new] == [3, 2, 2, 2, 0, 2]
