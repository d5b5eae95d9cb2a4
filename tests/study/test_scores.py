"""Counts of records and F1 of counts: against the scorer, and by hand."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from simulated import TYPES, found, gold, record
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.bootstrap import f_scores
from spacy_finegrained_ner.scoring.scorer import score_entities
from study.analysis.scores import draw_sentences, resampled, score_parts, sentence_counts
from study.plan.stages import Run
from study.runs.records import Found, Gold

NLP = spacy.blank("en")
TAXONOMY = Taxonomy(dict.fromkeys(("A", "B"), "Thing"), "test")
SPANS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("AB")), unique_by=lambda s: s[0])


def example(predicted, gold) -> Example:
    docs = []
    for spans in (predicted, gold):
        doc = Doc(NLP.vocab, words=list("vwxyz"))
        doc.set_ents([Span(doc, i, i + 1, label) for i, label in spans], default="outside")
        docs.append(doc)
    return Example(*docs)


@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=5))
def test_f1_is_the_scorers(pairs):
    scores = score_entities([example(*pair) for pair in pairs], taxonomy=TAXONOMY)
    entities, hits, false = [], "", []
    for number, (predicted, true) in enumerate(pairs):
        for i, label in sorted(true):
            entities.append((number, "AB".index(label), 1, i % 2))
            hits += "1" if (i, label) in predicted else "0"
        false += [(number, "AB".index(x), i % 2) for i, x in predicted if (i, x) not in true]
    table = Gold(["A", "B"], [5] * len(pairs), entities)
    counts = sentence_counts(Found({}, hits, false), table).sum(axis=(0, 1))
    micro, macro = f_scores(counts)
    assert_allclose(micro, scores["ents_f"] or 0.0)
    assert_allclose(macro, scores["ents_macro_f"] or 0.0)


def test_a_record_of_other_data_is_refused():
    with pytest.raises(ValueError, match="3 entities and the gold table has 800"):
        sentence_counts(Found({}, "101"), gold())


def test_drawn_sentences_are_sums_over_them():
    table = gold(30)
    counts = sentence_counts(found(table, 0.5, 0), table)
    times = draw_sentences(30, 4)
    assert (times.sum(axis=1) == 30).all()
    for row, sums in zip(times, resampled(counts, times), strict=True):
        one_by_one = sum(counts[[i] * int(n)].sum(axis=0) for i, n in enumerate(row) if n)
        assert_allclose(sums, one_by_one)


def test_parts_make_up_the_whole():
    table = gold()
    run = Run("a", "arms", "default", 0, ())
    scores = score_parts([record(run, {"valid": table}, 0.5, 0)], "valid", table, draws=3)
    every = [part for part, metric in scores if metric == "micro"]
    whole = every[0]
    for kind in ("length", "seen", "type", "rarity"):
        parts = [part for part in every if part.kind == kind]
        assert sum(part.support for part in parts) == whole.support
    assert [p.value for p in every if p.kind == "type"] == list(TYPES)
    for metric in ("micro", "macro"):
        assert scores[whole, metric].shape == (1, 4)


def test_the_f1_of_a_part_is_that_of_its_entities():
    """Against counts by hand, on the sentences as they are."""
    table = gold(60)
    run = Run("a", "arms", "default", 0, ())
    one = record(run, {"valid": table}, 0.5, 0)
    scores = score_parts([one], "valid", table, draws=2)
    result = one.sets["valid"]
    chosen = {
        ("seen", "seen"): lambda sentence, label, seen: seen == 1,
        ("length", "1 to 10"): lambda sentence, label, seen: table.words[sentence] <= 10,
        ("length", "22 and more"): lambda sentence, label, seen: table.words[sentence] >= 22,
        ("type", "Drink"): lambda sentence, label, seen: TYPES[label] == "Drink",
    }
    for part, _ in scores:
        if inside := chosen.get((part.kind, part.value)):
            hits = [h for h, (s, x, _, k) in zip(result.hits, table.entities, strict=True)
                    if inside(s, x, k)]  # fmt: skip
            false = sum(inside(*row) for row in result.false)
            assert part.support == len(hits)
            expected = 2 * hits.count("1") / (len(hits) + hits.count("1") + false)
            assert_allclose(scores[part, "micro"][:, 0], [expected])
    named = {part.value: scores[part, "micro"][:, 0] for part, _ in scores}
    assert_allclose(named["unseen less seen"], named["unseen"] - named["seen"])


def test_no_sentence_of_a_length_is_a_sum_of_nothing():
    """As of a small set, in which no sentence is that long."""
    counts = np.zeros((0, 2, 3, 3), dtype=np.int64)
    assert (resampled(counts, np.zeros((4, 0))) == np.zeros((4, 2, 3, 3))).all()
