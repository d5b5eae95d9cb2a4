"""A fault that is planted in data is found, at its place; data without one gives nothing."""

import json

import pytest
from patients import findings, healthy, text, write

from spacy_finegrained_ner.data.corpus import EMBEDDED
from spacy_finegrained_ner.doctor.finding import GROUP_OF
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy

TREE = Taxonomy({"Athlete": "Person", "Drink": "Product", "Station": "Location"})


def names(found) -> set[str]:
    return {finding.name for finding in found}


def test_nothing_is_found_where_nothing_is_wrong(good):
    assert findings(good) == []
    assert findings(good, TREE) == []


def test_files_that_are_not_read_are_told(tmp_path):
    folder = write(tmp_path, healthy())
    (folder / "mine.conll").write_text("pelé B-Athlete\n", encoding="utf-8")
    (only,) = findings(folder, TREE)
    assert (only.name, only.severity) == ("changed", "note")
    assert "Not read, no name of a part in it: " in only.what
    assert "mine.conll" in only.what


def test_of_the_embedded_corpus_is_said_what_is_true_of_it():
    """Of the five places named japan, one is the team."""
    (only,) = findings(EMBEDDED, read_taxonomy())
    assert (only.name, only.severity) == ("mostly-another-label", "note")
    assert "'japan' (SportsGRP), 4 times HumanSettlement" in only.where[0]


def tag(parts, part, number, token, new):
    parts[part][number][token][1] = new


def illegal(parts):
    tag(parts, "train", 3, 2, "I-Drink")


def unknown(parts):
    tag(parts, "train", 3, 2, "Q-Drink")


def other_scheme(parts):
    """IO: I- begins entities."""
    for one in parts["valid"]:
        for token in one:
            token[1] = token[1].replace("B-", "I-")


def some_in_another_scheme(parts):
    for one in parts["train"][:40]:
        for token in one:
            token[1] = token[1].replace("B-", "I-")


def speech(parts):
    for texts in parts.values():
        for one in texts:
            kinds = ("NOUN", "PROPN", "VERB", "DET", "ADJ", "O", "PUNCT", "ADP")
            for i, token in enumerate(one):
                token[1] = kinds[i % 8]


def words_as_tags(parts):
    for texts in parts.values():
        for one in texts:
            for token in one:
                token.reverse()


def all_outside(parts):
    for one in parts["train"]:
        for token in one:
            token[1] = "O"


def all_unknown(parts):
    for one in parts["train"]:
        for token in one:
            token[1] = "-"


def relabel(old, new, times):
    def plant(parts):
        left = times
        for one in parts["train"]:
            for token in one:
                if left and token[1] == f"B-{old}":
                    left -= 1
                    token[1] = f"B-{new}"
                elif token[1] == f"I-{old}":
                    token[1] = "-"

    return plant


def hidden_in_label(parts):
    tag(parts, "train", 3, 0, "B-Athlete\u200b")


def only_in_valid(parts):
    parts["valid"].append(text("a koala/B-Animal sleeps"))


def only_in_train(parts):
    parts["train"] += [text(f"{word} barks/B-Sound") for word in "qwertzuiopasdfghjklyxcvb"]


def long_text(parts):
    parts["train"].append(text(" ".join(f"w{chr(97 + i % 26)}" for i in range(400))))


def one_token(parts):
    parts["train"] += [text("yes"), text("no")]


def hidden_in_text(parts):
    parts["train"][5][3][0] = "tea\u200b"


def few_in_valid(parts):
    del parts["valid"][5:]


def larger_valid(parts):
    parts["train"], parts["valid"] = parts["valid"], parts["train"]


def other_types(parts):
    for one in parts["valid"]:
        for token in one:
            token[1] = token[1].replace("Station", "Drink")


def fewer_entities(parts):
    for one in parts["valid"]:
        for token in one[2:]:
            token[1] = "O"
        one += text("and that was all there was to say of it then")


def capitals(parts):
    for one in parts["valid"]:
        one[0][0] = one[0][0].title()


def doubled(parts):
    parts["train"].append([list(token) for token in parts["train"][7]])


def leaked(parts):
    parts["train"].append([list(token) for token in parts["valid"][7]])


def nearly_leaked(parts):
    copy = [list(token) for token in parts["valid"][7][:-1]]
    copy[0][0] = copy[0][0].upper()
    parts["train"].append(copy)


def contradicting(parts):
    copy = [list(token) for token in parts["train"][7]]
    copy[0][1], copy[1][1] = "O", "O"
    parts["train"].append(copy)


def another_label(parts):
    for part in parts.values():
        part += [text(f"{w} sips cider/B-Drink") for w in ("x", "y", "z")]
    parts["train"].append(text("the cider/B-Station was closed"))


def missed(parts):
    parts["train"].append(text("nobody wants cider today"))


