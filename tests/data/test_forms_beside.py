"""What stands in labelled data beside its entities, or in place of words."""

import json

from spacy.tokens import Doc, Span
from test_forms_dirt import GOLD, NLP, read, shown


def test_groups_of_spans_beside_the_entities_of_a_doc(tmp_path):
    words, ents = GOLD[0]
    doc = Doc(NLP.vocab, words=words)
    doc.ents = [Span(doc, *ent) for ent in ents]
    doc.spans["sc"] = [doc[0:3], doc[1:2]]
    (again,), found = read(tmp_path, "a.jsonl", doc.to_json())
    assert shown(again) == "B-Drink I-Drink O B-City"
    assert found == {}


def test_a_tag_without_a_word_and_a_text_without_tokens_are_counted(tmp_path):
    rows = [
        {"tokens": ["green", ""], "ner_tags": ["O", "B-Drink"]},
        {"tokens": [], "ner_tags": []},
        {"tokens": ["tea", " "], "ner_tags": ["B-Drink", "O"]},
    ]
    text = "\n".join(map(json.dumps, rows))
    docs, found = read(tmp_path, "a.jsonl", text)
    assert [shown(doc) for doc in docs] == ["O", "B-Drink"]
    assert found == {
        "no such place": [("a.jsonl:1", "no word for the tag B-Drink")],
        "no text": [("a.jsonl:2", "no tokens")],
    }


def test_tags_with_their_letter_behind_the_label(tmp_path):
    rows = "green\tDrink-B\ntea\tDrink-I\nin\tO\nRome\tCity-B\n\n"
    (doc,), found = read(tmp_path, "a.conll", rows)
    assert shown(doc) == "B-Drink I-Drink O B-City"
    assert found == {}
    (doc,), _ = read(tmp_path, "a.conll", rows, scheme="labels")
    assert shown(doc) == "B-Drink-B B-Drink-I O B-City-B"
