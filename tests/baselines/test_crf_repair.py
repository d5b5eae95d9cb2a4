"""Tags of CRFsuite become legal BIO."""

from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_finegrained_ner.baselines.crf import crfsuite
from spacy_finegrained_ner.baselines.crf.repair import repair_bio
from spacy_finegrained_ner.labels.bio import illegal_bio

CONFIG = Path(__file__).parents[2] / "configs" / "crf.cfg"

TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])


@given(st.lists(TAGS))
def test_repaired_tags_are_legal_and_legal_ones_are_kept(tags):
    repaired = repair_bio(tags)
    assert illegal_bio(repaired) is None
    assert [tag[2:] for tag in repaired] == [tag[2:] for tag in tags]
    if illegal_bio(tags) is None:
        assert repaired == tags
    assert repair_bio(repaired) == repaired


@pytest.mark.parametrize(
    ("tags", "repaired"),
    [
        ("I-A I-A O", "B-A I-A O"),
        ("O I-A", "O B-A"),
        ("B-A I-B I-B", "B-A B-B I-B"),
        ("B-A I-A B-A", "B-A I-A B-A"),
    ],
)
def test_an_entity_begins_where_one_goes_on_with_nothing(tags, repaired):
    assert repair_bio(tags.split()) == repaired.split()


class Given(crfsuite.CrfModel):
    """Gives the tags that are set."""

    def __init__(self) -> None: ...

    def tag(self, sentence):
        return self.tags


GIVEN = spacy.blank("en").add_pipe("crf_ner")
GIVEN._model = Given()
GIVEN.cfg = {"labels": ["A", "B"], "taxonomy": {"A": "C", "B": "C"}, "pos": []}


@given(st.lists(TAGS, max_size=8))
def test_any_tags_of_crfsuite_become_entities(tags):
    GIVEN._model.tags = tags
    doc = GIVEN(Doc(GIVEN.vocab, words=["w"] * len(tags)))
    found = ["O" if t.ent_iob_ == "O" else f"{t.ent_iob_}-{t.ent_type_}" for t in doc]
    assert found == repair_bio(tags)
