"""Lists of names that are made of others, what they have of the gold, and who reads them."""

from dataclasses import replace

import numpy as np
import pytest
import spacy
from knowing import trained
from knowledge_names import builder, names_file
from pipelines import SENTENCES, sentence

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.knowledge.live import LiveNames
from study.plan.stages import Run, StudyError, Training
from study.runs import names as lists
from study.runs import training
from study.runs.pipelines import Inputs
from study.runs.records import GOLD, Gold, write


def docs(*texts):
    vocab = spacy.blank("en").vocab
    return [sentence_to_doc(vocab, sentence(text)) for text in texts]


VALID = (
    "marie/B-Scientist curie/I-Scientist in/O lyon/B-HumanSettlement",
    "the/B-VisualWork green/I-VisualWork tea/I-VisualWork by/O einstein/B-Scientist",
    "new/B-Athlete york/I-Athlete city/O",
)


def test_what_the_lists_have_by_hand(tmp_path):
    names = names_file(tmp_path / "names.kb")
    valid = docs(*VALID)
    table, gone = lists.listed(names, valid, [])
    # In the order of the text; "einstein" alone is no name, and no city is an athlete
    assert table.spans == "22201"
    assert table.names == names.digest
    # One name of each type: half of one is one
    assert table.left_out == "11101"
    keys = {names.key(number) for number in gone}
    assert keys == {"marie curie ", "lyon ", "the green tea ", "green tea ", "new york "}
    # What is met in training stays, also without its article
    met = [["green", "tea", "and", "lyon"]]
    table, gone = lists.listed(names, valid, met)
    assert table.left_out == "10001"
    assert {names.key(number) for number in gone} == {"marie curie ", "new york "}


