"""Each form that is read, with its usual dirt: the rows that come of it, and those set aside."""

import bz2
import gzip
import io
import json
import lzma
import random
import sys

import pytest
import spacy
from spacy.tokens import Doc, DocBin

from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.readers import LONGEST
from spacy_finegrained_ner.annotate.rows import Row
from spacy_finegrained_ner.errors import UserError

TEXTS = ["marie curie met pelé", "", 'a "green" tea,\n in lyon', "\u2028 x\u0085y"]


def rows_of(*paths, form=None, column="text", block_rows=1000):
    blocks = Inputs([str(path) for path in paths], form, column, block_rows).blocks()
    return [row for block in blocks for row in block.rows]


def columns(rows):
    return [row.columns if isinstance(row, Row) else (row.number, row.reason) for row in rows]


def test_plain_text_has_a_text_on_each_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffpelé\r\n\r\ngreen\ttea\u2028 x\nend".encode())
    found = rows_of(path)
    assert [row.text for row in found] == ["pelé", "", "green\ttea\u2028 x", "end"]
    assert [row.number for row in found] == [1, 2, 3, 4]


def test_jsonl(tmp_path):
    path = tmp_path / "a.jsonl"
    good = [{"text": text, "n": i, "more": {"a": [None]}} for i, text in enumerate(TEXTS)]
    lines = [json.dumps(row) for row in good]
    lines[1:1] = ["", '{"text": "a', "[1]", '{"text": 3}', '{"body": "a"}', '{"text": "\\ud800"}']
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b'\n{"text": "\xff"}\n')
    found = columns(rows_of(path))
    assert [row for row in found if isinstance(row, dict)] == good
    bad = dict(row for row in found if isinstance(row, tuple))
    assert list(bad) == [3, 4, 5, 6, 7, 11]
    for number, says in {
        3: "not JSON: Unterminated string",
        4: "a JSON list, expected an object",
        5: "'text' is 3, expected a text",
        6: "no 'text' (see --text-column), only ['body']",
        7: "half a character",
        11: "not UTF-8",
    }.items():
        assert says in bad[number]


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_csv_and_tsv(tmp_path, suffix, delimiter):
    import csv

    path = tmp_path / f"a.{suffix}"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["n", "text"])
        writer.writerows(enumerate(TEXTS))
    with path.open("ab") as file:
        file.write(delimiter.join(["4", "a", "b"]).encode() + b"\r\n\r\n")
        file.write(b"5" + delimiter.encode() + b"caf\xe9\n")
        file.write(b"6" + delimiter.encode() + b'"a"b\n')
        file.write(b"7" + delimiter.encode() + b"end")
    found = columns(rows_of(path))
    assert found[:4] == [{"n": str(i), "text": text} for i, text in enumerate(TEXTS)]
    assert found[4] == (5, "3 fields, expected 2 as in the header")
    assert found[5] == (6, "not UTF-8")
    assert found[6][0] == 7
    assert "not CSV" in found[6][1]
    assert found[7:] == [{"n": "7", "text": "end"}]


def test_of_parquet_types_stay(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"text": pa.array([*TEXTS, None]).dictionary_encode(), "n": pa.array(range(5))}
    )
    pq.write_table(table, path, row_group_size=2)
    found = columns(rows_of(path))
    assert found == [
        *({"text": text, "n": i} for i, text in enumerate(TEXTS)),
        (5, "'text' is None, expected a text"),
    ]
    (block,) = Inputs([str(path)]).blocks()
    assert pa.ipc.read_schema(pa.py_buffer(block.schema)) == table.schema


def test_of_a_docbin_the_tokens_stay(tmp_path):
    nlp = spacy.blank("en")
    doc = Doc(nlp.vocab, words=["can", "not", "!"], spaces=[False, True, False])
    path = tmp_path / "a.spacy"
    DocBin(docs=[doc, Doc(nlp.vocab, words=["a", "b"])]).to_disk(path)
    found = rows_of(path)
    assert found[0].text == (["can", "not", "!"], [False, True, False])
    assert found[0].columns == {"text": "cannot !"}
    assert found[1].text == (["a", "b"], None)


def zstd(data: bytes) -> bytes:
    pa = pytest.importorskip("pyarrow")
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_compressed_files_are_known_by_content(tmp_path, compress):
    data = b'{"text": "pel\xc3\xa9"}\n'
    (tmp_path / "a.jsonl.gz").write_bytes(compress(data) + compress(data))
    (tmp_path / "b.jsonl").write_bytes(compress(data))
    assert [row.text for row in rows_of(tmp_path / "*.jsonl*")] == ["pelé"] * 3


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstd])
def test_a_damaged_one_is_an_error(tmp_path, compress):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(compress(random.Random(0).randbytes(50_000).hex().encode())[:-200])
    with pytest.raises(UserError, match=r"a\.txt\.gz: what is compressed in it is damaged"):
        rows_of(path)


