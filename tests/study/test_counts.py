"""Counts of records and F1 of counts: against the scorer, and by hand."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from simulated import TYPES, found, gold
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import score_entities
from study.analysis import counts as c
from study.analysis.scores import Scores

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
            entities.append([number, "AB".index(label), 1, i % 2])
            hits += "1" if (i, label) in predicted else "0"
        false += [[number, "AB".index(x), i % 2] for i, x in predicted if (i, x) not in true]
    table = {"types": ["A", "B"], "words": [5] * len(pairs), "entities": entities}
    counts = c.sentence_counts({"hits": hits, "false": false}, table).sum(axis=(0, 1))
    assert_allclose(c.micro_f1(counts), scores["ents_f"] or 0.0)
    assert_allclose(c.macro_f1(counts), scores["ents_macro_f"] or 0.0)
    for label, f1 in zip("AB", c.type_f1(counts), strict=True):
        per_type = (scores["ents_per_type"] or {}).get(label)
        assert_allclose(f1, per_type["f"] if per_type else np.nan)


def test_a_record_of_other_data_is_refused():
    with pytest.raises(ValueError, match="3 entities and the gold table has 800"):
        c.sentence_counts({"hits": "101", "false": []}, gold())


def test_drawn_sentences_are_sums_over_them():
    table = gold(30)
    counts = c.sentence_counts(found(table, 0.5, 0), table).sum(axis=0)
    times = c.draw_sentences(30, 4)
    assert (times.sum(axis=1) == 30).all()
    for row, sums in zip(times, c.resampled(counts, times), strict=True):
        one_by_one = sum(counts[[i] * int(n)].sum(axis=0) for i, n in enumerate(row) if n)
        assert_allclose(sums, one_by_one)


def test_parts_make_up_the_whole():
    table = gold()
    scores = Scores([{"sets": {"valid": found(table, 0.5, 0)}}], "valid", table, draws=3)
    whole = scores.parts[0]
    for kind in ("length", "seen", "type"):
        parts = [part for part in scores.parts if part.kind == kind]
        assert sum(part.support for part in parts) == whole.support
        (run,) = scores._counts
        total = sum(scores._chosen(run, part).sum() for part in parts)
        assert total == scores._chosen(run, whole).sum()
    assert [p.value for p in scores.parts if p.kind == "type"] == list(TYPES)
    values, replicates = scores.of(whole, "micro")
    assert values.shape == (1,)
    assert replicates.shape == (1, 3)
