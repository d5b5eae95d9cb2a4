import os
import re
import tracemalloc
from itertools import pairwise

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_finegrained_ner.data.conll import (
    MAX_LINE,
    MAX_TOKENS,
    ConllError,
    Sentence,
    read_conll,
)
from spacy_finegrained_ner.data.corpus import build_conll_corpus_v1
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import TagSet, illegal_bio

# MultiCoNER has tokens like these; str.splitlines would cut them.
LINE_SEPARATORS = "\x0b\x0c\x1c\x85\u2028\u2029"
WORDS = st.text(
    st.characters(
        codec="utf-8", exclude_characters=" \t\r\n\0\ufeff", include_characters=LINE_SEPARATORS
    ),
    min_size=1,
    max_size=8,
).filter(lambda word: not word.startswith("-DOCSTART-"))


def write(folder, text: str | bytes):
    path = folder / "data.conll"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def read(folder, text: str | bytes) -> list[Sentence]:
    return list(read_conll(write(folder, text)))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("a O\n", [Sentence(("a",), ("O",), 1)]),
        ("a O", [Sentence(("a",), ("O",), 1)]),
        ("a\tO\r\nb\tB-X\r\n\r\n", [Sentence(("a", "b"), ("O", "B-X"), 1)]),
        ("\n\n \t\na O\n\n\nb O\n", [Sentence(("a",), ("O",), 4), Sentence(("b",), ("O",), 7)]),
        (
            "# id 1f-2\tdomain=en\na _ _ B-X\nb _ _ I-X\n\n# id 3\nc _ _ O\n",
            [Sentence(("a", "b"), ("B-X", "I-X"), 2, "1f-2"), Sentence(("c",), ("O",), 6, "3")],
        ),
        (
            "# id 1\na O\n# id 2\nb O\n\nc O\n",  # no blank line before the second id
            [
                Sentence(("a",), ("O",), 2, "1"),
                Sentence(("b",), ("O",), 4, "2"),
                Sentence(("c",), ("O",), 6, None),
            ],
        ),
        ("# id\na O\n", [Sentence(("a",), ("O",), 2, None)]),
        ("-DOCSTART- -X- O O\n\na NN I O\n", [Sentence(("a",), ("O",), 3)]),
        (
            "a B-X\n-DOCSTART- -X- O\nb O\n",  # no blank lines around it
            [Sentence(("a",), ("B-X",), 1), Sentence(("b",), ("O",), 3)],
        ),
        ("-DOCSTART-s O\na O\n", [Sentence(("-DOCSTART-s", "a"), ("O", "O"), 1)]),
        ("# idea O\n", [Sentence(("#",), ("O",), 1)]),
        (
            "a O\n\ufeffb\ufeff O\n\n\ufeff# id 3\nc O\ufeff\n",  # files that were put together
            [
                Sentence(("a",), ("O",), 1),
                Sentence(("b",), ("O",), 2, marks=2),
                Sentence(("c",), ("O",), 5, "3", marks=2),
            ],
        ),
        (
            "a\u200b O\nb\u200cc B-X\u200cY\n",
            [Sentence(("a\u200b", "b\u200cc"), ("O", "B-X\u200cY"), 1)],
        ),
        # Numbers that are words
        (
            "1 O\n2 O\n\n1 O\n2 O\n\n1 O\n2 O\n",
            [Sentence(("1", "2"), ("O", "O"), i) for i in (1, 4, 7)],
        ),
        (
            "1 _ O\n2 _ O\n\na _ O\n",
            [Sentence(("1", "2"), ("O", "O"), 1), Sentence(("a",), ("O",), 4)],
        ),
        ("1 _ O\n", [Sentence(("1",), ("O",), 1)]),
        ("# O\n- O\nid O\n", [Sentence(("#", "-", "id"), ("O", "O", "O"), 1)]),
        ("a -\nb I-X\n", [Sentence(("a", "b"), ("-", "I-X"), 1)]),
        ("New York\tB-Other LOC\n", [Sentence(("New York",), ("B-Other LOC",), 1)]),
        (b"\xef\xbb\xbfa O\n", [Sentence(("a",), ("O",), 1)]),  # written by Windows
        ("a O \t\n", [Sentence(("a",), ("O",), 1)]),
    ],
)
def test_what_is_read(tmp_path, text, sentences):
    assert read(tmp_path, text) == sentences


