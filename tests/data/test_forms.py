"""One data set in every form, written by the exporters' rules: the same entities come back."""

import json
import warnings
from pathlib import Path

import exporters
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.forms.loading import load
from spacy_finegrained_ner.data.forms.record import UTF16, Options

NLP = spacy.blank("en")
# The tokenizer leaves each in one piece, wherever it stands
WORDS = ["tea", "Zürich", "2024", "naïve", "東京", "😀", "ﬁne", "ÅNGSTRÖM", "x", "и́мя"]
assert [[token.text for token in NLP(word)] for word in WORDS] == [[word] for word in WORDS]
LABELS = ["Food", "HumanSettlement", "Person/Artist", "loc-GPE", "E-Bike"]


PLAIN = st.sampled_from(WORDS)


def sentences(words=PLAIN, apart=False, unique=False):
    """Sentences of 1 to 6 words, one of them with an entity at least. apart: no two entities of one
    label beside each other, which IO can't say. unique: no word twice in a sentence."""

    @st.composite
    def one(draw):
        size = draw(st.integers(1, 6))
        found, at = [], 0
        while at < size:
            end = draw(st.integers(at + 1, size))
            label = draw(st.sampled_from([None, *LABELS]))
            beside = found and found[-1][1:] == (at, label)
            if label is not None and not (apart and beside):
                found.append((at, end, label))
            at = end
        return draw(st.lists(words, min_size=size, max_size=size, unique=unique)), found

    return st.lists(one(), min_size=1, max_size=6).filter(lambda all_: any(s[1] for s in all_))


# As in any tokenization: without whitespace, and nothing that can't be seen
ANY_WORD = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=5)
ANY_WORD = ANY_WORD.filter(lambda word: not word.startswith(("#", "{", "[", "-DOCSTART-")))


