"""A listener without what it listens to: why, and what to do."""

import io

import pytest
import spacy
from listening import make_listening
from pipelines import HASH_EMBED, examples, train
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_loop
from thinc.api import Adam

NAME = "finegrained_ner"


def without(name: str):
    """A trained pipeline in which what the component listens to does not run."""

    def change(nlp):
        if name == "disabled":
            nlp.disable_pipe(nlp.pipe_names[0])
        elif name == "removed":
            nlp.remove_pipe(nlp.pipe_names[0])
        else:
            nlp.add_pipe(nlp.pipe_names[0], source=nlp, name="late")
            nlp.remove_pipe(nlp.pipe_names[0])
        return nlp

    return change


def make_tok2vec_listening():
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec", config={"model": HASH_EMBED["tok2vec"]})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    nlp.add_pipe(NAME, config={"model": {**HASH_EMBED, "tok2vec": listener}})
    return nlp


@pytest.mark.parametrize("change", ["disabled", "removed", "late"])
@pytest.mark.parametrize("kind", ["transformer", "tok2vec"])
def test_a_listener_without_what_it_listens_to_is_told_not_fed_zeros(kind, change, tmp_path):
    nlp = make_listening(tmp_path) if kind == "transformer" else make_tok2vec_listening()
    train(nlp, examples(nlp), 1)
    assert len(nlp("pelé in lyon")) == 3
    nlp = without(change)(nlp)
    message = (
        rf"'finegrained_ner' listens to a {kind} \('\*'\), but none has run on the text 'pelé in "
        rf"lyon'.*Have an enabled {kind} before.*nlp.replace_listeners\('{kind}', 'finegrained_ner'"
    )
    with pytest.raises(ValueError, match=message):
        nlp("pelé in lyon")
    with pytest.raises(ValueError, match=message):
        list(nlp.pipe(["pelé in lyon"]))
    assert nlp("").text == ""


@pytest.mark.parametrize("order", ["alone", "after"])
def test_initialized_without_a_transformer_before_it(order, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe(NAME)
    if order == "after":
        config = make_listening(tmp_path).get_pipe_config("transformer")
        config.pop("factory")
        nlp.add_pipe("transformer", config=config)
    cause = {"alone": "has no component of the factory 'transformer'", "after": "comes after it"}
    message = r"listens to a transformer \('\*'\), but none before it is initialized.*"
    with pytest.raises(ValueError, match=message + cause[order]):
        nlp.initialize(lambda: examples(nlp))


def test_frozen_as_the_message_says_it_trains(tmp_path):
    """From a trained pipeline, and annotating; or else spaCy says what is missing."""
    nlp = make_listening(tmp_path / "encoder")
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(tmp_path / "trained")
    before = nlp.get_pipe("transformer").model.transformer.state_dict()
    DocBin(docs=[eg.reference for eg in examples(nlp)]).to_disk(tmp_path / "data.spacy")
    config = nlp.config.copy()
    config["components"]["transformer"] = {"source": str(tmp_path / "trained")}
    for corpus in config["corpora"].values():
        corpus["path"] = str(tmp_path / "data.spacy")
    config["training"] |= {"max_steps": 2, "frozen_components": ["transformer"]}
    with pytest.raises(ValueError, match=r"E203.*annotating components"):
        train_loop(init_nlp(config), stdout=io.StringIO())
    config["training"]["annotating_components"] = ["transformer"]
    nlp, _ = train_loop(init_nlp(config), stdout=io.StringIO())
    for name, weights in nlp.get_pipe("transformer").model.transformer.state_dict().items():
        assert weights.equal(before[name]), name


@pytest.mark.parametrize("frozen", [False, True])
def test_initialized_with_a_transformer_that_is_disabled(tmp_path, frozen):
    """As spacy train disables what is frozen."""
    nlp = make_listening(tmp_path)
    if frozen:
        nlp.config["training"]["frozen_components"] = ["transformer"]
        message = r"'transformer' is in \[training\] frozen_components.*freeze\.v1"
    else:
        message = (
            r"'transformer' is disabled \(nlp\.enable_pipe.*Have an enabled transformer before"
        )
    with (
        nlp.select_pipes(disable="transformer"),
        pytest.raises(ValueError, match=message),
    ):
        nlp.initialize(lambda: examples(nlp))


def test_initialized_by_hand_before_its_transformer(tmp_path):
    nlp = make_listening(tmp_path)
    with pytest.raises(ValueError, match="'transformer' is there, but is not initialized"):
        nlp.get_pipe(NAME).initialize(lambda: examples(nlp), nlp=nlp)


def test_annotating_in_training_without_what_it_listens_to(tmp_path):
    nlp = make_listening(tmp_path)
    data = examples(nlp)
    nlp.initialize(lambda: data)
    sgd = Adam(0.01)
    message = (
        r"'transformer' is before it, but has not run on this text. .* name 'transformer', too, in "
        r"annotates of nlp.update, or in \[training\] annotating_components"
    )
    with pytest.raises(ValueError, match=message):
        nlp.update(data, sgd=sgd, annotates=[NAME])
    nlp.update(data, sgd=sgd, annotates=["transformer", NAME])
    with pytest.raises(ValueError, match=r"By hand, have 'transformer' annotate the Doc first"):
        nlp.get_pipe(NAME)(nlp.make_doc("pelé in lyon"))


def test_a_name_that_is_none_of_the_pipeline(tmp_path):
    nlp = make_listening(tmp_path)
    nlp.initialize(lambda: examples(nlp))
    assert len(nlp("pelé in lyon")) == 3
    for node in nlp.get_pipe(NAME).model.walk():
        if node.name == "transformer-listener":
            node.upstream_name = "trf"
    message = (
        r"would be tagged from the vectors of 'transformer'.*has \['transformer'\], and none of"
    )
    with pytest.raises(ValueError, match=message):
        nlp("pelé in lyon")


def test_trained_without_its_transformer_spacy_says_what_is_missing(tmp_path):
    nlp = make_listening(tmp_path)
    train(nlp, examples(nlp), 1)
    nlp.disable_pipe("transformer")
    with pytest.raises(ValueError, match=r"E203.*annotating components"):
        nlp.update(examples(nlp))
