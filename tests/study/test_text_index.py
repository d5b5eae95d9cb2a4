"""The full-text index: the most similar texts by BM25, and never the same one."""

import lzma
import math
import random

import pytest

from spacy_finegrained_ner.errors import UserError
from study.plan.stages import StudyError
from study.runs import text_index
from study.runs.text_index import TextIndex


def index(folder, texts, monkeypatch):
    monkeypatch.setattr(text_index, "FREQUENT", 1.0)
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    return TextIndex(folder / "texts.txt", folder)


def bm25(query: set[str], text: list[str], texts: list[list[str]]) -> float:
    """By the book, with k1 = 1.2 and b = 0.75."""
    mean = sum(map(len, texts)) / len(texts)
    score = 0.0
    for word in query:
        having = sum(word in one for one in texts)
        weight = max(1e-6, math.log((len(texts) - having + 0.5) / (having + 0.5)))
        count = text.count(word)
        score += weight * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(text) / mean))
    return score


def test_the_order_is_that_of_bm25(tmp_path, monkeypatch):
    rng = random.Random(0)
    words = [f"w{i}" for i in range(60)]
    texts = [rng.sample(words, rng.randint(3, 9)) for _ in range(80)]
    made = index(tmp_path, map(" ".join, texts), monkeypatch)
    for _ in range(20):
        query = rng.sample(words, 5)
        found = made.similar(query, 3)
        scores = sorted((bm25({*query}, text, texts) for text in texts), reverse=True)
        assert [bm25({*query}, text, texts) for text in found] == pytest.approx(scores[:3])


def test_a_text_is_never_its_own_neighbour(tmp_path, monkeypatch):
    texts = ["Who met Lyon ?", "who met lyon", "who met lyon again", "Lyon"]
    made = index(tmp_path, texts, monkeypatch)
    assert made.similar(["who", "met", "lyon"], 5) == [["who", "met", "lyon", "again"], ["Lyon"]]
    assert made.similar(["nothing", "here"], 5) == []
    # Nor is what is kept of a long one
    long = [f"w{i}" for i in range(text_index.LONGEST + 5)]
    assert index(tmp_path, [" ".join(long)], monkeypatch).similar(long, 5) == []
    assert made.similar(["?", '"'], 5) == []


def test_frequent_words_are_not_sought(tmp_path, monkeypatch):
    texts = [f"the w{i}" for i in range(10)]
    assert index(tmp_path, texts, monkeypatch).similar(["the"], 1)
    monkeypatch.setattr(text_index, "FREQUENT", 0.5)
    made = TextIndex(tmp_path / "texts.txt", tmp_path)
    assert made.similar(["the"], 1) == []
    assert made.similar(["w3", "the", "again"], 5) == [["the", "w3"]]


def test_what_was_sought_is_not_sought_again(tmp_path, monkeypatch):
    texts = ["who met lyon", "who saw lyon", "nobody"]
    made = index(tmp_path, texts, monkeypatch)
    first = made.similar(["who", "lyon"], 2)
    assert len(first) == 2
    made.close()
    again = index(tmp_path, texts, monkeypatch)
    monkeypatch.delattr(TextIndex, "_search")
    assert again.similar(["who", "lyon"], 2) == first
    with pytest.raises(AttributeError):
        again.similar(["who", "lyon"], 1)


def test_a_text_is_behind_the_last_tab_and_cut(tmp_path):
    long = " ".join(f"w{i}" for i in range(100))
    data = f"source\t{long}\nsource\t\nsource\tsome text\n".encode()
    with lzma.open(tmp_path / "texts.tsv.xz", "w") as file:
        file.write(data)
    made = TextIndex(tmp_path / "texts.tsv.xz", tmp_path / "new")
    assert made.similar(["w3"], 2) == [long.split()[: text_index.LONGEST]]
    assert made.similar(["source"], 2) == []
    made.close()
    (before,) = (tmp_path / "new").iterdir()
    age = before.stat().st_mtime_ns
    TextIndex(tmp_path / "texts.tsv.xz", tmp_path / "new")
    assert [path.stat().st_mtime_ns for path in (tmp_path / "new").iterdir()] == [age]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"fine\n\xff\n", r"texts.txt:2: not UTF-8.*Expected a text in UTF-8"),
        (b"\n\n", "found no texts, expected one on each line"),
        (b"a\0b", "is binary"),
    ],
)
def test_what_is_no_text_is_told(tmp_path, data, message):
    (tmp_path / "texts.txt").write_bytes(data)
    with pytest.raises((StudyError, UserError), match=message):
        TextIndex(tmp_path / "texts.txt", tmp_path / "work")
    assert not list((tmp_path / "work").glob("*.sqlite3"))