def read(path: Path, **options):
    """What is read, and what did not fit. path: a file, or a folder of texts."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    parts, account = load({"train": files}, NLP.vocab, NLP.make_doc, Options(**options))
    return parts["train"], account


def entities(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def check(texts, gold):
    """Against the original: the same words, with the same tags, of which all are known."""
    assert [[token.text for token in doc] for doc in texts.docs] == [words for words, _ in gold]
    assert [entities(doc) for doc in texts.docs] == [found for _, found in gold]
    assert all(token.ent_iob for doc in texts.docs for token in doc)


def fresh(tmp_path_factory, name: str, content: str, **how) -> Path:
    path = tmp_path_factory.mktemp("form") / name
    path.write_bytes(content.encode(how.get("encoding", "utf-8")))
    return path


@pytest.mark.parametrize("scheme", ["IOB2", "IOB1", "IO", "IOBES", "BILUO", "labels"])
def test_conll_of_every_scheme(tmp_path_factory, scheme):
    apart = scheme in ("IO", "labels")

    columns = st.sampled_from(["{word}\t{tag}", "{word} _ _ {tag}"])

    @settings(max_examples=50)
    @given(sentences(ANY_WORD, apart), columns, st.sampled_from(["\n", "\r\n"]))
    def every(gold, columns, end):
        gold = [*gold, (["x"], [])]  # there is an O somewhere
        text = exporters.conll(gold, scheme, columns, end)
        texts, account = read(fresh(tmp_path_factory, "any.name", text), scheme=scheme)
        check(texts, gold)
        assert account.found == {}

    every()


@given(gold=sentences(ANY_WORD))
def test_iob2_as_the_strict_reader_reads_it(tmp_path_factory, gold):
    path = fresh(tmp_path_factory, "a.conll", exporters.conll(gold, columns="{word} {tag}"))
    texts, _ = read(path)
    docs = [sentence_to_doc(NLP.vocab, sentence) for sentence in read_conll(path)]
    assert [doc.to_json() for doc in docs] == [doc.to_json() for doc in texts.docs]


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("a.jsonl", exporters.prodigy, "Prodigy, JSONL"),
        ("a.json", exporters.label_studio, "Label Studio, JSON"),
        ("a.json", exporters.label_studio_min, "Label Studio (JSON-MIN), JSON"),
        ("a.jsonl", exporters.doccano, "doccano, JSONL"),
        ("a.jsonl", exporters.doccano_relations, "doccano, JSONL"),
        ("a.csv", exporters.table, "table of offsets"),
        ("a.tsv", lambda gold: exporters.table(gold, "\t"), "table of offsets"),
        ("a.csv", lambda gold: exporters.table(gold, ";"), "table of offsets"),
        ("a.csv", exporters.listed, "table of offsets"),
        ("a.csv", exporters.label_studio_csv, "table of offsets"),
        ("a.json", exporters.spacy_2, "texts with character spans, JSON"),
        ("a.json", lambda gold: json.dumps(exporters.numbered(gold)), "tokens and ner_tags, JSON"),
        (
            "a.jsonl",
            lambda gold: exporters.jsonl(
                {"tokens": s[0], "tags": exporters.tags(s, "BILUO")} for s in gold
            ),
            "tokens and tags, JSONL",
        ),
        (
            "a.jsonl",
            lambda gold: exporters.jsonl(
                sentence_to_doc(NLP.vocab, s).to_json() for s in read_conll_text(gold)
            ),
            "JSON of spaCy's Docs, JSONL",
        ),
    ],
)
def test_lossless_forms(tmp_path_factory, name, write, said):
    """Spans are on the bounds of tokens, which only some of these forms have."""
    words = PLAIN if "tokens" not in said else ANY_WORD

    @settings(max_examples=30)
    @given(sentences(words).filter(different), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    def every(gold, encoding):
        names = exporters.tag_names(gold)
        path = fresh(tmp_path_factory, name, write(gold), encoding=encoding)
        scheme = "BILUO" if "tokens and tags" in said else "IOB2"
        texts, account = read(path, scheme=scheme, tag_names=names)
        check(texts, gold)
        assert account.found == {}
        (line,) = texts.said
        assert line.startswith(f"{path}: {said}")
        assert ("utf-16" in line) == (encoding == "utf-16")

    every()


def read_conll_text(gold):
    """Through the strict reader, for what a Doc says of itself."""
    from spacy_finegrained_ner.data.conll import Sentence

    for i, sentence in enumerate(gold):
        yield Sentence(tuple(sentence[0]), tuple(exporters.tags(sentence, "IOB2")), i)


def different(gold) -> bool:
    """A table has one text once."""
    texts = [tuple(words) for words, _ in gold]
    return len(texts) == len(set(texts))


@given(gold=sentences(unique=True))
def test_offsets_in_utf16_are_found_by_the_texts_of_the_entities(tmp_path_factory, gold):
    path = fresh(tmp_path_factory, "a.json", exporters.label_studio(gold, utf16=True))
    texts, account = read(path)
    check(texts, gold)
    shifted = sum(any("😀" in words[:b] for _, b, _ in found) for words, found in gold)
    assert len(account.found.get(UTF16, ())) == shifted


@settings(max_examples=30)
@given(gold=sentences())
def test_brat(tmp_path_factory, gold):
    folder = tmp_path_factory.mktemp("brat")
    exporters.brat(folder, gold)
    texts, account = read(folder)
    check(texts, gold)
    assert account.found == {}


@settings(max_examples=50)
@given(gold=sentences(ANY_WORD))
def test_parquet_and_docbin(tmp_path_factory, gold):
    folder = tmp_path_factory.mktemp("binary")
    exporters.parquet(folder / "train-00000-of-00001.parquet", gold)
    exporters.docbin(folder / "train.bin", gold)
    exporters.arrow(folder / "data-00000-of-00001.arrow", gold)
    for name, said in (
        ("train-00000-of-00001.parquet", "Parquet of tokens and ner_tags, IOB2"),
        ("data-00000-of-00001.arrow", "Arrow of tokens and ner_tags, IOB2"),
        ("train.bin", "spaCy's DocBin"),
    ):
        texts, account = read(folder / name, scheme="IOB2" if "IOB2" in said else None)
        check(texts, gold)
        assert account.found == {}
        assert texts.said == [f"{folder / name}: {said}, {len(gold)} texts"]


@pytest.mark.parametrize(
    ("rows", "options", "found"),
    [
        ("b-per i-per o b-loc o", {}, [(0, 2, "per"), (3, 4, "loc")]),
        ("B-PER I-PER o o o o", {}, [(0, 2, "PER")]),
        ("PER-B PER-I LOC-B", {}, [(0, 2, "PER"), (2, 3, "LOC")]),
        ("b-PER o b-LOC", {"scheme": "IOB2"}, [(0, 1, "PER"), (2, 3, "LOC")]),
        ("LOC-I LOC-I O", {"scheme": "IO"}, [(0, 2, "LOC")]),
        ("S_LOC O S_PER", {"scheme": "IOBES"}, [(0, 1, "LOC"), (2, 3, "PER")]),
        # Two entities, as is usual, of types that end like tags
        ("B-Factor-B B-Factor-I O", {}, [(0, 1, "Factor-B"), (1, 2, "Factor-I")]),
        ("B-Factor-B B-Factor-I O", {"scheme": "IOB2"}, [(0, 1, "Factor-B"), (1, 2, "Factor-I")]),
        ("Part_B Part_I O", {"scheme": "labels"}, [(0, 1, "Part_B"), (1, 2, "Part_I")]),
    ],
)
def test_tags_in_another_way(tmp_path, rows, options, found):
    path = tmp_path / "data.conll"
    path.write_text("".join(f"w{i} {tag}\n" for i, tag in enumerate(rows.split())))
    texts, account = read(path, **options)
    assert [entities(doc) for doc in texts.docs] == [found]
    assert not account.losses


def test_a_wrong_tag_among_tags_in_another_way_is_not_known(tmp_path):
    path = tmp_path / "data.conll"
    path.write_text("w PER-B\nw PER-I\nw O\n" * 5 + "w LOC\n")
    texts, account = read(path)
    assert [entities(doc) for doc in texts.docs] == [[(i, i + 2, "PER") for i in range(0, 15, 3)]]
    assert account.losses


def test_the_form_is_found_in_all_files_together(tmp_path):
    for name, text in (("train", "a b-PER\nb i-PER\nc o\n"), ("dev", "a b-PER\nb o\n\nc o\n")):
        (tmp_path / name).write_text(text)
    parts = {name: [tmp_path / name] for name in ("train", "dev")}
    texts, account = load(parts, NLP.vocab, NLP.make_doc, Options())
    found = {name: [entities(doc) for doc in some.docs] for name, some in texts.items()}
    assert found == {"train": [[(0, 2, "PER")]], "dev": [[(0, 1, "PER")], []]}
    assert not account.losses


def test_labels_that_could_be_tags_are_told(tmp_path):
    path = tmp_path / "data.conll"
    path.write_text("a PER-B\nb O\n")
    with pytest.warns(UserWarning, match=r"'PER-B' are read as labels[\s\S]*scheme"):
        texts, _ = read(path)
    assert [entities(doc) for doc in texts.docs] == [[(0, 1, "PER-B")]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path, scheme="labels")
