"""Tags of CRFsuite become legal BIO."""

import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_finegrained_ner.baselines.crf import crfsuite

TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])


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
    # As conlleval has it: an entity begins where an I- goes on with nothing
    before = ["O", *tags][: len(tags)]
    assert found == [
        f"B-{tag[2:]}" if tag[0] == "I" and last[2:] != tag[2:] else tag
        for last, tag in zip(before, tags, strict=True)
    ]
