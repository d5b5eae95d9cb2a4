"""A taxonomy file to begin with, made of the labels of some data."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_commands import run, write_spacy

from spacy_finegrained_ner.cli.init_taxonomy import coarse_type, find_separator
from spacy_finegrained_ner.labels.taxonomy import flat_taxonomy, read_taxonomy
from spacy_finegrained_ner.labels.writing import write_taxonomy


def test_coarse_types_are_read_off_the_names(tmp_path):
    (tmp_path / "train.conll").write_text("a B-location-GPE\n\nb B-person-actor\n")
    write_spacy(tmp_path / "valid.spacy", ["c/B-location-road.river", "d/B-person-actor"])
    code, printed = run("init-taxonomy", tmp_path, tmp_path / "new" / "types.toml")
    assert (code, "3 types under 2 coarse types" in printed) == (0, True), printed
    assert dict(read_taxonomy(tmp_path / "new" / "types.toml").coarse_of) == {
        "location-GPE": "location",
        "location-road.river": "location",
        "person-actor": "person",
    }


def test_without_them_each_is_its_own_and_the_file_means_flat_labels(tmp_path):
    data = write_spacy(tmp_path / "data.spacy", ["a/B-Laptop b/B-Error-Code", "c/B-Straße"])
    code, printed = run("init-taxonomy", data, tmp_path / "types.toml")
    assert (code, "3 types under 3 coarse types" in printed) == (0, True), printed
    taxonomy = read_taxonomy(tmp_path / "types.toml")
    assert taxonomy.flat
    assert taxonomy.fine == ("Error-Code", "Laptop", "Straße")


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["location-GPE", "location-road", "art-film"], "-"),
        (["Medication/Vaccine", "Disease"], ""),
        (["A-x", "B-y"], ""),  # nothing in common
        (["PER:Artist", "PER:Athlete"], ":"),
        (["WORK_OF_ART", "ORG"], ""),
        (["-x", "-y"], ""),
        ([], ""),
    ],
)
def test_the_separator(labels, separator):
    assert find_separator(labels) == separator


def test_a_separator_that_is_given(tmp_path):
    labels = ["location-GPE", "location", "Error", "-x"]
    assert [coarse_type(label, "-") for label in labels] == ["location", "location", "Error", "-x"]
    data = write_spacy(tmp_path / "data.spacy", ["a/B-PER.Artist b/B-Disease"])
    out = tmp_path / "types.toml"
    assert run("init-taxonomy", data, out, "--separator", ".")[0] == 0
    assert read_taxonomy(out).coarse_label("PER.Artist") == "PER"


def test_labels_that_look_like_tags(tmp_path):
    data = tmp_path / "data.conll"
    data.write_text("a Class_B\nb Class_I\nc O\n")
    for scheme, types in ((), ("Class",)), (("--scheme", "labels"), ("Class_B", "Class_I")):
        out = tmp_path / f"{len(types)}.toml"
        code, printed = run("init-taxonomy", data, out, *scheme)
        assert code == 0, printed
        assert read_taxonomy(out).fine == types


def test_what_can_not_be_written_is_told(tmp_path):
    out = tmp_path / "types.toml"
    empty = write_spacy(tmp_path / "empty.spacy", ["nothing/O"])
    code, printed = run("init-taxonomy", empty, out)
    assert (code, "found no entities" in printed) == (1, True)
    two = write_spacy(tmp_path / "two.spacy", ["a/B-Art b/B-ART"])
    code, printed = run("init-taxonomy", two, out)
    assert (code, "one label in two ways" in printed, out.exists()) == (1, True, False)
    out.write_text("mine")
    code, printed = run("init-taxonomy", empty, out)
    assert (code, "is there already" in printed, out.read_text()) == (1, True, "mine")


LABELS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Z", "Cc", "Cf", "Cs")), min_size=1),
    min_size=1,
    max_size=4,
    unique_by=str.casefold,
)


@settings(max_examples=30)
@given(LABELS)
def test_any_labels_come_back_as_they_are(tmp_path_factory, labels):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    write_taxonomy(flat_taxonomy(labels), path)
    assert sorted(read_taxonomy(path).fine) == sorted(labels)


def test_what_does_not_fit_and_two_spellings_are_told(tmp_path):
    (tmp_path / "a.conll").write_text("a B-PER\nb e-mail\nc O\nd B-LOC\n")
    code, said = run("init-taxonomy", tmp_path, tmp_path / "new.toml")
    assert code == 0, said
    assert "1 x unknown tag" in said
    assert "IOB2, 1 texts" in said
    assert sorted(read_taxonomy(tmp_path / "new.toml").fine) == ["LOC", "PER"]
    (tmp_path / "b.conll").write_text("a B-per\n")
    code, said = run("init-taxonomy", tmp_path, tmp_path / "other.toml")
    assert code == 1
    assert f"'PER' ({tmp_path}/a.conll:1) and 'per' ({tmp_path}/b.conll:1)" in said
