"""A component that knows names: what it makes of them, and who is told."""

import json
import warnings

import numpy as np
import pytest
import spacy
from knowing import component, emissions, knowing, trained
from knowledge_names import names_file
from listening import make_listening
from pipelines import HASH_EMBED, examples, make_nlp, train
from spacy.tokens import Doc, DocBin

from spacy_finegrained_ner.annotate.records import entity_records
from spacy_finegrained_ner.knowledge.found import Found
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.ml import knowledge as layer

TEXTS = ["marie curie met pelé in lyon", "", "is there green tea ?", "nothing to see", " \n "]


@pytest.fixture(scope="module")
def nlp(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("names") / "names")


def test_entities_say_what_was_known_of_them(nlp):
    doc = nlp("marie curie met pelé in lyon")
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("marie curie", "Scientist"),
        ("pelé", "Athlete"),
        ("lyon", "HumanSettlement"),
    ]
    curie, pele, lyon = (ent._.evidence for ent in doc.ents)
    assert curie == [
        {
            **{"start": 0, "end": 2, "topics": ["scientist", "film"], "types": ["Scientist"]},
            "sources": ["lab", "web"],
        },
        {"start": 1, "end": 2, "topics": ["scientist"], "types": ["Scientist"], "sources": ["lab"]},
    ]
    assert pele[0] | {"start": 3, "end": 4, "topics": ["player"]} == pele[0]
    assert sorted(lyon[0]["types"]) == ["Athlete", "HumanSettlement"]
    assert doc[3:4]._.evidence == []  # no entity


def test_evidence_goes_where_facts_go(nlp):
    doc = nlp("marie curie in lyon")
    told = [ent._.evidence for ent in doc.ents]
    (again,) = DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    assert [ent._.evidence for ent in again.ents] == told
    assert all(ent._.evidence for ent in doc.copy().ents)
    piped = list(nlp.pipe(["", "marie curie in lyon", " "] * 3, batch_size=4))
    assert [ent._.evidence for ent in piped[1].ents] == told


def test_evidence_has_the_places_of_the_doc_that_it_is_in(nlp):
    doc = nlp("marie curie in lyon")
    both = Doc.from_docs([doc, doc])
    first, second = both.ents[: len(doc.ents)], both.ents[len(doc.ents) :]
    assert len(first) == len(second) > 0
    for ent, moved in zip(first, second, strict=True):
        assert ent._.evidence
        assert moved._.evidence == [
            {**one, "start": one["start"] + len(doc), "end": one["end"] + len(doc)}
            for one in ent._.evidence
        ]


def test_records_have_the_evidence_by_characters(nlp):
    """What `annotate` writes and `serve` answers."""
    text = "paris met marie  curie in lyon"
    doc = nlp(text)
    records = entity_records(doc, component(nlp))
    assert any(record["evidence"] for record in records)
    for ent, record in zip(doc.ents, records, strict=True):
        for name, told in zip(ent._.evidence, record["evidence"], strict=True):
            span = doc[name["start"] : name["end"]]
            assert (told["start"], told["end"]) == (span.start_char, span.end_char)
            assert text[told["start"] : told["end"]] == told["text"]
            assert told["topics"] == name["topics"]
            assert told["types"] == name["types"]
            assert told["sources"] == name["sources"]
    assert json.loads(json.dumps(records)) == records
    plain = make_nlp()
    train(plain, examples(plain), 30)
    assert all("evidence" not in one for one in entity_records(plain(text), component(plain)))


def test_without_confidence_there_is_evidence(tmp_path):
    quiet = knowing(tmp_path / "names")
    config = quiet.config["components"]["finegrained_ner"] | {"confidence": False}
    other = spacy.blank("en")
    other.add_pipe("finegrained_ner", config={k: v for k, v in config.items() if k != "factory"})
    train(other, examples(other), 30)
    (ent, *_) = other("pelé in lyon").ents
    assert ent._.confidence is None
    assert ent._.evidence


def test_a_component_without_names_takes_no_attribute(nlp):
    for pipe, name in ((component(make_nlp()), None), (component(nlp), "evidence")):
        assert pipe._annotation.extensions["evidence"] == name


