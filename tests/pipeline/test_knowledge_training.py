"""What a component learns of names, and never from the gold of the text itself."""

import random

import numpy as np
import spacy
import torch
from knowing import QUIET, component, emissions, knowing, trained
from knowledge_names import names_file
from pipelines import HASH_EMBED, examples, train
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.augment import create_lower_casing_augmenter

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.soft_targets import SOFT_TARGETS
from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.ml import knowledge as layer
from spacy_finegrained_ner.pipeline.teaching import taught

TEXTS = ["marie curie met pelé in lyon", "is there green tea ?"]


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
    nothing = 2 * len(component(nlp).labels)  # said of B and I of each type
    told = [np.pad(one, ((0, 0), (0, nothing))) for one in vectors]
    (alone,), _ = model.get_ref("tagger").begin_update(told)
    np.testing.assert_allclose(seen.tasks[0][0], alone.tasks[0][0])


def test_training_blurs_texts_and_prediction_does_not(tmp_path):
    nlp = knowing(tmp_path / "names", **QUIET | {"hide_text": 1.0, "blur": 1.0})
    data = examples(nlp)
    nlp.initialize(lambda: data)
    node = component(nlp).model.get_ref("knowledge")
    docs = [eg.predicted for eg in data]
    whole = np.concatenate(node.layers[0].predict(docs))
    width = whole.shape[1]
    moved, _ = node.begin_update(docs)
    blurred = np.concatenate(moved)[:, :width]
    kept = blurred != 0
    np.testing.assert_allclose(blurred[kept], 2 * whole[kept], rtol=1e-6)
    assert 0.4 < kept.mean() < 0.6
    unknown = [nlp.make_doc("no name is here")]
    (read,), (alone,) = node.predict(unknown), node.layers[0].predict(unknown)
    np.testing.assert_array_equal(read[:, :width], alone)


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


def test_a_loaded_one_can_be_trained_further(tmp_path):
    nlp = trained(tmp_path / "names", 3)
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


def test_words_are_counted_by_entities_also_where_there_are_soft_targets(tmp_path):
    nlp = trained(tmp_path / "names", 40, common=0.9)
    gold = [eg.reference for eg in examples(nlp)]
    soft = [*taught(nlp, gold, name="finegrained_ner", soft=True)]
    assert all(SOFT_TARGETS in doc.user_data for doc in soft)
    student = knowing(tmp_path / "names", common=0.9)
    student.initialize(lambda: [Example(bare_copy(doc, doc.vocab), doc) for doc in soft])
    assert component(student).knowledge.common == component(nlp).knowledge.common
    assert "in " in component(student).knowledge.common


def test_initialized_again_what_was_added_is_no_name_of_the_file(tmp_path):
    nlp = knowing(tmp_path / "names")
    nlp.initialize(lambda: examples(nlp))
    component(nlp).model.get_ref("knowledge").attrs["knowledge"].path = None
    names = component(nlp).knowledge
    before = names.common
    names.add(["met", "nothing to"], "city")  # the first names of what was added
    nlp.initialize(lambda: examples(nlp))
    assert names.common == before


def test_with_other_names_training_goes_on(tmp_path):
    """What was counted is of the names that it began with."""
    nlp = trained(tmp_path / "names", 3)
    for count in (1, 40):
        more = [(f"kestrel {i}", "city", ["web"]) for i in range(count)]
        file = names_file(tmp_path / f"other{count}", [*more, ("lyon", "city", ["web"])])
        component(nlp).knowledge.use(file)
        nlp.update(examples(nlp))