@given(
    sentences=st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=3),
    separator=st.sampled_from(["\t", " ", "\t_\t_\t", " _ _ "]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_words_come_back_as_written(tmp_path_factory, sentences, separator, end):
    tags = ("B-X", "I-X", "O", "-")
    lines = ["# id 0" + end]
    for words in sentences:
        lines += [word + separator + tag + end for word, tag in zip(words, tags, strict=False)]
        lines.append(end)
    found = read(tmp_path_factory.mktemp("conll"), "".join(lines))
    assert [list(sentence.words) for sentence in found] == sentences
    assert [sentence.tags for sentence in found] == [tags[: len(words)] for words in sentences]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"data\.conll: the file holds no sentences"),
        ("\n \n# id 1\n\n-DOCSTART- O\n", r"data\.conll: the file holds no sentences"),
        (b"\xef\xbb\xbf", r"data\.conll: the file holds no sentences"),
        ("a\n", r"data\.conll:1: found 1 column\(s\) in 'a', expected 2"),
        ("a O\nb\n", r"data\.conll:2: found 1 column\(s\) in 'b', expected 2"),
        ("a O\nb _ O\n", r"data\.conll:2: found 3 column\(s\) in 'b _ O', expected 2"),
        ("a _ _ O\nb _ _\n", r"data\.conll:2: found 3 .* expected 4 as on line 1: a word"),
        ("\tO\n", r"data\.conll:1: the word of '\\tO' is empty"),
        (" O\n", r"data\.conll:1: the word of ' O' is empty"),
        ("a X\n", r"data\.conll:1: 'X' is not an IOB2 tag .*\(word 'a'\)"),
        ("a I-X\n", r"data\.conll:1: 'I-X' follows 'O'.*\(word 'a'\)"),
        ("a O\n\nb B-X\nc B-Y\nd I-X\ne I-X\n", r"data\.conll:5: 'I-X' follows 'B-Y'.*'d'"),
        ("a O\n# id 1\nb I-X\n# id 2\n", r"data\.conll:3: 'I-X' follows 'O'"),
        ("a B-X\n-DOCSTART- O\nb I-X\n", r"data\.conll:3: 'I-X' follows 'O'.*\(word 'b'\)"),
        ("a B-X\n\ufeffb I-X\n", r"data\.conll:2: 'I-X' follows 'O'"),
        ("a O\n\ufeff O\n", r"data\.conll:2: the word of ' O' is empty"),
        ("a O\nb B-X\u200b\n", r"data\.conll:2: the tag 'B-X\\u200b' has U\+200B in it"),
        ("a O\u00ad\n", r"data\.conll:1: the tag 'O\\xad' has U\+00AD in it, .* Remove it"),
        (
            "1\ta\tB-X\tO\n2\tb\tO\tO\n",
            r"data\.conll:1: the first column counts .* expected the word there.* Remove the num",
        ),
        ("# id 1\n0 a O\n1 b O\n\n0 c O\n", r"data\.conll:2: the first column counts"),
        (
            "1-2 ab _ O\n1 a _ O\n2 b _ O\n2.1 c _ O\n\n" * 3 + "a b c O\n",
            r"data\.conll:1: the first column counts",
        ),
        ("a O\nb\0 O\n", r"data\.conll:2: found a NUL byte"),
        (b"PK\x03\x04\0\0", r"data\.conll:1: found a NUL byte"),
        ("a O\ncafé O\n".encode("latin-1"), r"data\.conll:2: can't be read as UTF-8: .*byte 3"),
        ("a O\n".encode("utf-16"), r"data\.conll:1: "),
        (
            "a O\n" + "b" * (MAX_LINE + 1),
            rf"data\.conll:2: the line is longer than {MAX_LINE} bytes",
        ),
        # Files of another kind
        ("a O\rb O\r", r"data\.conll:1: found a carriage return inside of the line"),
        ("a\tO\r\n\r\nb O\rc O\n", r"data\.conll:3: found a carriage return.*line ends"),
        ("a O\n\n" + "b O\n" * (MAX_TOKENS + 1), rf":3: .* more than {MAX_TOKENS} .* blank line"),
        ("\ufeffa O\n".encode("utf-16-le"), r":1: found a NUL byte.*UTF-16\. Expected UTF-8"),
        (b"\x1f\x8b\x08", r"data\.conll:1: can't be read as UTF-8"),
        ("a,O\n", r"data\.conll:1: found 1 column\(s\) in 'a,O', expected 2: .*space or tab"),
        ("# text = a b\na O\n", r":2: found 2 column\(s\) in 'a O', expected 5 as on line 1: a"),
        ("# a b\n\na _ O\n", r"data\.conll:1: 'b' is not an IOB2 tag .*\(word '#'\)"),
        ("a o\n", r"data\.conll:1: 'o' is not an IOB2 tag"),
        ("a S-X\n", r"data\.conll:1: 'S-X' is not an IOB2 tag"),
        ("a B_X\n", r"data\.conll:1: 'B_X' is not an IOB2 tag"),
        ("O a\n", r"data\.conll:1: 'a' is not an IOB2 tag"),
    ],
)
def test_files_that_can_not_be_read(tmp_path, text, message):
    with pytest.raises(ConllError, match=message):
        read(tmp_path, text)


