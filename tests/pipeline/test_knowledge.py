"""A component that knows names: what it makes of them, and who is told."""

import random
import warnings

import numpy as np
import pytest
import spacy
import torch
from knowing import QUIET, knowing, trained
from knowledge_names import names_file
from listening import make_listening
from pipelines import HASH_EMBED, examples, make_nlp, train
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter

from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.ml import knowledge as layer

TEXTS = ["marie curie met pelé in lyon", "", "is there green tea ?", "nothing to see", " \n "]


@pytest.fixture(scope="module")
def nlp(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("names") / "names")


def component(nlp):
    return nlp.get_pipe("finegrained_ner")


def emissions(nlp, texts) -> list[np.ndarray]:
    docs = [nlp.make_doc(text) for text in texts if text]
    scores: dict[int, np.ndarray] = {}
    for batch in component(nlp).model.predict(docs):
        for place, row in enumerate(batch.rows):
            scores[row] = batch.tasks[0][0][place][: batch.lengths[place]]
    return [scores[i] for i in range(len(docs))]


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
    assert [[dict(one) for one in ent._.evidence] for ent in again.ents] == [
        [{k: tuple(v) if isinstance(v, list) else v for k, v in one.items()} for one in some]
        for some in told
    ]
    assert all(ent._.evidence for ent in doc.copy().ents)
    piped = list(nlp.pipe(["", "marie curie in lyon", " "] * 3, batch_size=4))
    assert [ent._.evidence for ent in piped[1].ents] == told


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
    vectors = model.get_ref("tok2vec").predict(docs)
    return model.get_ref("tagger").predict(vectors)


def test_closed_it_is_the_model_without_names(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    closed = spacy.load(tmp_path / "model")
    module = component(closed).model.get_ref("knowledge").shims[0].module
    module.head["logit"].weight.data.zero_()
    module.head["logit"].bias.data.fill_(-1e9)
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
    assert all(one["start"] == 1 for ent in nlp(text).ents for one in ent._.evidence)


def made_up(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("bcdfghklmnprst" + "aeiou" * 2, k=7)) for _ in range(count)]


def test_new_names_without_retraining(tmp_path):
    """Words that say nothing by themselves: what they are stands in the file alone."""
    of_topic = {"beverage": made_up(60, 1), "player": made_up(60, 2)}
    builder = Builder(topics={"beverage": ["Drink"], "player": ["Athlete"]})
    for topic, names in of_topic.items():
        for name in names:
            builder.add(name, topic, ["web"])
    builder.write(tmp_path / "names")
    labels = {"beverage": "Drink", "player": "Athlete"}
    texts = [
        f"here/O is/O {name}/B-{labels[topic]} again/O"
        for topic, names in of_topic.items()
        for name in names
    ]
    texts += [f"here/O is/O {name}/O again/O" for name in made_up(60, 3)]
    # Neither words nor parts of them are known, so that only names can tell them apart
    tok2vec = HASH_EMBED["tok2vec"] | {"subword_features": False, "embed_size": 1, "width": 8}
    nlp = knowing(tmp_path / "names", HASH_EMBED | {"tok2vec": tok2vec})
    train(nlp, examples(nlp, texts), 60)
    new = made_up(40, 4)
    docs = list(nlp.pipe(f"here is {name} again" for name in new))
    assert not any(doc.ents for doc in docs)
    component(nlp).knowledge.add(new[:20], "beverage")
    component(nlp).knowledge.add(new[20:], "player")
    docs = list(nlp.pipe(f"here is {name} again" for name in new))
    found = [(ent.text, ent.label_) for doc in docs for ent in doc.ents]
    assert found == [(name, "Drink") for name in new[:20]] + [
        (name, "Athlete") for name in new[20:]
    ]


def test_the_same_seed_is_the_same_training(tmp_path):
    one, other = (trained(tmp_path / "names", 5) for _ in range(2))
    for a, b in zip(emissions(one, TEXTS), emissions(other, TEXTS), strict=True):
        np.testing.assert_array_equal(a, b)


