"""What `finegrained_llm` is initialized with: types, template, examples."""

import pytest
from chatting import make_llm
from pipelines import SENTENCES, examples
from spacy.tokens import DocBin

from spacy_finegrained_ner.labels.readers import MissingTaxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, read_taxonomy

NAME = "finegrained_llm"
TEXTS = [" ".join(word.rsplit("/", 1)[0] for word in text.split()) for text in SENTENCES]


def test_without_gold_the_types_are_those_of_the_taxonomy(chat):
    nlp = make_llm(chat.url)
    assert nlp.get_pipe(NAME).labels == tuple(sorted(read_taxonomy().fine))
    component = nlp.get_pipe(NAME)
    component.initialize(lambda: examples(nlp, ["no/O"]))  # it has them already
    assert component.labels == tuple(sorted(read_taxonomy().fine))
    component.initialize(lambda: examples(nlp, ["no/O"]), taxonomy=Taxonomy({"A": "B"}))
    assert component.labels == ("A",)


def test_some_of_the_types_only(chat):
    nlp = make_llm(chat.url)
    component = nlp.get_pipe(NAME)
    component.initialize(
        lambda: examples(nlp), labels=["Athlete", "Drink"], taxonomy=read_taxonomy()
    )
    assert component.labels == ("Athlete", "Drink")
    (body,) = component.bodies([nlp.make_doc("x")])
    assert "Scientist" not in str(body)  # nor in the examples
    assert [ent.label_ for ent in nlp("pelé in lyon").ents] == ["Athlete"]


def test_types_that_are_not_there_are_told(chat):
    nlp = make_llm(chat.url, initialize=False)
    component = nlp.get_pipe(NAME)
    with pytest.raises(ValueError, match=r"E109.*finegrained_llm"):
        nlp("pelé")
    with pytest.raises(ValueError, match=r"has no types to ask for.*a taxonomy file"):
        component.initialize(lambda: examples(nlp, ["no/O"]))
    dragon = examples(nlp, ["smaug/B-Dragon"])
    with pytest.raises(TaxonomyError, match="'Dragon' is not in the taxonomy"):
        component.initialize(lambda: dragon, taxonomy=read_taxonomy())
    with pytest.raises(TaxonomyError, match="'Dragon' is not in the taxonomy"):
        component.initialize(lambda: dragon, labels=["Athlete"], taxonomy=read_taxonomy())
    with pytest.raises(TaxonomyError, match="no such taxonomy file"):
        component.initialize(lambda: dragon, taxonomy=MissingTaxonomy("nowhere.toml"))
    component.initialize(lambda: dragon)
    assert (component.labels, component.taxonomy.flat) == (("Dragon",), True)


def test_initialized_again_it_keeps_template_and_definitions(chat, caplog, tmp_path):
    template = tmp_path / "mine.jinja"
    template.write_text("{{ groups }} {{ text }}")
    nlp = make_llm(chat.url)
    component = nlp.get_pipe(NAME)
    taxonomy = Taxonomy(read_taxonomy().coarse_of, definitions={"Athlete": "does sports"})
    component.initialize(lambda: examples(nlp), taxonomy=taxonomy, template=template)
    gone = MissingTaxonomy("gone.toml")
    component.initialize(lambda: examples(nlp), taxonomy=gone, template="gone.jinja")
    (body,) = component.bodies([nlp.make_doc("pelé")])
    assert "does sports" in str(body)
    assert "Find all named" not in str(body)
    assert "gone.jinja is not there" in caplog.text
    with pytest.raises(ValueError, match=r"gone\.jinja: can't be read"):
        make_llm("http://localhost:1", initialize=False).get_pipe(NAME).initialize(
            lambda: examples(nlp), template="gone.jinja"
        )


def test_examples_from_a_file(chat, tmp_path):
    nlp = make_llm(chat.url, initialize=False)
    path = tmp_path / "gold.spacy"
    DocBin(docs=[example.reference for example in examples(nlp)]).to_disk(path)
    nlp.get_pipe(NAME).initialize(lambda: examples(nlp, ["no/O"]), examples=path)
    (body,) = nlp.get_pipe(NAME).bodies([nlp.make_doc("x")])
    assert TEXTS[0] in body["messages"][0]["content"]
    with pytest.raises(ValueError, match="no such file"):
        nlp.get_pipe(NAME).initialize(lambda: examples(nlp), examples=tmp_path / "no.spacy")


def test_partly_annotated_texts_are_no_examples(chat):
    nlp = make_llm(chat.url, initialize=False)
    data = examples(nlp, ["pelé/B-Athlete in/O lyon/-", "in/O lyon/B-HumanSettlement"])
    nlp.get_pipe(NAME).initialize(lambda: data)
    assert [shot.text for shot in nlp.get_pipe(NAME).examples.drawn] == ["in lyon"]
