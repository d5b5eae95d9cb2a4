"""A pipeline as a teacher: against all paths looked at one by one, and what a student learns."""

from itertools import pairwise

import numpy as np
import pytest
import spacy
import torch
from enumeration import Case
from pipelines import HASH_EMBED, LINEAR, SENTENCES, examples, make_nlp, sentence, train
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example

from spacy_finegrained_ner.data.corpus import bare_copy, sentence_to_doc
from spacy_finegrained_ner.data.gold import annotated_labels, gold_of, label_only
from spacy_finegrained_ner.data.soft_targets import keep_soft_targets, soft_targets_of
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.gold import SoftTargets
from spacy_finegrained_ner.pipeline.teaching import NoTeacher, taught

NAME = "finegrained_ner"


@pytest.fixture(scope="module", params=[HASH_EMBED, LINEAR], ids=["crf", "linear"])
def teacher(request):
    nlp = make_nlp(model=request.param)
    train(nlp, examples(nlp), 8)  # not so long that it is sure of all
    return nlp


def paths_of(nlp, doc) -> list[tuple[tuple[int, ...], float]]:
    """All legal paths of the teacher's tags, and the weight of each."""
    pipe = nlp.get_pipe(NAME)
    emissions, *crf = (
        torch.from_numpy(np.array(x)).double() for x in pipe.model.predict([doc])[0].tasks[0]
    )
    size = emissions.shape[2]
    transitions, starts, ends = crf or (torch.zeros(size, size), *torch.zeros(2, size))
    transitions[~torch.from_numpy(pipe._tag_set.legal_transitions)] = -torch.inf
    starts[~torch.from_numpy(pipe._tag_set.legal_starts)] = -torch.inf
    case = Case(emissions, torch.tensor([len(doc)]), transitions, starts, ends)
    scores = case.scores(0)
    weights = (scores - scores.max()).exp()
    return [
        (tuple(path), weight)
        for path, weight in zip(case.paths(0).tolist(), weights.tolist(), strict=True)
        if weight
    ]


def expected(paths, tags: int):
    """Marginals and transitions of weighted paths."""
    marginals = np.zeros((len(paths[0][0]), tags))
    pairs = np.zeros((tags, tags))
    total = sum(weight for _, weight in paths)
    for path, weight in paths:
        marginals[range(len(path)), path] += weight / total
        for step in pairwise(path):
            pairs[step] += weight / total
    return marginals, pairs


WORDS = ("pelé", "met", "green", "tea")


def known_of(nlp, how: str) -> Doc:
    """A Doc of which something is known, or nothing."""
    doc = Doc(nlp.vocab, words=WORDS)
    if how == "new type":
        doc.set_ents([Span(doc, 2, 4, "Colour")], default="outside")
        label_only(doc, ["Colour"])
    elif how == "an old type, elsewhere unknown":
        doc.set_ents([Span(doc, 0, 1, "Scientist")], default="missing")
    elif how == "no drinks":
        doc.set_ents([], default="outside")
        label_only(doc, ["Drink"])
    return doc


@pytest.mark.parametrize("how", ["", "new type", "an old type, elsewhere unknown", "no drinks"])
def test_soft_targets_equal_those_over_all_paths_that_the_gold_allows(teacher, how):
    known = known_of(teacher, how)
    (doc,) = taught(teacher, [known], name=NAME, soft=True)
    labels = teacher.get_pipe(NAME).labels
    both = TagSet((*labels, *(["Colour"] if how == "new type" else [])))
    allowed = gold_of(Example(bare_copy(known, teacher.vocab), known), both).allowed

    def through(path):
        """The path with the gold in place of O, where the gold is a tag that is not the teacher's;
        None if the gold does not allow it."""
        old = 1 + 2 * len(labels)
        new = [not row[:old].any() for row in allowed]
        if any(n and tag for n, tag in zip(new, path, strict=True)):
            return None
        found = [
            int(row.argmax()) if n else tag for n, row, tag in zip(new, allowed, path, strict=True)
        ]
        return (
            tuple(found) if all(row[tag] for row, tag in zip(allowed, found, strict=True)) else None
        )

    held = [
        (through(path), weight)
        for path, weight in paths_of(teacher, bare_copy(known, teacher.vocab))
    ]
    marginals, pairs = expected([(p, w) for p, w in held if p], len(both))
    soft = soft_targets_of(doc, both)
    # What is below a thousandth or two is not kept
    np.testing.assert_allclose(soft.marginals, marginals, atol=0.01)
    np.testing.assert_allclose(soft.transitions, pairs, atol=0.03)
    assert abs(marginals.sum(axis=1) - 1).max() < 1e-9


