"""Small pipelines that know names, for the tests."""

from pathlib import Path

import numpy as np
from knowledge_names import names_file
from pipelines import HASH_EMBED, examples, make_nlp, train
from spacy.language import Language

BLOCK = {"@layers": "spacy-finegrained-ner.names.v1", "width": 16}
QUIET = dict.fromkeys(("hide", "hide_text", "replace", "invent", "hide_topics", "blur"), 0.0)
"""Without the noise of training."""


def knowing(file: Path, tok2vec=HASH_EMBED, **settings) -> Language:
    """Not initialized; with the file of names of the tests, which is made if there is none."""
    if not file.exists():
        names_file(file)
    block = BLOCK | {"path": str(file)} | settings
    return make_nlp(model=tok2vec | {"knowledge": block})


def trained(file: Path, steps: int = 40, **settings) -> Language:
    nlp = knowing(file, **settings)
    train(nlp, examples(nlp), steps)
    return nlp


def facts(doc) -> list[tuple]:
    """All that is known of the entities."""
    return [(e.text, e.label_, round(e._.confidence, 5), e._.evidence) for e in doc.ents]


def component(nlp):
    return nlp.get_pipe("finegrained_ner")


def emissions(nlp, texts) -> list[np.ndarray]:
    docs = [nlp.make_doc(text) for text in texts if text]
    scores: dict[int, np.ndarray] = {}
    for batch in component(nlp).model.predict(docs):
        for place, row in enumerate(batch.rows):
            scores[row] = batch.tasks[0][0][place][: batch.lengths[place]]
    return [scores[i] for i in range(len(docs))]