def test_half_of_the_names_of_each_type_are_left_out(tmp_path):
    names = names_file(tmp_path / "names.kb")
    texts = [f"player/B-Athlete {i}/I-Athlete of/I-Athlete tea/I-Athlete" for i in range(12)]
    table, gone = lists.listed(names, docs(*texts, texts[0]), [])
    assert len(gone) == 6
    assert table.left_out[:12].count("1") == 6
    assert table.left_out[12] == table.left_out[0]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The variants, and the file that they are made of."""
    monkeypatch.setattr(lists, "RANDOM", 500)
    names = names_file(tmp_path / "names.kb")
    inputs = Inputs(tmp_path / "work", "encoder", knowledge=str(tmp_path / "names.kb"))
    parts = {"train": docs(*SENTENCES), "valid": docs(*VALID)}
    lists.prepare_names(parts, inputs, tmp_path / "out")
    files = {name: lists.Names.open(inputs.names(name)) for name in lists.VARIANTS}
    return names, files, inputs, parts


def entries(names):
    """Key, topic and source of each."""
    return {
        (names.key(n), names.topics[topic], names.sources[source]["id"])
        for n in range(len(names))
        for topic, source in names.entries_of(n)
    }


def test_lists_are_what_they_were_but_for_one_thing(made):
    names, files, inputs, _ = made
    whole = entries(names)
    half = entries(files["half"])
    assert half < whole
    assert 0.25 < len(files["half"]) / len(names) < 0.75
    assert len({n in half for n in whole if n[0] in ("the green tea ", "green tea ")}) == 1
    # The others are met in the training part
    assert {key for key, *_ in whole - entries(files["left_out"])} == {"new york "}
    more = entries(files["random"])
    assert whole < more
    added = more - whole
    assert {source for *_, source in added} == {lists.ADDED}
    assert len({key for key, *_ in added}) == len(added) == 500
    assert {topic for _, topic, _ in added} == {*names.topics}
    other = entries(files["shuffled"])
    order = lists.shuffled(names.types)
    becomes = {t: names.topics[n] for t, n in zip(names.topics, order, strict=True)}
    assert all(topic != another for topic, another in becomes.items())
    assert other == {(key, becomes[topic], source) for key, topic, source in whole}
    for file in files.values():
        types = dict(zip(names.topics, names.types, strict=True))
        assert all(
            types[topic] == some for topic, some in zip(file.topics, file.types, strict=True)
        )
    assert inputs.names("given") == inputs.names("") == inputs.knowledge


def test_each_topic_is_another_one_of_another_type():
    types = [["A"], ["A", "B"], ["B"], [], ["C"], ["C", "A"]]
    order = lists.shuffled(types)
    assert sorted(order) == [*range(6)]
    for topic, other in enumerate(order):
        assert types[topic][:1] != types[other][:1]


def test_random_ngrams_are_words_of_the_texts(tmp_path):
    names = names_file(tmp_path / "names.kb")
    texts = [text.split() for text in ("is there green tea in Lyon ?", "the old o'brien sings")]
    keys = lists.random_ngrams(names, texts, 300, np.random.default_rng(0))
    assert len({*keys}) == 300
    units = {names.form.of(word).strip() for text in texts for word in text} - {""}
    spelled = {unit for one in units for unit in one.split()}
    assert all({*key.split()} <= spelled for key in keys)
    assert {"there green tea in ", "old ", "tea in "} <= {*keys}
    with pytest.raises(StudyError, match=r"words for \d+ n-grams, expected 300"):
        lists.random_ngrams(names, [["a", "few", "a", "few", "b"]], 300, np.random.default_rng(0))
    with pytest.raises(StudyError, match="words for 0 n-grams"):
        lists.random_ngrams(names, [], 300, np.random.default_rng(0))


def test_lists_are_made_once_and_again_of_other_data(made, tmp_path, monkeypatch):
    _, _, inputs, parts = made
    times = {name: (tmp_path / "work" / "names" / f"{name}.kb").stat() for name in lists.VARIANTS}

    def same():
        return [
            name
            for name, before in times.items()
            if (tmp_path / "work" / "names" / f"{name}.kb").stat().st_ino == before.st_ino
        ]

    lists.prepare_names(parts, inputs, tmp_path / "out")
    assert same() == [*lists.VARIANTS]
    lists.prepare_names(parts | {"train": docs(*SENTENCES[1:])}, inputs, tmp_path / "other")
    assert same() == []
    (tmp_path / "no.kb").write_bytes(b"nothing at all, and long enough")
    with pytest.raises(StudyError, match=r"no\.kb is no file of names"):
        lists.prepare_names(parts, replace(inputs, knowledge=str(tmp_path / "no.kb")), tmp_path)
    with pytest.raises(StudyError, match="give --knowledge"):
        lists.prepare_names(parts, replace(inputs, knowledge=None), tmp_path)


def test_a_pipeline_reads_other_names_and_then_its_own(tmp_path):
    """Also those that training says are words, if they were added; and not those that it had."""
    nlp = trained(tmp_path / "names.kb")
    names: LiveNames = nlp.get_pipe("finegrained_ner").knowledge
    common, file = names.common, names.file
    assert {"in ", "to "} <= common
    other = builder(names=[("in", "city", ["web"]), ("to", "film", [lists.ADDED])])
    other.write(tmp_path / "other.kb")
    text = ["is", "there", "green", "tea", "in", "to"]
    before = names.listed(text)
    with lists.reading(nlp, str(tmp_path / "other.kb")):
        assert [(one["start"], one["end"]) for one in names.listed(text)] == [(5, 6)]
    assert names.listed(text) == before
    assert names.file is file
    assert names.common == common


def test_a_set_is_scored_with_its_names_on_the_gold_of_its_part(made, tmp_path, monkeypatch):
    names, files, inputs, _ = made
    nlp = trained(tmp_path / "names.kb", steps=1)
    write(GOLD.dump_json(Gold([], [], [])), inputs.work / "gold-train-valid.json")
    (inputs.work / "seen-train.json").write_text("[]")
    read = []
    run = Run("a", "names", "with", 0, (Training(part="train"),))

    def predicted(nlp, part):
        read.append((part.name, nlp.get_pipe("finegrained_ner").knowledge.file.digest))
        return []

    monkeypatch.setattr(training, "_predicted", predicted)
    for part in ("valid", "valid@half", "valid@given", "valid"):
        assert training._found(nlp, run, part, inputs).hits == ""
    digests = [names.digest, files["half"].digest, names.digest, names.digest]
    assert read == [("valid", digest) for digest in digests]
