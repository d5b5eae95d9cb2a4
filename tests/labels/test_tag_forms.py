"""Tags that are written in another way than B-Label."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from spacy_finegrained_ner.labels.schemes import TAG
from spacy_finegrained_ner.labels.tag_forms import may_be_tags, usual_tags, without_labels


@pytest.mark.parametrize(
    ("tags", "usual"),
    [
        ("PER-B PER-I O LOC-B", "B-PER I-PER O B-LOC"),
        ("B_PER I_PER O", "B-PER I-PER O"),
        ("b-PER i-PER o", "B-PER I-PER O"),
        ("PER/B PER/I PER/E - LOC/S", "B-PER I-PER E-PER - S-LOC"),
        ("work-of-art-B work-of-art-I", "B-work-of-art I-work-of-art"),
        ("PER-B PER-E O LOC-S", "B-PER E-PER O S-LOC"),
        ("PER_B PER_L O LOC_U", "B-PER L-PER O U-LOC"),
        ("人名-B 人名-I", "B-人名 I-人名"),
        ("B_Cell_B B_Cell_I", "B-B_Cell I-B_Cell"),
        ("PER-B PER-I O B-LOC", "B-PER I-PER O B-LOC"),
        ("B-PER I-PER o", "B-PER I-PER O"),
        ("B-cell_line-B B-cell_line-I PER-B", "B-B-cell_line I-B-cell_line B-PER"),
        # A few wrong ones
        ("PER-B PER-I " * 5 + "0", "B-PER I-PER " * 5 + "0"),
        # Usual ones stay, where others are more
        (
            "B-Vitamin-B I-Vitamin-B O PER-B PER-I PER-I",
            "B-Vitamin-B I-Vitamin-B O B-PER I-PER I-PER",
        ),
        ("B-B I-B O PER-B PER-I PER-I", "B-B I-B O B-PER I-PER I-PER"),
        # As usual, or labels
        ("B-PER I-PER O", None),
        ("B-Vitamin-B I-Vitamin-B", None),
        ("B-Factor-B B-Factor-I", None),
        ("O B-Annex_B B-Annex_I", None),
        ("B-M O B-B", None),
        ("Vitamin-B O Vitamin-E", None),
        ("Type_B O Type_I", None),
        ("B_cell O M_cell", None),
        ("PER-B PER-I LOC", None),
        ("PER-B LOC-B", None),
        ("PER-I PER-I", None),
        ("O O", None),
    ],
)
def test_tags_that_are_written_in_another_way(tags, usual):
    found = usual_tags([["O"], tags.split()])
    assert [found.get(tag, tag) for tag in tags.split()] == (usual or tags).split()
    assert bool(found) == (usual is not None)


@given(st.lists(st.text("ab-_/BI", min_size=1, max_size=5), min_size=1), st.sampled_from("-_:/"))
def test_the_side_of_the_label_makes_no_difference(labels, between):
    usual = [f"{role}-{label}" for label in labels for role in "BI"]
    assert usual_tags([usual]) == {}
    other = {f"{label}{between}{role}": f"{role}-{label}" for label in labels for role in "BI"}
    found = usual_tags([list(other)])
    # Unless all are as usual, too
    if not all(TAG.fullmatch(tag) for tag in other):
        assert {tag: found.get(tag) for tag in other} == other


@pytest.mark.parametrize(
    ("scheme", "tags", "usual"),
    [
        ("IOB2", "PER-B O LOC-B", "B-PER O B-LOC"),
        ("IOB2", "b-PER o", "B-PER O"),
        ("IO", "PER-I O LOC-I", "I-PER O I-LOC"),
        ("IOBES", "S_PER O S_LOC", "S-PER O S-LOC"),
        ("IOB2", "B-Factor-B B-Factor-I", "B-Factor-B B-Factor-I"),
        # What goes on says more than the first letter
        ("IOB2", "e-mail-B e-mail-I O", "B-e-mail I-e-mail O"),
        ("IOB2", "B_Cell_B B_Cell_I O", "B-B_Cell I-B_Cell O"),
        ("IO", "e-mail-I O", "I-e-mail O"),
        # What one form shows is no reason to drop another
        ("IOB2", "PER-B PER-I O B_LOC O", "B-PER I-PER O B-LOC O"),
        ("IOB1", "I:A I:A O I:LOC O I:Grade-I I:Grade-I", "I-A I-A O I-LOC O I-Grade-I I-Grade-I"),
        ("IOB2", "B_Vitamin-B I_Vitamin-B", "B-Vitamin-B I-Vitamin-B"),
        # A wrong one among usual ones
        ("IOB2", "B-Vitamin-B I-Vitamin-B O " * 10 + "Vitamin-B", None),
    ],
)
def test_where_they_are_no_labels_nothing_has_to_go_on(scheme, tags, usual):
    found = usual_tags([tags.split()], scheme)
    assert [found.get(tag, tag) for tag in tags.split()] == (usual or tags).split()


@pytest.mark.parametrize(
    "texts",
    [
        # Usual, with a wrong one
        [["B-Factor-B", "B-Factor-I"]] * 10 + [["PER-B"]],
        # Labels that stand beside each other now and then
        [["Class_B", "Class_I"]] + [["Class_I", "O"]] * 5,
        [["Hepatitis-B", "O"], ["Hepatitis-E"], ["Hepatitis-E"], ["Hepatitis-B", "Hepatitis-E"]],
        # An entity does not go on in the next text
        [["Part-B"], ["Part-I"]],
        [["PER", "o", "O"]],
    ],
)
def test_what_stays_as_it_is(texts):
    assert usual_tags(texts) == {}


def test_files_in_two_forms():
    texts = [["PER-B", "PER-I"]] * 5 + [["B_PER", "I_PER"]] + [["B-PER", "O"]]
    found = usual_tags(texts)
    assert {found[tag] for tags in texts[:-1] for tag in tags} == {"B-PER", "I-PER"}
    assert found.get("B-PER", "B-PER") == "B-PER"


def test_o_is_no_label_where_nothing_else_is_outside():
    assert usual_tags([["LOC", "o"]]) == {"o": "O"}
    assert usual_tags([["LOC", "o", "O"]]) == {}


def test_a_long_tag_takes_no_time():
    """Quadratic, this took minutes."""
    assert not may_be_tags(["x" * 500_000, "-" * 500_000])
    assert usual_tags([["x" * 500_000, "O"]]) == {}


def test_what_may_be_tags():
    assert may_be_tags(["Vitamin-B", "O"])
    assert may_be_tags(["PER-B"] * 9 + ["LOC"])
    assert not may_be_tags(["PER-B"] * 8 + ["LOC"])
    assert not may_be_tags(["O", "o", "-"])
    assert may_be_tags(["PER-B"] * 5 + ["LOC"] * 5, most=0.5)
    assert not may_be_tags(["PER-B"] * 4 + ["LOC"] * 5, most=0.5)
    assert may_be_tags(["PER-B", "B_LOC"])  # of one form or the other


@pytest.mark.parametrize("tags", ["B I O", "O B- I-", "b i o", "B I E S O -", "B I"])
def test_tags_without_labels(tags):
    assert without_labels(tags.split())


@pytest.mark.parametrize("tags", ["B O", "I O", "B I PER O", "B-A I-A O", "O", "A B I"])
def test_tags_that_have_labels_or_are_labels(tags):
    assert not without_labels(tags.split())
