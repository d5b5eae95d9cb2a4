"""A saved pipeline is initialized again where the files of its training are not."""

import logging

import pytest
import spacy
from pipelines import examples, make_nlp

from spacy_finegrained_ner.labels.taxonomy import TaxonomyError, read_taxonomy

TICKETS = ("my/O thinkpad/B-Laptop is/O blue/B-Crash",)
OTHERS = ("a/O thinkpad/B-Laptop",)
FOREIGN = ("a/O kindle/B-Tablet",)


@pytest.fixture(params=[1, 2])
def saved(request, tmp_path):
    """The folder of a pipeline whose taxonomy file is gone."""
    path = tmp_path / "tickets.toml"
    path.write_text('Hardware = ["Laptop", "Phone"]\nProblem = ["Crash"]\n')
    nlp = make_nlp()
    reader = {"@readers": f"spacy-finegrained-ner.Taxonomy.v{request.param}", "path": str(path)}
    nlp.config["initialize"]["components"] = {"finegrained_ner": {"taxonomy": reader}}
    nlp.initialize(lambda: examples(nlp, TICKETS))
    nlp.to_disk(tmp_path / "model")
    path.unlink()
    return tmp_path / "model"


@pytest.fixture
def told(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)
    return caplog


def test_it_takes_the_taxonomy_that_it_was_saved_with_and_says_so(saved, told):
    nlp = spacy.load(saved)
    nlp.initialize(lambda: examples(nlp, OTHERS))
    pipe = nlp.get_pipe("finegrained_ner")
    assert (pipe.labels, pipe.taxonomy.coarse) == (("Laptop",), ("Hardware", "Problem"))
    (message,) = told.messages
    assert "tickets.toml is not there: it takes the taxonomy that it was saved with" in message


def test_a_label_that_is_not_in_it_is_an_error_that_names_the_file(saved):
    nlp = spacy.load(saved)
    with pytest.raises(TaxonomyError, match=r"(?s)tickets\.toml: there is no such.*'Tablet' is"):
        nlp.initialize(lambda: examples(nlp, FOREIGN))


def test_at_the_first_training_a_mistyped_path_is_an_error(told):
    nlp = make_nlp()
    reader = {"@readers": "spacy-finegrained-ner.Taxonomy.v2", "path": "tikcets.toml"}
    nlp.config["initialize"]["components"] = {"finegrained_ner": {"taxonomy": reader}}
    with pytest.raises(TaxonomyError, match=r"tikcets\.toml: there is no such taxonomy file"):
        nlp.initialize(lambda: examples(nlp, TICKETS))


def test_one_that_was_given_in_a_script_is_kept_too(tmp_path, told):
    (tmp_path / "tickets.toml").write_text('Thing = ["Laptop", "Crash", "Drink"]\n')
    nlp = make_nlp()
    data = examples(nlp, TICKETS)
    taxonomy = read_taxonomy(tmp_path / "tickets.toml")
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, nlp=nlp, taxonomy=taxonomy)
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    again.initialize(lambda: examples(again, TICKETS))
    assert again.get_pipe("finegrained_ner").taxonomy.coarse == ("Thing",)
    assert "it takes the one that it has" in told.messages[0]
    with pytest.raises(TaxonomyError, match=r"'Tablet' is not in the taxonomy \(the taxonomy of"):
        again.initialize(lambda: examples(again, (*TICKETS, *FOREIGN)))
