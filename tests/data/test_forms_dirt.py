"""What does not fit is counted with its place, and is never O."""

import json

import exporters
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_finegrained_ner.data.forms.loading import load
from spacy_finegrained_ner.data.forms.record import FormError, Options

NLP = spacy.blank("en")
GOLD = [(["green", "tea", "in", "Lyon"], [(0, 2, "Drink"), (3, 4, "City")]), (["no", "tea"], [])]


def write(folder, name: str, content) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    content = content if isinstance(content, bytes | str) else json.dumps(content)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def read(folder, name: str, content=None, **options):
    if content is not None:
        write(folder, name, content)
    parts, account = load({"x": [folder / name]}, NLP.vocab, NLP.make_doc, Options(**options))
    found = {
        kind: [(place.replace(f"{folder}/", ""), what) for place, what in some]
        for kind, some in account.found.items()
    }
    return parts["x"].docs, found


def shown(doc) -> str:
    """The tags of a text, `?` for what is not known."""
    tags = []
    for token in doc:
        known = f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"
        tags.append(known if token.ent_iob else "?")
    return " ".join(tags)


SENTENCE = "green tea in Lyon now"


@pytest.mark.parametrize(
    ("spans", "tags", "kind", "what"),
    [
        # Off by one, at both ends
        (
            [[1, 9, "Drink"], [13, 17, "City"]],
            "? ? O B-City O",
            "off token boundaries",
            "'reen tea' (Drink) at 1:9",
        ),
        (
            [[0, 8, "Drink"], [13, 17, "City"]],
            "? ? O B-City O",
            "off token boundaries",
            "'green te' (Drink) at 0:8",
        ),
        ([[0, 10, "Drink"]], "B-Drink I-Drink O O O", "whitespace at the ends", None),
        ([[5, 9, "Drink"]], "O B-Drink O O O", "whitespace at the ends", "' tea' (Drink) at 5:9"),
        ([[0, 9, "Drink"], [0, 9, "Drink"]], "B-Drink I-Drink O O O", "twice the same", None),
        (
            [[0, 9, "Drink"], [0, 9, "Food"], [13, 17, "City"]],
            "? ? O B-City O",
            "two labels for one span",
            "'green tea' (Drink and Food)",
        ),
        # Nested, and crossing
        ([[6, 9, "Food"], [0, 9, "Drink"]], "B-Drink I-Drink O O O", "overlap", "'tea' (Food)"),
        ([[0, 9, "Drink"], [6, 17, "X"]], "? B-X I-X I-X O", "overlap", "'green tea' (Drink)"),
        # Nobody knows where
        ([[0, 9, "Drink"], [93, 99, "City"]], "B-Drink I-Drink ? ? ?", "no such place", None),
        ([[0, 9, "Drink"], [5, 5, "City"]], "B-Drink I-Drink ? ? ?", "no such place", None),
        ([[0, 9, "Drink"], [-9, -5, "City"]], "B-Drink I-Drink ? ? ?", "no such place", None),
        ([[-1, 5, "Drink"], [13, 17, "City"]], "? O O B-City O", "off token boundaries", None),
        (
            [[0, 9, "Drink"], [18, 22, "Time"]],
            "B-Drink I-Drink O O ?",
            "off token boundaries",
            "18:22 (Time) in a text of 21 characters",
        ),
        ([[0, 9, "Drink"], [5, 6, "City"]], "B-Drink I-Drink ? ? ?", "no such place", None),
        ([[0, 9, "Drink"], "nothing"], "B-Drink I-Drink ? ? ?", "no such place", None),
        (
            [[0, 9, "Drink"], [13, 17, None]],
            "B-Drink I-Drink O ? O",
            "no label",
            "'Lyon' () at 13:17",
        ),
    ],
)
def test_spans_that_do_not_fit(tmp_path, spans, tags, kind, what):
    text = f'{{"text": "fine"}}\n\n{json.dumps({"text": SENTENCE, "label": spans})}\n'
    text = text.replace('"fine"', '"fine", "label": [[0, 4, "Other"]]')
    (first, second), found = read(tmp_path, "a.jsonl", text)
    assert (shown(first), shown(second)) == ("B-Other", tags)
    ((place, said),) = found.pop(kind)
    assert (place, found) == ("a.jsonl:3", {})
    assert what is None or said == what


def test_a_text_beside_the_offsets_is_compared(tmp_path):
    """Offsets that are wrong by a word are on token boundaries, too."""
    spans = [
        {"start": 6, "end": 9, "label": "Drink", "text": "green tea"},
        {"start": 13, "end": 17, "label": "City", "text": "Lyon"},
    ]
    (doc,), found = read(tmp_path, "a.json", [{"text": SENTENCE, "spans": spans}])
    assert shown(doc) == "O ? O B-City O"
    assert found == {
        "other text than it says": [
            ("a.json, text 1", "'tea' (Drink) at 6:9, expected 'green tea'")
        ]
    }