def gold_doc(nlp: Language, text: str) -> Doc:
    return sentence_to_doc(nlp.vocab, sentence(text))


def found(doc: Doc) -> list[tuple[int, int, str]]:
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


@pytest.mark.parametrize("soft", [False, True])
def test_what_is_annotated_stays_and_the_rest_is_the_teachers(soft):
    nlp = make_nlp()
    train(nlp, examples(nlp), 40)
    bare = Doc(nlp.vocab, words=["pelé", "drinks", "green", "tea"])
    whole = gold_doc(nlp, "pelé/O drinks/O green/B-Vehicle tea/O")
    partly = gold_doc(nlp, "pelé/- drinks/- green/- tea/B-Vehicle")
    only = gold_doc(nlp, "pelé/O drinks/O green/O tea/O")
    label_only(only, ["Drink"])
    new = gold_doc(nlp, "pelé/O drinks/B-Verb green/O tea/O")
    label_only(new, ["Verb"])
    docs = list(taught(nlp, [bare, whole, partly, only, new], name=NAME, soft=soft))
    assert found(docs[0]) == [(0, 1, "Athlete"), (2, 4, "Drink")]
    assert found(docs[1]) == [(2, 3, "Vehicle")]
    assert found(docs[2]) == [(0, 1, "Athlete"), (3, 4, "Vehicle")]
    assert found(docs[3]) == [(0, 1, "Athlete")]
    assert found(docs[4]) == [(0, 1, "Athlete"), (1, 2, "Verb"), (2, 4, "Drink")]
    assert all(doc.has_annotation("ENT_IOB") for doc in docs)
    assert all((doc.user_data != {}) == soft for doc in docs)


def test_silence_is_not_outside():
    """Of a component that got no answer for a text nothing is learned there."""
    nlp = spacy.blank("en")

    @Language.component("silent_now_and_then")
    def silent(doc):
        if doc[0].text != "silent":
            doc.set_ents([doc.char_span(0, 4, label="Word")])
        return doc

    nlp.add_pipe("silent_now_and_then")
    texts = [nlp.make_doc("silent as ever"), nlp.make_doc("word by word")]
    first, second = taught(nlp, texts)
    assert [token.ent_iob for token in first] == [0, 0, 0]
    assert found(second) == [(0, 1, "Word")]
    assert [token.ent_iob for token in second] == [3, 2, 2]


def test_any_pipeline_teaches_entities_and_none_without_probabilities_more():
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "Drink", "pattern": "tea"}])
    (doc,) = taught(nlp, [nlp.make_doc("green tea")], name="entity_ruler")
    assert found(doc) == [(1, 2, "Drink")]
    with pytest.raises(NoTeacher, match="'entity_ruler' knows no probabilities"):
        list(taught(nlp, [], name="entity_ruler", soft=True))


def test_entities_that_are_not_of_one_component_are_not_taken_for_it():
    nlp = spacy.blank("en")
    for name in ("one", "two"):
        nlp.add_pipe("entity_ruler", name).add_patterns([{"label": name, "pattern": name}])
    nlp.add_pipe("span_ruler").add_patterns([{"label": "three", "pattern": "three"}])
    text = nlp.make_doc("one two three")
    for name in ("two", "span_ruler"):
        with pytest.raises(NoTeacher, match=rf"'{name}' finds can't be told .*\['one', 'two'\]"):
            list(taught(nlp, [text], name=name))
    (doc,) = taught(nlp, [text])
    assert found(doc) == [(0, 1, "one"), (1, 2, "two")]


def test_empty_texts_and_the_order_of_the_texts(teacher):
    texts = [
        Doc(teacher.vocab),
        *(Doc(teacher.vocab, words=WORDS[:n]) for n in (4, 1, 3)),
        Doc(teacher.vocab),
    ]
    docs = list(taught(teacher, texts, name=NAME, soft=True))
    assert [doc.text for doc in docs] == [doc.text for doc in texts]


