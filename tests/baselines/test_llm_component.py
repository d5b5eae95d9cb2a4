"""The contract of `finegrained_llm`."""

import builtins
import copy
import pickle

import pytest
import spacy
import srsly
from chat_server import ChatServer
from chat_server import fails as server_fails
from chatting import failure_of, make_llm, report_of
from pipelines import HASH_EMBED, SENTENCES, entities, examples
from spacy.tokens import Doc, DocBin, Span
from thinc.api import ConfigValidationError
from typer.testing import CliRunner

from spacy_finegrained_ner.baselines.llm.cache import FILE
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.labels.readers import MissingTaxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, TaxonomyError, read_taxonomy

NAME = "finegrained_llm"
TEXTS = [" ".join(word.rsplit("/", 1)[0] for word in text.split()) for text in SENTENCES]
ODD = ["", " ", "\n\t", "  marie curie  met pelé ", "👍🏽 pelé", "a" * 500, "居里夫人 حب", "\0 a"]
NEAREST = {
    "@misc": "spacy-finegrained-ner.NearestExamples.v1",
    "number": 2,
    "encoder": HASH_EMBED["tok2vec"],
}


@pytest.fixture(scope="module")
def chat():
    found = ChatServer({"out of order": server_fails(500)})
    yield found
    found.close()


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
        again = spacy.blank("en").from_config(made.config).from_bytes(made.to_bytes())
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
    docs = [nlp.make_doc(text) for text in ("out of order", "nothing here", "pelé here")]
    before = [nlp.make_doc(text) for text in ("out of order", "nothing here", "pelé here")]
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
    texts = ["out/O of/O order/O pelé/B-Athlete", "pelé/B-Athlete"]
    scores = nlp.evaluate(examples(nlp, texts))
    assert (scores["ents_p"], scores["ents_r"]) == (1.0, 0.5)


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


def test_initialized_again_it_keeps_template_and_definitions(made, caplog):
    nlp = pickle.loads(pickle.dumps(made))
    component = nlp.get_pipe(NAME)
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
def test_a_missing_library_is_told_with_the_remedy(monkeypatch, missing):
    import sys

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if ".baselines.llm." in n]:
        if not name.endswith("factory"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "spacy-finegrained-ner\[llm\]"'):
        make_llm("http://localhost:1/v1")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_evaluate_report_and_the_cache_from_the_command_line(made, chat, tmp_path):
    data = tmp_path / "gold.spacy"
    DocBin(docs=[example.reference for example in examples(made)]).to_disk(data)
    nlp = make_llm(chat.url, cache=str(tmp_path / "cache"))
    nlp.to_disk(tmp_path / "model")
    chat.asked.clear()
    done = run("evaluate", tmp_path / "model", data, "--output", tmp_path / "scores.json")
    assert done.exit_code == 0, done.output
    scores = srsly.read_json(tmp_path / "scores.json")
    assert scores["gold_tokens"]["ents_f"] == scores["running_text"]["ents_f"] == 1.0
    assert set(chat.asked.values()) == {1}  # both passes ask the same
    done = run("report", tmp_path / "model", data, "--output", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "marie curie" in (tmp_path / "page.html").read_text()
    assert set(chat.asked.values()) == {1}
    shown = run("llm-cache", tmp_path / "cache")
    assert f"{len(TEXTS)} answers, " in shown.output
    assert (tmp_path / "cache" / FILE).exists()
    gone = run("llm-cache", tmp_path / "cache", "--delete")
    assert gone.exit_code == 0
    assert "Deleted 5 answers" in gone.output
    assert not (tmp_path / "cache").exists()
    again = run("llm-cache", tmp_path / "cache", "--delete")
    assert again.exit_code == 1
    assert "there is no cache" in again.output


def test_of_a_cache_only_the_answers_are_deleted(tmp_path, chat):
    make_llm(chat.url, cache=str(tmp_path))("lyon")
    (tmp_path / "notes.txt").write_text("mine")
    assert run("llm-cache", tmp_path, "--delete").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / FILE).write_text("no database" * 100)
    shown = run("llm-cache", tmp_path)
    assert shown.exit_code == 1
    assert "can't be used as a cache" in shown.output


def test_the_task_of_spacy_llm(tmp_path):
    """Its interface: prompts of Docs, and Docs of responses, each a list of one."""
    from chat_server import answer

    from spacy_finegrained_ner.baselines.llm.spacy_llm_task import build_spacy_llm_task_v1

    nlp = spacy.blank("en")
    gold = examples(nlp)
    path = tmp_path / "gold.spacy"
    DocBin(docs=[example.reference for example in gold]).to_disk(path)
    task = build_spacy_llm_task_v1("multiconer2", examples=str(path), number=2)
    docs = [nlp.make_doc(text) for text in (*TEXTS, "no answer")]
    prompts = list(task.generate_prompts(docs))
    assert all(prompt.count("Text: ") == 3 for prompt in prompts[-1:])
    responses = [[answer(prompt.rpartition("Text: ")[2])] for prompt in prompts[:-1]] + [["?"]]
    parsed = list(task.parse_responses(docs, responses))
    found = [spacy.training.Example(d, eg.reference) for d, eg in zip(parsed, gold, strict=False)]
    assert task.scorer(found)["ents_f"] == 1.0
    assert [doc.has_annotation("ENT_IOB") for doc in parsed] == [True] * 5 + [False]
    assert task.labels == tuple(sorted(read_taxonomy().fine))
    assert "{{ text }}" in task.prompt_template
