"""Tags that are numbers, have no label, are of several forms, or are none."""

import json
import time
import warnings

import pytest
from test_forms_dirt import NLP, read, shown

from spacy_finegrained_ner.data.forms.loading import label_places, load
from spacy_finegrained_ner.data.forms.record import FormError, Options, Record
from spacy_finegrained_ner.labels.schemes import TAG

NAMES = ["O", " B-PER", "I-PER "]
"""As they are between commas and blanks."""


def tokens(*sentences, **more):
    values = [{"tokens": ["x"] * len(tags), "ner_tags": tags, **more} for tags in sentences]
    return "\n".join(map(json.dumps, values))


@pytest.mark.parametrize(
    "tags",
    [[0, 1, 2], ["0", "1", "2.0"], [0.0, 1.0, 2.0], [None, 1, 2], [-100, 1, 2], ["-", "1", "2"]],
)
def test_numbers_have_the_names_that_are_given(tmp_path, tags):
    docs, found = read(tmp_path, "a.jsonl", tokens([0, 0, 0], tags), tag_names=NAMES)
    assert shown(docs[1])[-11:] == "B-PER I-PER"
    assert [(e.start, e.end, e.label_) for e in docs[1].ents] == [(1, 3, "PER")]
    assert found == {}


def test_numbers_of_columns_have_them_too(tmp_path):
    docs, _ = read(tmp_path, "a.txt", "a 0\nb 1\nc 2\n\nd -100\ne 1\n", tag_names=NAMES)
    assert [shown(doc) for doc in docs] == ["O B-PER I-PER", "? B-PER"]


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("a.jsonl", tokens(["0", "1"]), {}, "the ner_tags are numbers, and nothing says"),
        ("a.txt", "a 0\nb 1\n", {}, r"tags are numbers.*--tag-names O.*--tag-column"),
        ("a.txt", "a 0\nb 3\n", {"tag_names": NAMES}, "have the number 3, but there are names for"),
        ("a.jsonl", tokens([0, 1]), {"tag_names": ["O", ""]}, "the name of the number 1 is empty"),
        ("a.txt", "a 1\nb " + "1" * 5000 + "\n", {}, "O nowhere"),
        ("a.jsonl", tokens(["x", "PER"]), {}, "tags are 'x', 'PER' and the like, and O nowhere"),
        ("a.jsonl", tokens(["_", "B_", "X"]), {}, "O nowhere: expected tags such as O"),
        ("a.jsonl", tokens(["O", "B-PER\u200b"]), {}, r"a.jsonl:1: the tag 'B-PER\\u200b' has"),
    ],
)
def test_what_is_no_tag_is_told(tmp_path, name, text, options, said):
    with pytest.raises(FormError, match=said):
        read(tmp_path, name, text, **options)


def test_one_of_several_files_may_be_without_o(tmp_path):
    (tmp_path / "b.jsonl").write_text(tokens(["O", "LOC"]))
    (tmp_path / "a.jsonl").write_text(tokens(["PER", "LOC"]))
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    parts, _ = load({"x": files}, NLP.vocab, NLP.make_doc, Options())
    assert [len(doc.ents) for doc in parts["x"].docs] == [2, 1]


def test_tags_that_do_not_count_need_no_names(tmp_path):
    docs, _ = read(tmp_path, "a.txt", "a -100\nb -100\n")
    assert shown(docs[0]) == "? ?"


def test_digits_may_be_labels_where_that_is_said(tmp_path):
    (doc,), _ = read(tmp_path, "a.jsonl", tokens(["O", "1", "2"]), scheme="labels")
    assert [e.label_ for e in doc.ents] == ["1", "2"]


def test_blanks_around_tags_are_none_of_the_label(tmp_path):
    (doc,), _ = read(tmp_path, "a.jsonl", tokens(["O", "B-PER", "I-PER\n", "B- PER "]))
    assert [(e.start, e.end, e.label_) for e in doc.ents] == [(1, 3, "PER"), (3, 4, "PER")]


def test_what_is_neither_text_nor_number_is_counted(tmp_path):
    text = tokens(["O", "B-PER"], [["O"], {"a": 1}])
    docs, found = read(tmp_path, "a.jsonl", text)
    assert shown(docs[1]) == "? ?"
    assert [what for _, what in found["unknown tag"]] == [
        "['O'] is neither text nor a number",
        "{'a': 1} is neither text nor a number",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x o\nx PER-B\nx o\n\nx LOC-B\nx o\n", "Tags such as 'PER-B' are read as labels"),
        ("x O\nx PER-B\nx O\nx B_LOC\n", "Tags such as 'PER-B' are read as labels"),
        ("x B-PER\nx I-PER\nx O\nx PER\nx LOC\nx PER\n", "Tags such as 'B-PER' are read as labels"),
        ("x O\n" + "x PER-B\nx PER-I\nx O\n" * 4 + "x X\nx Y\n", "Tags such as 'PER-B' are read"),
        ("x O\nx B\nx I\nx O\n", "without a label behind them"),
        ("x O\nx B-\nx I-\nx O\n", "without a label behind them"),
    ],
)
def test_labels_that_may_be_tags_are_told(tmp_path, text, said):
    with pytest.warns(UserWarning, match=said):
        read(tmp_path, "a.txt", text)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, "a.txt", text, scheme="labels")


@pytest.mark.parametrize(
    "text", ["x O\nx PER\nx LOC\n", "x O\nx o\nx PER\n", "x o\n" * 9 + "x B-PER\nx I-PER\n"]
)
def test_of_other_labels_nothing_is_told(tmp_path, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, "a.txt", text)


def test_a_wrong_tag_has_no_label():
    record = Record("a:1", words=["x"] * 4, tags=["B-PER", "e-mail", "O-PER", "E-LOC"], line=1)
    assert label_places([record], "IOB2") == {"PER": "a:1"}
    assert label_places([record], "IOBES") == {"PER": "a:1", "LOC": "a:4"}


def test_a_tag_with_a_line_feed_takes_no_time():
    """Quadratic, this took minutes."""
    began = time.perf_counter()
    TAG.fullmatch("B-" + "x" * 200_000 + "\n")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("encoding", ["base64", "rot13", "zlib", "undefined", "no-such", "a\0"])
def test_an_encoding_that_is_none_of_text(tmp_path, encoding):
    with pytest.raises(FormError, match=r"is no encoding\. Expected one such as cp1252"):
        read(tmp_path, "a.txt", "x O\nx B-A\n", encoding=encoding)
