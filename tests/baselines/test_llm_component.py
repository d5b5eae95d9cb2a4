"""The contract of `finegrained_llm`."""

import copy
import pickle
import subprocess
import sys

import pytest
import spacy
from chatting import failure_of, make_llm, report_of
from pipelines import HASH_EMBED, SENTENCES, entities, examples
from spacy.tokens import Doc, DocBin, Span
from thinc.api import ConfigValidationError

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy

NAME = "finegrained_llm"
TEXTS = [" ".join(word.rsplit("/", 1)[0] for word in text.split()) for text in SENTENCES]
ODD = ["", " ", "\n\t", "  marie curie  met pelé ", "👍🏽 pelé", "a" * 500, "居里夫人 حب", "\0 a"]
NEAREST = {
    "@misc": "spacy-finegrained-ner.NearestExamples.v1",
    "number": 2,
    "encoder": HASH_EMBED["tok2vec"],
}


@pytest.fixture(scope="module", params=[{}, {"examples": NEAREST}], ids=["fixed", "nearest"])
def made(request, chat, tmp_path_factory):
    """With examples, a template and definitions of its own."""
    template = tmp_path_factory.mktemp("template") / "mine.jinja"
    template.write_text(
        "{{ groups }} {% for e in examples %}{{ e.answer }}{% endfor %}\nText: {{ text }}"
    )
    nlp = make_llm(chat.url, **request.param)
    taxonomy = Taxonomy(read_taxonomy().coarse_of, definitions={"Athlete": "does sports"})
    nlp.get_pipe(NAME).initialize(
        lambda: examples(nlp), nlp=nlp, taxonomy=taxonomy, template=template
    )
    template.unlink()
    return nlp


def test_it_finds_what_the_model_knows(made):
    scores = made.evaluate(examples(made))
    for key in ("ents_f", "ents_macro_f", "ents_coarse_f", "ents_mention_f"):
        assert scores[key] == 1.0, key
    assert entities(made("marie curie met pelé in lyon")) == [
        ("marie curie", "Scientist", "Person"),
        ("pelé", "Athlete", "Person"),
        ("lyon", "HumanSettlement", "Location"),
    ]
    assert made.get_pipe(NAME).labels == tuple(sorted(read_taxonomy().fine))


@pytest.mark.parametrize("way", ["disk", "bytes", "pickle", "copy"])
def test_saved_and_loaded_asks_and_predicts_the_same(made, tmp_path, way, chat):
    if way == "disk":
        made.to_disk(tmp_path / "model")
        again = spacy.load(tmp_path / "model")
    elif way == "bytes":
        again = spacy.blank("xx").from_config(made.config).from_bytes(made.to_bytes())
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(made))
    else:
        again = copy.deepcopy(made)
    pipes = [nlp.get_pipe(NAME) for nlp in (again, made)]
    docs = [made.make_doc(text) for text in TEXTS]
    bodies = pipes[0].bodies(docs)
    assert bodies == pipes[1].bodies(docs)
    assert "does sports" in bodies[0]["messages"][0]["content"]
    assert pipes[0].taxonomy == pipes[1].taxonomy
    assert pipes[0].cfg == pipes[1].cfg
    for text in TEXTS + ODD:
        assert entities(again(text)) == entities(made(text))
    assert report_of(again).texts == len(TEXTS + ODD)  # its own


def test_pipe_equals_call(made):
    texts = TEXTS + ODD
    expected = [entities(made(text)) for text in texts]
    for batch_size in (1, 3, 1000):
        assert [entities(doc) for doc in made.pipe(texts, batch_size=batch_size)] == expected
    component = made.get_pipe(NAME)
    predictions = component.predict([made.make_doc(text) for text in texts])
    assert [len(found.entities) for found in predictions] == [len(found) for found in expected]


def test_what_is_empty_is_not_sent_and_is_answered(chat):
    nlp = make_llm(chat.url)
    for doc in nlp.pipe(["", " ", "\n"]):
        assert not doc.ents
        assert failure_of(doc) is None
        assert len(doc) == 0 or doc.has_annotation("ENT_IOB")
    assert (report_of(nlp).requests, report_of(nlp).empty) == (0, 3)


