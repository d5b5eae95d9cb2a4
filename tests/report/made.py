"""Texts made by hand, with gold and prediction."""

from functools import partial

import spacy
from pipelines import sentence
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.data.annotation import read_prediction
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.confidence import COARSE_CONFIDENCE, CONFIDENCE, SPAN_CONFIDENCE
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

VOCAB = spacy.blank("en").vocab
TAXONOMY = Taxonomy({"Artist": "Person", "Athlete": "Person", "City": "Place", "River": "Place"})
READ = partial(read_prediction, taxonomy=TAXONOMY)

TEXTS = (
    (
        "anna/B-Artist met/O bob/B-Athlete in/O paris/B-City",
        "anna/B-Artist met/O bob/B-Artist in/O paris/B-Artist",
    ),
    (
        "new/B-City york/I-City and/O rhine/B-River flow/O with/O",
        "new/O york/B-City and/O rhine/O flow/B-Artist with/O",
    ),
    ("nothing/O here/O", "nothing/O here/O"),
)
"""One of each outcome: right, wrong fine type, wrong coarse type; boundary, missed, invented."""


def doc(text: str) -> Doc:
    return sentence_to_doc(VOCAB, sentence(text))


def examples(texts=TEXTS) -> list[Example]:
    return [Example(doc(found), doc(gold)) for gold, found in texts]


def read_sure(doc: Doc) -> Prediction:
    """All are sure by 0.8 of the span, 0.6 of the coarse type, 0.4 of the label."""
    found = read_prediction(doc, TAXONOMY)
    facts = {CONFIDENCE: 0.4, COARSE_CONFIDENCE: 0.6, SPAN_CONFIDENCE: 0.8}
    return Prediction(found.entities, dict.fromkeys(found.entities, facts))
