import hashlib
import sys
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.conll import ConllError
from spacy_finegrained_ner.data.convert import convert_folder
from spacy_finegrained_ner.data.forms.record import MARKS, FormError
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError

TAXONOMY = Taxonomy({"Artist": "Person", "Food": "Product"}, "mine.toml")
TRAIN = "# id 1\nmarc B-Artist\nchagall I-Artist\nate O\nbread B-Food\n\nwho -\nate O\n"
VALID = "rice B-Food\n"


def convert_all(folder: Path, target: Path | None = None, dev_reports: bool = False, **files: str):
    for name, text in files.items():
        (folder / f"{name}.conll").write_text(text, encoding="utf-8")
    target = target or folder / "out"
    return convert_folder(folder, target, lang="en", taxonomy=TAXONOMY, dev_reports=dev_reports)


def convert(*arguments, **files: str):
    return convert_all(*arguments, **files).parts


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def docs(path: Path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def test_what_is_written_and_what_is_counted(tmp_path):
    train, valid = convert(tmp_path, train=TRAIN, valid=VALID)
    assert (train.path, valid.path) == (
        tmp_path / "out" / "train.spacy",
        tmp_path / "out" / "valid.spacy",
    )
    assert (train.sentences, train.tokens, train.unknown) == (2, 6, 1)
    assert train.entities == {"Artist": 1, "Food": 1}
    assert (valid.sentences, valid.tokens, valid.unknown) == (1, 1, 0)
    assert valid.entities == {"Food": 1}

    first, second = docs(train.path)
    assert [token.text for token in first] == ["marc", "chagall", "ate", "bread"]
    assert [(ent.start, ent.end, ent.label_) for ent in first.ents] == [
        (0, 2, "Artist"),
        (3, 4, "Food"),
    ]
    assert first.has_unknown_spaces
    assert [token.ent_iob for token in second] == [0, 2]
    assert [token.text for token in docs(valid.path)[0]] == ["rice"]


def test_parts_come_in_order_and_only_those_that_are_there(tmp_path):
    parts = convert(tmp_path, test=VALID, dev=VALID, valid=VALID, train=TRAIN)
    assert [part.path.name for part in parts] == [
        "train.spacy",
        "valid.spacy",
        "dev.spacy",
        "test.spacy",
    ]


def test_official_names_are_found_and_plain_ones_come_first(tmp_path):
    train, valid = convert(tmp_path, en_train=TRAIN, en_valid="", valid=VALID, es_test="")
    assert (train.sentences, valid.sentences) == (2, 1)


def test_without_valid_a_tenth_of_train_is_held_out_and_equal_texts_stay_together(tmp_path):
    words = [f"word{i}" for i in range(1000)]
    # Each text stands twice, with other tags.
    text = "\n".join(f"{w} {tag}\n" for tag in ("O", "B-Food") for w in words)
    train, valid, dev = convert(tmp_path, dev_reports=True, train=text, dev=VALID)
    held_out = {doc.text.strip() for doc in docs(valid.path)}
    kept = {doc.text.strip() for doc in docs(train.path)}
    assert held_out | kept == set(words)
    assert held_out & kept == set()
    assert len(held_out) == 100
    assert valid.sentences == 2 * len(held_out)
    assert train.sentences == 2 * len(kept)
    assert dev.sentences == 1

    shuffled = "\n".join(f"{w} O\n" for w in reversed(words))
    again = convert(tmp_path, tmp_path / "again", dev_reports=True, train=shuffled)[1]
    assert {doc.text.strip() for doc in docs(again.path)} == held_out


def test_valid_is_left_alone_where_there_is_one(tmp_path):
    text = "\n".join(f"word{i} O\n" for i in range(100))
    train, valid = convert(tmp_path, train=text, valid=VALID)
    assert (train.sentences, valid.sentences) == (100, 1)


def test_where_there_is_no_valid_dev_selects(tmp_path):
    done = convert_all(tmp_path, train=TRAIN, dev=VALID, test="oats B-Food\n\nrye O\n")
    assert [(part.path.name, part.sentences) for part in done.parts] == [
        ("train.spacy", 2),
        ("valid.spacy", 1),
        ("test.spacy", 2),
    ]
    assert [token.text for token in docs(tmp_path / "out" / "valid.spacy")[0]] == ["rice"]
    (note,) = done.notes
    assert note == (
        f"Found no valid.conll: {tmp_path / 'dev.conll'} selects the model. "
        "It is written as valid.spacy."
    )
    assert done.warnings == []


@pytest.mark.parametrize(("texts", "valid"), [(2, 1), (10, 1), (11, 2), (120, 12)])
def test_a_tenth_is_rounded_up(tmp_path, texts, valid):
    text = "\n".join(f"word{i} B-Food\n" for i in range(texts))
    assert [part.sentences for part in convert(tmp_path, train=text)] == [texts - valid, valid]


@pytest.mark.parametrize(
    ("texts", "entities", "few"), [(291, 2, False), (281, 2, True), (291, 1, True)]
)
def test_too_few_to_select_a_model_are_told(tmp_path, texts, entities, few):
    """30 or 29 texts are split off, each with so many entities."""
    food = "rice B-Food\n" * entities
    done = convert_all(tmp_path, train="\n".join(f"word{i} O\n{food}" for i in range(texts)))
    assert [("too few to select a model" in warning) for warning in done.warnings] == [True] * few


def test_one_text_can_not_be_split(tmp_path):
    with pytest.raises(ConllError, match=r"two different sentences, .* but found 1"):
        convert(tmp_path, train="a O\n\na B-Food\n")


def test_a_split_is_announced_and_says_which_types_a_part_has_not(tmp_path):
    # Of word0 to word99, those with the lowest hash are split off.
    split_off = set(sorted((f"word{i}" for i in range(100)), key=sha256)[:10])
    first, *_ = split_off
    tags = {first: "B-Artist"}  # none left in train
    text = "\n".join(
        f"word{i} {tags.get(f'word{i}', 'O' if f'word{i}' in split_off else 'B-Food')}\n"
        for i in range(100)
    )
    done = convert_all(tmp_path, train=text, test=VALID)
    (note,) = done.notes
    assert f"10 of the 100 sentences of {tmp_path / 'train.conll'} are split off" in note
    valid, few, train = done.warnings
    assert "valid.spacy has no entity of 1 of the 2 types" in valid
    assert valid.endswith("does not count there: Food. Give a valid.conll.")
    assert few.startswith("valid.spacy has 10 text(s) with 1 entities: too few to select a model")
    assert train == (
        "valid.spacy has 1 type(s) that the training part has none of, and that can't be learned: "
        "Artist."
    )
    assert [part.path.name for part in done.parts] == ["train.spacy", "valid.spacy", "test.spacy"]


def test_a_label_that_stands_behind_an_unknown_tag_only_is_checked(tmp_path):
    with pytest.raises(TaxonomyError, match=r"train.conll:3: The label 'Nonsense' is not"):
        convert(tmp_path, train="a B-Food\nb -\nc I-Nonsense\n", valid=VALID)


def test_a_part_of_an_earlier_conversion_is_told(tmp_path):
    convert(tmp_path, train=TRAIN, valid=VALID, dev=VALID)
    (tmp_path / "valid.conll").unlink()
    done = convert_all(tmp_path)
    assert done.warnings == [
        f"{tmp_path / 'out' / 'dev.spacy'} was there before: it is no part of this conversion."
    ]


def test_what_is_perhaps_not_meant_is_told(tmp_path):
    done = convert_all(
        tmp_path,
        train="a _ O\n\nb _ -\n",
        valid="a\u200b _ O\n\n\ufeffb _ B-Food\n\nc\xadd _ O\n",
        test="a\u200cb B-Food\n",  # Persian is spelled so
    )
    train, hidden = done.warnings
    assert "train.conll: there is no entity in its 2 sentences. The tag of a word is read" in train
    assert done.account.found == {MARKS: [(f"{tmp_path / 'valid.conll'}:3", "")]}
    assert "valid.conll: 2 word(s) with characters that can't be seen" in hidden
    assert hidden.endswith(f"the first at {tmp_path / 'valid.conll'}:1: 'a\\u200b' (U+200B).")
    assert done.notes == []


@pytest.mark.parametrize(
    ("label", "times", "frequent", "warned"),
    [
        ("Lapto", 1, 10, True),
        ("Lapto", 2, 10, False),
        ("Lapto", 1, 9, False),
        ("Lap", 1, 10, False),  # far from it: 0.67
    ],
)
def test_of_flat_labels_a_rare_one_near_to_a_frequent_one_is_told(
    tmp_path, label, times, frequent, warned
):
    words = ["a B-Laptop"] * (frequent - 1) + ["b O"] + [f"c B-{label}"] * times
    (tmp_path / "train.conll").write_text("\n".join(words) + "\n")
    (tmp_path / "valid.conll").write_text("d B-Laptop\n")  # counted in all parts
    done = convert_folder(tmp_path, tmp_path, lang="en", taxonomy=None)
    told = "train.conll:11: the label 'Lapto' occurs once, and is nearly 'Laptop', which occurs 10"
    assert [told in warning for warning in done.warnings] == [True] * warned


@pytest.mark.parametrize("lang", ["ko", "ja", "zh", "th", "vi"])
def test_no_language_needs_its_tokenizer(tmp_path, lang, monkeypatch):
    for package in ("natto", "sudachipy", "pythainlp", "pyvi", "spacy_pkuseg", "jieba"):
        monkeypatch.setitem(sys.modules, package, None)
    for part in ("train", "valid"):
        (tmp_path / f"{lang}_{part}.conll").write_text("녹차 B-Food\n", encoding="utf-8")
    done = convert_folder(tmp_path, tmp_path, lang=lang, taxonomy=TAXONOMY)
    assert [part.entities for part in done.parts] == [{"Food": 1}] * 2
    (doc,) = docs(tmp_path / "train.spacy")
    assert (doc.text.strip(), doc[0].norm_, doc[0].ent_type_) == ("녹차", "녹차", "Food")


@pytest.mark.parametrize("lang", ["xx9", "punctuation", ""])
def test_what_is_no_language(tmp_path, lang):
    with pytest.raises(UserError, match=f"^{lang!r} is no language of spaCy: "):
        convert_folder(tmp_path, tmp_path, lang=lang, taxonomy=TAXONOMY)


def test_labels_are_matched_without_regard_to_case_and_keep_their_spelling(tmp_path):
    train, _ = convert(tmp_path, train="a B-ARTIST\n", valid=VALID)
    assert train.entities == {"ARTIST": 1}
    assert docs(train.path)[0].ents[0].label_ == "ARTIST"


def test_lower_case_leaves_entities_where_they_are(tmp_path):
    """The lower case of İ is two characters."""
    text = "İzmir B-Food\nKebabs I-Food\nare O\nGOOD -\n"
    (tmp_path / "train.conll").write_text(text, encoding="utf-8")
    (tmp_path / "valid.conll").write_text("Rice B-Food\nwas O\n", encoding="utf-8")
    done = convert_folder(tmp_path, tmp_path, lang="tr", taxonomy=TAXONOMY, lower=True)
    assert done.notes == ["Lower case: 4 of 6 tokens changed."]
    (train,), (valid,) = docs(tmp_path / "train.spacy"), docs(tmp_path / "valid.spacy")
    assert [token.text for token in train] == ["i\u0307zmir", "kebabs", "are", "good"]
    assert [(ent.start, ent.end, ent.label_) for ent in train.ents] == [(0, 2, "Food")]
    assert [token.ent_iob for token in train] == [3, 1, 2, 0]
    assert [(ent.text, ent.label_) for ent in valid.ents] == [("rice", "Food")]
    assert done.parts[0].entities == {"Food": 1}


def test_texts_that_are_the_same_in_lower_case_stay_together(tmp_path):
    text = "\n".join(f"{word}{i} B-Food\n" for i in range(60) for word in ("Rice", "rice"))
    (tmp_path / "train.conll").write_text(text)
    done = convert_folder(tmp_path, tmp_path, lang="en", taxonomy=TAXONOMY, lower=True)
    train, valid = ({doc.text for doc in docs(part.path)} for part in done.parts)
    assert (len(train | valid), train & valid) == (60, set())


def test_a_folder_without_training_part(tmp_path):
    with pytest.raises(FormError, match=r"found no train\.conll and no en_train\.conll"):
        convert(tmp_path, valid=VALID, es_train=TRAIN)


@pytest.mark.parametrize(
    ("train", "valid", "error", "message"),
    [
        (
            TRAIN + "\nx O\ny B-Vessel\n",
            VALID,
            TaxonomyError,
            r"train\.conll:11: The label 'Vessel' is not in the taxonomy \(mine\.toml\)",
        ),
        (TRAIN, VALID + "y B-Vessel\n", TaxonomyError, r"valid\.conll:2: The label 'Vessel'"),
        (TRAIN, "y I-Food\n", FormError, r"valid\.conll:1: 'I-Food' follows 'O'"),
        (
            TRAIN,
            "x O\nbread B-FOOD\n",
            TaxonomyError,
            r"two ways: 'Food' \(.*train\.conll:5\) and 'FOOD' \(.*valid\.conll:2\)\. Give all",
        ),
        (
            TRAIN + "\nrice B-food\n",
            VALID,
            TaxonomyError,
            r"'Food' \(.*train\.conll:5\) and 'food' \(.*train\.conll:10\)",
        ),
        (TRAIN, "", FormError, r"valid\.conll: the file is empty"),
    ],
)
def test_errors_say_file_and_line(tmp_path, train, valid, error, message):
    with pytest.raises(error, match=message):
        convert(tmp_path, train=train, valid=valid)