@pytest.mark.parametrize("soft", [False, True])
def test_a_student_learns_of_files_alone(tmp_path, soft):
    """With nothing of the teacher but a DocBin: entities that no gold has told it."""
    nlp = make_nlp()
    train(nlp, examples(nlp), 40)
    bare = [bare_copy(eg.reference, nlp.vocab) for eg in examples(nlp)]
    DocBin(docs=taught(nlp, bare, name=NAME, soft=soft), store_user_data=True).to_disk(
        tmp_path / "taught.spacy"
    )
    student = make_nlp()
    data = list(Corpus(tmp_path / "taught.spacy")(student))
    train(student, data, 40)
    gold = [gold_doc(student, text) for text in SENTENCES]
    for doc in gold:
        assert found(student(bare_copy(doc, student.vocab))) == found(doc)


def test_soft_targets_are_learned_to_be_as_unsure_as_the_teacher(tmp_path):
    """The loss is lowest where the student expects what the teacher does; entities alone would
    make it sure."""
    nlp = make_nlp()
    train(nlp, examples(nlp), 6)
    texts = [bare_copy(eg.reference, nlp.vocab) for eg in examples(nlp)]

    def unsureness(pipeline):
        docs = taught(pipeline, texts, name=NAME, soft=True)
        tags = nlp.get_pipe(NAME)._tag_set
        marginals = np.concatenate([soft_targets_of(doc, tags).marginals for doc in docs])
        return marginals

    students = {}
    for soft in (False, True):
        student = make_nlp()
        gold = list(taught(nlp, texts, name=NAME, soft=soft))
        data = [
            Example(bare_copy(doc, student.vocab), Doc(student.vocab).from_bytes(doc.to_bytes()))
            for doc in gold
        ]
        train_with_labels(student, data, nlp.get_pipe(NAME).labels)
        students[soft] = abs(unsureness(student) - unsureness(nlp)).mean()
    assert students[True] < 0.5 * students[False]


def train_with_labels(nlp, data, labels):
    from thinc.api import Adam, fix_random_seed

    fix_random_seed(0)
    nlp.get_pipe(NAME).initialize(lambda: data, nlp=nlp, labels=labels)
    sgd = Adam(0.01)
    for _ in range(60):
        nlp.update(data, sgd=sgd)


def test_a_span_group_says_what_is_outside_and_no_group_that_nothing_is_known():
    nlp = make_nlp(annotate="spans")
    train(nlp, examples(nlp), 40)
    (doc,) = taught(nlp, [Doc(nlp.vocab, words=WORDS)], name=NAME)
    assert [token.ent_iob for token in doc] == [3, 2, 3, 1]
    nlp.get_pipe(NAME).set_annotations = lambda docs, predictions: None  # as one that got no answer
    (doc,) = taught(nlp, [Doc(nlp.vocab, words=WORDS)], name=NAME)
    assert [token.ent_iob for token in doc] == [0] * 4


def test_of_what_only_some_labels_are_annotated_silence_leaves_the_others_open():
    nlp = spacy.blank("en")
    known = gold_doc(nlp, "pelé/O drinks/O green/O tea/B-Drink")
    label_only(known, ["Drink"])
    (doc,) = taught(nlp, [known])
    assert annotated_labels(doc) == [frozenset({"Drink"})] * 4
    assert found(doc) == [(3, 4, "Drink")]


def test_annotated_labels_count_in_any_case():
    nlp = make_nlp()
    train(nlp, examples(nlp), 40)
    known = gold_doc(nlp, "pelé/O drinks/O green/O tea/O")
    label_only(known, ["ATHLETE"])
    (doc,) = taught(nlp, [known], name=NAME)
    assert found(doc) == [(2, 4, "Drink")]


def test_targets_of_a_teacher_that_knows_nothing_are_targets():
    tags = TagSet([f"L{i}" for i in range(300)])
    size = len(tags)
    doc = Doc(spacy.blank("en").vocab, words=["a", "b"])
    flat = SoftTargets(np.full((2, size), 1 / size), np.full((size, size), size**-2.0))
    keep_soft_targets(doc, tags.tags, flat)
    soft = soft_targets_of(doc, tags)
    np.testing.assert_allclose(soft.marginals, flat.marginals, atol=1e-6)
    np.testing.assert_allclose(soft.transitions, flat.transitions, atol=1e-6)
