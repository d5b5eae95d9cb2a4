"""The sample: each type has its share, and the gold table holds no words."""

from collections import Counter

import pytest
import spacy
from pipelines import SENTENCES, sentence
from spacy.tokens import Doc, DocBin, Span

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.plan.stages import SIZES, Size, StudyError
from study.runs.records import GOLD, write_gold
from study.runs.sample import gold_table, prepare, stratified

NLP = spacy.blank("en")


def docs(texts=SENTENCES) -> list[Doc]:
    return [sentence_to_doc(NLP.vocab, sentence(text)) for text in texts]


@pytest.fixture(scope="module")
def embedded():
    return read_docs(EMBEDDED / "train.conll")


def test_each_type_has_its_share(embedded):
    part = stratified(embedded, 600)
    assert len(part) == 600
    whole, drawn = (Counter(e.label_ for d in x for e in d.ents) for x in (embedded, part))
    assert set(drawn) == set(whole)
    for label, count in whole.items():
        expected = count * 600 / len(embedded)
        assert abs(drawn[label] - expected) < 0.35 * expected + 1, label


def test_it_is_the_same_each_time_and_in_order(embedded):
    first, second = stratified(embedded, 100), stratified(embedded, 100)
    assert [d.text for d in first] == [d.text for d in second]
    places = [embedded.index(d) for d in first]
    assert places == sorted(set(places))
    assert stratified(embedded, 0) == stratified(embedded, 10**6) == embedded


def test_the_gold_table_by_hand():
    train = docs(["see/O Lyon/B-HumanSettlement"])
    table, seen = gold_table(docs(SENTENCES[2:4]), train, read_taxonomy())
    types = table.types
    assert seen == {"lyon"}
    assert table.words == [7, 5]
    assert table.entities == [
        (0, types.index("Drink"), 2, 0),
        (0, types.index("HumanSettlement"), 1, 1),
        (1, types.index("Athlete"), 1, 0),
        (1, types.index("Scientist"), 2, 0),
    ]
    assert b"tea" not in GOLD.dump_json(table)


def test_results_of_two_datasets_are_not_mixed(tmp_path):
    path = tmp_path / "gold.json"
    table, _ = gold_table(docs(), docs(), read_taxonomy())
    write_gold(table, path)
    write_gold(table, path)
    other, _ = gold_table(docs(SENTENCES[:2]), docs(), read_taxonomy())
    with pytest.raises(StudyError, match=r"made from other data.*another --output folder"):
        write_gold(other, path)


@pytest.fixture
def tagger(tmp_path):
    """A pipeline that calls every word of two letters an adposition."""
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("attribute_ruler")
    ruler.add([[{"LENGTH": 2}]], {"POS": "ADP", "TAG": "IN"})
    ruler.add([[{"LENGTH": {">": 2}}], [{"LENGTH": 1}]], {"POS": "X", "TAG": "XX"})
    nlp.to_disk(tmp_path / "tagger")
    return tmp_path / "tagger"


def test_parts_of_speech_are_in_the_files_and_entities_stay(tmp_path, tagger):
    DocBin(docs=docs()).to_disk(tmp_path / "data.spacy")
    parts = {"train": tmp_path / "data.spacy", "valid": tmp_path / "data.spacy"}
    prepare(parts, SIZES["small"], str(tagger), tmp_path / "work")
    for name in ("train", "sample", "valid"):
        found = read_docs(tmp_path / "work" / f"{name}.spacy")
        for doc, gold in zip(found, docs(), strict=True):
            assert [t.pos_ for t in doc] == ["ADP" if len(t) == 2 else "X" for t in doc]
            assert [(e.text, e.label_) for e in doc.ents] == [(e.text, e.label_) for e in gold.ents]
            assert [t.ent_iob for t in doc] == [t.ent_iob for t in gold]


@pytest.mark.parametrize("empty", [True, False])
def test_a_pipeline_without_tagger_is_named(tmp_path, empty):
    DocBin(docs=docs()).to_disk(tmp_path / "data.spacy")
    parts = {"train": tmp_path / "data.spacy", "valid": tmp_path / "data.spacy"}
    if empty:
        spacy.blank("en").to_disk(tmp_path / "tagger")
    with pytest.raises(StudyError, match="no parts of speech" if empty else "Expected a pipeline"):
        prepare(parts, SIZES["small"], str(tmp_path / "tagger"), tmp_path / "work")


def test_an_entity_of_a_type_that_is_in_no_taxonomy_is_named():
    doc = Doc(NLP.vocab, words=["a"])
    doc.ents = [Span(doc, 0, 1, "Nonsense")]
    with pytest.raises(ValueError, match="'Nonsense' is not in the taxonomy"):
        gold_table([doc], [doc], read_taxonomy())


def test_each_part_that_is_scored_is_cut(tmp_path):
    DocBin(docs=docs()).to_disk(tmp_path / "data.spacy")
    parts = dict.fromkeys(("train", "valid", "dev"), tmp_path / "data.spacy")
    found = prepare(parts, Size(held_out=2), None, tmp_path / "work")
    assert {name: len(some) for name, some in found.items()} == {
        **{"train": len(SENTENCES), "sample": len(SENTENCES)},
        **{"valid": 2, "dev": 2},
    }
    assert len(read_docs(tmp_path / "work" / "dev.spacy")) == 2
