"""Every kind of gold: what is known is learned, what is not known is left open, what is wrong is
told."""

import warnings

import pytest
import spacy
from pipelines import LINEAR, entities, examples, make_nlp, train
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam

from spacy_finegrained_ner.data.gold import label_only
from spacy_finegrained_ner.labels.taxonomy import TaxonomyError

NAME = "finegrained_ner"
CRF = LINEAR | {"decoder": "crf"}
TEXT = "marie curie met pelé in lyon"
WORDS = TEXT.split()
SCIENTIST, ATHLETE = (0, 11, "Scientist"), (16, 20, "Athlete")


def offsets(nlp, *entities):
    return Example.from_dict(nlp.make_doc(TEXT), {"entities": list(entities)})


def biluo(nlp, *tags):
    return Example.from_dict(nlp.make_doc(TEXT), {"entities": list(tags)})


def retokenized(nlp, words, spaces):
    """Predicted on other tokens than the gold."""
    return Example(Doc(nlp.vocab, words=words, spaces=spaces), offsets(nlp, ATHLETE).reference)


def missing(nlp):
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 0, 2, "Scientist")], missing=[doc[3:6]], default="outside")
    return Example(nlp.make_doc(TEXT), doc)


# The Example, and what of it is known: the tags of the predicted tokens, ? for not known.
GOLD = {
    "all known": (
        lambda nlp: offsets(nlp, SCIENTIST, ATHLETE),
        "Scientist Scientist O Athlete O O",
    ),
    "no entities": (lambda nlp: offsets(nlp), "O O O O O O"),
    "dash": (
        lambda nlp: biluo(nlp, "B-Scientist", "L-Scientist", "-", "U-Athlete", "-", "O"),
        "Scientist Scientist ? Athlete ? O",
    ),
    "None": (
        lambda nlp: biluo(nlp, "B-Scientist", "L-Scientist", None, "U-Athlete", None, "O"),
        "Scientist Scientist ? Athlete ? O",
    ),
    "missing spans": (missing, "Scientist Scientist O ? ? ?"),
    "offsets inside a token": (lambda nlp: offsets(nlp, (0, 8, "Scientist")), "? ? O O O O"),
    "finer tokens": (
        lambda nlp: retokenized(nlp, [*WORDS[:3], "pe", "lé", *WORDS[4:]], [1, 1, 1, 0, 1, 1, 0]),
        "O O O Athlete Athlete O O",
    ),
    "coarser tokens": (
        lambda nlp: retokenized(nlp, [*WORDS[:2], "met pelé", *WORDS[4:]], [1, 1, 1, 1, 0]),
        "O O ? O O",
    ),
}


@pytest.mark.filterwarnings("ignore:.*W030")
@pytest.mark.parametrize("kind", GOLD)
def test_what_is_known_is_learned(kind):
    nlp = make_nlp(model=CRF)
    make, known = GOLD[kind]
    example = make(nlp)
    labels = ["Scientist", "Athlete"]
    nlp.get_pipe(NAME).initialize(lambda: [example], nlp=nlp, labels=labels)
    sgd = Adam(0.01)
    for _ in range(40):
        losses = nlp.update([example], sgd=sgd)
    assert losses[NAME] < 0.1
    doc = nlp(Doc(nlp.vocab, words=[t.text for t in example.predicted]))
    for token, tag in zip(doc, known.split(), strict=True):
        assert tag in ("?", token.ent_type_ or "O"), token


@pytest.mark.filterwarnings("ignore:.*W030")
@pytest.mark.parametrize("kind", ["dash", "None", "missing spans", "offsets inside a token"])
def test_what_is_not_known_is_not_learned_as_outside(kind):
    """The same sentence fully annotated beside it decides."""
    nlp = make_nlp(model=CRF)
    make, known = GOLD[kind]
    example, full = make(nlp), offsets(nlp, SCIENTIST, ATHLETE, (24, 28, "HumanSettlement"))
    if kind == "offsets inside a token":
        full = biluo(nlp, "B-Scientist", "L-Scientist", "O", "O", "O", "O")
    train(nlp, [example, full], 60)
    wanted = [t.ent_type_ or "O" for t in full.reference]
    found = [t.ent_type_ or "O" for t in nlp(TEXT)]
    unknown = [i for i, tag in enumerate(known.split()) if tag == "?"]
    assert [found[i] for i in unknown] == [wanted[i] for i in unknown]


def test_a_batch_without_anything_known_changes_nothing():
    nlp = make_nlp(model=CRF)
    train(nlp, examples(nlp), 2)
    nothing = Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT))
    model = nlp.get_pipe(NAME).model
    before = model.predict([nlp.make_doc(TEXT)])[0].tasks[0][0]
    assert nlp.update([nothing], sgd=Adam(0.1))[NAME] == 0.0
    assert (model.predict([nlp.make_doc(TEXT)])[0].tasks[0][0] == before).all()


