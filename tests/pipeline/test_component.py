"""The contract of the component."""

import numpy as np
import pytest
import spacy
import torch
from pipelines import LINEAR, SENTENCES, entities, examples, make_nlp, train
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, read_taxonomy

GOLD = [
    [("marie curie", "Scientist", "Person"), ("pelé", "Athlete", "Person")],
    [("serena williams", "Athlete", "Person"), ("green tea", "Drink", "Product")],
]


@pytest.fixture(scope="module")
def trained():
    nlp = make_nlp()
    losses = train(nlp, examples(nlp), 60)
    assert losses["finegrained_ner"] < 0.01
    return nlp


def torch_module(nlp):
    return nlp.get_pipe("finegrained_ner").model.get_ref("tagger").shims[0]._model


def test_entities_and_coarse_labels_after_overfitting(trained):
    docs = [
        trained(text)
        for text in ("marie curie met pelé in lyon", "serena williams drinks green tea")
    ]
    assert entities(docs[0]) == [*GOLD[0], ("lyon", "HumanSettlement", "Location")]
    assert entities(docs[1]) == GOLD[1]
    assert docs[0].has_annotation("ENT_IOB")


def test_scores_of_an_overfitted_pipeline_are_one(trained):
    scores = trained.evaluate(examples(trained))
    for key in ("ents_f", "ents_macro_f", "ents_coarse_f", "ents_coarse_macro_f", "ents_mention_f"):
        assert scores[key] == 1.0, key
    assert set(scores["ents_coarse_per_type"]) == {"Person", "Product", "Location"}


@pytest.mark.parametrize("way", ["disk", "bytes"])
def test_saved_and_loaded_predicts_the_same(trained, tmp_path, way):
    if way == "disk":
        trained.to_disk(tmp_path / "model")
        again = spacy.load(tmp_path / "model")
    else:
        again = make_nlp().from_bytes(trained.to_bytes())
    texts = [text.replace("/", " ") for text in SENTENCES]
    assert [entities(d) for d in again.pipe(texts)] == [entities(d) for d in trained.pipe(texts)]
    pipe = again.get_pipe("finegrained_ner")
    assert pipe.labels == ("Athlete", "Drink", "HumanSettlement", "Scientist")
    assert pipe.taxonomy.coarse_label("athlete") == "Person"
    docs = [Doc(trained.vocab, words=["pelé", "in", "lyon"])]
    pipes = (nlp.get_pipe("finegrained_ner") for nlp in (trained, again))
    (ours,), (theirs,) = (pipe.model.predict(docs) for pipe in pipes)
    for one, other in zip(ours.tasks[0], theirs.tasks[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_saved_before_initialize_it_can_be_initialized_later(tmp_path):
    make_nlp().to_disk(tmp_path / "model")
    nlp = spacy.load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"E109.*finegrained_ner.*nlp.initialize"):
        nlp("pelé")
    assert train(nlp, examples(nlp), 40)["finegrained_ner"] < 0.1


def test_pipe_equals_call_on_every_kind_of_short_text(trained):
    texts = [
        "",
        " ",
        "pelé",
        "\n\t",
        "marie  curie met pelé",
        "👍🏽 pelé",
        "a" * 500,
        "",
        "居里夫人 حب",
    ]
    assert [entities(d) for d in trained.pipe(texts, batch_size=3)] == [
        entities(trained(text)) for text in texts
    ]


def test_a_docbin_with_user_data_keeps_the_coarse_labels(trained):
    doc = trained("serena williams drinks green tea")
    data = DocBin(docs=[doc], store_user_data=True).to_bytes()
    (again,) = DocBin().from_bytes(data).get_docs(trained.vocab)
    assert entities(again) == GOLD[1]


def test_empty_docs_train_and_predict():
    nlp = make_nlp()
    data = examples(nlp)
    empty = Example(Doc(nlp.vocab), Doc(nlp.vocab))
    train(nlp, [*data, empty], 2)
    assert nlp.update([empty]) == {"finegrained_ner": 0.0}
    assert nlp.get_pipe("finegrained_ner").predict([Doc(nlp.vocab)]) == [Prediction()]


def test_random_weights_never_give_an_entity_with_a_space_at_its_end():
    nlp = make_nlp(model=LINEAR)
    nlp.initialize(lambda: examples(nlp))
    linear = torch_module(nlp).head["fine"].emissions
    found = 0
    for seed in range(20):
        weights = np.random.default_rng(seed).normal(0, 5, (9, 32)).astype("f")
        linear.weight.data = torch.from_numpy(weights)
        for text in ("a  b \n c   d  ", " x  y", "one two   three\n\n"):
            for ent in nlp(text).ents:
                found += 1
                assert not ent[0].is_space, (text, ent)
                assert not ent[-1].is_space, (text, ent)
    assert found > 20


def test_broken_weights_are_an_error_not_a_tag(trained):
    nlp = make_nlp().from_bytes(trained.to_bytes())
    torch_module(nlp).head["fine"].emissions.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"not finite.*earlier checkpoint"):
        nlp("pelé")


