"""Names with several labels, garbled texts, and data whose dev selects the model."""

import pytest
from patients import findings, healthy, text, write

GARBLED = [
    "gar\N{REPLACEMENT CHARACTER}on",
    "café".encode().decode("cp1252"),
    "it’s".encode().decode("cp1252"),  # noqa: RUF001
    "“so".encode().decode("cp1252"),
    "Müller".encode().decode("cp1252"),
    "50°".encode().decode("cp1252"),
]
WELL = ["café", "MAÇÃ»", "CAFÉ”", "â€", "Ân", "IRMÃ’S", "«NÃ»", "Ñandú", "茶", "naïve"]  # noqa: RUF001


def named(found, name):
    return [one for one in found if one.name == name]


@pytest.mark.parametrize("word", GARBLED)
def test_what_a_wrong_encoding_made_is_found(tmp_path, word):
    parts = healthy()
    parts["train"][3].append([word, "O"])
    (found,) = named(findings(write(tmp_path, parts)), "garbled-text")
    assert found.severity == "warning"
    assert "train: 1 of" in found.what
    assert word in found.where[0]


def test_other_letters_are_not_garbled(tmp_path):
    parts = healthy()
    for i, word in enumerate(WELL):
        parts["train"][i].append([word, "O"])
    assert named(findings(write(tmp_path, parts)), "garbled-text") == []


@pytest.mark.parametrize(("drinks", "stations", "found"), [(3, 2, 1), (4, 1, 0), (2, 2, 0)])
def test_a_name_with_several_labels_is_found(tmp_path, drinks, stations, found):
    """Five times at least; where four of five are one label, the fifth is the odd one."""
    parts = healthy()
    labels = ["Drink"] * drinks + ["Station"] * stations
    parts["train"] += [text(f"{i}th time for zubr/B-{x}") for i, x in enumerate(labels)]
    said = named(findings(write(tmp_path, parts)), "several-labels")
    assert len(said) == found
    for one in said:
        assert one.severity == "note"
        assert one.where[0].startswith("'zubr': 3 times Drink, 2 times Station; first at ")


def test_dev_is_judged_as_valid_where_there_is_none(tmp_path):
    """`convert` lets it select the model."""
    parts = healthy()
    parts["dev"] = parts.pop("valid")
    parts["train"] += [text(f"the {i}th boom/B-Sound") for i in range(20)]
    (found,) = named(findings(write(tmp_path, parts)), "type-only-in-train")
    assert "dev has no entity of 1 of 4 types: Sound (20)" in found.what
    for one in parts["dev"]:
        for token in one:
            token[1] = "O"
    (found,) = named(findings(write(tmp_path, parts)), "no-entities")
    assert found.severity == "error"
    parts["valid"] = parts["train"][:50]
    (found,) = named(findings(write(tmp_path, parts)), "no-entities")
    assert found.severity == "warning"