def test_patterns_and_forms_by_name(tmp_path):
    for name in ("b/1.txt", "a/2.txt", "a/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "x.csv").write_text("text\nx.csv\n")
    found = rows_of(tmp_path / "**" / "*.txt", tmp_path / "x.csv")
    assert [row.text for row in found] == ["a/1.txt", "a/2.txt", "b/1.txt", "x.csv"]


@pytest.mark.parametrize(
    ("name", "form", "says"),
    [
        ("none.txt", None, "none.txt: there is no such file"),
        ("*.none", None, "no file has a name like that"),
        ("", None, r"is a folder. Give its files, such as '.*/\*.jsonl'"),
        ("a.json", None, "a.json: the name does not tell the form. Give --from, one of jsonl, csv"),
        ("-", None, "Standard input: the name does not tell the form"),
        ("-", "parquet", "Standard input can't be parquet"),
        ("a.json", "xml", "--from xml: expected one of jsonl, csv"),
        ("utf16.txt", None, "utf16.txt is in UTF-16, expected UTF-8"),
        ("binary.jsonl", None, "binary.jsonl is binary"),
        ("a.parquet", None, "a.parquet: can't be read as Parquet"),
        ("a.spacy", None, "a.spacy: can't be read as a .spacy file"),
        ("head.csv", None, r"no column 'text' with the texts. It has: \['a', 'b'\]. Give --text"),
        ("twice.csv", None, "two columns of the header have one name"),
        ("empty.csv", None, r"head.* has no column 'text'.*\[\]"),
    ],
)
def test_what_can_not_be_read_is_said(tmp_path, name, form, says):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    for file, data in {
        "a.json": b"[]",
        "utf16.txt": "a".encode("utf-16"),
        "binary.jsonl": b"\x89PNG\r\n\0\0",
        "a.parquet": b"PAR1 no",
        "a.spacy": b"no",
        "head.csv": b"a,b\n1,2\n",
        "twice.csv": b"text,text\n1,2\n",
        "empty.csv": b"",
    }.items():
        (tmp_path / file).write_bytes(data)
    given = name if name == "-" else f"{tmp_path}/{name}"
    with pytest.raises(UserError, match=says):
        list(Inputs([given], form, "text").blocks())


@pytest.mark.parametrize("form", ["jsonl", "text", "csv"])
def test_a_line_that_is_too_long_is_set_aside_and_not_held(tmp_path, form):
    path = tmp_path / "a"
    lines = {"jsonl": '{"text": "a"}', "text": "a", "csv": "a"}
    with path.open("wb") as file:
        file.write(b"text\n" if form == "csv" else b"")
        file.write(lines[form].encode() + b"\n")
        for _ in range(3):
            file.write(b"x" * LONGEST)
        file.write(b"\n" + lines[form].encode() + b"\n")
    found = rows_of(path, form=form)
    assert [isinstance(row, Row) for row in found] == [True, False, True]
    assert (found[1].number, found[1].reason) == (2, f"more than {LONGEST:,} bytes")


def test_blocks_are_cut_by_rows_and_by_size(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join("x" * (300_000 if i == 4 else 5) for i in range(10)) + "\n")
    with path.open("a") as file:
        file.write("y" * 600_000 + "\nend\n")
    blocks = list(Inputs([str(path)], block_rows=4).blocks())
    assert [len(block.rows) for block in blocks] == [4, 4, 3, 1]
    assert [block.number for block in blocks] == [0, 1, 2, 3]
    assert blocks[-1].position == path.stat().st_size
    assert len({block.digest() for block in blocks}) == 4


def test_standard_input(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(gzip.compress("pelé\nin lyon\n".encode()))
    with (tmp_path / "a").open(encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert [row.text for row in rows_of("-", form="text")] == ["pelé", "in lyon"]


def test_a_reader_is_not_asked_for_more_than_a_block(tmp_path):
    """Memory is that of a block, whatever the size of the input."""

    class Counting(io.BytesIO):
        lines = 0

        def readline(self, *size):
            self.lines += 1
            return super().readline(*size)

    from spacy_finegrained_ner.annotate.readers import read_lines

    stream = Counting(b"a\n" * 100)
    rows = read_lines("a", stream, "text")
    next(rows), next(rows)
    assert stream.lines == 2
