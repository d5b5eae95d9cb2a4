import html
import re

import pytest
from made import READ, TAXONOMY, TEXTS, VOCAB, examples, read_sure
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.data.annotation import read_prediction
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, flat_taxonomy
from spacy_finegrained_ner.report.outcomes import Mark, Training
from spacy_finegrained_ner.report.page import Subject, pieces, render

SUBJECT = Subject("en_made 1.0", "valid.spacy")


def page(read=READ, taxonomy=TAXONOMY, training=None, texts=TEXTS):
    return render(SUBJECT, examples(texts), taxonomy, read, training, samples=50)


def plain(markup: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", markup)).split())


def rows(text: str, table: str) -> dict[str, list[str]]:
    """Cells of a table by the first of each row."""
    (body,) = re.findall(rf'<table[^>]*aria-label="{table}">(.*?)</table>', text, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("<tr>")[1:]]
    return {plain(first): [plain(cell) for cell in rest] for first, *rest in cells}


def test_it_opens_with_a_chart_and_three_sentences():
    text = page(read_sure)
    opening = text[text.index("<main>") : text.index("<nav")]
    assert opening.count("<svg") == 1
    first, second, third = (plain(x) for x in re.findall(r'<p class="lead">(.*?)</p>', opening))
    assert re.fullmatch(
        r"On 3 texts with 5 entities, fine types have micro F1 20\.0 \(0\.0 to [\d.]+\) and macro "
        r"F1 10\.0 \(.*?\); micro F1 of coarse types 40\.0 \(.*?\), of mentions 60\.0 \(.*?\)\.",
        first,
    )
    assert second == (
        "The kind of error that costs most is “wrong fine type”, at 1 of 5 gold entities: without "
        "it, micro F1 of fine types would be higher by 20.0 points."
    )
    # 1 of 5 is right where all have 0.4
    assert third.startswith("The confidence of labels is 40.0% on average, 20.0% are right; it is ")


def test_the_tables_have_the_counts():
    text = page(training=Training({"Artist": 3, "City": 1200}, {"anna"}))
    assert rows(text, "Types") == {
        "type": ["coarse type", "gold", "precision", "recall", "F1", "in training"],
        "City": ["Place", "2", "0.0", "0.0", "0.0", "1,200"],
        "Artist": ["Person", "1", "25.0", "100.0", "40.0", "3"],
        "Athlete": ["Person", "1", "0.0", "0.0", "0.0", "0"],
        "River": ["Place", "1", "0.0", "0.0", "0.0", "0"],
    }
    assert rows(text, "What types are taken for") == {
        "gold type": [
            *("gold", "right", "taken for, same coarse type", "taken for, other coarse type"),
            *("boundary", "missed"),
        ],
        "Person": [],
        "Artist": ["1", "1", "", "", "0", "0"],
        "Athlete": ["1", "0", "Artist 1", "", "0", "0"],
        "Place": [],
        "City": ["2", "0", "", "Artist 1", "1", "0"],
        "River": ["1", "0", "", "", "0", "1"],
    }
    errors = rows(text, "Errors by kind")
    assert errors["right"][:2] == ["1", "1"]
    assert errors["boundary"][:3] == ["1", "1", "20.0"]
    assert errors["invented"][:3] == ["0", "1", "2.2"]
    assert errors["all"][:2] == ["5", "5"]
    seen = rows(text, "By whether the training data has an entity of the same text")
    assert seen["seen"] == ["1", "100.0", "100.0", "100.0", *"00000"]
    assert seen["not seen"] == ["4", "0.0", "0.0", "0.0", *"11111"]
    frequency = rows(text, "By frequency of the type: entities of it in the training data")
    assert [(name, cells[0]) for name, cells in frequency.items()][1:] == [
        ("0", "2"),
        ("1 to 9", "1"),
        ("1,000 or more", "2"),
    ]


def test_a_text_shows_gold_over_what_was_found():
    text = page(read_sure)
    first, second, third = re.findall(
        r"<li>\n(.*?)</li>", text[text.index('<ol class="texts"') :], re.DOTALL
    )
    assert plain(first) == (
        "gold anna Artist met bob Athlete · wrong fine type in paris City · wrong coarse type "
        "found anna Artist 40% met bob Artist 40% · wrong fine type in "
        "paris Artist 40% · wrong coarse type"
    )
    assert "rhine River · missed" in plain(second)
    assert "flow Artist 40% · invented" in plain(second)
    assert plain(third) == "both nothing here"
    assert first.count("--sure:40%") == first.count("--sure:100%") == 3


def test_it_needs_nothing_else_and_no_script_to_be_read():
    text = page(read_sure)
    assert set(re.findall(r"(?:https?:)?//[\w.]+", text)) <= {"http://www.w3.org"}  # namespaces
    assert set(re.findall(r'(?:src|href)="(.)', text)) == {"#"}
    for anchor in re.findall(r'href="#([\w-]+)"', text[text.index("<nav") : text.index("</nav>")]):
        assert f'<h2 id="{anchor}"' in text
    assert "<button" not in text
    assert "<form hidden>" in text


def test_without_confidence_and_coarse_types_there_is_nothing_of_them():
    text = page()
    assert "The entities have no confidence." in text
    assert 'id="confidence"' not in text
    assert "%" not in text[text.index('<ol class="texts"') :].replace("--sure:100%", "")
    flat = page(read_sure, flat_taxonomy(TAXONOMY.fine))
    assert "coarse" not in plain(flat[flat.index("<main>") : flat.index("<script>")])
    assert "bob Artist 40% · wrong type" in plain(flat)
    assert rows(flat, "What types are taken for")["City"] == ["2", "0", "Artist 1", "1", "0"]


def test_words_and_labels_stay_text():
    evil = """<script>alert('x')</script>"&"""
    taxonomy = Taxonomy({evil: "C\"'<b>", "Y'\"": "C\"'<b>"})
    gold, found = (Doc(VOCAB, words=[evil, "b"]) for _ in range(2))
    gold.set_ents([Span(gold, 0, 1, evil)], default="outside")
    found.set_ents([Span(found, 0, 1, "Y'\"")], default="outside")
    text = render(
        Subject(evil, evil),
        [Example(found, gold)],
        taxonomy,
        lambda doc: read_prediction(doc, taxonomy),
        Training({evil: 1}, set()),
        samples=5,
    )
    assert text.count("<script") == 1  # ours
    assert "<b>" not in text.replace('<b lang="en">', "")
    assert plain(re.findall(r"<li>\n(.*?)</li>", text, re.DOTALL)[-1]) == (
        f"gold {evil} {evil} · wrong fine type b found {evil} Y'\" · wrong fine type b"
    )


def test_data_without_entities_is_told():
    with pytest.raises(UserError, match=r"valid\.spacy: there is no entity in gold or prediction"):
        page(texts=TEXTS[2:])


def test_what_finds_nothing_has_a_report():
    text = page(texts=[("paris/B-City sleeps/O", "paris/O sleeps/O")])
    assert "Nothing was found." in text
    assert rows(text, "Errors by kind")["missed"][:3] == ["1", "0", "100.0"]


def test_what_is_right_has_no_error():
    text = page(texts=[("paris/B-City sleeps/O", "paris/B-City sleeps/O")])
    assert "There is no error." in text
    assert "100.0 (100.0 to 100.0)" in text


def test_pieces_are_the_text_and_later_ones_of_overlapping_spans():
    words = ["a ", "b ", "c", ".\n"]
    one, two = (Mark(*bounds, "X", "X", "", "right", None) for bounds in ((1, 3), (2, 4)))
    assert pieces(words, [one]) == [("a ", None), ("b c", one), (".\n", None)]
    assert pieces(words, [two]) == [("a b ", None), ("c.", two), ("\n", None)]
    assert pieces(words, [one, two]) == [
        *[("a ", None), ("b c", one), (".\n", None)],
        *[(" ", None), ("c.", two)],
    ]
