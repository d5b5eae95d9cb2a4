import numpy as np
import pytest
from made import READ, TAXONOMY, VOCAB, doc, examples, read_sure
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import flat_taxonomy
from spacy_finegrained_ner.report.outcomes import (
    BOUNDARY,
    INVENTED,
    MISSED,
    RIGHT,
    WRONG_COARSE,
    WRONG_FINE,
    outcomes,
    read_training,
)


def shown(marks):
    return [(mark.start, mark.end, mark.label, mark.outcome, mark.other) for mark in marks]


def test_each_entity_has_the_outcome_that_one_sees():
    first, second, third = outcomes(examples(), TAXONOMY, READ)
    assert shown(first.gold) == [
        (0, 1, "Artist", RIGHT, "Artist"),
        (2, 3, "Athlete", WRONG_FINE, "Artist"),
        (4, 5, "City", WRONG_COARSE, "Artist"),
    ]
    assert shown(first.predicted) == [
        (0, 1, "Artist", RIGHT, "Artist"),
        (2, 3, "Artist", WRONG_FINE, "Athlete"),
        (4, 5, "Artist", WRONG_COARSE, "City"),
    ]
    assert shown(second.gold) == [
        (0, 2, "City", BOUNDARY, None),
        (3, 4, "River", MISSED, None),
    ]
    assert shown(second.predicted) == [
        (1, 2, "City", BOUNDARY, None),
        (4, 5, "Artist", INVENTED, None),
    ]
    assert (third.words, third.marks) == (["nothing ", "here "], [])
    assert [mark.surface for mark in second.gold] == ["new york", "rhine"]
    assert [mark.coarse for mark in second.gold] == ["Place", "Place"]


def test_flat_labels_have_no_wrong_fine_type():
    taxonomy = flat_taxonomy(["Artist", "City", "River"])  # Athlete is in no training data
    first, _, _ = outcomes(examples(), taxonomy, READ)
    assert [mark.outcome for mark in first.gold] == [RIGHT, WRONG_COARSE, WRONG_COARSE]
    assert [mark.coarse for mark in first.gold] == ["Artist", "Athlete", "City"]


def test_a_text_of_which_nothing_is_known_is_left_out():
    unknown = Example(doc("anna/B-Artist"), Doc(VOCAB, words=["anna"]))
    assert outcomes([unknown], TAXONOMY, READ) == []


def test_facts_are_those_of_the_entity():
    (text, *_) = outcomes(examples(), TAXONOMY, read_sure)
    assert [mark.facts["confidence"] for mark in text.predicted] == [0.4] * 3
    assert not any(mark.facts for mark in text.gold)


@pytest.mark.parametrize(("gold", "outcome"), [("City", BOUNDARY), (None, INVENTED)])
def test_a_part_of_a_word_of_the_gold_is_at_its_place(gold, outcome):
    reference = Doc(VOCAB, words=["in", "newyork", "city"])
    reference.set_ents([Span(reference, 1, 2, gold)] if gold else [], default="outside")
    found = Doc(VOCAB, words=["in", "new", "york", "city"])
    found.set_ents([Span(found, 2, 3, "City")])
    (text,) = outcomes([Example(found, reference)], TAXONOMY, READ)
    assert shown(text.predicted) == [(1, 2, "City", outcome, None)]
    assert [mark.outcome for mark in text.gold] == ([BOUNDARY] if gold else [])


def test_spans_of_a_group_may_overlap():
    """Each prediction has an outcome of its own; the gold entity is found."""
    example = examples([("new/B-City york/I-City", "new/O york/O")])[0]
    group = [(0, 2, "City"), (0, 2, "River"), (1, 2, "City")]
    (text,) = outcomes([example], TAXONOMY, lambda _: type(READ(example.x))(group))
    assert [mark.outcome for mark in text.gold] == [RIGHT]
    assert [mark.outcome for mark in text.predicted] == [RIGHT, WRONG_FINE, BOUNDARY]


def test_training_data_is_counted_by_type_and_surface():
    docs = [doc("Anna/B-Artist met/O"), doc("anna/B-Athlete in/O new/B-City york/I-City")]
    training = read_training(docs, TAXONOMY)
    assert training.types == {"Artist": 1, "Athlete": 1, "City": 1}
    assert training.surfaces == {"anna", "new york"}


def random_examples(seed: int = 0, sentences: int = 60) -> list[Example]:
    """Spans of one to three words, some of them moved, relabelled, dropped or made up."""
    rng = np.random.default_rng(seed)

    def made(spans) -> Doc:
        one = Doc(VOCAB, words=["w"] * 12)
        one.set_ents([Span(one, s, e, label) for s, e, label in spans], default="outside")
        return one

    pairs = []
    for _ in range(sentences):
        sides = []
        for _ in range(2):
            kept = rng.random(4) < 0.7
            lengths, labels = rng.integers(1, 3, 4), rng.choice(TAXONOMY.fine, 4)
            sides.append(
                [(3 * i, 3 * i + int(lengths[i]), str(labels[i])) for i in range(4) if kept[i]]
            )
        pairs.append(Example(made(sides[0]), made(sides[1])))
    return pairs


def test_the_texts_keep_what_scores_are_made_of():
    texts = outcomes(random_examples(), TAXONOMY, READ)
    for text in texts:
        predicted, gold = text.spans
        assert {(m.start, m.end, m.label) for m in text.gold} == gold
        assert {(m.start, m.end, m.label) for m in text.predicted} == predicted
        right = {(m.start, m.end, m.label) for m in text.gold if m.outcome == RIGHT}
        assert right == predicted & gold
