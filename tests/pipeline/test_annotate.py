"""Beside other components that write entities: who wins, and how it is scored."""

import pytest
import spacy
from pipelines import HASH_EMBED, entities, examples, make_nlp, train
from spacy.tokens import DocBin, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy

NAME = "finegrained_ner"
TEXT = "marie curie met pelé in lyon"
OURS = [("marie curie", "Scientist"), ("pelé", "Athlete"), ("lyon", "HumanSettlement")]
PATTERNS = [
    {"label": "GPE", "pattern": "lyon"},
    {"label": "VERB_PHRASE", "pattern": "curie met"},
    {"label": "WORD", "pattern": "in"},
]
RULES = [("curie met", "VERB_PHRASE"), ("in", "WORD"), ("lyon", "GPE")]
FILLED = [("curie met", "VERB_PHRASE"), ("pelé", "Athlete"), ("in", "WORD"), ("lyon", "GPE")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotate")
    nlp = make_nlp()
    assert train(nlp, examples(nlp), 60)[NAME] < 0.01
    nlp.to_disk(folder)
    return folder


def load(saved, **settings):
    return spacy.load(saved, config={f"components.{NAME}.{k}": v for k, v in settings.items()})


def found(doc):
    return [(ent.text, ent.label_) for ent in doc.ents]


@pytest.mark.parametrize(
    ("annotate", "ruler", "expected"),
    [
        ("overwrite", {"before": NAME}, OURS),
        ("overwrite", {"after": NAME}, [*OURS[:2], ("in", "WORD"), OURS[2]]),
        (
            "overwrite",
            {"after": NAME, "config": {"overwrite_ents": True}},
            FILLED,
        ),
        ("fill", {"before": NAME}, FILLED),
        ("spans", {"before": NAME}, RULES),
        ("spans", {"after": NAME}, RULES),
    ],
)
def test_beside_an_entity_ruler(saved, annotate, ruler, expected):
    nlp = load(saved, annotate=annotate)
    nlp.add_pipe("entity_ruler", **ruler).add_patterns(PATTERNS)
    doc = nlp(TEXT)
    assert found(doc) == expected
    coarse = {ent.text: ent._.coarse_label for ent in doc.ents}
    if annotate != "spans":
        assert coarse["pelé"] == "Person"
        assert coarse.get("curie met") is None
    assert doc.has_annotation("ENT_IOB")


def test_spans_are_written_with_their_coarse_labels(saved):
    nlp = load(saved, annotate="spans", spans_key="fine")
    doc = nlp(TEXT)
    assert doc.ents == ()
    assert [(s.text, s.label_) for s in doc.spans["fine"]] == OURS
    data = DocBin(docs=[doc]).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(nlp.vocab)
    assert again.spans["fine"].attrs["coarse_labels"] == ["Person", "Person", "Location"]
    assert len(nlp("").spans["fine"]) == 0


def test_fill_keeps_ids_and_leaves_blocked_tokens_alone(saved):
    nlp = load(saved, annotate="fill")
    doc = nlp.make_doc(TEXT)
    given = Span(doc, 3, 4, "Athlete", kb_id="Q12897")
    doc.set_ents([given], blocked=[doc[5:6]], default="missing")
    doc = nlp(doc)
    assert found(doc) == OURS[:2]
    assert [ent.kb_id_ for ent in doc.ents] == ["", "Q12897"]
    assert [token.ent_iob_ for token in doc] == ["B", "I", "O", "B", "O", "B"]
    assert doc[5].ent_type_ == "", "blocked, for the next component too"


def test_beside_spacys_ner_and_spancat(saved):
    """Their labels are not in the taxonomy, and so are no part of our scores."""
    both = spacy.blank("en")
    both.add_pipe("ner")
    both.add_pipe("spancat")
    gold = {"entities": [(16, 20, "GPE")], "spans": {"sc": [(0, 5, "FIRST_NAME")]}}
    data = [Example.from_dict(both.make_doc(TEXT), gold)]
    both.initialize(lambda: data)
    for _ in range(30):
        both.update(data)
    assert found(both(TEXT)) == [("pelé", "GPE")]
    both.add_pipe(NAME, source=load(saved, annotate="fill"))
    doc = both(TEXT)
    assert found(doc) == [OURS[0], ("pelé", "GPE"), OURS[2]]
    assert list(doc.spans) == ["sc"]
    scores = both.get_pipe(NAME).score(
        [Example(both(eg.reference.text), eg.reference) for eg in examples(both)[:1]]
    )
    assert scores["ents_p"] == 1.0
    assert scores["ents_r"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("annotate", ["overwrite", "fill", "spans"])
def test_scores_are_of_what_is_written(saved, annotate):
    nlp = load(saved, annotate=annotate)
    scores = nlp.evaluate(examples(nlp))
    for key in ("ents_f", "ents_macro_f", "ents_coarse_f", "ents_mention_f"):
        assert scores[key] == 1.0, key


def test_two_components_with_two_taxonomies_keep_both_coarse_labels(saved, tmp_path):
    nlp = load(saved, annotate="overwrite")
    nlp.add_pipe(
        NAME,
        name="second",
        config={"model": HASH_EMBED, "annotate": "spans", "spans_key": "second"},
    )
    data = examples(nlp)
    other = Taxonomy(dict.fromkeys(nlp.get_pipe(NAME).labels, "Anything"))
    second = nlp.get_pipe("second")
    second.initialize(lambda: data, nlp=nlp, taxonomy=other)
    sgd = nlp.resume_training()
    sgd.learn_rate = 0.01
    with nlp.select_pipes(enable="second"):
        for _ in range(60):
            losses = nlp.update(data, sgd=sgd)
    assert losses["second"] < 0.05
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        doc = pipeline(TEXT)
        assert [label for _, _, label in entities(doc)] == ["Person", "Person", "Location"]
        group = doc.spans["second"]
        assert [(s.text, s.label_) for s in group] == OURS
        assert group.attrs["coarse_labels"] == ["Anything"] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"annotate": "replace"}, "annotate of 'fine' is 'replace', expected 'overwrite', 'fill'"),
        ({"annotate": "spans", "spans_key": ""}, "spans_key of 'fine' is empty, expected a key"),
    ],
)
def test_wrong_settings_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        make_nlp("fine", **settings)
