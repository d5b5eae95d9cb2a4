"""All names in a text, against a search that tries every span."""

import itertools

import marisa_trie
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from knowledge_names import builder, words
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.knowledge.form import Form
from spacy_finegrained_ner.knowledge.live import LiveNames
from spacy_finegrained_ner.knowledge.matcher import find

FORM = Form()


def tried(keys: set[str], tokens: list[str]) -> set[tuple[int, int, str]]:
    """Every span: the form of its tokens is a key, and first and last token count."""
    forms = [FORM.of(token) for token in tokens]
    return {
        (start, end, "".join(forms[start:end]))
        for start in range(len(tokens))
        for end in range(start + 1, len(tokens) + 1)
        if forms[start] and forms[end - 1] and "".join(forms[start:end]) in keys
    }


def found(keys: set[str], tokens: list[str]) -> list[tuple[int, int, str]]:
    trie = marisa_trie.Trie(keys)
    rows = find(trie, [FORM.of(token) for token in tokens], max(map(len, keys), default=0))
    return [(start, end, trie.restore_key(number)) for start, end, number in rows]


TOKEN = st.sampled_from(["a", "b", "ab", "A", "-", "a-b", "b.", "é", "e", "", " ", "绿", "绿茶"])
NAME = st.lists(st.sampled_from(["a", "b", "ab", "e", "绿", "茶"]), min_size=1, max_size=4)


@given(st.lists(NAME, max_size=12), st.lists(TOKEN, max_size=12))
def test_the_same_as_by_trying_every_span(names, tokens):
    keys = {"".join(unit + " " for unit in name) for name in names}
    rows = found(keys, tokens)
    assert len(rows) == len(set(rows))
    assert set(rows) == tried(keys, tokens)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("marie curie saw new york city", {(0, 2), (1, 2), (3, 5), (4, 5), (3, 6)}),
        ("o'brien and o 'brien", {(0, 1), (2, 4)}),
        ("st. louis , st louis", {(0, 2), (3, 5)}),
        ("covid - 19 covid19 covid-19", {(0, 3), (4, 5)}),
        ("at&t at & t", {(0, 1), (1, 4)}),
        ("a green-tea shop", {(1, 2)}),  # "tea" alone is within a token
        ("PELE Pelé", {(0, 1), (1, 2)}),
        ("teas", set()),
        ("绿 茶 绿茶", {(0, 2), (2, 3)}),
        ("", set()),
    ],
)
def test_names_in_texts(text, expected):
    rows = LiveNames(builder().names()).find([words(text)])
    assert set(zip(rows.start.tolist(), rows.end.tolist(), strict=True)) == expected


UNITS = ["do", "n't", "don't", "10", "km", "c", "#", "-", "a", "b", "绿", "茶", "."]


@given(
    st.lists(st.tuples(st.sampled_from(UNITS), st.booleans()), min_size=1, max_size=10),
    st.lists(
        st.lists(
            st.sampled_from(["don", "t", "10km", "c", "#", "a", "b", "ab", "绿"]),
            min_size=1,
            max_size=3,
        ),
        max_size=12,
    ),
)
def test_it_makes_no_difference_where_a_tokenizer_cuts(tokens, names):
    """Against trying all spans: what is before, in and behind one adds up to the whole text."""
    made = Builder(FORM, {"x": ["X"]})
    keys = {"".join(f"{unit} " for unit in name) for name in names}
    for key in keys:
        made.add_key(key, "x", ["y"])
    live = LiveNames(made.names())
    text, spaces = zip(*tokens, strict=True)
    doc = Doc(Vocab(), words=text, spaces=spaces)
    whole = FORM.of(doc.text)
    expected = set()
    for start, end in itertools.combinations(range(len(doc) + 1), 2):
        parts = [FORM.of(str(part)) for part in (doc[:start], doc[start:end], doc[end:])]
        counts = FORM.of(doc[start].text) and FORM.of(doc[end - 1].text)
        if "".join(parts) == whole and parts[1] in keys and counts:
            expected.add((start, end, parts[1]))
    rows = live.find([doc])
    assert {
        (start, end, live.file.key(number))
        for start, end, number in zip(
            rows.start.tolist(), rows.end.tolist(), rows.number.tolist(), strict=True
        )
    } == expected


@pytest.mark.parametrize(
    "name",
    ["Don't Look Up", "We Can't Stop", "Cannot Be Tamed", "She's Gotta Have It", "10km", "5kg bag"],
)
def test_names_that_a_real_tokenizer_cuts_within_words(name):
    made = builder(names=[(name, "film", ["web"])])
    doc = spacy.blank("en")(f"have you seen ({name.lower()})?")
    rows = LiveNames(made.names()).find([doc])
    assert [doc[s:e].text for s, e in zip(rows.start, rows.end, strict=True)] == [name.lower()]
