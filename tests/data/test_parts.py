import pytest

from spacy_finegrained_ner.data.forms.record import FormError
from spacy_finegrained_ner.data.parts import find_parts


def find(tmp_path, *names, lang="en", written=()):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_parts(tmp_path, lang, [tmp_path / name for name in written])
    parts = {
        part: " ".join(path.relative_to(tmp_path).as_posix() for path in paths)
        for part, paths in found.parts.items()
    }
    return parts, [note.replace(f"{tmp_path}/", "") for note in found.notes]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train.conll", "valid.conll", "dev.conll", "test.conll"], "train valid dev test"),
        (["train.txt", "val.txt"], "train valid"),
        (["training.jsonl", "validation.jsonl", "testing.jsonl"], "train valid test"),
        (["x_train.csv", "x_development.csv", "x_eval.tsv"], "train dev+"),
        (["en_train.conll", "en-dev.conll"], "train dev"),
        (["wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"], "train dev test"),
        (["eng.train", "eng.testa", "eng.testb"], "train valid test"),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], "train+"),
        (["a/Train/1.txt", "a/Train/1.ann", "a/Train/2.txt", "a/DEV/3.txt"], "train+ dev"),
        (["train/dev.md", "train/a.json"], "train"),
    ],
)
def test_the_usual_names_of_parts(tmp_path, names, parts):
    """Where there are several, `+`."""
    found, notes = find(tmp_path, *names)
    assert [f"{part}{'+' * (' ' in files)}" for part, files in found.items()] == parts.split()
    assert notes == []


def test_the_plainest_and_uppermost_names_count_and_the_others_are_told(tmp_path):
    names = ["train.conll", "en_train.conll", "my_train.jsonl", "old/train.conll", "valid.conll"]
    parts, notes = find(tmp_path, *names)
    assert parts == {"train": "train.conll", "valid": "valid.conll"}
    assert notes == [
        "Not read, as other files are the part train: en_train.conll, my_train.jsonl, "
        "old/train.conll."
    ]


def test_other_languages_and_what_has_no_part_are_told(tmp_path):
    names = ["en_train.conll", "de_valid.conll", "fr/test.conll", "more.jsonl", "README.md"]
    parts, notes = find(tmp_path, *names)
    assert parts == {"train": "en_train.conll"}
    assert notes == [
        "Not read, of another language: de_valid.conll, fr/test.conll.",
        "Not read, no name of a part in it: more.jsonl.",
    ]


def test_where_no_name_says_a_part_all_are_training_part(tmp_path):
    names = ["a/1.txt", "a/1.ann", "a/2.txt", "a/2.ann", ".hidden/3.txt", "annotation.conf"]
    parts, notes = find(tmp_path, *names)
    assert parts == {"train": "a/1.txt a/2.txt"}
    assert notes == []


def test_a_single_file_is_the_training_part(tmp_path):
    (tmp_path / "valid.jsonl").touch()
    found = find_parts(tmp_path / "valid.jsonl", "en")
    assert found.parts == {"train": [tmp_path / "valid.jsonl"]}


def test_what_is_written_is_not_read(tmp_path):
    parts, _ = find(tmp_path, "train.jsonl", "train.spacy", written=["train.spacy"])
    assert parts == {"train": "train.jsonl"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["valid.conll", "x.jsonl"], r"training part\. Expected .* It has .*valid.conll, .*x.jso"),
        (["README.md"], "It has no data"),
        (["train.conll", "train.jsonl"], "found train.conll and train.jsonl, both for the part tr"),
    ],
)
def test_what_is_no_data_set(tmp_path, names, message):
    with pytest.raises(FormError, match=message):
        find(tmp_path, *names)