def test_prodigy_answers_and_decisions(tmp_path):
    city = {"start": 13, "end": 17, "label": "City"}
    lines = [
        {"text": SENTENCE, "spans": [city], "answer": "accept", "_view_id": "ner_manual"},
        {"text": SENTENCE, "spans": [city], "answer": "reject", "_view_id": "ner_manual"},
        {"text": SENTENCE, "spans": [city], "answer": "ignore", "_view_id": "ner_manual"},
        # Of ner.teach: yes, this is one
        {"text": SENTENCE, "spans": [city], "answer": "accept", "_view_id": "ner"},
        {"text": SENTENCE, "answer": "accept", "_view_id": "ner_manual"},
        {"text": SENTENCE, "spans": [{"token_start": 1, "token_end": 1, "label": "Drink"}]}
        | {"tokens": [{"text": w, "start": s, "end": s + len(w)} for w, s in words(SENTENCE)]},
    ]
    docs, found = read(tmp_path, "a.jsonl", exporters.jsonl(lines))
    whole = "O O O B-City O"
    assert list(map(shown, docs)) == [whole, "? ? ? B-City ?", "O O O O O", "O B-Drink O O O"]
    assert found == {"rejected or ignored": [("a.jsonl:2", "reject"), ("a.jsonl:3", "ignore")]}


def words(text):
    starts = [i for i in range(len(text)) if i == 0 or text[i - 1] == " "]
    return [(text[i:].split()[0], i) for i in starts]


def test_tokens_that_do_not_spell_the_text_are_not_taken(tmp_path):
    tokens = [{"text": "green", "start": 0, "end": 5}, {"text": "coffee", "start": 6, "end": 12}]
    line = {"text": "green  tea", "tokens": tokens, "spans": [[7, 10, "Drink"]]}
    (doc,), found = read(tmp_path, "a.jsonl", [line])
    assert ([t.text for t in doc], shown(doc), found) == (["green", " ", "tea"], "O O B-Drink", {})
    line["tokens"] = [{"start": 0, "end": 5}, {"start": 7, "end": 10}]
    (doc,), found = read(tmp_path, "b.jsonl", [line])
    assert ([t.text for t in doc], doc.text) == (["green", " ", "tea"], "green  tea")
    assert shown(doc) == "O O B-Drink"


def test_label_studio(tmp_path):
    city = {"value": exporters.region(SENTENCE, 13, 17, "City"), "type": "labels"}
    choice = {"value": {"choices": ["good"]}, "type": "choices"}
    tasks = [
        {"data": {"text": SENTENCE}, "annotations": runs}
        for runs in (
            [{"result": [city, choice]}, {"result": []}],
            [{"result": [], "was_cancelled": True}, {"result": [city]}],
            [{"result": [city], "was_cancelled": True}],
            [],
        )
    ]
    tasks.append({"data": {"reviewText": SENTENCE, "id": "7"}, "completions": [{"result": []}]})
    docs, found = read(tmp_path, "a.json", tasks)
    assert list(map(shown, docs)) == ["O O O B-City O"] * 2 + ["O O O O O"]
    assert found == {
        "annotated by others, too": [("a.json, text 1", "")],
        "no entities": [("a.json, text 1", "choices")],
        "rejected or ignored": [("a.json, text 3", "cancelled")],
        "not annotated": [("a.json, text 4", "")],
    }


