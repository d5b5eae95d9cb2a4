"""Auxiliary tasks: what they learn, and how another one takes their place."""

import numpy as np
import pytest
import spacy
from pipelines import LINEAR, SENTENCES, entities, examples, make_nlp, train
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import OUTSIDE, TagSet
from spacy_finegrained_ner.labels.gold import Gold
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.pipeline.auxiliary import CoarseTask, MentionTask, PosTask

NLP = spacy.blank("en")
TAXONOMY = read_taxonomy()
FINE = TagSet(("Athlete", "Drink", "Food", "HumanSettlement", "Scientist"))
COARSE = {"@misc": "spacy-finegrained-ner.CoarseTask.v1"}
MENTION = {"@misc": "spacy-finegrained-ner.MentionTask.v1"}
TEXTS = (
    *SENTENCES,
    "pelé/B-Athlete curie/B-Scientist tea/B-Drink bread/B-Food",  # adjacent
    "pelé/- met/O marie/B-Scientist curie/I-Scientist in/- lyon/-",
    "nobody/- knows/-",
    "a/B-Scientist b/I-Scientist c/B-Scientist d/I-Scientist",
)


def gold(task, example: Example) -> list[int]:
    (found,) = task.gold([example], [gold_of(example, FINE)], FINE, TAXONOMY)
    return found.tags.tolist()


def relabelled(example: Example, label_of) -> Example:
    """The same annotation with other labels."""
    reference = example.reference.copy()
    unknown = [reference[t.i : t.i + 1] for t in reference if t.ent_iob == 0]
    ents = [Span(reference, e.start, e.end, label_of(e.label_)) for e in reference.ents]
    reference.set_ents(ents, missing=unknown, default="outside")
    return Example(example.predicted, reference)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("task", "label_of"),
    [(CoarseTask(), TAXONOMY.coarse_label), (MentionTask(), lambda label: "MENTION")],
)
def test_gold_is_that_of_the_entities_with_the_other_labels(task, label_of, text):
    (example,) = examples(NLP, [text])
    expected = gold_of(relabelled(example, label_of), task.tag_set(FINE, TAXONOMY))
    assert gold(task, example) == expected.tags.tolist()


def test_gold_of_the_coarse_task_by_hand():
    assert CoarseTask().tag_set(FINE, TAXONOMY).tags == (
        "O", "B-Location", "I-Location", "B-Person", "I-Person", "B-Product", "I-Product"
    )  # fmt: skip
    (example,) = examples(NLP, ["a/B-Scientist b/I-Scientist c/B-Athlete d/- e/O"])
    assert gold(CoarseTask(), example) == [3, 4, 3, UNKNOWN, OUTSIDE]
    assert gold(MentionTask(), example) == [1, 2, 1, UNKNOWN, OUTSIDE]


def test_gold_is_on_the_predicted_tokens():
    (example,) = examples(NLP, ["see/O usainbolt/B-Athlete run/-"])
    example = Example(Doc(NLP.vocab, words=["see", "usain", "bolt", "run"]), example.reference)
    assert gold(MentionTask(), example) == [OUTSIDE, 1, 2, UNKNOWN]


def with_pos(example: Example, pos) -> Example:
    """The same with parts of speech in the gold; "" where there is none."""
    for token, value in zip(example.reference, pos, strict=True):
        token.pos_ = value
    return example


def test_gold_of_the_pos_task_by_hand():
    (example,) = examples(NLP, ["see/O usainbolt/B-Athlete run/O"])
    with_pos(example, ["VERB", "PROPN", ""])
    example = Example(Doc(NLP.vocab, words=["see", "usain", "bolt", "run"]), example.reference)
    tags = PosTask().tag_set(FINE, TAXONOMY).tags
    assert [tags[i] if i >= 0 else None for i in gold(PosTask(), example)] == [
        "B-VERB", "B-PROPN", "B-PROPN", None
    ]  # fmt: skip


def test_the_pos_task_is_learned_and_says_where_there_is_no_pos():
    pos = {"in": "ADP", "and": "CCONJ", "won": "VERB"}
    task = {"@misc": "spacy-finegrained-ner.PosTask.v1"}
    nlp = make_nlp(model=LINEAR, auxiliary=task, auxiliary_weight=0.5)
    bare = examples(nlp)
    nlp.initialize(lambda: bare)
    with pytest.warns(UserWarning, match="finds no part of speech in the gold of"):
        nlp.update(bare[:2])
    tagged = [with_pos(e, [pos.get(t.text, "PROPN") for t in e.reference]) for e in examples(nlp)]
    losses = train(nlp, tagged, 40)
    assert losses["finegrained_ner_fine"] < 0.05
    assert losses["finegrained_ner_auxiliary"] < 0.05


