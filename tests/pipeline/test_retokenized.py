"""Tokens that change, and transformers that come, between the encoder and the component."""

import pytest
import spacy
from listening import make_listening
from pipelines import entities, examples, train
from spacy.language import Language
from spacy.training import Example
from test_nothing_known import with_encoder
from thinc.api import Adam

NAME = "finegrained_ner"
TEXT = "ok serena drinks green tea in lyon"


@Language.component("split_ok", retokenizes=True)
def split_ok(doc):
    with doc.retokenize() as retokenizer:
        for token in doc:
            if token.text == "ok":
                retokenizer.split(token, ["o", "k"], heads=[token, token])
    return doc


@Language.component("merge_first_two", retokenizes=True)
def merge_first_two(doc):
    if len(doc) > 1:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[:2])
    return doc


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("listening")
    nlp = make_listening(folder / "encoder")
    train(nlp, examples(nlp), 40)
    nlp.to_disk(folder / "model")
    return folder / "model"


@pytest.fixture
def nlp(model) -> Language:
    return spacy.load(model)


@pytest.mark.parametrize(
    ("component", "seen", "now"), [("split_ok", 7, 8), ("merge_first_two", 7, 6)]
)
def test_between_the_two_it_is_told_and_behind_it_is_right(nlp, model, component, seen, now):
    expected = entities(nlp(TEXT))
    nlp.add_pipe(component, before=NAME)
    message = rf"listens to a transformer.*'ok serena.* it saw {seen}, and there are {now}.*merged"
    with pytest.raises(ValueError, match=message):
        nlp(TEXT)
    with pytest.raises(ValueError, match=message):
        list(nlp.pipe(["lyon", TEXT]))
    assert entities(nlp("lyon")) == entities(spacy.load(model)("lyon"))  # nothing is amiss
    nlp.remove_pipe(component)
    nlp.add_pipe(component)
    assert entities(nlp(TEXT))[-1] == expected[-1] == ("lyon", "HumanSettlement", "Location")
    nlp.remove_pipe(component)
    nlp.add_pipe(component, first=True)
    assert len(nlp(TEXT)) == now


@Language.component("shift", retokenizes=True)
def shift(doc):
    """As many tokens as before, and others."""
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
        retokenizer.split(doc[2], [doc[2].text[:1], doc[2].text[1:]], heads=[doc[2], doc[2]])
    return doc


def test_as_many_tokens_as_before_are_told_by_our_encoder(tmp_path):
    nlp = with_encoder(tmp_path)
    nlp.initialize(lambda: examples(nlp))
    nlp.add_pipe("shift", before=NAME)
    doc = nlp.make_doc(TEXT)
    assert len(shift(doc.copy())) == len(doc)
    with pytest.raises(ValueError, match="merged or split tokens"):
        nlp(doc)


def test_in_training_it_is_told_too(nlp):
    nlp.add_pipe("split_ok", before=NAME)
    example = Example(nlp.make_doc(TEXT), nlp.make_doc(TEXT))
    with pytest.raises(ValueError, match=r"tokens are no longer those.*merged or split") as error:
        nlp.update([example], sgd=Adam(0.01), annotates=["split_ok"])
    assert "Mismatched" in str(error.value.__cause__)


def test_a_second_transformer_in_between_is_told(nlp):
    """A Doc has the vectors of the last one only."""
    own = nlp.get_pipe(NAME).model.get_ref("tok2vec")
    listener = next(node for node in own.walk() if node.name == "transformer-listener")
    expected = entities(nlp(TEXT))
    config = {"model": nlp.get_pipe_config("transformer")["model"]}
    nlp.add_pipe("transformer", name="other", config=config, before=NAME)
    nlp.get_pipe("other").model.initialize()
    assert listener.upstream_name == "*"  # any: that is the last one
    nlp(TEXT)
    listener.upstream_name = "transformer"
    with pytest.raises(ValueError, match=r"'transformer'.*'other' comes between.*replace_list"):
        nlp(TEXT)
    nlp.remove_pipe("other")
    nlp.add_pipe("transformer", name="other", config=config)
    nlp.get_pipe("other").model.initialize()
    assert entities(nlp(TEXT)) == expected