@pytest.mark.parametrize("annotate", ["overwrite", "fill", "spans"])
def test_no_answer_and_nothing_found_are_told_apart(chat, annotate):
    nlp = make_llm(chat.url, annotate=annotate, limits={"retries": 0})
    component = nlp.get_pipe(NAME)
    docs = [nlp.make_doc(text) for text in ("no luck here", "nothing here", "pelé here")]
    before = [nlp.make_doc(text) for text in ("no luck here", "nothing here", "pelé here")]
    for doc in before:
        doc.set_ents([Span(doc, 1, 2, "OTHER")])
        doc.spans[NAME] = [Span(doc, 1, 2, "OTHER")]
    with pytest.warns(UserWarning, match="replaces") if annotate != "fill" else nullcontext():
        for doc in before:
            component(doc)
    for doc in docs:
        component(doc)
    assert [failure_of(doc) for doc in docs] == ["HTTP 500", None, None]
    if annotate == "spans":
        assert [NAME in doc.spans for doc in (*docs, *before)] == [False, True, True] * 2
        assert [ent.label_ for doc in before for ent in doc.ents] == ["OTHER"] * 3
    else:
        assert [doc.has_annotation("ENT_IOB") for doc in docs] == [False, True, True]
        kept = ["OTHER"] * (annotate == "fill")
        assert [ent.label_ for ent in before[0].ents] == kept
        assert before[0].has_annotation("ENT_IOB") == bool(kept)
        assert [ent.label_ for ent in before[2].ents] == ["Athlete", *kept]
    packed = DocBin(docs=docs, store_user_data=True).to_bytes()
    again = list(DocBin(store_user_data=True).from_bytes(packed).get_docs(nlp.vocab))
    assert [failure_of(doc) for doc in again] == ["HTTP 500", None, None]
    docs[0].set_ents([], default="missing")
    nlp.get_pipe(NAME)(Doc(nlp.vocab, words=["pelé"]))


def nullcontext():
    from contextlib import nullcontext

    return nullcontext()


def test_a_text_without_an_answer_has_its_entities_missed(chat):
    nlp = make_llm(chat.url, limits={"retries": 0})
    texts = ["no/O luck/O here/O pelé/B-Athlete", "pelé/B-Athlete"]
    scores = nlp.evaluate(examples(nlp, texts))
    assert (scores["ents_p"], scores["ents_r"]) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": ""}, r"url of \[components.finegrained_llm\] is ''"),
        ({"url": "localhost:8000/v1"}, "expected one like https://host/v1"),
        ({"url": "http://host/v1/chat/completions"}, "expected it without /chat/completions"),
        ({"url": "http://host:99999/v1"}, "can't be read"),
        ({"url": "http://host/v1?api_key=secret"}, "a user, a query or a fragment"),
        ({"model": ""}, "model of .* is ''"),
        ({"api_key_env": "sk-1"}, "api_key_env .* is not the name of an environment variable"),
        ({"limits": {"parallel": 0}}, r"parallel of .*limits\] is 0, expected a whole number >= 1"),
        ({"limits": {"timeout": 0}}, "timeout .* expected a number > 0"),
        ({"limits": {"paralel": 2}}, "unknown settings"),
        ({"request": {"response_format": "xml"}}, "response_format .* is 'xml', expected one of"),
        ({"request": {"temperature": -1.0}}, "temperature .* expected a number >= 0 or null"),
        ({"request": {"extra": 3}}, "extra .* expected a block"),
        ({"budget": {"cost": 5.0}}, "does not have both prices"),
        ({"budget": {"requests": "many"}}, "requests of .* is 'many'"),
        ({"prices": {"prompt": -1.0}}, "prompt of .* is -1.0"),
        ({"examples": None}, "examples of .* is None.*number = 0 for none"),
        ({"annotate": "append"}, "annotate of 'finegrained_llm' is 'append'"),
        ({"parallel": 3}, "parallel"),
        ({"progress": "yes please"}, "progress"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises((ValueError, ConfigValidationError), match=message):
        make_llm(**{"url": "http://localhost:1/v1", **settings})


@pytest.mark.parametrize("missing", ["tenacity", "httpx"])
def test_a_missing_library_is_told_with_the_remedy(missing):
    """In a process of its own: modules that are imported again here would have classes of their
    own, and what another test catches would not be what is raised."""
    code = (
        "import spacy, sys\n"  # spaCy first: it may have httpx itself
        f"sys.modules[{missing!r}] = None\n"
        "config = {'url': 'http://localhost:1/v1', 'model': 'tiny'}\n"
        "spacy.blank('en').add_pipe('finegrained_llm', config=config)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last.partition(":")[0]) == (1, "ImportError"), done.stderr
    assert 'pip install "spacy-finegrained-ner[llm]"' in last
