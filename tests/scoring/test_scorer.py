import warnings
from itertools import pairwise

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from spacy.scorer import Scorer
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.data.gold import label_only
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError
from spacy_finegrained_ner.scoring.scorer import (
    EntityCounts,
    build_scorer_v1,
    entity_spans,
    score_entities,
)

VOCAB = spacy.blank("en").vocab
TAXONOMY = {"Artist": "Person", "Athlete": "Person", "Food": "Product"}
TAGS = ["O", *(f"{prefix}-{label}" for label in TAXONOMY for prefix in "BI")]


def legal(tags: list[str]) -> list[str]:
    """An I- without its beginning becomes a B-; this way every legal sequence is drawn."""
    out = ["O"]
    for tag in tags:
        goes_on = tag[0] != "I" or out[-1][1:] == tag[1:]
        out.append(tag if goes_on else "B" + tag[1:])
    return out[1:]


SEQUENCE = st.integers(1, 8).flatmap(
    lambda n: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n).map(legal)] * 2)
)


def from_tags(gold: list[str], predicted: list[str]) -> Example:
    words = [f"w{i}" for i in range(len(gold))]
    return Example(Doc(VOCAB, words=words, ents=predicted), Doc(VOCAB, words=words, ents=gold))


def doc(words: list[str], ents, missing=()) -> Doc:
    """ents: (start, end) or (start, end, label)."""
    made = Doc(VOCAB, words=words)
    spans = [Span(made, e[0], e[1], e[2] if len(e) > 2 else "Food") for e in ents]
    made.set_ents(spans, missing=[made[i : i + 1] for i in missing], default="outside")
    return made


def score(*examples: Example):
    return score_entities(examples, taxonomy=TAXONOMY)


def counts(example: Example) -> tuple[int, int, int]:
    """True positives, false positives, false negatives of mentions."""
    predicted, gold = entity_spans(example, Taxonomy(TAXONOMY))
    return len(predicted & gold), len(predicted - gold), len(gold - predicted)


def seqeval(gold, predicted):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of divisions by zero
        return classification_report(
            gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
        )


def rounded(row):
    return [
        pytest.approx(row[k], abs=1e-12) for k in ("precision", "recall", "f1-score", "support")
    ]


def relabel(sequences, labels):
    return [[t if t == "O" else t[:2] + labels[t[2:]] for t in tags] for tags in sequences]


@settings(max_examples=100)
@given(st.lists(SEQUENCE, min_size=1, max_size=5))
def test_equals_seqeval(pairs):
    gold, predicted = [g for g, _ in pairs], [p for _, p in pairs]
    scores = score(*(from_tags(g, p) for g, p in pairs))
    if all(tag == "O" for tags in gold + predicted for tag in tags):
        assert set(scores.values()) == {None}
        return
    mention = dict.fromkeys(TAXONOMY, "MENTION")
    for prefix, labels in (
        ("ents", {label: label for label in TAXONOMY}),
        ("ents_coarse", TAXONOMY),
        ("ents_mention", mention),
    ):
        report = seqeval(relabel(gold, labels), relabel(predicted, labels))
        averages = {average: report.pop(f"{average} avg") for average in ("micro", "macro")}
        del report["weighted avg"]
        assert [scores[f"{prefix}_{k}"] for k in "prf"] == rounded(averages["micro"])[:3]
        if prefix != "ents_mention":
            macro = [scores[f"{prefix}_macro_{k}"] for k in "prf"]
            assert macro == rounded(averages["macro"])[:3]
            per_type = scores[f"{prefix}_per_type"]
            assert list(per_type) == sorted(report)
            for label, expected in report.items():
                found = [per_type[label][k] for k in ("p", "r", "f", "support")]
                assert found == rounded(expected)


@given(st.lists(SEQUENCE, min_size=1, max_size=4), st.randoms())
def test_scores_change_with_their_sides_as_they_should(pairs, random):
    scores = score(*(from_tags(g, p) for g, p in pairs))
    swapped = score(*(from_tags(p, g) for g, p in pairs))
    random.shuffle(pairs)
    assert score(*(from_tags(g, p) for g, p in pairs)) == scores
    for prefix in ("ents", "ents_coarse", "ents_mention"):
        p, r, f = (scores[f"{prefix}_{key}"] for key in "prf")
        assert (r, p, f) == tuple(swapped[f"{prefix}_{key}"] for key in "prf")
    if scores["ents_f"] is None:
        return
    # Fewer types to tell apart: no score gets lower.
    assert scores["ents_f"] <= scores["ents_coarse_f"] <= scores["ents_mention_f"] <= 1.0
    gold = [(g, g) for g, _ in pairs if set(g) != {"O"}]
    if gold:
        perfect = score(*(from_tags(*pair) for pair in gold))
        kinds = ("ents_p", "ents_r", "ents_macro_f", "ents_coarse_macro_f", "ents_mention_f")
        assert {perfect[kind] for kind in kinds} == {1.0}


