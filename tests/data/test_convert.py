from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.conll import ConllError
from spacy_finegrained_ner.data.convert import convert_folder
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError

TAXONOMY = Taxonomy({"Artist": "Person", "Food": "Product"}, "mine.toml")
TRAIN = "# id 1\nmarc B-Artist\nchagall I-Artist\nate O\nbread B-Food\n\nwho -\nate O\n"
VALID = "rice B-Food\n"


def convert(folder: Path, target: Path | None = None, **files: str):
    for name, text in files.items():
        (folder / f"{name}.conll").write_text(text, encoding="utf-8")
    return convert_folder(folder, target or folder / "out", lang="en", taxonomy=TAXONOMY)


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
    train, valid, dev = convert(tmp_path, train=text, dev=VALID)
    held_out = {doc.text.strip() for doc in docs(valid.path)}
    kept = {doc.text.strip() for doc in docs(train.path)}
    assert held_out | kept == set(words)
    assert held_out & kept == set()
    assert 0.07 < len(held_out) / len(words) < 0.13
    assert valid.sentences == 2 * len(held_out)
    assert train.sentences == 2 * len(kept)
    assert dev.sentences == 1

    shuffled = "\n".join(f"{w} O\n" for w in reversed(words))
    again = convert(tmp_path, tmp_path / "again", train=shuffled)[1]
    assert {doc.text.strip() for doc in docs(again.path)} == held_out


def test_valid_is_left_alone_where_there_is_one(tmp_path):
    text = "\n".join(f"word{i} O\n" for i in range(100))
    train, valid = convert(tmp_path, train=text, valid=VALID)
    assert (train.sentences, valid.sentences) == (100, 1)


def test_labels_are_matched_without_regard_to_case_and_keep_their_spelling(tmp_path):
    train, _ = convert(tmp_path, train="a B-ARTIST\n", valid=VALID)
    assert train.entities == {"ARTIST": 1}
    assert docs(train.path)[0].ents[0].label_ == "ARTIST"


def test_a_folder_without_training_part(tmp_path):
    with pytest.raises(ConllError, match=r"found no train\.conll and no en_train\.conll"):
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
        (TRAIN, "y I-Food\n", ConllError, r"valid\.conll:1: 'I-Food' follows 'O'"),
        (TRAIN, "", ConllError, r"valid\.conll: the file holds no sentences"),
    ],
)
def test_errors_say_file_and_line(tmp_path, train, valid, error, message):
    with pytest.raises(error, match=message):
        convert(tmp_path, train=train, valid=valid)
