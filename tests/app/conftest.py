import pytest
import spacy
from pipelines import LINEAR, examples, make_nlp, train
from spacy.training import Example


@pytest.fixture(scope="session")
def nlp():
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 60)
    return nlp


@pytest.fixture(scope="session")
def odd():
    """Flat labels, no confidence, and names that look like markup."""
    nlp = spacy.blank("en")
    nlp.meta |= {"name": "a<b>", "description": "</script><script>alert(2)</script>"}
    nlp.add_pipe("finegrained_ner", config={"model": LINEAR, "confidence": False})
    texts = {"see it": [(4, 6, '"><script>alert(1)</script>')], "see nothing": []}
    data = [
        Example.from_dict(nlp.make_doc(text), {"entities": spans}) for text, spans in texts.items()
    ]
    train(nlp, data, 60)
    return nlp
