from itertools import accumulate, pairwise
from unittest.mock import patch

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.lang.en import English
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data import gold as data_gold
from spacy_finegrained_ner.data.gold import _tags_of_same_tokens, gold_of, label_only
from spacy_finegrained_ner.labels.bio import TagSet, illegal_bio
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError

VOCAB = spacy.blank("en").vocab
TAGS = TagSet(("X", "Y", "a-b"))
NAMES = {"-": UNKNOWN} | {name: i for i, name in enumerate(TAGS.tags)}


def gold(words: list[str], tags: list[str]) -> Doc:
    """A tag "-" is missing; all others as spaCy reads them."""
    doc = Doc(VOCAB, words=words, ents=["O" if tag == "-" else tag for tag in tags])
    ents = list(doc.ents)
    missing = [doc[i : i + 1] for i, tag in enumerate(tags) if tag == "-"]
    doc.set_ents(ents, missing=missing, default="outside")
    return doc


def names(example: Example) -> list[str]:
    ids = {tag: name for name, tag in NAMES.items()}
    return [ids[tag] for tag in gold_of(example, TAGS).tags.tolist()]


@pytest.mark.parametrize(
    ("words", "tags", "predicted", "expected"),
    [
        ("", "", "", ""),
        ("a", "B-X", "a", "B-X"),
        ("a b c d", "B-X I-X B-X O", "a b c d", "B-X I-X B-X O"),
        ("a b c d", "B-X I-X I-X B-Y", "a b c d", "B-X I-X I-X B-Y"),
        ("a b", "B-a-b I-a-b", "a b", "B-a-b I-a-b"),
        ("a b c", "O - B-Y", "a b c", "O - B-Y"),
        ("a b", "- -", "a b", "- -"),
        # Finer than the gold
        ("abc d", "B-X O", "a b c d", "B-X I-X I-X O"),
        ("abc d", "O B-X", "ab c d", "O O B-X"),
        ("abc d", "- B-X", "ab c d", "- - B-X"),
        # Coarser than the gold
        ("a b c", "B-X I-X O", "ab c", "B-X O"),
        ("a b c", "O O B-Y", "ab c", "O B-Y"),
        ("a b c", "B-X O O", "ab c", "- O"),
        ("a b c", "O B-X I-X", "ab c", "- -"),
        ("a b c", "B-X B-Y O", "ab c", "- O"),
        ("a b c", "- O O", "ab c", "- O"),
        # Across
        ("ab cd e", "B-X O B-Y", "a bc d e", "- - O B-Y"),
    ],
)
def test_gold_tags_on_other_tokens(words, tags, predicted, expected):
    example = Example(Doc(VOCAB, words=predicted.split()), gold(words.split(), tags.split()))
    assert names(example) == expected.split()


@pytest.mark.parametrize(
    ("words", "tags", "predicted", "expected"),
    [
        (["a", "b"], ["B-X", "O"], ["\n", "a", " ", "b", " "], ["O", "B-X", "O", "O", "O"]),
        (["a", "b"], ["B-X", "I-X"], ["a", " ", "b"], ["B-X", "I-X", "I-X"]),
        # Unknown is never O, whitespace or not.
        (["a", "b"], ["-", "B-X"], ["a", "\n", "b"], ["-", "-", "B-X"]),
        (["a", "b"], ["B-X", "I-X"], ["a", "\n", "b"], ["B-X", "I-X", "I-X"]),
        (["a", "\xa0", "b"], ["O", "-", "O"], ["a", "\xa0", "b"], ["O", "-", "O"]),
    ],
)
def test_gold_tags_with_whitespace_tokens(words, tags, predicted, expected):
    assert names(Example(Doc(VOCAB, words=predicted), gold(words, tags))) == expected


def test_nothing_annotated_is_nothing_known():
    example = Example(Doc(VOCAB, words=["a", " ", "b"]), Doc(VOCAB, words=["a", "b"]))
    assert names(example) == ["-", "-", "-"]


def test_a_foreign_label_is_named():
    reference = gold(["see", "usain", "bolt"], ["O", "B-Athlete", "I-Athlete"])
    example = Example(Doc(VOCAB, words=["see", "usain", "bolt"]), reference)
    with pytest.raises(
        ValueError, match=r"'Athlete' at token 1 of 'see usain.*\['X', 'Y', 'a-b'\]"
    ):
        gold_of(example, TAGS)


@st.composite
def tokenized(draw, text):
    """The text cut into tokens at random; the offsets of the cuts."""
    cuts = draw(st.sets(st.integers(1, len(text) - 1)))
    bounds = [0, *sorted(cuts), len(text)]
    return [text[a:b] for a, b in pairwise(bounds)]


