import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.labels.taxonomy import (
    MAX_SIZE,
    Taxonomy,
    TaxonomyError,
    read_taxonomy,
)

# SemEval-2023 Task 2, table of the types: how many fine types each coarse type has.
MULTICONER2_SIZES = {
    "Location": 4,
    "CreativeWork": 5,
    "Group": 7,
    "Person": 7,
    "Product": 5,
    "Medical": 5,
}


def write(folder: Path, text: str) -> Path:
    path = folder / "types.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_packaged_taxonomy_has_the_33_types_of_multiconer2():
    taxonomy = read_taxonomy()
    assert len(taxonomy.fine) == len(set(taxonomy.fine)) == 33
    sizes = {c: list(taxonomy.coarse_of.values()).count(c) for c in taxonomy.coarse}
    assert sizes == MULTICONER2_SIZES
    assert taxonomy.source == "multiconer2.toml"


@pytest.mark.parametrize(
    ("fine", "coarse"),
    [
        ("HumanSettlement", "Location"),
        ("Software", "CreativeWork"),
        ("ORG", "Group"),
        ("SportsManager", "Person"),
        ("Drink", "Product"),
        ("Medication/Vaccine", "Medical"),
        # The official site spells these in another case than the data.
        ("PublicCORP", "Group"),
        ("PrivateCORP", "Group"),
        ("MusicalGrp", "Group"),
        ("artist", "Person"),
    ],
)
def test_coarse_label(fine, coarse):
    assert read_taxonomy().coarse_label(fine) == coarse


def test_order_of_the_file_is_kept(tmp_path):
    taxonomy = read_taxonomy(write(tmp_path, 'Z = ["z2", "z1"]\nA = ["a1"]'))
    assert taxonomy.fine == ("z2", "z1", "a1")
    assert taxonomy.coarse == ("Z", "A")
    assert dict(taxonomy.coarse_of) == {"z2": "Z", "z1": "Z", "a1": "A"}


def test_a_type_may_be_its_own_coarse_type(tmp_path):
    taxonomy = read_taxonomy(write(tmp_path, 'Law = ["Law"]\nPerson = ["Artist"]'))
    assert taxonomy.coarse_label("law") == "Law"


