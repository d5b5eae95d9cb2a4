"""Parts of speech in `crf_ner`: where they come from, and what is said where there are none."""

import pytest
import spacy
from pipelines import examples
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from tagged import TEXTS, WITH_POS, make_crf

AMBIGUOUS = [("lyon", "PROPN"), ("lyon", "VERB"), ("pelé", "PROPN"), ("pelé", "VERB")] * 3


def pos_examples(nlp: Language, *, with_pos: bool) -> list[Example]:
    found = []
    for word, pos in AMBIGUOUS:
        words = ["a", word, "b"]
        tags = ["O", "B-HumanSettlement" if pos == "PROPN" else "O", "O"]
        predicted = Doc(nlp.vocab, words=words, pos=["X", pos, "X"] if with_pos else None)
        found.append(Example(predicted, Doc(nlp.vocab, words=words, ents=tags)))
    return found


@pytest.mark.filterwarnings("ignore:.*looked for parts of speech")
@pytest.mark.parametrize(("with_pos", "setting", "right"), [(True, True, 1.0), (True, False, 0.5)])
def test_where_only_the_part_of_speech_tells_it_is_learned(with_pos, setting, right):
    nlp = make_crf(features={"pos": setting})
    data = pos_examples(nlp, with_pos=with_pos)
    nlp.initialize(lambda: data)
    correct = 0
    for example in pos_examples(nlp, with_pos=with_pos):
        doc = nlp.get_pipe("crf_ner")(example.predicted)
        correct += [e.text for e in doc.ents] == [e.text for e in example.reference.ents]
    assert correct / len(AMBIGUOUS) == right


def test_what_comes_before_it_sets_the_parts_of_speech_in_training_too(recwarn):
    nlp = make_crf(before=("set_pos",), **WITH_POS)
    data = examples(nlp, ["the/O tea/B-Drink", "slowly/O the/O lyon/B-HumanSettlement met/O"])
    nlp.initialize(lambda: data)
    assert nlp.get_pipe("crf_ner").cfg["pos"] == ["token.pos_", "token.tag_"]
    assert not data[0].predicted.has_annotation("POS"), "a copy was annotated"
    assert nlp.evaluate(examples(nlp, ["the/O tea/B-Drink"]))["ents_f"] == 1.0
    assert not [w for w in recwarn if "crf_ner" in str(w.message)]


@pytest.mark.filterwarnings("ignore:.*found parts of speech in the training data, but all")
def test_also_where_it_is_frozen_or_sourced_and_disabled_meanwhile():
    nlp = make_crf(before=("set_pos",), **WITH_POS)
    with nlp.select_pipes(disable=["set_pos"]):  # as spacy train does
        nlp.initialize(lambda: examples(nlp))
    assert nlp.get_pipe("crf_ner").cfg["pos"] == ["token.pos_", "token.tag_"]


def test_without_parts_of_speech_it_says_so_once_and_goes_on():
    nlp = make_crf(**WITH_POS)
    with pytest.warns(UserWarning, match=r"token.pos_, token.tag_.*none.*trained tagger") as found:
        nlp.initialize(lambda: examples(nlp))
    assert len(found) == 1
    assert nlp.evaluate(examples(nlp))["ents_f"] == 1.0


def test_a_tagger_behind_it_is_named():
    nlp = make_crf(**WITH_POS)
    nlp.add_pipe("set_pos")
    with pytest.warns(UserWarning, match=r"\['set_pos'\] .*come\(s\) after it: move 'crf_ner'"):
        nlp.initialize(lambda: examples(nlp))


def test_a_tagger_that_knows_nothing_yet_is_told():
    nlp = spacy.blank("en")
    nlp.add_pipe("tagger")
    nlp.add_pipe("crf_ner", config=WITH_POS)
    data = examples(nlp)
    for example in data:
        for token in example.reference:
            token.tag_ = "NN" if token.i else "DT"
    with pytest.warns(UserWarning, match=r"all \d+ are '(NN|DT)': is the tagger.*trained already"):
        nlp.initialize(lambda: data)


@pytest.mark.filterwarnings("ignore:.*found parts of speech in the training data, but all")
def test_trained_with_parts_of_speech_and_run_without_is_told_once():
    nlp = make_crf(before=("set_pos",), **WITH_POS)
    nlp.initialize(lambda: examples(nlp))
    nlp.remove_pipe("set_pos")
    with pytest.warns(UserWarning, match="trained with token.pos_ and token.tag_") as found:
        list(nlp.pipe(["", *TEXTS]))
    assert len(found) == 1


# Training data
