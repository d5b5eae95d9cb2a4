"""What a pipeline gets wrong, by kind, and a pipeline tuned on some of it."""

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.plan.corrections import divided
from study.runs.corrected import errors, kinds, wrong

TREE = read_taxonomy()
VOCAB = spacy.blank("en").vocab


def example(gold, found, words=10):
    """gold, found: start, end and label of entities."""
    docs = []
    for spans in (found, gold):
        doc = Doc(VOCAB, words=[f"w{n}" for n in range(words)])
        doc.set_ents([Span(doc, *span) for span in spans])
        docs.append(doc)
    return Example(*docs)


def test_each_error_has_its_kind():
    gold = [(0, 2, "Artist"), (3, 4, "Food"), (5, 6, "Drink"), (7, 9, "Station")]
    found = [(0, 2, "Athlete"), (3, 5, "Food"), (6, 7, "Symptom"), (7, 9, "Station")]
    assert sorted(kinds(example(gold, found), TREE)) == [
        ("", "Symptom"),
        ("Artist", "Athlete"),
        ("Drink", ""),
        ("Food", "Food"),
    ]
    assert kinds(example(gold, gold), TREE) == []


def test_what_overlaps_a_missed_entity_is_counted_once():
    """The kind is that of what covers most of it."""
    one = example([(0, 5, "Artist")], [(0, 1, "Food"), (1, 4, "Athlete"), (4, 5, "Drink")])
    assert kinds(one, TREE) == [("Artist", "Athlete")]
    two = example([(0, 2, "Artist"), (2, 4, "Food")], [(0, 4, "Drink")])
    assert kinds(two, TREE) == [("Artist", "Drink"), ("Food", "Drink")]


def test_errors_are_of_the_corrected_kinds_or_others():
    right = example([(0, 1, "Food")], [(0, 1, "Food")])
    confused = example([(0, 1, "Food")], [(0, 1, "Drink")])
    missed = example([(0, 1, "Food")], [])
    assert wrong([right, confused, right, missed, confused], 2, TREE) == [confused, missed]
    before, after = [confused, confused, missed], [right, confused, right]
    assert errors([confused, missed], [right, missed], before, after, TREE) == {
        "of their kinds": [3, 1],
        "others": [0, 0],
        "corrected": [2, 1],
        "kinds": [2],
        "texts": [2],
    }
    some = errors([confused], [confused], before, after, TREE)
    assert (some["of their kinds"], some["others"], some["corrected"]) == ([2, 1], [1, 0], [1, 1])


def test_what_is_corrected_is_not_scored():
    docs = [example([], []).reference for _ in range(300)]
    train = [example([], []).reference for _ in range(500)]
    parts = divided({"valid": docs, "train": train})
    assert len(parts["valid_corrected"]) == 30
    both = parts["valid_corrected"] + parts["valid_rest"]
    assert sorted(map(id, both)) == sorted(map(id, docs))
    assert len(parts["remembered"]) == 400
    assert {*map(id, parts["remembered"])} <= {*map(id, train)}
    again = divided({"valid": docs, "train": train})
    assert [*map(id, again["valid_rest"])] == [*map(id, parts["valid_rest"])]