@pytest.mark.parametrize("model", [LINEAR, LINEAR | {"decoder": "crf"}])
@pytest.mark.parametrize(("auxiliary", "tags"), [(COARSE, 7), (MENTION, 3)])
def test_both_tasks_are_learned_at_once(auxiliary, tags, model):
    nlp = make_nlp(model=model, auxiliary=auxiliary, auxiliary_weight=0.5)
    losses = train(nlp, examples(nlp), 40)
    assert losses["finegrained_ner_fine"] < 0.05
    assert losses["finegrained_ner_auxiliary"] < 0.05
    assert nlp.get_pipe("finegrained_ner").model.get_ref("tagger").get_dim("nA") == tags


def test_without_an_auxiliary_task_there_is_one_loss_and_one_head():
    nlp = make_nlp(auxiliary=None, model=LINEAR)
    losses = train(nlp, examples(nlp), 40)
    assert set(losses) == {"finegrained_ner"}
    assert losses["finegrained_ner"] < 0.05
    module = nlp.get_pipe("finegrained_ner").model.get_ref("tagger").shims[0]._model
    assert list(module.head) == ["dropout", "fine"]
    again = make_nlp(auxiliary=None, model=LINEAR).from_bytes(nlp.to_bytes())
    assert entities(again("pelé in lyon")) == entities(nlp("pelé in lyon"))


class LongWords:
    """A task of a test: words of more than four letters."""

    def tag_set(self, fine, taxonomy):
        return TagSet(("LONG",))

    def gold(self, examples, fine_gold, fine, taxonomy):
        tags = self.tag_set(fine, taxonomy)
        ids = [
            np.array([tags.begin("LONG") if len(token) > 4 else OUTSIDE for token in eg.predicted])
            for eg in examples
        ]
        return [Gold.of_tags(one, len(tags)) for one in ids]


@spacy.registry.misc("test_long_words.v1")
def build_long_words():
    return LongWords()


def test_a_task_of_ones_own_takes_the_place_by_name(tmp_path):
    nlp = make_nlp(auxiliary={"@misc": "test_long_words.v1"}, auxiliary_weight=0.5)
    losses = train(nlp, examples(nlp), 40)
    assert losses["finegrained_ner_auxiliary"] < 0.05
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    text = "marie curie met pelé in lyon"
    assert entities(again(text)) == entities(nlp(text)) != []
    losses = again.update(examples(again))
    assert losses["finegrained_ner_auxiliary"] < 0.05


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (
            lambda one, n: [np.zeros(n)],
            r"gold of the auxiliary task is .*expected a list with a Gold",
        ),
        (lambda one, n: None, r"gold of the auxiliary task is None, expected a list with a Gold"),
        (lambda one, n: iter([one]), r"gold of the auxiliary task is .*expected a list"),
        (lambda one, n: [], r"auxiliary task is that of 0 texts, expected 1"),
        (
            lambda one, n: [Gold.of_tags(np.zeros(n + 1, int), 3)],
            r"shape \(4, 3\), expected \(3, 3",
        ),
        (lambda one, n: [Gold.of_tags(np.full(n, 3), 3)], r"ids from 3 to 3, expected some from 0"),
    ],
)
def test_gold_of_a_task_that_is_none_is_told(monkeypatch, gold, message):
    nlp = make_nlp(auxiliary={"@misc": "test_long_words.v1"}, auxiliary_weight=0.5)
    data = examples(nlp, ["pelé/B-Athlete in/O lyon/O"])
    nlp.initialize(lambda: data)
    monkeypatch.setattr(LongWords, "gold", lambda self, *args: gold(None, 3))
    with pytest.raises((TypeError, ValueError), match=message):
        nlp.initialize(lambda: data)
    with pytest.raises((TypeError, ValueError), match=message):
        nlp.update(data)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (COARSE, None, "initialized with 7 tags of an auxiliary task.* has 0"),
        (COARSE, MENTION, "initialized with 7 tags of an auxiliary task.* has 3"),
        (None, COARSE, "initialized with 0 tags of an auxiliary task.* has 7"),
    ],
)
def test_loaded_with_another_task_it_predicts_and_says_why_it_cannot_train(
    before, after, message, tmp_path
):
    nlp = make_nlp(model=LINEAR, auxiliary=before)
    train(nlp, examples(nlp), 20)
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(
        tmp_path / "model", config={"components": {"finegrained_ner": {"auxiliary": after}}}
    )
    text = "marie curie met pelé in lyon"
    assert entities(again(text)) == entities(nlp(text)) != []
    with pytest.raises(ValueError, match=message):
        again.update(examples(again))
