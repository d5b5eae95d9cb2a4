"""Tags that are written in another way than B-Label."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from spacy_finegrained_ner.labels.schemes import TAG
from spacy_finegrained_ner.labels.tag_forms import usual_tags


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
        ("LOC o", None),
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


def test_where_they_are_no_labels_nothing_has_to_go_on():
    tags = ["PER-B", "O", "LOC-B"]
    assert usual_tags([tags], prefixed=True) == {"PER-B": "B-PER", "LOC-B": "B-LOC"}
    assert usual_tags([["B-Factor-B", "B-Factor-I"]], prefixed=True) == {}


def test_an_entity_does_not_go_on_in_the_next_text():
    assert usual_tags([["Part-B"], ["Part-I"]]) == {}
    assert usual_tags([["Part-B", "Part-I"]]) != {}
