import numpy as np
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.bootstrap import (
    bootstrap,
    f_scores,
    sentence_counts,
    type_intervals,
)
from spacy_finegrained_ner.scoring.scorer import score_entities

VOCAB = spacy.blank("en").vocab
TAXONOMY = Taxonomy({"X": "C", "Y": "C", "Z": "D"})


def doc(labels: str) -> Doc:
    """A label for each token that is an entity; `.` is none."""
    made = Doc(VOCAB, words=["w"] * len(labels))
    made.set_ents([Span(made, i, i + 1, x) for i, x in enumerate(labels) if x != "."])
    return made


def data(seed: int = 0, sentences: int = 60) -> list[Example]:
    rng = np.random.default_rng(seed)
    gold = ["".join(rng.choice(list("XYZ."), 4)) for _ in range(sentences)]
    found = [
        "".join(x if rng.random() < 0.7 else rng.choice(list("XYZ.")) for x in g) for g in gold
    ]
    return [Example(doc(f), doc(g)) for f, g in zip(found, gold, strict=True)]


def test_the_counts_of_all_sentences_give_the_scores_of_the_scorer():
    examples = data()
    scores = score_entities(examples, taxonomy=TAXONOMY)
    micro, macro = f_scores(sentence_counts(examples, TAXONOMY).sum(axis=0))
    assert micro == pytest.approx(scores["ents_f"])
    assert macro == pytest.approx(scores["ents_macro_f"])


def test_the_intervals_are_quantiles_of_scores_of_drawn_sentences():
    examples = data()
    rng = np.random.default_rng(3)
    drawn = []
    for _ in range(40):
        sample = [examples[i] for i in rng.integers(len(examples), size=len(examples))]
        scores = score_entities(sample, taxonomy=TAXONOMY)
        drawn.append((scores["ents_f"], scores["ents_macro_f"]))
    low, high = np.quantile(np.array(drawn), [0.05, 0.95], axis=0)
    found = bootstrap(examples, 40, seed=3, level=0.9, taxonomy=TAXONOMY)
    assert found["ents_f"] == pytest.approx((low[0], high[0]))
    assert found["ents_macro_f"] == pytest.approx((low[1], high[1]))


def test_the_intervals_of_a_type_are_over_the_samples_that_have_it():
    examples = [*data(sentences=20), Example(doc("W"), doc("X"))]
    taxonomy = Taxonomy({**TAXONOMY.coarse_of, "W": "D"})
    rng = np.random.default_rng(3)
    drawn = {label: [] for label in "WXYZ"}
    for _ in range(40):
        sample = [examples[i] for i in rng.integers(len(examples), size=len(examples))]
        for label, score in score_entities(sample, taxonomy=taxonomy)["ents_per_type"].items():
            drawn[label].append(score["f"])
    assert len(drawn["W"]) < 40
    found = type_intervals(sentence_counts(examples, taxonomy), 40, seed=3, level=0.9)
    for interval, scores in zip(found, drawn.values(), strict=True):
        assert interval == pytest.approx(np.quantile(scores, [0.05, 0.95]))
    once = type_intervals(np.array([[[1, 0, 0], [0, 0, 0]]]), 1)
    assert once == [(1.0, 1.0), None]


def test_more_sentences_make_it_narrower_and_the_score_lies_within():
    few, many = data(1, 30), data(1, 480)
    width = {}
    for examples in (few, many):
        low, high = bootstrap(examples, 300, taxonomy=TAXONOMY)["ents_f"]
        assert low < score_entities(examples, taxonomy=TAXONOMY)["ents_f"] < high
        width[len(examples)] = high - low
    assert width[30] / width[480] == pytest.approx(4, rel=0.5)


def test_where_all_is_right_there_is_no_spread():
    perfect = [Example(doc(x), doc(x)) for x in ("XY.", "Z..", "...")]
    assert bootstrap(perfect, 50, taxonomy=TAXONOMY)["ents_f"][1] == 1.0
    assert bootstrap([Example(doc("X"), doc("X"))], 50, taxonomy=TAXONOMY) == {
        "ents_f": (1.0, 1.0),
        "ents_macro_f": (1.0, 1.0),
    }


def test_nothing_to_score():
    nothing = {"ents_f": None, "ents_macro_f": None}
    assert bootstrap([], 5, taxonomy=TAXONOMY) == nothing
    assert bootstrap([Example(doc(".."), doc(".."))], 5, taxonomy=TAXONOMY) == nothing
    with pytest.raises(ValueError, match="0 samples, expected at least 1"):
        bootstrap([], 0, taxonomy=TAXONOMY)


def test_a_sample_without_entities_has_no_score():
    """Of three sentences one has an entity, which is found: no sample says anything but 1."""
    examples = [Example(doc(x), doc(x)) for x in ("X", ".", ".")]
    assert bootstrap(examples, 50, taxonomy=TAXONOMY) == {
        "ents_f": (1.0, 1.0),
        "ents_macro_f": (1.0, 1.0),
    }
