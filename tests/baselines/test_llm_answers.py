"""From what a model has written to entities: by the form that was asked for, or not at all."""

import json

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.baselines.llm.answers import Mention, Reply, read_answer
from spacy_finegrained_ner.baselines.llm.failures import (
    NOT_IN_TEXT,
    OFF_TOKENS,
    OVERLAP,
    UNKNOWN_LABEL,
    NoAnswer,
)
from spacy_finegrained_ner.baselines.llm.mentions import align
from spacy_finegrained_ner.baselines.llm.prompt import answer_of

NLP = spacy.blank("en")
LABELS = {"town": "Town", "club": "Club", "person": "Person"}


def found(text: str, *mentions: tuple[str, str]):
    """RETURNS: texts and labels of the entities, what was dropped, and how many respelled."""
    doc = NLP(text)
    aligned = align(doc, [Mention(text=t, label=x) for t, x in mentions], LABELS.get)
    entities = [(doc[start:end].text, start, label) for start, end, label in aligned.entities]
    return entities, dict(aligned.dropped), aligned.respelled


@pytest.mark.parametrize(
    ("text", "mentions", "expected"),
    [
        ("to lyon", [("lyon", "town")], [("lyon", 1, "Town")]),
        # all places of what is mentioned once
        ("lyon or lyon", [("lyon", "town")], [("lyon", 0, "Town"), ("lyon", 2, "Town")]),
        # in order, where there are several labels
        (
            "lyon beat lyon",
            [("lyon", "club"), ("lyon", "town")],
            [("lyon", 0, "Club"), ("lyon", 2, "Town")],
        ),
        # of three places, two are mentioned under one label
        (
            "lyon lyon lyon",
            [("lyon", "club"), ("lyon", "club")],
            [("lyon", 0, "Club"), ("lyon", 1, "Club"), ("lyon", 2, "Club")],
        ),
        # the longer first, whatever the order
        (
            "lyon and university of lyon",
            [("lyon", "town"), ("university of lyon", "club")],
            [("lyon", 0, "Town"), ("university of lyon", 2, "Club")],
        ),
        # said twice is no mistake
        ("to lyon", [("lyon", "town"), ("lyon", "town")], [("lyon", 1, "Town")]),
        # a place within a word does not count
        ("partying in art", [("art", "town")], [("art", 2, "Town")]),
        ("new   york", [("new york", "town")], [("new   york", 0, "Town")]),
        ("new york", [(" new\nyork ", "town")], [("new york", 0, "Town")]),
        ("a (b) c", [("(b)", "town")], [("(b)", 1, "Town")]),
    ],
)
def test_a_mention_is_found(text, mentions, expected):
    assert found(text, *mentions) == (expected, {}, 0)


@pytest.mark.parametrize(
    ("mentions", "expected", "dropped"),
    [
        ([("lyon", "Planet")], [], {UNKNOWN_LABEL: 1}),
        ([("paris", "town")], [], {NOT_IN_TEXT: 1}),
        ([("", "town"), ("  ", "town")], [], {NOT_IN_TEXT: 2}),
        ([("yon", "town")], [], {OFF_TOKENS: 1}),
        (
            [("olympique lyon", "club"), ("lyon", "town")],
            [("olympique lyon", 0, "Club")],
            {OVERLAP: 1},
        ),
        ([("lyon", "club"), ("lyon", "town")], [("lyon", 1, "Club")], {OVERLAP: 1}),
    ],
)
def test_what_is_left_out_is_counted(mentions, expected, dropped):
    assert found("olympique lyon", *mentions) == (expected, dropped, 0)


def test_another_case_is_taken_and_counted():
    assert found("to lyon", ("Lyon", "town")) == ([("lyon", 1, "Town")], {}, 1)
    assert found("Lyon, lyon", ("lyon", "town")) == ([("lyon", 2, "Town")], {}, 0)


@given(st.data())
def test_the_right_answer_gives_the_entities_back(data):
    """Any entities, no two of one text, written as examples are: they come back."""
    words = data.draw(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, unique=True))
    cuts = data.draw(st.lists(st.integers(0, len(words)), unique=True).map(sorted))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    doc = spacy.tokens.Doc(NLP.vocab, words=words)
    gold = [(start, end, data.draw(st.sampled_from([*LABELS.values()]))) for start, end in spans]
    text = answer_of((doc[start:end].text, label) for start, end, label in gold)
    mentions = read_answer(Reply(content=text)).mentions
    aligned = align(doc, mentions, dict(zip(LABELS.values(), LABELS.values(), strict=True)).get)
    assert aligned.entities == gold
    assert not aligned.dropped


MENTIONS = st.lists(st.tuples(st.text(max_size=6), st.sampled_from([*LABELS, "Planet"])))


@given(st.text(max_size=40), MENTIONS)
def test_entities_never_overlap_and_none_is_made_up(text, mentions):
    doc = NLP.make_doc(text)
    aligned = align(doc, [Mention(text=t, label=x) for t, x in mentions], LABELS.get)
    end = 0
    for start, stop, label in aligned.entities:
        assert end <= start < stop <= len(doc)
        assert label in LABELS.values()
        end = stop
    if not mentions:
        assert not aligned.entities


@given(st.text(), st.sampled_from(["stop", "length", ""]))
def test_any_text_is_read_or_refused(content, finish):
    try:
        answer = read_answer(Reply(content=content, finish=finish))
    except NoAnswer:
        return
    assert all(isinstance(mention, Mention) for mention in answer.mentions)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["entities", "text", "label", "x"]), inside, max_size=3)
    ),
)


@given(JSON, st.text(max_size=10))
def test_json_of_any_form_is_by_the_schema_or_refused(value, around):
    for content in (json.dumps(value), around + json.dumps(value) + around):
        try:
            mentions = read_answer(Reply(content=content)).mentions
        except NoAnswer:
            continue
        given = [(mention.text, mention.label) for mention in mentions]
        assert all(json.dumps(text)[1:-1] in content for pair in given for text in pair)