def test_only_a_list_is_annotation(tmp_path):
    """A column of that name may hold anything, and a class of the text is no entity."""
    rows = [
        {"id": 1, "text": SENTENCE, "entities": "mine", "label": [[0, 9, "Drink"]]},
        {"id": 2, "text": SENTENCE, "label": "Drinks"},
        {"id": 3, "text": SENTENCE, "label": 1},
        {"id": 4, "text": SENTENCE, "label": []},
        {"id": 5, "text": None, "label": []},
    ]
    docs, found = read(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert [shown(doc) for doc in docs] == ["B-Drink I-Drink O O O", "O O O O O"]
    assert [place for place, _ in found.pop("not annotated")] == ["a.jsonl:2", "a.jsonl:3"]
    assert found == {"no text": [("a.jsonl:5", "found text: None")]}


def test_doccano_relations_and_lines_without_a_text(tmp_path):
    lines = [
        {"id": 1, "text": SENTENCE, "entities": [], "relations": [{"id": 1, "from_id": 2}]},
        {"id": 2, "text": SENTENCE},
        {"id": 3, "image": "a.png", "entities": []},
        [1, 2],
    ]
    docs, found = read(tmp_path, "a.jsonl", exporters.jsonl(lines))
    assert len(docs) == 1
    assert {kind: [place for place, _ in some] for kind, some in found.items()} == {
        "no entities": ["a.jsonl:1"],
        "not annotated": ["a.jsonl:2"],
        "no text": ["a.jsonl:3", "a.jsonl:4"],
    }


@pytest.mark.parametrize(("counted", "end"), [("\n", "\n"), ("\r\n", "\r\n"), ("\n", "\r\n")])
def test_brat(tmp_path, counted, end):
    """The last: offsets that were counted before the line ends were changed."""
    head = f"One.{counted}"
    at = len(head)
    lines = [
        f"T1\tDrink {at} {at + 9}\tgreen tea",
        f"T2\tCity {at + 13} {at + 17}\tLyon",
        f"T3\tX {at} {at + 5};{at + 10} {at + 12}\tgreen in",
        "R1\tIn Arg1:T1 Arg2:T2",
        "#1\tAnnotatorNotes T1\tsure?",
        "",
    ]
    write(tmp_path, "a.txt", f"One.{end}{SENTENCE}{end}")
    write(tmp_path, "a.ann", end.join(lines))
    (doc,), found = read(tmp_path, "a.txt")
    assert shown(doc) == "O O O B-Drink I-Drink ? B-City O O"
    assert found == {
        "discontinuous": [("a.ann:3", "'green in' (X)")],
        "no entities": [("a.ann:4", "R1"), ("a.ann:5", "#1")],
    }


def test_a_text_of_brat_without_annotation(tmp_path):
    write(tmp_path, "a.txt", SENTENCE)
    write(tmp_path, "a.ann", "")
    write(tmp_path, "b.txt", SENTENCE)
    files = [tmp_path / "a.txt", tmp_path / "b.txt"]
    parts, account = load({"x": files}, NLP.vocab, NLP.make_doc, Options())
    assert list(map(shown, parts["x"].docs)) == ["O O O O O"]
    assert account.found == {
        "not annotated": [(str(files[1]), "no b.ann beside it, as others have")]
    }


def test_a_table_as_excel_and_pandas_write_it(tmp_path):
    rows = [
        "Text;Start;End;Label",
        "green tea in Lyon now;0;9;Drink",
        '"two\nlines, ""quoted""";;;',
        "",
        "green tea in Lyon now;13.0;17.0;City",
        "other tea;x;9;Drink",
        ";0;1;Drink",
    ]
    text = "\r\n".join(rows)
    docs, found = read(tmp_path, "a.csv", text.encode("utf-8-sig"))
    assert [shown(doc) for doc in docs][::2] == ["B-Drink I-Drink O B-City O", "? ?"]
    assert docs[1].text == 'two\nlines, "quoted"'
    assert {kind: [place for place, _ in some] for kind, some in found.items()} == {
        "no such place": ["a.csv:7"],
        "no text": ["a.csv:8"],
    }


def test_tags_by_number_take_their_names_from_beside_the_file(tmp_path):
    lines = [*exporters.numbered(GOLD), {"tokens": ["a", "b"], "ner_tags": [0]}]
    lines.append({"tokens": ["tea", "!"], "ner_tags": [3, -100]})
    text = exporters.jsonl(lines)
    with pytest.raises(FormError, match=r"data/a\.jsonl: the ner_tags are numbers, .*--tag-names"):
        read(tmp_path, "data/a.jsonl", text)
    with pytest.raises(FormError, match="have the number 1, but there are names for 0 to 0 only"):
        read(tmp_path, "data/a.jsonl", text, tag_names=["O"])
    write(tmp_path, "dataset_info.json", {"features": exporters.features(GOLD)})
    docs, found = read(tmp_path, "data/a.jsonl")
    assert [shown(doc) for doc in docs] == ["B-Drink I-Drink O B-City", "O O", "B-Drink ?"]
    assert found == {
        "tokens and tags differ in number": [("data/a.jsonl:3", "2 tokens and 1 tags")]
    }
    docs, _ = read(tmp_path, "data/a.jsonl", tag_names=["O", "B-A", "I-A", "B-B", "I-B"])
    assert shown(docs[0]) == "B-B I-B O B-A"


def test_a_doc_bin_stays_what_it_is(tmp_path):
    """What only some of its tokens say, its spans, categories and sentences."""
    doc = Doc(NLP.vocab, words=["a", "b", "c"], sent_starts=[True, False, True])
    doc.set_ents([Span(doc, 1, 3, "X")], missing=[doc[0:1]])
    doc.spans["k"] = [Span(doc, 0, 2, "Y")]
    doc.cats = {"good": 1.0}
    DocBin(docs=[doc]).to_disk(tmp_path / "any.thing")
    (same,), found = read(tmp_path, "any.thing")
    assert (shown(same), same.cats, [s.label_ for s in same.spans["k"]]) == (
        "? B-X I-X",
        doc.cats,
        ["Y"],
    )
    assert found == {"across sentences, kept": [("any.thing, text 1", "'b c' (X)")]}
