"""Texts in a file, and what is told from them."""

import pytest
import spacy

from spacy_finegrained_ner.data.files import read_texts


@pytest.mark.parametrize(
    ("written", "texts", "entities"),
    [
        ("what is vitamin B-12\n", ["what is vitamin B-12"], 0),
        ("blood type O\n\nwhat is vitamin B-12\n", ["blood type O", "what is vitamin B-12"], 0),
        ("a O\nvolvo B-Vehicle\n", ["a volvo"], 1),
        ("a _ _ O\n\nvolvo _ _ B-Vehicle\n", ["a", "volvo"], 1),
        ("a O\nmy O\nvolvo Vehicle-B\n70 Vehicle-I\n", ["a my volvo 70"], 1),
        ("the O\n\nvolvo Vehicle-B\nor O\n", ["the", "volvo or"], 1),
        ("type C-B\nalso C-I\n", ["type C-B", "also C-I"], 0),
        ("tomar B-12\ncompro o\n", ["tomar B-12", "compro o"], 0),
        ("type C-B\nor C-B\n", ["type C-B", "or C-B"], 0),
        ("a volvo\nB-12\n", ["a volvo", "B-12"], 0),
    ],
)
def test_a_text_that_ends_like_a_tag_is_no_gold(tmp_path, written, texts, entities):
    path = tmp_path / "texts.txt"
    path.write_text(written, encoding="utf-8")
    docs = read_texts(spacy.blank("en"), path)
    assert [doc.text.strip() for doc in docs] == texts
    assert sum(len(doc.ents) for doc in docs) == entities
