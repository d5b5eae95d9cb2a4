"""Texts, and a tagger for them, for the tests of the CRF."""

import spacy
from pipelines import SENTENCES
from spacy.language import Language

TEXTS = [text.replace("/", " ") for text in SENTENCES]
ODD = [
    "",
    " ",
    "pelé",
    "\n\t",
    "marie  curie met pelé",
    "👍🏽 pelé",
    "a" * 500,
    "",
    "居里夫人 حب",
    "\0 a",
]


@Language.component("set_pos", assigns=["token.pos", "token.tag"])
def set_pos(doc):
    """A tagger for tests: words on `-ly` are adverbs, what follows "the" is a noun."""
    for token in doc:
        after_the = token.i > 0 and doc[token.i - 1].lower_ == "the"
        token.pos_ = "ADV" if token.text.endswith("ly") else "NOUN" if after_the else "VERB"
        token.tag_ = {"ADV": "RB", "NOUN": "NN", "VERB": "VB"}[token.pos_]
    return doc


WITHOUT_POS = {"features": {"pos": False}, "report_every": 0}
WITH_POS = {"features": {}, "report_every": 0}


def make_crf(name: str = "crf_ner", before: tuple[str, ...] = (), **config) -> Language:
    nlp = spacy.blank("en")
    for component in before:
        nlp.add_pipe(component)
    nlp.add_pipe("crf_ner", name=name, config={**WITHOUT_POS, **config})
    return nlp
