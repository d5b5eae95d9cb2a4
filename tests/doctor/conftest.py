import pytest
from encoders import tiny_bert
from patients import healthy, write


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """Folder of data without a fault."""
    return write(tmp_path_factory.mktemp("good"), healthy())


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("bert"))