def test_by_hand():
    scores = score(
        from_tags(
            ["B-Artist", "I-Artist", "O", "B-Food", "B-Food"],
            ["B-Athlete", "I-Athlete", "B-Food", "B-Food", "O"],
        )
    )
    # Fine: Food has one hit, one too many, one missed; Artist missed; Athlete too many.
    assert (scores["ents_predicted"], scores["ents_gold"]) == (3, 3)
    assert scores["ents_p"] == scores["ents_r"] == pytest.approx(1 / 3)
    assert scores["ents_macro_f"] == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert scores["ents_per_type"]["Food"] == {"p": 0.5, "r": 0.5, "f": 0.5, "support": 2}
    assert scores["ents_per_type"]["Athlete"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 0}
    # Coarse: the athlete is a person too.
    assert scores["ents_coarse_f"] == pytest.approx(2 / 3)
    assert scores["ents_coarse_macro_f"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["ents_mention_f"] == pytest.approx(2 / 3)


def test_the_names_of_the_scores():
    kinds = ("_p", "_r", "_f", "_macro_p", "_macro_r", "_macro_f", "_per_type")
    expected = {f"{prefix}{kind}" for prefix in ("ents", "ents_coarse") for kind in kinds}
    expected |= {f"ents_{x}" for x in ("mention_p", "mention_r", "mention_f", "predicted", "gold")}
    for examples in ([], [from_tags(["B-Food"], ["O"])]):
        assert set(score(*examples)) == expected


@pytest.mark.parametrize(
    "examples",
    [
        [],
        [Example(Doc(VOCAB), Doc(VOCAB))],
        [from_tags(["O", "O"], ["O", "O"])],
        # Nothing is known of the reference: nothing is right or wrong.
        [Example(doc(["a"], [(0, 1)]), Doc(VOCAB, words=["a"]))],
    ],
)
def test_where_there_is_nothing_to_score_all_is_none(examples):
    assert set(score(*examples).values()) == {None}


def test_one_side_empty_is_zero_and_not_none():
    for example in (from_tags(["B-Food"], ["O"]), from_tags(["O"], ["B-Food"])):
        scores = score(example)
        assert [scores[f"ents{k}"] for k in ("_p", "_r", "_f", "_macro_f")] == [0.0] * 4


@pytest.mark.parametrize(
    ("gold", "missing", "predicted", "expected"),
    [
        ([(0, 1)], [2, 3], [(0, 1), (2, 3)], (1, 0, 0)),
        ([], [2, 3], [(0, 1), (2, 3)], (0, 1, 0)),
        ([(0, 2)], [3], [(0, 2), (2, 4)], (1, 0, 0)),  # partly over what is not known
        ([(0, 2)], [3], [], (0, 0, 1)),
        ([(0, 1), (1, 2)], [], [(0, 2)], (0, 1, 2)),
    ],
)
def test_partly_annotated_gold(gold, missing, predicted, expected):
    words = list("abcd")
    assert counts(Example(doc(words, predicted), doc(words, gold, missing))) == expected


@pytest.mark.parametrize(
    ("words", "gold", "tokens", "predicted", "expected"),
    [
        ("ab cd", [(0, 1)], "a b cd", [(0, 2)], (1, 0, 0)),  # finer, the same characters
        ("a b cd", [(0, 2)], "ab cd", [(0, 1)], (1, 0, 0)),  # coarser
        ("ab cd", [(0, 1)], "a b cd", [(0, 1)], (0, 1, 1)),  # fewer characters at the end
        ("ab cd", [(0, 1)], "a b cd", [(1, 2)], (0, 1, 1)),  # fewer at the start
        ("ab cd", [(0, 1)], "a b cd", [(0, 1), (1, 2)], (0, 2, 1)),  # two halves, no hit
        ("a b cd", [(0, 1)], "ab cd", [(0, 1)], (0, 1, 1)),  # more characters
        ("a b cd", [(0, 2)], "a bcd", [(0, 2)], (0, 1, 1)),
        ("ab cd", [(0, 2)], "a bc d", [(0, 3)], (1, 0, 0)),
        ("ab cd", [(0, 1), (1, 2)], "a bc d", [(1, 2)], (0, 1, 2)),
    ],
)
def test_predictions_with_other_tokens(words, gold, tokens, predicted, expected):
    example = Example(doc(tokens.split(), predicted), doc(words.split(), gold))
    assert counts(example) == expected


@pytest.mark.parametrize(
    ("words", "gold", "tokens", "predicted", "expected"),
    [
        (["a", "b"], [(0, 2)], ["a", " ", "b"], [(0, 3)], (1, 0, 0)),
        (["a", "\n", "b"], [(0, 3)], ["a", "b"], [(0, 2)], (1, 0, 0)),
        (["a", "b"], [(0, 1)], [" ", "a", "\n", "b"], [(1, 2)], (1, 0, 0)),
        (["a", "b"], [(1, 2)], [" ", "a", "\n", "b"], [(1, 2)], (0, 1, 1)),
        (["a", "\n", "b"], [(0, 1), (2, 3)], ["a", "b"], [(0, 1), (1, 2)], (2, 0, 0)),
    ],
)
def test_whitespace_tokens_of_one_side(words, gold, tokens, predicted, expected):
    assert counts(Example(doc(tokens, predicted), doc(words, gold))) == expected


@st.composite
def annotated(draw):
    """The text "abcdefgh" as a Doc with random tokens and entities; their character spans."""
    bounds = [0, *sorted(draw(st.sets(st.integers(1, 7)))), 8]
    made = Doc(VOCAB, words=["abcdefgh"[a:b] for a, b in pairwise(bounds)])
    cuts = sorted(draw(st.sets(st.integers(0, len(made)))))
    ents = [(s, e) for s, e in pairwise(cuts) if draw(st.booleans())]
    labelled = [(s, e, draw(st.sampled_from(sorted(TAXONOMY)))) for s, e in ents]
    made.set_ents([Span(made, *ent) for ent in labelled], default="outside")
    return made, {(bounds[s], bounds[e], label) for s, e, label in labelled}


@given(annotated(), annotated())
def test_any_tokens_against_character_spans(left, right):
    (predicted, x), (reference, y) = left, right
    expected = len(x & y), len(x - y), len(y - x)
    assert counts(Example(predicted, reference)) == expected


def test_counts_add_up_over_docs_with_equal_spans():
    total = EntityCounts()
    for _ in range(2):
        total.add({(0, 1, "Food"), (1, 2, "Food")}, {(0, 1, "Food")})
    assert total.scores("x")["x_p"] == pytest.approx(2 / 4)
    assert total.scores("x")["x_per_type"]["Food"]["support"] == 2


def test_taxonomy_object_any_case_and_registered_function():
    example = from_tags(["B-Artist"], ["B-Athlete"])
    taxonomy = Taxonomy({"ARTIST": "Person", "athlete": "Person"})
    scores = build_scorer_v1()([example], taxonomy=taxonomy, labels=["ignored"])
    assert (scores["ents_f"], scores["ents_coarse_f"]) == (0.0, 1.0)


def test_a_gold_label_that_the_taxonomy_does_not_cover_is_named():
    example = Example(doc(["a"], []), doc(["a"], [(0, 1, "Vessel")]))
    with pytest.raises(TaxonomyError, match="'Vessel' is not in the taxonomy"):
        score(example)


def test_whitespace_at_the_ends_of_a_gold_entity_does_not_count():
    words = ["a", "b", "\n", "c", " "]
    example = Example(doc(words, [(0, 2), (3, 4)]), doc(words, [(0, 3), (3, 5)]))
    assert counts(example) == (2, 0, 0)


def test_labels_are_compared_without_regard_to_case():
    words = ["a", "b"]
    gold = doc(words, [(0, 1, "ARTIST"), (1, 2, "food")])
    scores = score(Example(doc(words, [(0, 1, "Artist"), (1, 2, "FOOD")]), gold))
    assert scores["ents_f"] == scores["ents_coarse_f"] == 1.0
    assert set(scores["ents_per_type"]) == {"Artist", "Food"}


def test_what_others_predict_under_labels_of_their_own_does_not_count():
    words = ["a", "b"]
    predicted = doc(words, [(0, 1, "Artist"), (1, 2, "CARDINAL")])
    assert score(Example(predicted, doc(words, [(0, 1, "Artist")])))["ents_p"] == 1.0


def test_a_lower_cased_prediction_with_longer_letters_is_aligned_as_spacy_does():
    words = ["İzmir", "and", "Real", "Madrid", "tea"]
    ents = [(0, 1, "Artist"), (2, 4, "Athlete"), (4, 5, "Food")]
    example = Example(doc([word.lower() for word in words], ents), doc(words, ents))
    assert score(example)["ents_f"] == Scorer.score_spans([example], "ents")["ents_f"] == 1.0


def test_of_types_that_are_not_labelled_there_nothing_is_right_or_wrong():
    words = list("abcd")
    gold = doc(words, [(0, 1, "Food")])
    label_only(gold, ["food"])
    predicted = [(0, 1, "Food"), (1, 2, "Artist"), (2, 3, "Food")]
    assert counts(Example(doc(words, predicted), gold)) == (1, 1, 0)
    assert counts(Example(doc(words, [(0, 1, "Artist")]), gold)) == (0, 1, 1)
    assert counts(Example(doc(words, [(1, 3, "Artist")]), gold)) == (0, 0, 1)
