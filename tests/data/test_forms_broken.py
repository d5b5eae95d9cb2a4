"""Values that are not what their keys say: counted or an error, and never a text without
entities."""

import json

import pytest
import spacy

from spacy_finegrained_ner.data.forms.loading import load
from spacy_finegrained_ner.data.forms.record import NO_TEXT, NOT_ANNOTATED, FormError, Options

GOOD = {"text": "buy green tea", "spans": [{"start": 4, "end": 13, "label": "Drink"}]}
TASK = {"data": {"text": "buy tea"}}
SPAN = {"start": 4, "end": 7, "labels": ["Drink"]}


@pytest.fixture
def read(tmp_path):
    """RETURNS: the entities of each text, and the kinds of what does not fit."""

    def read(lines, name="a.jsonl"):
        path = tmp_path / name
        path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + "\n")
        nlp = spacy.blank("en")
        parts, account = load({"train": [path]}, nlp.vocab, nlp.make_doc, Options())
        docs = parts["train"].docs
        return [[(e.text, e.label_) for e in doc.ents] for doc in docs], list(account.found)

    return read


@pytest.mark.parametrize(
    "spans",
    [
        {"start": 4, "end": 13, "label": "Drink"},
        {"start": [4], "end": [13], "label": ["Drink"]},
    ],
)
def test_one_span_and_columns_of_spans(read, spans):
    tea = [("green tea", "Drink")]
    assert read([GOOD, {"text": "buy green tea", "spans": spans}]) == ([tea, tea], [])


@pytest.mark.parametrize("label", ["positive", 1, True, {"start": [4], "end": []}])
def test_the_class_of_a_text_is_no_annotation(read, label):
    with pytest.raises(FormError, match=r"a.jsonl:1: found .*, expected a list"):
        read([{"text": "buy tea", "label": label}])
    tea = [("green tea", "Drink")]
    assert read([GOOD, {"text": "buy tea", "spans": label}]) == ([tea], [NOT_ANNOTATED])


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "a \\ud800", "spans": []}',
        '{"text": "a", "spans": [{"start": 0, "end": 1, "label": "\\udc00"}]}',
    ],
)
def test_half_characters(read, line):
    assert read([GOOD, line]) == ([[("green tea", "Drink")]], [NO_TEXT])


def test_other_values_than_the_form_has(read):
    tagged = {"tokens": ["tea", "b"], "ner_tags": ["B-Drink", "O"]}
    assert read([tagged, {**tagged, "ner_tags": 3}]) == ([[("tea", "Drink")]], [NO_TEXT])
    good = {**TASK, "annotations": [{"result": [{"type": "labels", "value": SPAN}]}]}
    for result in (["x"], [{"value": 3}], 3):
        found, _ = read([good, {**TASK, "annotations": [{"result": result}]}])
        assert found == [[("tea", "Drink")], []]
    assert read([GOOD, {**GOOD, "relations": 3}])[0] == [[("green tea", "Drink")]] * 2


def test_a_number_that_is_too_long(read):
    with pytest.raises(FormError, match=r"a.jsonl:2: found a number with thousands of digits"):
        read([GOOD, '{"text": "a", "spans": [], "id": %s}' % ("1" * 5000)])


def test_a_text_that_is_too_long_is_named(read):
    with pytest.raises(FormError, match=r"a.jsonl:2: \[E088\]"):
        read([GOOD, {"text": "a " * 500_001, "spans": []}])


def test_rows_of_a_table_that_are_broken(read):
    head, row = "text,start,end,label", "buy a tea,6,9,Drink"
    tea = [("tea", "Drink")]
    assert read([head, row, "buy, green tea,4,13,Drink"], "a.csv") == ([tea], [NO_TEXT])
    with pytest.raises(FormError, match=r"a.csv:3: .*unexpected end.* ends on line 4"):
        read([head, row, '"buy a tea,6,9,Drink', row], "a.csv")
