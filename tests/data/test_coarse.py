"""The coarse label as a fact that follows from the label, and whose taxonomy says so."""

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.coarse import TABLE, coarse_label, share_taxonomy


def labelled(vocab: Vocab, *labels: str) -> list[str | None]:
    doc = Doc(vocab, words=["a"])
    return [coarse_label(Span(doc, 0, 1, label)) for label in labels]


def test_a_vocab_knows_what_it_was_told_and_nothing_else():
    vocab = Vocab()
    assert labelled(vocab, "X", "") == [None, None]
    share_taxonomy(vocab, "one", {"X": "C", "Y": "D"})
    assert labelled(vocab, "X", "Y", "Z", "x", "") == ["C", "D", None, "C", None]
    assert labelled(Vocab(), "X") == [None]


def test_two_components_share_a_vocab_where_they_agree():
    vocab = Vocab()
    share_taxonomy(vocab, "one", {"X": "C"})
    share_taxonomy(vocab, "two", {"X": "C", "Y": "D"})
    share_taxonomy(vocab, "one", {"X": "C"})
    assert labelled(vocab, "X", "Y") == ["C", "D"]


def test_where_they_disagree_both_are_named_and_nothing_changes():
    vocab = Vocab()
    share_taxonomy(vocab, "one", {"X": "C"})
    for owner, replace in (("two", False), ("two", True), ("one", False)):
        other = "'one'" if owner == "two" else "a component of the same name"
        with pytest.raises(ValueError, match=rf"'{owner}' has 'x' under 'D', and {other}, which"):
            share_taxonomy(vocab, owner, {"Y": "D", "x": "D"}, replace=replace)
    assert labelled(vocab, "X", "Y") == ["C", None]


def test_the_remedy_of_the_message_is_one():
    vocab = Vocab()
    share_taxonomy(vocab, "gone", {"X": "C"})
    with pytest.raises(ValueError, match=r"If the other is gone: (.*)") as error:
        share_taxonomy(vocab, "new", {"X": "D"})
    nlp = spacy.blank("en")
    nlp.vocab.lookups = vocab.lookups
    exec(str(error.value).rpartition(": ")[2], {"nlp": nlp})
    share_taxonomy(vocab, "new", {"X": "D"})
    assert labelled(vocab, "X") == ["D"]


def test_initialized_anew_a_component_replaces_its_own_only():
    vocab = Vocab()
    share_taxonomy(vocab, "one", {"X": "C", "Y": "C"})
    share_taxonomy(vocab, "two", {"Z": "C"})
    share_taxonomy(vocab, "one", {"X": "D"}, replace=True)
    assert labelled(vocab, "X", "Y", "Z") == ["D", None, "C"]


def test_two_pipelines_with_components_of_one_name():
    vocab = Vocab()
    share_taxonomy(vocab, "one", {"X": "C"})
    share_taxonomy(vocab, "one", {"Y": "D"})
    assert labelled(vocab, "X", "Y") == ["C", "D"]


def test_it_is_small_on_disk_and_comes_back(tmp_path):
    vocab = Vocab()
    share_taxonomy(vocab, "one", {f"X{i}": "C" for i in range(300)})
    before = len(Vocab().lookups.to_bytes())
    assert len(vocab.lookups.to_bytes()) - before < 20_000
    vocab.to_disk(tmp_path)
    again = Vocab().from_disk(tmp_path)
    assert labelled(again, "X7", "X300") == ["C", None]
    assert labelled(Vocab().from_bytes(vocab.to_bytes()), "X7") == ["C"]
    assert TABLE in again.lookups