def test_path_may_be_text_and_names_may_be_of_any_script(tmp_path):
    path = write(tmp_path, '"Личность" = ["Художник", "Straße"]')
    assert read_taxonomy(str(path)).coarse_label("STRASSE") == "Личность"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the taxonomy has no types"),
        ("Person = [", "can't be read as a taxonomy"),
        ('Person = ["A"]\nPerson = ["B"]', "can't be read as a taxonomy"),
        ('Person = "Artist"', r"Person = 'Artist' is not a list of names"),
        ("Person = [1]", r"Person = \[1\] is not a list of names"),
        ("[Person]\nArtist = 1", "Person = .* is not a list of names"),
        ("Person = []", "the coarse type 'Person' has no fine types"),
        ('A = ["x"]\nB = ["x"]', "'x' stands under 'A' and under 'B'"),
        ('A = ["x", "X"]', "'X' stands twice .*'x'"),
        ('A = ["x"]\nB = ["X"]', "'X' stands twice .*'x'"),
        ('A = ["x"]\nB = ["A"]', "'A' is a coarse type and also .* fine type under 'B'"),
        ('A = [""]', "'' is not the name of a type"),
        ('A = [" x"]', "' x' is not the name of a type"),
        ('"A " = ["x"]', "'A ' is not the name of a type"),
        ('A = ["x\u200b"]', r"the type 'x\\u200b' has U\+200B in it, which can't be seen"),
        ('"A\u00ad" = ["x"]', r"the type 'A\\xad' has U\+00AD in it"),
    ],
)
def test_malformed_files(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(TaxonomyError, match=message) as error:
        read_taxonomy(path)
    assert str(path) in str(error.value)


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(TaxonomyError, match=r"missing\.toml: there is no such taxonomy file"):
        read_taxonomy(tmp_path / "missing.toml")
    with pytest.raises(TaxonomyError, match=f"{tmp_path.name}: found a folder, expected a tax"):
        read_taxonomy(tmp_path)
    path = tmp_path / "latin1.toml"
    path.write_bytes('A = ["caf\xe9"]'.encode("latin-1"))
    with pytest.raises(TaxonomyError, match=r"latin1\.toml: can't be read as a taxonomy"):
        read_taxonomy(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\1\2", "can't be read as a taxonomy: Invalid statement"),
        (b"\x1f\x8b\x08", "can't be read as a taxonomy: 'utf-8' codec"),
        (b"A = " + b"[" * 50_000, "can't be read as a taxonomy: .*recursion"),
        (b"A = " + b"9" * 5_000, "can't be read as a taxonomy: .*Exceeds the limit"),
        (b"#" * (MAX_SIZE + 1), "found more than 1,000,000 bytes, expected a taxonomy file"),
        (b"A = " + b'"x"' + b"\nB = 3", "A = 'x' is not a list of names"),
        (b"A = '" + b"x" * 100_000 + b"'", "A = 'x{79} is not a list"),
        (b"Person: [Artist]", "Expected TOML lines like: Person = "),
        (b"Artist\nAthlete\n", "can't be read as a taxonomy.*at line 1"),
        (b'{"Person": ["Artist"]}', "can't be read as a taxonomy"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    path = tmp_path / "types.toml"
    path.write_bytes(content)
    with pytest.raises(TaxonomyError, match=message) as error:
        read_taxonomy(path)
    assert len(str(error.value)) < 500


def test_what_is_no_plain_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", "/dev/zero"):
        with pytest.raises(TaxonomyError, match="there is no such taxonomy file"):
            read_taxonomy(path)
    with pytest.raises(TaxonomyError, match=r"x: (can't be read|there is no such)"):
        read_taxonomy("x" * 5_000)


def test_files_written_by_windows(tmp_path):
    path = tmp_path / "types.toml"
    path.write_bytes(b'\xef\xbb\xbfPerson = [\r\n  "Artist",\r\n]\r\n')
    assert dict(read_taxonomy(path).coarse_of) == {"Artist": "Person"}


@given(
    st.lists(st.sampled_from(['A = ["x"]\n', "A", "B", "=", "[", "]", '"', "x", ",", "\n", " "]))
    .map("".join)
    .map(str.encode)
    | st.binary(max_size=40)
)
def test_any_file_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "types.toml"
    path.write_bytes(content)
    try:
        taxonomy = read_taxonomy(path)
    except TaxonomyError as error:
        message = str(error)
    else:
        message = None
        assert set(map(taxonomy.coarse_label, taxonomy.fine)) == set(taxonomy.coarse) != set()
    assert message is None or "types.toml" in message


NAMES = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cc", "Cf", "Zl", "Zp", "Zs"),
        include_characters=" \u200c\u200d",
    ),
    min_size=1,
    max_size=6,
).filter(lambda name: name == name.strip())


@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=3))
def test_names_come_back_as_written_or_are_refused(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "written.toml"
    lines = [
        f"{json.dumps(coarse, ensure_ascii=False)} = {json.dumps(fines, ensure_ascii=False)}\n"
        for coarse, fines in table.items()
    ]
    path.write_text("".join(lines), encoding="utf-8")
    pairs = [(fine, coarse) for coarse, fines in table.items() for fine in fines]
    folded = [fine.casefold() for fine, _ in pairs]
    clash = len(set(folded)) < len(folded) or any(
        coarse.casefold() == fine.casefold() and coarse != under
        for coarse in table
        for fine, under in pairs
    )
    if clash:
        with pytest.raises(TaxonomyError, match=r"stands (twice|under)|also stands"):
            read_taxonomy(path)
    else:
        assert list(read_taxonomy(path).coarse_of.items()) == pairs


def test_foreign_label_is_named_together_with_what_is_known():
    taxonomy = Taxonomy({"Artist": "Person", "Food": "Product"}, "mine.toml")
    with pytest.raises(TaxonomyError, match=r"'Vessel' .*mine\.toml.*\['Artist', 'Food'\]"):
        taxonomy.coarse_label("Vessel")


def test_map_is_frozen_and_apart_from_what_it_was_made_of():
    given = {"Artist": "Person"}
    taxonomy = Taxonomy(given)
    given["Food"] = "Product"
    assert taxonomy.fine == ("Artist",)
    with pytest.raises(TypeError, match="does not support item assignment"):
        taxonomy.coarse_of["Food"] = "Product"


@pytest.mark.parametrize("name", [None, 3, "", " Artist", "Artist\n"])
def test_constructor_refuses_what_is_no_name(name):
    with pytest.raises(TaxonomyError, match="is not the name of a type"):
        Taxonomy({"Artist": name})
    with pytest.raises(TaxonomyError, match="is not the name of a type"):
        Taxonomy({name: "Person"})


def test_spelled_as_takes_the_spelling_of_the_data():
    taxonomy = Taxonomy({"PublicCorp": "Group", "ORG": "Group", "Artist": "Person"}, "mine.toml")
    spelled = taxonomy.spelled_as(["artist", "PublicCORP", "artist"])
    assert list(spelled.coarse_of.items()) == [
        ("PublicCORP", "Group"),
        ("ORG", "Group"),
        ("artist", "Person"),
    ]
    assert spelled.source == "mine.toml"
    assert taxonomy.fine == ("PublicCorp", "ORG", "Artist")


def test_spelled_as_refuses_foreign_labels_and_two_spellings():
    taxonomy = Taxonomy({"Artist": "Person"})
    with pytest.raises(TaxonomyError, match="'Vessel' is not in the taxonomy"):
        taxonomy.spelled_as(["Artist", "Vessel"])
    with pytest.raises(TaxonomyError, match="two ways: 'Artist' and 'ARTIST'"):
        taxonomy.spelled_as(["Artist", "ARTIST"])
    with pytest.raises(TaxonomyError, match=r"^a\.conll:3: The label 'Vessel' is not in the tax"):
        taxonomy.spelled_as({"Vessel": "a.conll:3"})
    with pytest.raises(TaxonomyError, match=r"'Artist' \(a:3\) and 'ARTIST' \(b:5\)\. Give all"):
        taxonomy.spelled_as({"Artist": "a:3", "ARTIST": "b:5"})


def test_all_labels_that_are_not_covered_are_told_with_what_they_may_be(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('Person = ["Artist", "Athlete"]')
    places = {"Artist": "a:1", "ATLETE": "a:2", "Vessel": "a:3", "Artsit": ""}
    with pytest.raises(TaxonomyError) as error:
        read_taxonomy(path).spelled_as(places)
    assert str(error.value) == (
        f"a:2: The label 'ATLETE' is not in the taxonomy ({path}), which has the fine types "
        "['Artist', 'Athlete']; nor are 2 others: 'Vessel' (a:3), 'Artsit'. Misspelled, perhaps: "
        "'ATLETE' for 'Athlete', 'Artsit' for 'Artist'. Correct the data, or add what is missing "
        f"to {path}."
    )


def test_where_there_is_no_file_to_mend_the_way_to_one_is_told():
    with pytest.raises(TaxonomyError, match=r"a taxonomy file of your own, and .* --taxonomy of"):
        read_taxonomy().check(["Vessel"])