def test_lines_and_sentences_may_have_the_greatest_length_and_not_more(tmp_path):
    word = "b" * (MAX_LINE - 3)
    assert read(tmp_path, f"{word} O\n")[0].words == (word,)
    with pytest.raises(ConllError, match="longer than"):
        read(tmp_path, f"{word}b O\n")
    assert len(read(tmp_path, "b O\n" * MAX_TOKENS)[0].words) == MAX_TOKENS


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(ConllError, match=r"missing\.conll: there is no such file"):
        next(read_conll(tmp_path / "missing.conll"))
    with pytest.raises(ConllError, match=f"{tmp_path.name}: found a folder, expected a file"):
        next(read_conll(tmp_path))


def test_sentences_before_an_error_are_given_first(tmp_path):
    sentences = read_conll(str(write(tmp_path, "a O\n\nb\n")))
    assert next(sentences).words == ("a",)
    with pytest.raises(ConllError, match=r"data\.conll:3"):
        next(sentences)


def test_a_line_of_50_megabytes_takes_no_memory(tmp_path):
    path = write(tmp_path, b"a O\n\n" + b"b" * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(ConllError, match=rf"data\.conll:3: the line is longer than {MAX_LINE}"):
            list(read_conll(path))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_what_is_no_plain_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.conll")
    for path in (tmp_path / "pipe.conll", "/dev/zero"):
        with pytest.raises(ConllError, match="there is no such file"):
            list(read_conll(path))


def test_deep_paths(tmp_path):
    folder = tmp_path.joinpath(*["d" * 100] * 20)
    folder.mkdir(parents=True)
    assert len(read(folder, "a O\n")) == 1
    # Python 3.11 to 3.13 do not agree on whether that is an error.
    with pytest.raises(
        ConllError, match=r"d: (can't be read: File name too long|there is no such)"
    ):
        list(read_conll(tmp_path / ("d" * 5000)))


PIECES = [*"ab \t\n\n\ré", "\r\n", " O\n", "\tO\n", " B-X\n", " I-X\n", " -\n", " _ _ O\n", "B-"]
PIECES += [
    "# id 1\n",
    "-DOCSTART- O\n",
    "# ",
    "\ufeff",
    "\0",
    "\u2028",
    "\xa0",
    "\x0c",
    "\U0001f600",
]
NLP = spacy.blank("en")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | st.text(max_size=20))
def test_no_line_of_any_text_is_lost_in_silence(tmp_path_factory, text):
    """Each line is a token, blank, an id or a document's start, or it is in the error."""
    path = write(tmp_path_factory.getbasetemp(), text.encode("utf-8", "surrogatepass"))
    try:
        found = list(read_conll(path))
    except ConllError as error:
        message = str(error).removeprefix(str(path))
    else:
        message = None
    if message is not None:
        number = re.match(r"^:(\d+): ", message)
        assert number is not None or message == ": the file holds no sentences."
        assert number is None or 1 <= int(number[1]) <= text.count("\n") + 1
        return
    docs = [example.reference for example in build_conll_corpus_v1(path)(NLP)]
    text = text.replace("\ufeff", "")  # no part of a text
    lines = [line.strip(" \t\r") for line in text.split("\n")]
    tokens = [line for line in lines if line and not re.match(r"(# id|-DOCSTART-)([ \t]|$)", line)]
    assert sum(len(sentence.words) for sentence in found) == len(tokens) > 0
    for sentence, doc in zip(found, docs, strict=True):
        assert [token.text for token in doc] == list(sentence.words)
        assert illegal_bio(sentence.tags) is None
        at = text.split("\n")[sentence.line - 1]
        assert at.startswith(sentence.words[0])


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    try:
        sentences = read(tmp_path_factory.getbasetemp(), content)
    except ConllError as error:
        message = str(error)
    else:
        message = ""
        assert sentences
    assert not message or "data.conll" in message


LABELS = ("X", "a-b", "Medication/Vaccine", "Ünï", "B-", "-")


@given(st.data())
def test_entities_come_back_from_a_file(tmp_path_factory, data):
    tag_set = TagSet(LABELS)
    length = data.draw(st.integers(1, 10))
    cuts = sorted(data.draw(st.sets(st.integers(0, length))))
    spans = [pair for pair in pairwise(cuts) if data.draw(st.booleans())]
    entities = [(start, end, data.draw(st.sampled_from(LABELS))) for start, end in spans]
    tags = [tag_set.tags[tag] for tag in tag_set.encode(length, entities)]
    path = write(tmp_path_factory.getbasetemp(), "".join(f"w\t{tag}\n" for tag in tags))
    (example,) = build_conll_corpus_v1(path)(NLP)
    assert [(ent.start, ent.end, ent.label_) for ent in example.reference.ents] == entities
    assert gold_of(example, tag_set).tags.tolist() == tag_set.encode(length, entities).tolist()
