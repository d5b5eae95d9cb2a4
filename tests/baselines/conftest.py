import pytest
from chat_server import ChatServer, fails
from pipelines import examples
from spacy.language import Language
from tagged import make_crf


@pytest.fixture(scope="session")
def trained() -> Language:
    nlp = make_crf()
    nlp.initialize(lambda: examples(nlp))
    return nlp


@pytest.fixture(scope="module")
def chat():
    """A chat server that has "no luck" with some texts."""
    found = ChatServer({"no luck": fails(500)})
    yield found
    found.close()