def test_labels_of_the_data_keep_their_spelling_and_get_their_coarse_type():
    nlp = make_nlp()
    nlp.initialize(lambda: examples(nlp, ["abba/B-MusicalGrp sang/O", "ibm/B-PublicCORP"]))
    pipe = nlp.get_pipe("finegrained_ner")
    assert pipe.labels == ("MusicalGrp", "PublicCORP")
    assert pipe.taxonomy.coarse_of["PublicCORP"] == "Group"


def test_a_label_outside_the_taxonomy_is_named():
    nlp = make_nlp()
    data = examples(nlp, ["smaug/B-Dragon sleeps/O", "pelé/B-Athlete too/O"])
    with pytest.raises(TaxonomyError, match=r"multiconer2.toml.* has 1 of 2 .*not \['Dragon'\]"):
        nlp.initialize(lambda: data)
    message = (
        r"^text 'smaug sleeps': The label 'Dragon' is not in the taxonomy \(multiconer2.toml\)"
    )
    with pytest.raises(TaxonomyError, match=message):
        nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=read_taxonomy())
    two = ["green/O tea/B-DRINK", "tea/B-Drink"]
    with pytest.raises(
        TaxonomyError, match=r"'DRINK' \(text 'green tea'\) and 'Drink' \(text 'tea'"
    ):
        nlp.initialize(lambda: examples(nlp, two))


def test_own_taxonomy():
    nlp = make_nlp()
    data = examples(nlp, ["smaug/B-Dragon sleeps/O", "a/O silver/B-Metal ring/O"])
    nlp.get_pipe("finegrained_ner").initialize(
        lambda: data, taxonomy=Taxonomy({"Dragon": "Beast", "Metal": "Thing"}), nlp=nlp
    )
    assert nlp.get_pipe("finegrained_ner").taxonomy.coarse == ("Beast", "Thing")


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda p, nlp: p.add_label("Dragon"), ValueError, "'Dragon' can't be added.*taxonomy"),
        (lambda p, nlp: p.initialize(lambda: None), TypeError, "E930"),
        (lambda p, nlp: p.initialize([]), TypeError, "E930"),
        (lambda p, nlp: p.update([nlp.make_doc("pelé")]), TypeError, "E978"),
        (
            lambda p, nlp: p.initialize(lambda: examples(nlp, ["no/O one/O"])),
            ValueError,
            "found no entities in the training data",
        ),
        (
            lambda p, nlp: p.update(examples(nlp, ["ibm/B-PublicCorp"])),
            ValueError,
            "'PublicCorp' at token 0 of 'ibm.*' is not one of the labels",
        ),
    ],
)
def test_wrong_use_is_told(trained, action, error, message):
    nlp = make_nlp().from_bytes(trained.to_bytes())
    with pytest.raises(error, match=message):
        action(nlp.get_pipe("finegrained_ner"), nlp)


def test_initialize_again_starts_anew_also_with_other_labels(trained):
    nlp = make_nlp().from_bytes(trained.to_bytes())
    losses = train(nlp, examples(nlp, ["ibm/B-PublicCorp hired/O marie/B-Scientist"]), 40)
    assert losses["finegrained_ner"] < 0.05
    assert nlp.get_pipe("finegrained_ner").labels == ("PublicCorp", "Scientist")
    assert entities(nlp("ibm hired marie"))[0] == ("ibm", "PublicCorp", "Group")
    again = make_nlp().from_bytes(nlp.to_bytes())
    assert entities(again("ibm hired marie")) == entities(nlp("ibm hired marie"))


def test_two_components_with_two_taxonomies():
    nlp = make_nlp("first")
    model = nlp.get_pipe_config("first")["model"]
    nlp.add_pipe("finegrained_ner", name="second", config={"model": model, "annotate": "spans"})
    data = examples(nlp)
    first, second = nlp.get_pipe("first"), nlp.get_pipe("second")
    first.initialize(lambda: data, nlp=nlp)
    other = Taxonomy(dict.fromkeys(first.labels, "Anything"))
    second.initialize(lambda: data, nlp=nlp, taxonomy=other)
    assert first.taxonomy.coarse_label("Drink") == "Product"
    assert second.taxonomy.coarse_label("Drink") == "Anything"


def test_a_step_that_comes_later():
    """False is how spacy train says so, and tells it each component."""
    nlp = make_nlp()
    data = examples(nlp)
    nlp.initialize(lambda: data)
    component = nlp.get_pipe("finegrained_ner")
    before = component.model.to_bytes()
    assert component.update(data, sgd=False)["finegrained_ner"] > 0
    assert component.model.to_bytes() == before
    component.finish_update(nlp.create_optimizer())
    assert component.model.to_bytes() != before