@given(st.data())
def test_any_tokens_against_characters(data):
    """A predicted token has a tag where it begins and ends inside one entity that the predicted
    tokens can spell exactly, O where it holds characters outside of entities only."""
    text = "abcdefghij"
    words = data.draw(tokenized(text))
    predicted = data.draw(tokenized(text))
    reference = Doc(VOCAB, words=words)
    kinds = data.draw(st.lists(st.sampled_from("OXY-"), min_size=len(words), max_size=len(words)))
    spans = [reference[i : i + 1] for i in range(len(words))]
    reference.set_ents(
        [
            Span(reference, s.start, s.end, k)
            for s, k in zip(spans, kinds, strict=True)
            if k in "XY"
        ],
        missing=[s for s, k in zip(spans, kinds, strict=True) if k == "-"],
        default="outside",
    )
    known = any(kind != "-" for kind in kinds)
    ends = list(accumulate(map(len, words)))
    of_char = [i for i, word in enumerate(words) for _ in word]
    bounds = {0, *accumulate(map(len, predicted))}
    expected, start = [], 0
    for word in predicted:
        held = {of_char[c] for c in range(start, start + len(word))}
        first = min(held)
        begin = ends[first] - len(words[first])
        if known and {kinds[i] for i in held} == {"O"}:
            expected.append("O")
        elif len(held) == 1 and kinds[first] in "XY" and {begin, ends[first]} <= bounds:
            expected.append(("B-" if start == begin else "I-") + kinds[first])
        else:
            expected.append("-")
        start += len(word)
    assert names(Example(Doc(VOCAB, words=predicted), reference)) == expected


@given(st.data())
def test_whitespace_in_the_predicted_tokens_never_breaks_an_entity(data):
    """A CRF can't learn O between B and I: such tokens are I, or not known."""
    words = list("abcde")
    kinds = data.draw(st.lists(st.sampled_from(["O", "B-X", "I-X", "-"]), min_size=5, max_size=5))
    for i, kind in enumerate(kinds):
        if kind == "I-X" and (i == 0 or kinds[i - 1] in ("O", "-")):
            kinds[i] = "B-X"
    spaces = st.lists(st.sampled_from([" ", "\n", "  ", "\xa0"]), max_size=2)
    predicted = []
    for word in words:
        predicted += [*data.draw(spaces), word]
    found = names(Example(Doc(VOCAB, words=predicted), gold(words, kinds)))
    assert illegal_bio(found) is None
    if any(kind != "-" for kind in kinds):
        assert {found[i] for i, word in enumerate(predicted) if word in words} <= {*kinds, "-"}


@given(st.lists(st.sampled_from(["O", "-", "B-X", "B-Y", "I-X", "I-Y", ""]), max_size=6), st.data())
def test_the_quick_way_for_equal_tokens_finds_what_the_alignment_finds(tags, data):
    """`data.gold._tags_of_same_tokens` against spaCy's alignment, spaces and blocked tokens too."""
    words = data.draw(
        st.lists(st.sampled_from(["a", "b", " "]), min_size=len(tags), max_size=len(tags))
    )
    doc = Doc(VOCAB, words=words)
    iob = [{"O": 2, "-": 0, "B": 3, "I": 1, "": 3}[tag[:1]] for tag in tags]
    types = [VOCAB.strings.add(tag[2:]) if len(tag) > 1 else 0 for tag in tags]
    try:
        doc.from_array(["ENT_IOB", "ENT_TYPE"], np.array([iob, types], dtype="uint64").T)
    except ValueError:
        return  # spaCy takes no such Doc
    example = Example(Doc(VOCAB, words=words), doc)
    quick = _tags_of_same_tokens(example, TAGS)
    if quick is None:
        return
    with patch.object(data_gold, "_tags_of_same_tokens", return_value=None):
        np.testing.assert_array_equal(quick, gold_of(example, TAGS).tags)


def test_the_quick_way_is_taken_on_gold_tokens():
    doc = gold(["a", "b", "c", "d"], ["B-X", "I-X", "O", "-"])
    example = Example(Doc(VOCAB, words=["a", "b", "c", "d"]), doc)
    assert _tags_of_same_tokens(example, TAGS).tolist() == [1, 2, 0, UNKNOWN]


@pytest.mark.parametrize("quick", [True, False])
def test_labels_in_another_case_are_those_of_the_pipeline(quick):
    words = ["a", "b", "c"]
    example = Example(Doc(VOCAB, words=words), gold(words, ["B-x", "I-x", "B-A-B"]))
    way = _tags_of_same_tokens if quick else None
    assert _tags_of_same_tokens(example, TAGS).tolist() == [1, 2, TAGS.begin("a-b")]
    with patch.object(data_gold, "_tags_of_same_tokens", way or (lambda *_: None)):
        assert names(example) == ["B-X", "I-X", "B-a-b"]


