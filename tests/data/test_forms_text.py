"""CoNLL of all kinds, encodings, and files that can't be read."""

import gzip

import exporters
import pytest
from test_forms_dirt import GOLD, SENTENCE, read, shown, write

from spacy_finegrained_ner.data.forms.record import FormError


@pytest.mark.parametrize(
    "text",
    [
        "# global.columns = ID FORM NER\n# text = green tea\n1\tgreen\tB-A\n2\ttea\tI-A\n3\t!\tO\n",
        "#begin document\ngreen  B-A\ntea    I-A  \n!      O\n\n#end document\n",
        "-DOCSTART- -X- O O\n\n\ngreen JJ B-NP B-A\ntea NN I-NP I-A\n! . O O\n\n\n",
        "\ufeffgreen B-A\r\ntea I-A\r\n! O\r\n\r\n",
        "# sent_id = 1\ngreen _ _ B-A\ntea _ _ I-A\n! _ _ O\n",
        "# one two three\n1\tgreen\t_\tB-A\n2\ttea\t_\tI-A\n3\t!\t_\tO\n",
        "# id 7\ngreen _ _ B-A\ntea _ _ I-A\n! _ _ O",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_kinds_of_conll(tmp_path, text, encoding):
    (doc,), found = read(tmp_path, "any.iob", text.encode(encoding))
    assert [token.text for token in doc] == ["green", "tea", "!"]
    assert (shown(doc), found) == ("B-A I-A O", {})


def test_a_hash_may_be_a_word(tmp_path):
    docs, _ = read(tmp_path, "a.txt", "# O\ntea B-A\n\n#tea B-A\n# O\n")
    assert [[token.text for token in doc] for doc in docs] == [["#", "tea"], ["#tea", "#"]]


def test_another_column(tmp_path):
    """GermEval has two columns of tags, and numbers."""
    text = "#\thttp://a.b [2011]\n1\tTU\tB-ORG\tO\n2\tGraz\tI-ORG\tB-LOC\n3\t.\tO\tO\n"
    (doc,), _ = read(tmp_path, "a.tsv", text, tag_column="3")
    assert ([token.text for token in doc], shown(doc)) == (["TU", "Graz", "."], "B-ORG I-ORG O")
    (doc,), _ = read(tmp_path, "a.tsv", tag_column="-1")
    assert shown(doc) == "O B-LOC O"


def test_tags_that_do_not_fit(tmp_path):
    text = "a B-A\nb I-A\n\nc I-A\nd O\ne I-B\n\nf B-A\ng Q-A\nh O\n"
    docs, found = read(tmp_path, "a.txt", text, scheme="IOB2")
    assert list(map(shown, docs)) == ["B-A I-A", "? O ?", "B-A ? O"]
    assert found == {
        "across sentences": [("a.txt:4", "'I-A' goes on from 'I-A' (word 'c')")],
        "illegal order of tags": [("a.txt:6", "'I-B' follows 'O' (word 'e')")],
        "unknown tag": [("a.txt:9", "'Q-A' is no tag of IOB2 (word 'g')")],
    }


def test_windows_1252_is_an_error_and_an_option(tmp_path):
    text = "tea O\ncafé B-A\n".encode("cp1252")
    with pytest.raises(FormError, match=r"a\.txt:2: can't be read as utf-8: .* cp1252"):
        read(tmp_path, "a.txt", text)
    (doc,), _ = read(tmp_path, "a.txt", encoding="cp1252")
    assert [token.text for token in doc] == ["tea", "café"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '[\n {"text": "a", "label": []},\n]', r"a\.json:3: this is no JSON: .*no comma"),
        ("a.json", '{"data": [\n {"text": "a",}\n]}', r"a\.json:2: this is no JSON"),
        ("a.jsonl", '{"text": "a", "label": []}\n{"text": "b",}\n', r"a\.jsonl:2: this is no JSON"),
        ("a.jsonl", '{"text": "a",}\n{"text": "b", "label": []}\n', r"a\.jsonl:1: this is no JSON"),
        ("a.jsonl", "[" * 100_000, r"a\.jsonl:1: this is "),
        ("a.jsonl", '{"title": "a"}\n', r"values with the keys \['title'\], expected a text with"),
        ("a.json", "[]", "holds no texts"),
        ("a.json", '["a", "b"]', r"values with the keys \[\], expected"),
        ("a.txt", "Just some text.\nAnd more of it\n", r"a\.txt:2: found 4 column\(s\) in 'And m"),
        ("a.txt", "a NN\nb VB\n", r"its tags are 'NN', 'VB' and the like, and O nowhere"),
        ("a.txt", "a\nb\n", r"a\.txt:1: found 1 column\(s\)"),
        (
            "a.txt",
            "a O\n\nb\u200b B-\u200bA\n",
            r"a\.txt:3: the tag 'B-\\u200bA' has U\+200B in it",
        ),
        ("a.txt", "", "a.txt: the file is empty"),
        ("a.txt", " \n\n", "a.txt: the file is empty"),
        ("a.txt", b"a\0 O\n", r"a\.txt:1: found a NUL character"),
        ("a.txt", "a O\rb O\r", r"a\.txt:1: found a carriage return inside"),
        ("a.txt", "a" * 20_000, r"a\.txt:1: the line is longer than 10000"),
        ("a.txt", "a O\n" * 10_001, r"a\.txt:1: the sentence that begins here has more than 10000"),
        ("a.csv", "text,start,end,label\n", "holds no texts that can be read: it has no rows"),
        ("a.csv", "text,start,end,label\n,,,\n ,1,2,A\n", "read: its rows have no text"),
        (
            "a.csv",
            "text,entity,label\ngreen tea,tea,Drink\n",
            r"column 'label': found 'Drink', expected a list of entities in JSON, or columns start",
        ),
        (
            "a.csv",
            "ticket,from,to,type\ngreen tea,0,5,Drink\n",
            r"found the header 'ticket,from,to,type', expected columns of the text and of its",
        ),
        ("a.csv", "\nSentence #,Word,Tag\n1,tea,O\n", "found the header 'Sentence #,Word,Tag'"),
        ("a.csv", "Text,Etikett", "found the header 'Text,Etikett'"),
        ("a.csv", "EU B-ORG\ncall O extra\n", r"a\.csv:2: found 3 column\(s\) in 'call O extra'"),
        (
            "a.jsonl",
            '{"text": "a", "entities": [{"offset": 0, "length": 1, "label": "A"}]}\n',
            r"found start None and end None \(A\), expected two numbers .*Correct it\.$",
        ),
        (
            "a.jsonl.gz",
            gzip.compress(b"{}", mtime=0),
            r"a\.jsonl\.gz: this file is packed \(gzip\)",
        ),
        ("a.parquet", b"PAR1 and nothing else", r"a\.parquet: can't be read as Parquet"),
        ("a.spacy", b"\x78\x9cgarbage", r"a\.spacy: can't be read as a \.spacy file"),
        ("a.ann", "T1\tA 0 1\tx\n", r"a\.ann: there is no a\.txt beside it"),
    ],
)
def test_what_can_not_be_read_is_told(tmp_path, name, content, message):
    with pytest.raises(FormError, match=message):
        read(tmp_path, name, content)


def test_annotation_of_brat_that_is_none(tmp_path):
    write(tmp_path, "a.txt", SENTENCE)
    with pytest.raises(FormError, match=r"a\.ann:2: found 'T2 A 0 5 green', expected an entity"):
        read(tmp_path, "a.ann", "T1\tA 0 5\tgreen\nT2 A 0 5 green\n")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (exporters.jsonl([{"text": SENTENCE, "label": [[1, 9, "A"]]}]), {}),
        ("a I-A\nb O\n", {"scheme": "IOB2"}),
        (exporters.jsonl([{"text": SENTENCE}]), {}),
        (exporters.prodigy(GOLD, answer="reject"), {}),
    ],
)
def test_a_reader_that_loses_all_fails(tmp_path, content, options):
    with pytest.raises(FormError, match="nothing of this part can be read"):
        read(tmp_path, "a.any", content, **options)