def test_texts_whose_names_are_hidden_are_learned_as_without(tmp_path):
    """In training; the weights that read names stay as they were."""
    nlp = trained(tmp_path / "names", 10, **QUIET | {"hide_text": 1.0})
    model = component(nlp).model
    torch.manual_seed(0)
    state = {
        k: v.clone() for k, v in model.get_ref("knowledge").shims[0].module.state_dict().items()
    }
    data = examples(nlp)
    nlp.update(data, sgd=nlp.create_optimizer())
    module = model.get_ref("knowledge").shims[0].module
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name]), name
    docs = [eg.predicted for eg in data]
    (seen,), _ = model.begin_update(docs)
    vectors, _ = model.get_ref("tok2vec").begin_update(docs)
    (alone,), _ = model.get_ref("tagger").begin_update(vectors)
    np.testing.assert_allclose(seen.tasks[0][0], alone.tasks[0][0])


def test_gradients_reach_the_encoder_and_the_names(tmp_path):
    nlp = knowing(tmp_path / "names", **QUIET)
    data = examples(nlp)
    nlp.initialize(lambda: data)
    pipe = component(nlp)
    module = pipe.model.get_ref("knowledge").shims[0].module
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    embed = next(n for n in pipe.model.get_ref("tok2vec").walk() if n.has_param("E"))
    table = embed.get_param("E").copy()
    nlp.update(data, sgd=nlp.create_optimizer())
    changed = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert changed == set(before)
    assert not np.array_equal(embed.get_param("E"), table)


def test_words_are_found_out_without_the_gold_of_the_text_itself(tmp_path, monkeypatch):
    """`is there` is no entity in a text of the training: for others it is a word, for that one it
    is not."""
    nlp = knowing(tmp_path / "names", common=0.4, **QUIET)
    data = examples(nlp)
    nlp.initialize(lambda: data)
    pipe = component(nlp)
    seen = []
    known = layer.knowledge_of(pipe.model)
    find = known.find
    monkeypatch.setattr(
        known, "find", lambda docs, train: seen.append(find(docs, train)) or seen[-1]
    )
    nlp.update(data, sgd=nlp.create_optimizer())
    assert {"to ", "is there "} <= pipe.knowledge.common

    def found(i):
        now, some, _ = seen[0]
        return {now.file.key(n) for n in some.number[some.text == i].tolist()}

    # "to" is met in two texts, so that each has it of the other; "is there" in the third alone
    assert "is there " in found(2)
    assert "is there " not in {key for i in (0, 1, 3, 4) for key in found(i)}
    assert not {"to "} & {key for i in range(5) for key in found(i)}
    # A text that was not counted, whatever its gold
    for gold in ("is/B-Drink there/I-Drink a/O", "is/O there/O a/O"):
        nlp.update(examples(nlp, [gold]), sgd=None)
        assert seen[-1][1].number.tolist() == []


def test_a_loaded_one_can_be_trained_further(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    sgd = again.resume_training()
    losses: dict = {}
    again.update(examples(again), sgd=sgd, losses=losses)
    assert np.isfinite(losses["finegrained_ner"])


def test_initialized_again_with_other_labels(tmp_path):
    nlp = trained(tmp_path / "names", 3)
    data = examples(nlp, ["green/B-Drink tea/I-Drink ?/O"])
    nlp.initialize(lambda: data)
    nlp.update(data, sgd=nlp.create_optimizer())
    assert component(nlp).model.get_ref("knowledge").shims[0].module.sizes["types"] == 1


def test_unknown_gold_and_other_tokens(tmp_path):
    nlp = knowing(tmp_path / "names", **QUIET)
    data = examples(nlp)
    other = Doc(nlp.vocab, words=["marie curie", "in", "lyon"])
    gold = Doc(
        nlp.vocab, words=["marie", "curie", "in", "lyon"], ents=["B-Drink", "I-Drink", "O", ""]
    )
    data.append(Example(other, gold))
    augment = create_lower_casing_augmenter(1.0)
    data += [one for eg in examples(nlp) for one in augment(nlp, eg)]
    nlp.initialize(lambda: data)
    nlp.update(data, sgd=nlp.create_optimizer())
    nlp.update([Example(nlp.make_doc("lyon"), Doc(nlp.vocab, words=["lyon"]))], sgd=None)


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
