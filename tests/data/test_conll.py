import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_finegrained_ner.data.conll import MAX_LINE, ConllError, Sentence, read_conll

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
        ("a _ _ O\nb _ _\n", r"data\.conll:2: found 3 .* expected 4: a word"),
        ("\tO\n", r"data\.conll:1: the word of '\\tO' is empty"),
        (" O\n", r"data\.conll:1: the word of ' O' is empty"),
        ("a X\n", r"data\.conll:1: 'X' is not an IOB2 tag .*\(word 'a'\)"),
        ("a I-X\n", r"data\.conll:1: 'I-X' follows 'O'.*\(word 'a'\)"),
        ("a O\n\nb B-X\nc B-Y\nd I-X\ne I-X\n", r"data\.conll:5: 'I-X' follows 'B-Y'.*'d'"),
        ("a O\n# id 1\nb I-X\n# id 2\n", r"data\.conll:3: 'I-X' follows 'O'"),
        ("a O\nb\0 O\n", r"data\.conll:2: found a NUL byte"),
        (b"PK\x03\x04\0\0", r"data\.conll:1: found a NUL byte"),
        ("a O\ncafé O\n".encode("latin-1"), r"data\.conll:2: can't be read as UTF-8: .*byte 3"),
        ("a O\n".encode("utf-16"), r"data\.conll:1: "),
        (
            "a O\n" + "b" * (MAX_LINE + 1),
            rf"data\.conll:2: the line is longer than {MAX_LINE} bytes",
        ),
    ],
)
def test_files_that_can_not_be_read(tmp_path, text, message):
    with pytest.raises(ConllError, match=message):
        read(tmp_path, text)


def test_a_line_may_have_the_greatest_length_and_not_more(tmp_path):
    word = "b" * (MAX_LINE - 3)
    assert read(tmp_path, f"{word} O\n")[0].words == (word,)
    with pytest.raises(ConllError, match="longer than"):
        read(tmp_path, f"{word}b O\n")


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "missing.conll", tmp_path):
        with pytest.raises(ConllError, match=f"{path.name}: there is no such file"):
            next(read_conll(path))


def test_sentences_before_an_error_are_given_first(tmp_path):
    sentences = read_conll(str(write(tmp_path, "a O\n\nb\n")))
    assert next(sentences).words == ("a",)
    with pytest.raises(ConllError, match=r"data\.conll:3"):
        next(sentences)
