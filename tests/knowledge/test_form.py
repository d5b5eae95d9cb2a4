"""The form in which names and texts meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.knowledge.form import SEPARATOR, Form


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Marie Curie", "marie curie"),
        ("O'Brien", "o brien"),
        ("COVID-19", "covid 19"),
        ("St. Louis, U.S.", "st louis u s"),
        ("C++", "c + +"),
        ("C#", "c #"),
        ("AT&T", "at & t"),
        ("Pelé", "pele"),
        ("Pele\u0301", "pele"),
        ("Straße", "strasse"),
        ("ＦＵＬＬ ﬁne", "full fine"),  # noqa: RUF001
        ("绿茶", "绿 茶"),
        ("नमस्ते", "नमस्ते"),  # vowel signs are no accents
        ("a\tb\x00c\u200bd", "a b c d"),
        ("Kestrel™ 4®", "kestrel 4"),
        ("™", ""),
        ("... ?!", ""),
        ("", ""),
    ],
)
def test_units(text, units):
    assert Form().of(text) == "".join(unit + SEPARATOR for unit in units.split())


@pytest.mark.parametrize(
    ("form", "text", "units"),
    [
        (Form(case=True), "Marie CURIE", "Marie CURIE"),
        (Form(punctuation=True), "O'Brien", "o ' brien"),
        (Form(punctuation=True), "Kestrel®", "kestrel ®"),
        (Form(diacritics=True), "Pelé", "pelé"),
        (Form(diacritics=True), "Pele\u0301", "pelé"),
    ],
)
def test_what_matters_is_kept(form, text, units):
    assert form.of(text) == "".join(unit + SEPARATOR for unit in units.split())


@pytest.mark.parametrize(
    ("form", "name", "keys"),
    [
        (Form(), "The Rolling Stones", ["the rolling stones ", "rolling stones "]),
        (Form(), "The Who", ["the who "]),  # one word would be left
        (Form(), "A", ["a "]),
        (Form(case=True), "The Rolling Stones", ["The Rolling Stones ", "Rolling Stones "]),
        (Form(articles=()), "The Rolling Stones", ["the rolling stones "]),
        (Form(articles=("der",)), "Der Blaue Engel", ["der blaue engel ", "blaue engel "]),
        (Form(), "?", []),
    ],
)
def test_a_name_may_go_without_its_article(form, name, keys):
    assert form.keys(name) == keys


@given(st.lists(st.text("aé绿1' .-&ß", min_size=1), max_size=6))
def test_the_form_of_a_text_is_that_of_its_tokens(tokens):
    form = Form()
    assert form.of(" ".join(tokens)) == "".join(map(form.of, tokens))


@given(st.text())
def test_any_text_has_a_form(text):
    found = Form().of(text)
    assert found == "" or found.endswith(SEPARATOR)
    assert found.encode().decode() == found  # no half of a surrogate pair is left
    assert "\n" not in found
