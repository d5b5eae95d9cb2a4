import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc

from spacy_finegrained_ner.data.conll import ConllError, Sentence, read_conll
from spacy_finegrained_ner.data.corpus import (
    EMBEDDED,
    build_conll_corpus_v1,
    build_corpus_v1,
    sentence_to_doc,
)
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

UNSEEN = Path(__file__).with_name("unseen.conll")


@pytest.mark.parametrize(
    ("tags", "entities", "missing"),
    [
        ("O", [], []),
        ("B-X", [(0, 1, "X")], []),
        ("B-X I-X", [(0, 2, "X")], []),
        ("B-X B-X O B-Y", [(0, 1, "X"), (1, 2, "X"), (3, 4, "Y")], []),
        ("- -", [], [0, 1]),
        ("O - B-X", [(2, 3, "X")], [1]),
        # What an I- tag goes on from is not known, so the entity's start is not either.
        ("- I-X I-X O", [], [0, 1, 2]),
        ("B-Y - I-X B-X", [(0, 1, "Y"), (3, 4, "X")], [1, 2]),
    ],
)
def test_sentence_to_doc(tags, entities, missing):
    tags = tuple(tags.split())
    words = tuple(f"w{i}" for i in range(len(tags)))
    doc = sentence_to_doc(spacy.blank("en").vocab, Sentence(words, tags, 1))
    assert tuple(token.text for token in doc) == words
    assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == entities
    assert [token.i for token in doc if token.ent_iob == 0] == missing
    assert doc.has_unknown_spaces


def write(path: Path, words: list[str]) -> Path:
    path.write_text("\n".join(f"{word} B-X\n" for word in words), encoding="utf-8")
    return path


@pytest.mark.parametrize(("limit", "count"), [(0, 3), (1, 1), (2, 2), (9, 3)])
def test_corpus_reads_up_to_the_limit_and_again(tmp_path, limit, count):
    nlp = spacy.blank("en")
    corpus = build_conll_corpus_v1(write(tmp_path / "a.conll", ["a", "b", "c"]), limit)
    for _ in range(2):
        examples = list(corpus(nlp))
        assert [eg.reference.text.strip() for eg in examples] == ["a", "b", "c"][:count]


def test_corpus_keeps_the_gold_tokens_and_hides_the_gold_entities(tmp_path):
    # spaCy's tokenizer makes several tokens of each of these.
    words = ["don't", "u.s.-based", "(x)", "a/b"]
    (example,) = build_conll_corpus_v1(
        write(tmp_path / "a.conll", [" B-X\n".join(words)]), limit=0
    )(spacy.blank("en"))
    assert [token.text for token in example.predicted] == words
    assert [token.text for token in example.reference] == words
    assert [token.ent_iob for token in example.predicted] == [0] * len(words)
    assert [ent.text for ent in example.reference.ents] == words
    assert example.get_aligned_ner() == ["U-X"] * len(words)