def too_long(parts):
    parts["train"].append(text("a/B-Drink " + " ".join(f"{w}/I-Drink" for w in "qwertzuiopasdfgh")))


def comma(parts):
    parts["train"].append(text("the cider/B-Drink ,/I-Drink was warm"))


def bracket(parts):
    parts["train"].append(text("we had (/B-Drink cider/I-Drink again"))


def determiner(parts):
    parts["train"] += [text("the/B-Station depot/I-Station burns"), text("at the depot/B-Station")]


FAULTS = [
    (illegal, "illegal-tags", "'I-Drink' follows 'I-Athlete'"),
    (unknown, "unknown-tags", "'Q-Drink' is no tag"),
    (other_scheme, "mixed-schemes", "valid.conll"),
    (some_in_another_scheme, "mixed-schemes", "train.conll:1"),
    (speech, "wrong-column", "train.conll"),
    (words_as_tags, "wrong-column", "train.conll"),
    (all_outside, "no-entities", "train.conll"),
    (all_unknown, "nothing-known", "train.conll"),
    (relabel("Drink", "_", 3), "wrong-column", "train.conll"),
    (relabel("Drink", "drink", 3), "two-spellings", "drink"),
    (relabel("Station", "St ation", 3), "unreadable", "train.conll"),
    (relabel("Drink", "Drnik", 1), "misspelled-label", "train.conll"),
    (relabel("Drink", "Soup", 3), "rare-types", "Soup: 3"),
    (hidden_in_label, "invisible-in-label", "train.conll"),
    (only_in_valid, "type-not-in-train", "'koala' (Animal)"),
    (only_in_train, "type-only-in-train", "Sound"),
    (long_text, "long-texts", "'wa wb"),
    (one_token, "one-token-texts", "'yes'"),
    (hidden_in_text, "invisible-in-text", "train.conll"),
    (few_in_valid, "small-part", ""),
    (larger_valid, "unequal-parts", ""),
    (other_types, "unequal-parts", ""),
    (fewer_entities, "unequal-parts", ""),
    (capitals, "casing-differs", ""),
    (doubled, "duplicates", "train.conll"),
    (leaked, "leakage", "valid.conll"),
    (nearly_leaked, "near-leakage", "valid.conll"),
    (contradicting, "labelled-differently", "'ada koch' (Athlete)"),
    (another_label, "mostly-another-label", "'cider' (Station)"),
    (missed, "mostly-an-entity", "'cider'"),
    (too_long, "long-entities", "'a q w e"),
    (comma, "edge-punctuation", "'cider ,' (Drink)"),
    (bracket, "edge-punctuation", "'( cider' (Drink)"),
    (determiner, "edge-determiner", "depot"),
]


@pytest.mark.parametrize(
    ("plant", "name", "where"), FAULTS, ids=[f"{x[1]}-{i}" for i, x in enumerate(FAULTS)]
)
def test_a_fault_is_found(tmp_path, plant, name, where):
    parts = healthy()
    plant(parts)
    found = [x for x in findings(write(tmp_path, parts)) if x.name == name]
    assert found
    assert where in " ".join(place for one in found for place in one.where)


def test_a_label_outside_the_taxonomy_is_found(tmp_path):
    parts = healthy()
    relabel("Drink", "Drunk", 3)(parts)
    found = {x.name: x for x in findings(write(tmp_path, parts), TREE)}
    assert "perhaps, for 'Drink'" in found["outside-taxonomy"].what
    assert "misspelled-label" not in found  # there is a list of labels to check it against


def test_no_valid_is_told(tmp_path):
    parts = healthy()
    assert names(findings(write(tmp_path, {"train": parts["train"]}))) == {"no-valid"}


def test_what_is_lost_of_spans_is_told(tmp_path):
    rows = [
        {"text": "we had cider", "spans": [{"start": 7, "end": 12, "label": "Drink"}]},
        {"text": "we had lemonade", "spans": [{"start": 8, "end": 15, "label": "Drink"}]},
        {"text": "   ", "spans": []},
    ]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "train.jsonl").write_text(lines, encoding="utf-8")
    found = {x.name: x for x in findings(tmp_path)}
    assert "off token boundaries" in found["lost"].what
    assert "'emonade'" in found["lost"].where[0]
    assert "empty-texts" in found or "no text" in found["lost"].what


def test_a_file_that_can_not_be_read_leaves_the_others(tmp_path):
    folder = write(tmp_path, healthy())
    (folder / "valid.conll").write_bytes(b"a O\nb\n")
    found = {x.name: x for x in findings(folder)}
    assert "valid.conll:2" in found["unreadable"].what
    assert names(findings(folder)) <= {"unreadable", "no-valid"}


def test_every_planted_name_is_known():
    assert {name for _, name, _ in FAULTS} <= set(GROUP_OF)
