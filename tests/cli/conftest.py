import pytest
from pipelines import LINEAR, examples, make_nlp, train


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Folder of a pipeline that has learned its sentences."""
    folder = tmp_path_factory.mktemp("model")
    nlp = make_nlp(model=LINEAR, lang="en")
    train(nlp, examples(nlp), 60)
    nlp.to_disk(folder)
    return folder
