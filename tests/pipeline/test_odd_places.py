"""Odd texts at every place of every batch: in initialize, in training, in prediction."""

import pytest
import spacy
from encoders import tiny_bert
from listening import make_listening
from pipelines import LINEAR, examples, make_nlp
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_finegrained_ner.ml.encoder import NAME as LAYERS

ODD = ["", " ", "\n\t", "\u200b", "\ufffd", "👍🏽", "a" * 300, "e\u0301", "\u202etfel"]
KINDS = ["own_tok2vec", "linear", "transformer", "layers", "own_encoder"]


def make(kind: str, folder) -> Language:
    if kind == "own_tok2vec":
        return make_nlp()
    if kind == "linear":
        return make_nlp(model=LINEAR)
    nlp = make_listening(folder)
    if kind == "layers":
        nlp = spacy.blank("en")
        encoder = {
            "@architectures": LAYERS, "name": str(tiny_bert(folder)), "layers": 2,
            "combine": "average", "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
        }  # fmt: skip
        nlp.add_pipe("transformer", config={"model": encoder})
        nlp.add_pipe("finegrained_ner", config={"model": {"dropout": 0.0, "blending": None}})
    return nlp


def odd(nlp: Language, text: str) -> Example:
    """Annotated: there is no entity in it."""
    reference = nlp.make_doc(text)
    reference.set_ents([], default="outside")
    return Example(nlp.make_doc(text), reference)


@pytest.mark.parametrize("kind", KINDS)
def test_they_train_at_every_place(kind, tmp_path):
    fix_random_seed(0)
    nlp = make(kind, tmp_path)
    for text in ODD[:3]:
        first = [odd(nlp, text), *examples(nlp)]
        nlp.initialize(lambda data=first: data)
    if kind == "own_encoder":
        nlp.replace_listeners("transformer", "finegrained_ner", ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    sgd = Adam(0.01)
    good = examples(nlp)
    for text in ODD:
        for place in range(3):
            batch = [*good[:place], odd(nlp, text), *good[place:2]]
            losses = nlp.update(batch, sgd=sgd)
            assert losses["finegrained_ner"] > 0
        nlp.update([odd(nlp, text), odd(nlp, "")], sgd=sgd)
    assert nlp.update([odd(nlp, ""), odd(nlp, "")], sgd=sgd)["finegrained_ner"] == 0
    for _ in range(100):
        losses = nlp.update([odd(nlp, ""), *examples(nlp), odd(nlp, " ")], sgd=sgd)
        if losses["finegrained_ner"] < 0.1:
            break
    assert losses["finegrained_ner"] < 0.5
    texts = [*ODD, "pelé in lyon", *ODD]
    together = [doc.to_json()["ents"] for doc in nlp.pipe(texts, batch_size=7)]
    assert together == [nlp(text).to_json()["ents"] for text in texts]
    assert together[len(ODD)]


@pytest.mark.parametrize("kind", ["own_tok2vec", "layers"])
def test_with_given_labels_no_example_has_to_have_tokens(kind, tmp_path):
    nlp = make(kind, tmp_path)
    pipe = nlp.get_pipe("finegrained_ner")
    if kind == "layers":
        nlp.get_pipe("transformer").initialize(lambda: [odd(nlp, "")], nlp=nlp)
    pipe.initialize(lambda: [odd(nlp, "")] * 3, nlp=nlp, labels=["Drink"])
    width = pipe.model.get_ref("tagger").get_dim("nI")
    assert width == 32
    assert {ent.label_ for ent in nlp("green tea").ents} <= {"Drink"}


def test_only_empty_docs_are_predicted_as_such():
    nlp = make_nlp()
    nlp.initialize(lambda: examples(nlp))
    docs = [Doc(nlp.vocab)] * 3
    assert all(not p.entities for p in nlp.get_pipe("finegrained_ner").predict(docs))