def test_overlapping_entities_are_refused_by_spacy_itself():
    nlp = make_nlp(model=CRF)
    with pytest.raises(ValueError, match=r"E103.*conflicting doc.ents.*doc.spans instead"):
        offsets(nlp, SCIENTIST, (6, 11, "Athlete"))


def test_gold_in_spans_only_is_told_what_to_do():
    nlp = make_nlp(model=CRF)
    doc = nlp.make_doc(TEXT)
    doc.spans["sc"] = [Span(doc, 0, 2, "Scientist"), Span(doc, 1, 2, "Athlete")]
    message = r"found no entities.*doc.spans \(\['sc'\]\), which are not read.*set_ents.*spancat"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: [Example(nlp.make_doc(TEXT), doc)])


def test_a_label_that_came_too_late_is_named_with_what_to_do():
    nlp = make_nlp(model=CRF)
    train(nlp, [offsets(nlp, SCIENTIST)], 1)
    before = nlp.get_pipe(NAME).model.to_bytes()
    message = r"'Athlete' at token 3 of 'marie curie.*\['Scientist'\]. Initialize with data or lab"
    with pytest.raises(ValueError, match=message):
        nlp.update([offsets(nlp, ATHLETE)], sgd=Adam(0.1))
    assert nlp.get_pipe(NAME).model.to_bytes() == before


def test_a_type_that_only_the_dev_data_has_counts_as_missed():
    nlp = make_nlp(model=CRF)
    train(nlp, [offsets(nlp, SCIENTIST)], 60)
    scores = nlp.evaluate([offsets(nlp, SCIENTIST, ATHLETE)])
    assert scores["ents_p"] == 1.0
    assert scores["ents_r"] == 0.5
    assert scores["ents_macro_f"] == 0.5
    assert scores["ents_per_type"]["Athlete"]["r"] == 0.0
    assert scores["ents_coarse_r"] == 0.5


def test_a_type_of_the_dev_data_outside_the_taxonomy_is_named():
    nlp = make_nlp(model=CRF)
    train(nlp, [offsets(nlp, SCIENTIST)], 1)
    with pytest.raises(
        TaxonomyError, match=r"'Dragon' is not in the taxonomy.*add what is missing"
    ):
        nlp.evaluate([offsets(nlp, (0, 5, "Dragon"))])


def test_dev_data_without_entities_and_without_annotation():
    nlp = make_nlp(model=CRF)
    train(nlp, [offsets(nlp, SCIENTIST)], 60)
    plain = spacy.blank("en")
    nothing_known = Example(nlp.make_doc(TEXT), plain.make_doc(TEXT))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nlp.evaluate([nothing_known])["ents_f"] is None
        assert nlp.evaluate([offsets(nlp)])["ents_p"] == 0.0
        assert nlp.evaluate([nothing_known, offsets(nlp, SCIENTIST)])["ents_f"] == 1.0


def test_labels_in_another_case_are_learned_and_scored_as_what_they_are():
    nlp = make_nlp(model=CRF)
    train(nlp, [offsets(nlp, SCIENTIST)], 60)
    start, end, label = SCIENTIST
    other = offsets(nlp, (start, end, label.upper()))
    scores = nlp.evaluate([other])
    assert scores["ents_f"] == scores["ents_coarse_f"] == 1.0
    same = [nlp.update([eg], sgd=False)[NAME] for eg in (other, offsets(nlp, SCIENTIST))]
    assert same[0] == same[1]


def test_a_gold_entity_that_ends_in_whitespace_can_be_found():
    nlp = make_nlp(model=CRF)
    words = ["marie", "curie", "\n", " ", "met"]
    gold = Doc(nlp.vocab, words=words, ents=["B-Scientist", *["I-Scientist"] * 3, "O"])
    example = Example(Doc(nlp.vocab, words=words), gold)
    assert train(nlp, [example], 60)[NAME] < 0.1
    assert nlp.evaluate([example])["ents_f"] == 1.0


def test_where_only_a_new_type_is_labelled_the_others_are_not_unlearned():
    """Marie is labelled only as what she is in the new data; pelé is none of its business."""
    nlp = make_nlp(model=CRF)
    old = examples(nlp)
    (new,) = examples(nlp, ["pelé/O met/O serena/O and/O green/B-Drink tea/I-Drink"])
    label_only(new.reference, ["Drink"])
    train(nlp, old, 60)
    before = entities(nlp("marie curie met pelé in lyon"))
    sgd = Adam(0.01)
    for _ in range(30):
        nlp.update([new], sgd=sgd)
    found = entities(nlp(new.predicted.text))
    assert ("pelé", "Athlete", "Person") in found
    assert [label for _, label, _ in found].count("Drink") == 1
    assert entities(nlp("marie curie met pelé in lyon")) == before
