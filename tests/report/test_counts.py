from collections import Counter

import numpy as np
import pytest
from made import READ, TAXONOMY, examples, read_sure
from test_outcomes import random_examples

from spacy_finegrained_ner.labels.taxonomy import flat_taxonomy
from spacy_finegrained_ner.report.counts import (
    FREQUENCIES,
    LENGTHS,
    SEEN,
    UNSEEN,
    bands,
    by_frequency,
    by_length,
    by_seen,
    confusion,
    headline,
    precision_by_coverage,
    tally,
)
from spacy_finegrained_ner.report.outcomes import (
    BOUNDARY,
    INVENTED,
    KINDS,
    MISSED,
    RIGHT,
    WRONG_COARSE,
    WRONG_FINE,
    Training,
    outcomes,
)
from spacy_finegrained_ner.scoring.judgements import judge
from spacy_finegrained_ner.scoring.scorer import score_entities


def made(texts=None, read=READ):
    return outcomes(examples() if texts is None else texts, TAXONOMY, read)


def prf(counted):
    return counted.score.tp, counted.score.fp, counted.score.fn


def test_each_outcome_is_counted_on_its_side():
    every = tally(made())[""]
    assert every.gold == {RIGHT: 1, WRONG_FINE: 1, WRONG_COARSE: 1, BOUNDARY: 1, MISSED: 1}
    assert every.predicted == {RIGHT: 1, WRONG_FINE: 1, WRONG_COARSE: 1, BOUNDARY: 1, INVENTED: 1}
    assert prf(every) == (1, 4, 4)
    assert [every.cell(kind) for kind in KINDS] == [1] * 5


def test_the_gain_is_that_of_mending_one_kind():
    every = tally(made())[""]
    # Of 5 gold and 5 found entities 1 is right
    assert every.gain(WRONG_FINE) == pytest.approx(4 / 10 - 2 / 10)
    assert every.gain(BOUNDARY) == pytest.approx(4 / 10 - 2 / 10)
    assert every.gain(MISSED) == pytest.approx(4 / 11 - 2 / 10)
    assert every.gain(INVENTED) == pytest.approx(2 / 9 - 2 / 10)


def test_two_parts_of_one_entity_are_mended_to_one():
    texts = made(examples([("new/B-City york/I-City", "new/B-City york/B-City")]))
    every = tally(texts)[""]
    assert (every.gold[BOUNDARY], every.predicted[BOUNDARY]) == (1, 2)
    assert every.gain(BOUNDARY) == 1.0


def test_groups_by_type_length_frequency_and_training():
    texts = made()
    types = tally(texts, lambda _, mark: mark.label)
    assert {label: prf(one) for label, one in types.items()} == {
        "Artist": (1, 3, 0),
        "Athlete": (0, 0, 1),
        "City": (0, 1, 2),
        "River": (0, 0, 1),
    }
    lengths = tally(texts, by_length)
    assert {name: prf(one) for name, one in lengths.items()} == {
        "1 to 5": (1, 2, 2),
        "6 to 10": (0, 2, 2),
    }
    seen = tally(texts, by_seen(Training({}, {"anna", "rhine"})))
    assert {name: prf(one) for name, one in seen.items()} == {SEEN: (1, 0, 1), UNSEEN: (0, 4, 3)}
    frequency = tally(texts, by_frequency(Counter(Artist=9, City=10)))
    assert {name: prf(one) for name, one in frequency.items()} == {
        "1 to 9": (1, 3, 0),
        "0": (0, 0, 2),
        "10 to 49": (0, 1, 2),
    }


def test_bands_name_what_is_in_them():
    assert bands(LENGTHS) == ["1 to 5", "6 to 10", "11 to 20", "21 to 40", "41 or more"]
    assert bands(FREQUENCIES)[:2] == ["0", "1 to 9"]
    assert bands(FREQUENCIES)[-1] == "1,000 or more"


def test_what_a_type_is_taken_for():
    assert confusion(made()) == {
        "Artist": {},
        "Athlete": {("Artist", WRONG_FINE): 1},
        "City": {("Artist", WRONG_COARSE): 1},
        "River": {},
    }


def test_sums_are_those_of_the_scorer():
    data = random_examples()
    scores = score_entities(data, taxonomy=TAXONOMY)
    texts = made(data)
    every = tally(texts)[""]
    assert all(every.gold[k] + every.predicted[k] for k in KINDS)  # of each there are some
    assert every.score.fscore == pytest.approx(scores["ents_f"])
    for group in (by_length, by_frequency(Counter(City=7)), lambda _, mark: mark.label):
        parts = [prf(one) for one in tally(texts, group).values()]
        assert tuple(map(sum, zip(*parts, strict=True))) == prf(every)
    for label, one in tally(texts, lambda _, mark: mark.label).items():
        found = scores["ents_per_type"][label]
        assert (one.score.precision, one.score.recall) == (found["p"], found["r"])
    named = {(s.level, s.mean): s for s in headline(texts, False, 200)}
    prefixes = {
        ("fine types", "micro"): "ents",
        ("fine types", "macro"): "ents_macro",
        ("coarse types", "micro"): "ents_coarse",
        ("coarse types", "macro"): "ents_coarse_macro",
        ("mentions", "micro"): "ents_mention",
    }
    assert named.keys() == prefixes.keys()
    for key, prefix in prefixes.items():
        s = named[key]
        assert (s.p, s.r, s.f.value) == tuple(scores[f"{prefix}_{x}"] for x in "prf")
        assert s.f.low < s.f.value < s.f.high


def test_flat_labels_have_no_coarse_scores():
    taxonomy = flat_taxonomy(TAXONOMY.fine)
    scores = headline(outcomes(examples(), taxonomy, READ), True, 10)
    assert [(s.level, s.mean) for s in scores] == [
        ("types", "micro"),
        ("types", "macro"),
        ("mentions", "micro"),
    ]


def test_what_is_right_is_what_calibration_says():
    found = judge(examples(), TAXONOMY, read_sure)
    assert found.right.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_precision_falls_as_more_is_given():
    coverage, precision = precision_by_coverage(
        np.array([0.2, 0.9, 0.5, 0.5]), np.array([False, True, True, False])
    )
    # The two of 0.5 come together
    assert coverage.tolist() == [0.25, 0.75, 1.0]
    assert precision.tolist() == [1.0, pytest.approx(2 / 3), 0.5]