def test_corpus_takes_a_limit_before_it_reads_further(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("a O\n\nb O\n\nbroken\n", encoding="utf-8")
    nlp = spacy.blank("en")
    assert len(list(build_conll_corpus_v1(path, 1)(nlp))) == 1
    with pytest.raises(ConllError, match=r"a\.conll:5"):
        list(build_conll_corpus_v1(path)(nlp))


def test_a_corpus_of_any_form(tmp_path):
    """A folder is read whole; texts without tokens are tokenized by the pipeline."""
    text = "don't drink tea"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.conll").write_text("don't O\ndrink O\ntea U-X\n")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text, "label": [[12, 15, "X"]]}))
    nlp = spacy.blank("en")
    first, second = build_corpus_v1(tmp_path)(nlp)
    assert [token.text for token in first.predicted] == ["do", "n't", "drink", "tea"]
    assert [token.text for token in second.predicted] == ["don't", "drink", "tea"]
    for example in (first, second):
        assert [ent.text for ent in example.reference.ents] == ["tea"]
        assert not example.predicted.has_annotation("ENT_IOB")
    assert len(list(build_corpus_v1(tmp_path, limit=1)(nlp))) == 1
    assert len(list(build_corpus_v1(tmp_path / "a.jsonl")(nlp))) == 1


def test_a_corpus_tells_what_is_lost(tmp_path):
    lines = [{"text": "tea", "label": [[0, 3, "X"]]}, {"text": "tea", "label": [[0, 2, "X"]]}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    corpus = build_corpus_v1(path)
    with pytest.warns(UserWarning, match=r"1 x off token boundaries \(.*\), the first at .*l:2\."):
        _, second = corpus(spacy.blank("en"))
    assert second.reference[0].ent_iob == 0


def test_a_corpus_takes_options(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("café B-X O\nau O O\n\nlait I-X O\n".encode("cp1252"))
    settings = {"scheme": "IO", "tag_column": "2", "encoding": "cp1252"}
    examples = list(build_corpus_v1(path, **settings)(spacy.blank("en")))
    assert [[e.text.strip() for e in eg.reference.ents] for eg in examples] == [["café"], ["lait"]]
    with pytest.raises(ValueError, match=r"Corpus\.v1 has no path.*--paths\.train"):
        build_corpus_v1(None)
    with pytest.raises(
        ValueError, match=r"scheme of .* is 'IOB3', expected IOB2, IOB1, IO, IOBES, "
    ):
        build_corpus_v1(path, scheme="IOB3")


def test_corpus_settings():
    with pytest.raises(ValueError, match=r"ConllCorpus\.v1 has no path.*--paths\.train"):
        build_conll_corpus_v1(None)
    with pytest.raises(ValueError, match=r"limit of .* is -1, expected a whole number >= 0"):
        build_conll_corpus_v1("x.conll", -1)
    with pytest.raises(ConllError, match=r"x\.conll: there is no such file"):
        next(build_conll_corpus_v1("x.conll")(spacy.blank("en")))


# Facts on the embedded corpus


@cache
def sentences(name: str) -> list[Sentence]:
    return list(read_conll(UNSEEN if name == "unseen" else EMBEDDED / f"{name}.conll"))


def entities(sentence: Sentence) -> list[tuple[int, int, str]]:
    """From the text of the tags, not by the package."""
    tags = "".join(tag[0] for tag in sentence.tags)
    return [(m.start(), m.end(), sentence.tags[m.start()][2:]) for m in re.finditer("BI*", tags)]


def texts(name: str) -> list[str]:
    return [" ".join(sentence.words).casefold() for sentence in sentences(name)]


def mentions(name: str) -> list[tuple[str, str]]:
    """Text and label of each entity."""
    return [
        (" ".join(sentence.words[start:end]).casefold(), label)
        for sentence in sentences(name)
        for start, end, label in entities(sentence)
    ]


def patterns(name: str) -> set[str]:
    """The sentences with a blank for each entity, whatever its type."""
    masked = set()
    for sentence in sentences(name):
        words = [word.casefold() for word in sentence.words]
        for start, end, _ in reversed(entities(sentence)):
            words[start:end] = ["_"]
        masked.add(" ".join(words))
    return masked


def test_masking_by_hand():
    assert " ".join(sentences("unseen")[0].words) == "did usain bolt ever race in oslo"
    assert "did _ ever race in _" in patterns("unseen")


def test_embedded_corpus_is_large_enough_and_has_every_type():
    assert len(sentences("train")) + len(sentences("valid")) >= 800
    counts = Counter(label for _, label in mentions("train"))
    assert set(counts) == set(read_taxonomy().fine)
    assert {label: n for label, n in counts.items() if n < 15} == {}
    assert {label for _, label in mentions("valid")} == set(counts)


@pytest.mark.parametrize("name", ["train", "valid"])
def test_embedded_corpus_has_a_cased_and_a_lower_cased_part(name):
    cased = [any(word != word.lower() for word in s.words) for s in sentences(name)]
    assert 0.1 < sum(cased) / len(cased) < 0.9


def test_no_sentence_stands_twice_or_leaks():
    for name in ("train", "valid", "unseen"):
        assert len(set(texts(name))) == len(texts(name))
    assert set(texts("train")) & {*texts("valid"), *texts("unseen")} == set()
    ids = [s.id for name in ("train", "valid", "unseen") for s in sentences(name)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("held_out", ["valid", "unseen"])
def test_no_pattern_of_the_held_out_part_is_trained_on(held_out):
    assert patterns("train") & patterns(held_out) == set()


def test_at_least_half_of_the_held_out_entities_are_new():
    trained = {text for text, _ in mentions("train")}
    held_out = [text for text, _ in mentions("valid")]
    assert sum(text not in trained for text in held_out) >= len(held_out) / 2
    different = set(held_out)
    assert len(different - trained) >= len(different) / 2


def test_entities_of_the_unseen_sentences_are_nowhere_else():
    unseen = {text for text, _ in mentions("unseen")}
    assert len(sentences("unseen")) >= 30
    assert unseen & {text for name in ("train", "valid") for text, _ in mentions(name)} == set()


@pytest.mark.parametrize("name", ["train", "valid", "unseen"])
def test_every_sentence_becomes_a_doc(name):
    vocab = spacy.blank("en").vocab
    for sentence in sentences(name):
        doc = sentence_to_doc(vocab, sentence)
        assert isinstance(doc, Doc)
        found = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
        assert found == entities(sentence), sentence.id
