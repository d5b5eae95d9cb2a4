"""A head with more labels: every weight of before is where it was, by name of its tag."""

import numpy as np
import pytest
import spacy
import torch
from pipelines import HASH_EMBED, LINEAR, examples, make_nlp, train
from spacy.tokens import Doc

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, read_taxonomy
from spacy_finegrained_ner.nn.tagger_module import TaggerModule
from spacy_finegrained_ner.pipeline.growth import add_labels

NAME = "finegrained_ner"
COARSE = {"@misc": "spacy-finegrained-ner.CoarseTask.v1"}
BILSTM = {"@layers": "spacy-finegrained-ner.BiLSTM.v1", "width": 16, "layers": 1, "dropout": 0.0}
BLENDING = {"@layers": "spacy-finegrained-ner.blend_concatenate.v1", "window": 1}
WHOLE = HASH_EMBED | {"sequence": BILSTM, "blending": BLENDING | {"place": "sequence"}}


def trained(**config):
    nlp = make_nlp(**config)
    train(nlp, examples(nlp), 15)
    return nlp, nlp.get_pipe(NAME)


def scores(component, training=False):
    docs = [Doc(component.vocab, words=["pelé", "met", "green", "tea"])]
    if not training:
        return [np.array(x) for x in component.model.predict(docs)[0].tasks[0]]
    batch, _ = component.model.begin_update(docs)
    return [np.array(x) for x in batch[0].tasks[1]]


@pytest.mark.parametrize("model", [HASH_EMBED, LINEAR, WHOLE], ids=["crf", "linear", "whole"])
def test_scores_of_old_tags_are_what_they_were(model):
    _, component = trained(model=model, auxiliary=COARSE)
    before, coarse_before = scores(component), scores(component, training=True)
    old, old_coarse = component._tag_set, component._auxiliary_tag_set
    add_labels(component, ["Vehicle", "Software", "Drink"], read_taxonomy())
    assert component.labels == (*old.labels, "Vehicle", "Software")
    new, new_coarse = component._tag_set, component._auxiliary_tag_set
    assert "CreativeWork" in new_coarse.labels  # a new coarse type, in the midst of the others
    for tags, wider, here, there in (
        (old, new, before, scores(component)),
        (old_coarse, new_coarse, coarse_before, scores(component, training=True)),
    ):
        ids = [wider.ids[tag] for tag in tags.tags]
        np.testing.assert_allclose(there[0][..., ids], here[0], rtol=1e-4, atol=1e-5)
        assert there[0].shape[-1] == len(wider)
        if len(here) > 1:
            np.testing.assert_array_equal(there[1][np.ix_(ids, ids)], here[1])
            np.testing.assert_array_equal(there[2][ids], here[2])
            np.testing.assert_array_equal(there[3][ids], here[3])


def test_it_is_saved_loaded_and_trained_on(tmp_path):
    nlp, component = trained(auxiliary=COARSE)
    component.temperatures = {"path": 2.0, "label": 1.0}
    add_labels(component, ["Vehicle"], read_taxonomy())
    assert component.temperatures == {}
    nlp.to_disk(tmp_path)
    again = spacy.load(tmp_path)
    for ours, theirs in zip(scores(component), scores(again.get_pipe(NAME)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.get_pipe(NAME).taxonomy.coarse_label("Vehicle") == "Product"
    again.update(examples(again), sgd=again.resume_training())


def test_what_is_there_already_is_no_change():
    _, component = trained()
    weights = component.model.to_bytes()
    add_labels(component, ["athlete", "Drink"])
    assert component.model.to_bytes() == weights


def test_flat_labels_need_no_taxonomy():
    nlp = make_nlp()
    flat = Taxonomy({x: x for x in ("Athlete", "Drink", "HumanSettlement", "Scientist")})
    nlp.get_pipe(NAME).initialize(lambda: examples(nlp), taxonomy=flat)
    add_labels(nlp.get_pipe(NAME), ["Car"])
    assert nlp.get_pipe(NAME).taxonomy.coarse_label("Car") == "Car"


def test_what_is_not_possible_is_said_and_changes_nothing():
    nlp, component = trained(model=HASH_EMBED | {"blending": BLENDING | {"place": "emissions"}})
    component.temperatures = {"path": 2.0}
    weights, labels = component.model.to_bytes(), component.labels
    with pytest.raises(TaxonomyError, match="'Wug' is not"):
        add_labels(component, ["Wug"])
    with pytest.raises(TaxonomyError, match="'Drink' stands under 'Food', and under 'Product'"):
        add_labels(component, ["Wug"], Taxonomy({"Wug": "Animal", "Drink": "Food"}))
    with pytest.raises(ValueError, match="mixes all tags"):
        add_labels(component, ["Wug"], Taxonomy({"Wug": "Animal"}))
    assert (component.model.to_bytes(), component.labels) == (weights, labels)
    assert component.temperatures == {"path": 2.0}
    assert component.predict([nlp.make_doc("pelé")])
    with pytest.raises(ValueError, match="E109"):
        add_labels(make_nlp().get_pipe(NAME), ["Wug"])


def test_modules_of_other_parts_do_not_mix():
    def module(**more):
        parts = {"dropout": 0.0, "sequence": None, "blending": None, "place": "", "crf": True}
        return TaggerModule(width=4, tags=[3], **(parts | more))

    with pytest.raises(ValueError, match="other parts"):
        module().take_over(module(crf=False), [torch.arange(3)])
