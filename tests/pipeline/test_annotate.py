"""Beside other components that write entities: who wins, and how it is scored."""

import re
import warnings

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


@pytest.mark.parametrize(
    ("annotate", "prefix"), [("overwrite", "ents"), ("fill", "ents"), ("spans", "spans_my_key")]
)
def test_scores_are_of_what_is_written_and_named_after_its_place(saved, annotate, prefix):
    nlp = load(saved, annotate=annotate, spans_key="my_key")
    scores = nlp.evaluate(examples(nlp))
    for key in ("f", "macro_f", "coarse_f", "mention_f"):
        assert scores[f"{prefix}_{key}"] == 1.0, key
    assert scores[f"{prefix}_predicted"] == scores[f"{prefix}_gold"] > 0
    assert {key for key in scores if key.startswith(("ents", "spans"))} == {
        key for key in scores if key.startswith(prefix)
    }


def told(caught) -> list[str]:
    return [str(w.message) for w in caught if "replaces" in str(w.message)]


@pytest.mark.parametrize(
    ("annotate", "message"),
    [
        ("overwrite", "replaces 3 entities .* in doc.ents .*'marie curie met.*'curie met' .VERB_"),
        ("fill", None),
        ("spans", None),
    ],
)
def test_what_somebody_else_wrote_and_this_replaces_is_said_once(saved, annotate, message):
    nlp = load(saved, annotate=annotate)
    nlp.add_pipe("entity_ruler", before=NAME).add_patterns(PATTERNS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for text in ("is there green tea ?", TEXT, TEXT):
            nlp(text)
    assert len(told(caught)) == (message is not None)
    if message is not None:
        assert re.search(message, told(caught)[0])
        assert 'to "fill" (they win) or "spans"' in told(caught)[0]


@pytest.mark.parametrize("annotate", ["overwrite", "spans"])
def test_a_doc_of_its_own_annotated_again_loses_nothing(saved, annotate):
    nlp = load(saved, annotate=annotate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(nlp(TEXT))


def test_a_span_group_of_somebody_else_is_told_too(saved):
    nlp = load(saved, annotate="spans", spans_key="ruler")
    nlp.add_pipe("span_ruler", before=NAME).add_patterns(PATTERNS)
    with pytest.warns(UserWarning, match=r"in doc.spans\['ruler'\] .*set spans_key in"):
        nlp(TEXT)


def test_annotate_can_be_set_later_and_is_saved(saved, tmp_path):
    """As where spaCy ignores the config of what is added with a source."""
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(PATTERNS)
    pipe = nlp.add_pipe(NAME, source=load(saved), config={"annotate": "fill"})
    assert pipe.annotate == "overwrite"
    pipe.annotate = "fill"
    assert found(nlp(TEXT)) == FILLED
    nlp.to_disk(tmp_path / "fill")
    again = spacy.load(tmp_path / "fill")
    assert again.get_pipe(NAME).annotate == "fill"
    assert found(again(TEXT)) == FILLED
    assert make_nlp().get_pipe(NAME).from_bytes(pipe.to_bytes()).annotate == "fill"
    # A config that says something else than it did then wins
    changed = load(tmp_path / "fill", annotate="spans")
    assert changed.get_pipe(NAME).annotate == "spans"
    again.get_pipe(NAME).annotate, again.get_pipe(NAME).spans_key = "spans", "fine"
    again.to_disk(tmp_path / "spans")
    doc = spacy.load(tmp_path / "spans")(TEXT)
    assert [(s.text, s.label_) for s in doc.spans["fine"]] == OURS
    assert found(doc) == RULES


@pytest.mark.parametrize(("setting", "value"), [("annotate", "all"), ("spans_key", "")])
def test_set_later_to_what_it_can_not_be_it_stays(saved, setting, value):
    pipe = load(saved, annotate="spans").get_pipe(NAME)
    with pytest.raises(ValueError, match=f"{setting} of 'finegrained_ner' is "):
        setattr(pipe, setting, value)
    assert (pipe.annotate, pipe.spans_key, pipe.cfg.get("annotate")) == ("spans", NAME, None)


def test_two_taxonomies_that_disagree_are_kept_apart_when_it_is_set_later(saved):
    nlp = load(saved)
    nlp.add_pipe(NAME, name="second", config={"model": HASH_EMBED, "annotate": "spans"})
    second = nlp.get_pipe("second")
    other = Taxonomy(dict.fromkeys(nlp.get_pipe(NAME).labels, "Anything"))
    second.initialize(lambda: examples(nlp), nlp=nlp, taxonomy=other)
    with pytest.raises(ValueError, match="would be anybody's guess"):
        second.annotate = "fill"
    assert second.annotate == "spans"


@pytest.mark.parametrize(
    ("other", "settings", "same"),
    [
        (NAME, {"annotate": "spans", "spans_key": "a"}, None),
        (NAME, {"annotate": "fill"}, r"ents_\*"),
        ("ner", {}, "ents_f, ents_p, ents_r, ents_per_type"),
        ("entity_ruler", {}, "ents_f, ents_p, ents_r, ents_per_type"),
        ("sentencizer", {}, None),
    ],
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_two_that_report_the_same_scores_are_told(other, settings, same, place):
    nlp = make_nlp()
    config = {"model": HASH_EMBED, **settings} if other == NAME else {}
    nlp.add_pipe(other, name="other", config=config, **{place: NAME})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp.initialize(lambda: examples(nlp))
    said = [str(w.message) for w in caught if "both report" in str(w.message)]
    assert len(said) == (same is not None)
    if same is not None:
        last = "other" if place == "after" else NAME
        assert re.search(rf"both report {same}: .*those of '{last}', which comes last", said[0])


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