def test_one_and_many_texts_are_told_the_same(nlp, monkeypatch):
    alone = [emissions(nlp, [text])[0] for text in TEXTS if text]
    for most in (8192, 7, 1):
        monkeypatch.setattr(layer, "_TOKENS", most)
        for one, other in zip(emissions(nlp, TEXTS), alone, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        piped = list(nlp.pipe(TEXTS))
        for one, other in zip(piped, map(nlp, TEXTS), strict=True):
            assert [ent._.evidence for ent in one.ents] == [ent._.evidence for ent in other.ents]


def plain(nlp, texts):
    """The same weights, as they would be without names: tok2vec >> tagger."""
    model = component(nlp).model
    docs = [nlp.make_doc(text) for text in texts if text]
    told = np.zeros((1, 2 * len(component(nlp).labels)), np.float32)  # names add to no tag
    vectors = [
        np.hstack([one, np.repeat(told, len(one), axis=0)])
        for one in model.get_ref("tok2vec").predict(docs)
    ]
    return model.get_ref("tagger").predict(vectors)


def test_closed_it_is_the_model_without_names(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    closed = spacy.load(tmp_path / "model")
    module = component(closed).model.get_ref("knowledge").shims[0].module
    module.head["names"]["logit"].weight.data.zero_()
    module.head["names"]["logit"].bias.data.fill_(-1e9)
    docs = [closed.make_doc(text) for text in TEXTS if text]
    for one, other in zip(component(closed).model.predict(docs), plain(closed, TEXTS), strict=True):
        np.testing.assert_array_equal(one.tasks[0][0], other.tasks[0][0])
    # Open, it is not; but where no name is found
    (one,), (other,) = component(nlp).model.predict(docs), plain(nlp, TEXTS)
    assert not np.allclose(one.tasks[0][0], other.tasks[0][0], atol=1e-3)
    text = ["nothing here at all ?"]
    (one,) = component(nlp).model.predict([nlp.make_doc(text[0])])
    (other,) = plain(nlp, text)
    np.testing.assert_array_equal(one.tasks[0][0], other.tasks[0][0])


def test_names_are_known_as_soon_as_they_are_added(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    nlp = spacy.load(tmp_path / "model")
    names = component(nlp).knowledge
    text = "serena williams met somebody"
    before = emissions(nlp, [text])[0]
    assert names.add("Somebody", "scientist", source="mine") == 1
    after = emissions(nlp, [text])[0]
    assert abs(after - before)[3].max() > 0.01
    names.remove("somebody")
    np.testing.assert_array_equal(emissions(nlp, [text])[0], before)
    names.remove("Serena Williams")
    assert [one["start"] for one in names.listed(text.split())] == [1]


def test_what_is_missing_is_told(tmp_path):
    nlp = knowing(tmp_path / "names")
    with pytest.raises(ValueError, match="is not initialized: there is no knowledge"):
        component(nlp).knowledge  # noqa: B018
    with pytest.raises(ValueError, match=r"was not trained with names.*model\.knowledge"):
        component(make_nlp()).knowledge  # noqa: B018
    nlp = make_nlp(model=HASH_EMBED | {"knowledge": {"@layers": "spacy-finegrained-ner.names.v1"}})
    with pytest.raises(ValueError, match=r"not told which: set path .*--paths\.knowledge"):
        nlp.initialize(lambda: examples(nlp))
    nlp = knowing(tmp_path / "names", path=str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"reads names from .*nowhere, which is not there"):
        nlp.initialize(lambda: examples(nlp))
    (tmp_path / "other").write_text("Lyon\tcity\n")
    nlp = knowing(tmp_path / "names", path=str(tmp_path / "other"))
    with pytest.raises(ValueError, match="other is no file of names"):
        nlp.initialize(lambda: examples(nlp))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([("Oslo", "city", ["web"])], "none of its names is met there"),
        ([("Lyon", "no_type", ["web"])], "no topic has one of its types"),
    ],
)
def test_names_that_tell_nothing_are_told(tmp_path, names, message):
    names_file(tmp_path / "names", names)
    nlp = knowing(tmp_path / "names")
    with pytest.warns(UserWarning, match=message):
        nlp.initialize(lambda: examples(nlp))


def test_a_listener_beside_names(tmp_path):
    """And an encoder of its own, after replace_listeners."""
    names_file(tmp_path / "names")
    model = {"knowledge": {"@layers": "spacy-finegrained-ner.names.v1"}}
    model["knowledge"] |= {"path": str(tmp_path / "names"), "width": 16}
    nlp = make_listening(tmp_path / "encoder", model=model | {"dropout": 0.0})
    losses = train(nlp, examples(nlp), 30)
    assert losses["finegrained_ner"] < 1
    text = "marie curie met pelé in lyon"
    before = [(e.text, e.label_, e._.evidence) for e in nlp(text).ents]
    assert before
    nlp.replace_listeners("transformer", "finegrained_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = spacy.load(tmp_path / "model")
    assert [(e.text, e.label_, e._.evidence) for e in again(text).ents] == before
    again.update(examples(again), sgd=again.resume_training())


def test_evidence_of_many_names_is_that_of_each_pair():
    class Now:
        def described(self, part, number):
            return {"topics": [str(number)], "types": [], "sources": []}

    entities = [(0, 2, "Drink"), (4, 5, "Drink"), (5, 9, "Athlete"), (12, 13, "Drink")]
    names = [(s, e) for s in range(14) for e in range(s + 1, 15)]
    columns = [np.array(x) for x in zip(*((0, *span, 0, 0) for span in names), strict=True)]
    made = make_nlp()
    train(made, examples(made), 1)
    prediction = Prediction(entities)
    (told,) = component(made)._with_evidence(
        [(Now(), Found(*columns), 1)], [made.make_doc("x " * 14)], [prediction]
    )
    for entity in entities:
        assert [(one["start"], one["end"]) for one in told.facts[entity]["evidence"]] == [
            (s - entity[0], e - entity[0]) for s, e in names if s < entity[1] and entity[0] < e
        ]
