import pytest
from pipelines import examples
from spacy.language import Language
from tagged import make_crf


@pytest.fixture(scope="session")
def trained() -> Language:
    nlp = make_crf()
    nlp.initialize(lambda: examples(nlp))
    return nlp
