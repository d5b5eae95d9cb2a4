"""The taxonomy as a config has it: by name, by file, or none."""

import pytest
from spacy.util import registry

from spacy_finegrained_ner.labels.readers import (
    FlatLabels,
    MissingTaxonomy,
    build_taxonomy_v1,
    build_taxonomy_v2,
    looks_packaged,
    named_taxonomy,
)
from spacy_finegrained_ner.labels.taxonomy import (
    Taxonomy,
    TaxonomyError,
    flat_taxonomy,
    read_taxonomy,
)


def resolve(version: int, **settings):
    block = {"@readers": f"spacy-finegrained-ner.Taxonomy.v{version}", **settings}
    return registry.resolve({"taxonomy": block})["taxonomy"]


def test_v1_without_a_path_is_multiconer2_for_ever():
    assert resolve(1) == resolve(1, path=None) == read_taxonomy()


def test_v2_is_a_name_a_file_or_nothing(tmp_path):
    (tmp_path / "mine.toml").write_text('Person = ["Artist"]')
    assert resolve(2, path="multiconer2") == read_taxonomy()
    assert resolve(2, path=str(tmp_path / "mine.toml")).coarse == ("Person",)
    assert isinstance(resolve(2), FlatLabels)
    assert isinstance(resolve(2, path=None), FlatLabels)


def test_to_v1_the_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(resolve(1, path="multiconer2"), MissingTaxonomy)
    (tmp_path / "multiconer2").write_text('Person = ["Artist"]')
    assert resolve(1, path="multiconer2").coarse == ("Person",)


@pytest.mark.parametrize("build", [build_taxonomy_v1, build_taxonomy_v2])
def test_a_file_that_is_not_there_is_left_to_the_component(tmp_path, build):
    found = build(tmp_path / "gone.toml")
    assert isinstance(found, MissingTaxonomy)
    assert "gone.toml: there is no such taxonomy file" in str(found.error())
    assert "'multiconer2'" in str(found.error())


@pytest.mark.parametrize("build", [build_taxonomy_v1, build_taxonomy_v2, named_taxonomy])
def test_a_file_that_is_no_taxonomy_is_an_error_at_once(tmp_path, build):
    (tmp_path / "bad.toml").write_text("Person = 3")
    with pytest.raises(TaxonomyError, match=r"bad\.toml: Person = 3 is not a list"):
        build(tmp_path / "bad.toml")
    with pytest.raises(TaxonomyError, match="found a folder"):
        build(tmp_path)


def test_at_the_command_line_a_file_must_be_there(tmp_path):
    assert named_taxonomy("multiconer2") == read_taxonomy()
    with pytest.raises(TaxonomyError, match=r"there is no such taxonomy file.*'multiconer2'"):
        named_taxonomy(tmp_path / "gone.toml")


def test_flat_labels_are_their_own_coarse_types():
    taxonomy = flat_taxonomy(["Phone", "Laptop", "Phone"])
    assert dict(taxonomy.coarse_of) == {"Phone": "Phone", "Laptop": "Laptop"}
    assert taxonomy.flat
    assert taxonomy.spelled_as(["PHONE"]).flat
    assert not read_taxonomy().flat
    assert not Taxonomy({"Law": "Law", "Artist": "Person"}).flat
    with pytest.raises(TaxonomyError, match="one label in two ways: 'Phone' and 'phone'"):
        flat_taxonomy(["Phone", "phone"])


def test_gold_may_have_labels_that_flat_ones_do_not():
    flat = flat_taxonomy(["Phone"])
    assert (flat.gold_label("phone"), flat.gold_label("Tablet")) == ("Phone", "Tablet")
    with pytest.raises(TaxonomyError, match=r"'Tablet' is not one of \['Phone'\].*\.labels\]"):
        flat.fine_label("Tablet")
    with pytest.raises(TaxonomyError, match="'Tablet' is not in the taxonomy"):
        read_taxonomy().gold_label("Tablet")


def test_labels_that_look_packaged():
    assert looks_packaged(["ORG", "PER", "LOC", "MISC"]) is None
    assert looks_packaged([]) is None
    told = looks_packaged(["Artist", "athlete", "Artisst"])
    assert told is not None
    assert "2 of 3 labels are those of the packaged one, but not ['Artisst']" in told
    assert "'multiconer2'" in told