@pytest.mark.parametrize(
    ("words", "tags", "expected"),
    [
        (["a", "\n"], ["B-X", "I-X"], ["B-X", "O"]),
        ([" ", "a", " ", "b", "\n"], ["B-X", "I-X", "I-X", "I-X", "I-X"],
         ["O", "B-X", "I-X", "I-X", "O"]),
        ([" ", "a"], ["B-X", "O"], ["O", "O"]),
        ([" ", "a"], ["-", "B-X"], ["-", "B-X"]),
    ],
)  # fmt: skip
def test_whitespace_at_the_ends_of_an_entity_is_outside_of_it(words, tags, expected):
    """As in what is predicted: see `data.entities`."""
    example = Example(Doc(VOCAB, words=words), gold(words, tags))
    assert names(example) == expected


def test_a_lower_cased_text_with_longer_letters():
    words = ["İzmir", "and", "Real", "Madrid"]
    example = Example(
        Doc(VOCAB, words=[word.lower() for word in words]),
        gold(words, ["B-X", "O", "B-Y", "I-Y"]),
    )
    assert len("İ".lower()) == 2
    assert names(example) == ["B-X", "O", "B-Y", "I-Y"]


def test_where_some_types_only_are_labelled_a_token_may_have_any_other():
    reference = gold(["a", "b", "c"], ["B-X", "O", "-"])
    label_only(reference, ["x"])
    assert allowed(reference) == [[1], [0, 3, 4, 5, 6], [*range(7)]]


def test_what_is_labelled_is_kept_wherever_span_groups_are():
    reference = gold(["a", "b"], ["B-X", "O"])
    label_only(reference, ["x"])
    expected = [[1], [0, 3, 4, 5, 6]]
    (kept,) = DocBin(docs=[reference]).get_docs(VOCAB)
    assert allowed(kept) == expected
    assert allowed(Doc(VOCAB).from_json(reference.to_json())) == expected
    example = Example(Doc(VOCAB, words=["a", "b"]), reference)
    lower = next(create_lower_casing_augmenter(1.0)(English(VOCAB), example))
    assert allowed(lower.reference) == expected
    # Beside another Doc, of which it says nothing
    assert allowed(Doc.from_docs([reference, gold(["d"], ["O"])])) == [*expected, [0]]


def allowed(reference: Doc, words: list[str] | None = None) -> list[list[int]]:
    predicted = Doc(VOCAB, words=words or [token.text for token in reference])
    found = gold_of(Example(predicted, reference), TAGS).allowed
    return [np.flatnonzero(row).tolist() for row in found]


def test_a_part_of_a_text_where_some_types_only_are_labelled():
    reference = gold(["a", "b", "c", "d"], ["O"] * 4)
    label_only(reference[1:3], ["Y", "a-b"])
    assert allowed(reference) == [[0], [0, 1, 2], [0, 1, 2], [0]]
    label_only(reference[2:4], ["X"])  # in place of what was said of them
    assert allowed(reference) == [[0], [0, 1, 2], [0, 3, 4, 5, 6], [0, 3, 4, 5, 6]]
    # Where one token holds several, what is annotated at any of them
    assert allowed(reference, ["ab", " ", "cd"]) == [[0], [0], [0, 3, 4, 5, 6]]
    assert allowed(reference, ["a", "bc", "d"]) == [[0], [0], [0, 3, 4, 5, 6]]
    label_only(reference, ["X", "Y", "a-b"])
    assert allowed(reference) == [[0]] * 4
    label_only(Doc(VOCAB), ["X"])
    reference.set_ents([], blocked=[reference[0:1]], default="outside")
    label_only(reference, ["X"])
    assert allowed(reference) == [[0], *[[0, 3, 4, 5, 6]] * 3]  # blocked: never an entity


def test_a_label_that_can_not_be_annotated_is_named():
    reference = gold(["a"], ["O"])
    label_only(reference, ["Typo"])
    example = Example(Doc(VOCAB, words=["a"]), reference)
    with pytest.raises(TaxonomyError, match="'Typo' is not in the taxonomy"):
        gold_of(example, TAGS, Taxonomy({"X": "C"}))


@pytest.mark.parametrize("labels", ["X", [], [None], ["X", 3], [""], None, 3, [["X"]]])
def test_what_is_no_list_of_labels_is_refused(labels):
    with pytest.raises(ValueError, match=r"label_only got .*expected the labels that are annot"):
        label_only(Doc(VOCAB, words=["a"]), labels)


@pytest.mark.parametrize("words", [["a", "b", "c"], ["a", "bc"]])
def test_blocked_tokens_are_never_an_entity_and_a_type_alone_makes_none(words):
    reference = Doc(VOCAB, words=["a", "b", "c"])
    reference.set_ents([Span(reference, 0, 1, "X")], blocked=[reference[1:2]], default="outside")
    reference[2].ent_type_ = "Y"
    assert [ent.label_ for ent in reference.ents] == ["X"]
    example = Example(Doc(VOCAB, words=words), reference)
    assert names(example) == ["B-X", *["O"] * (len(words) - 1)]
