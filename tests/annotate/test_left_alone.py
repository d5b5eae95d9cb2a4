"""What annotate may not write over, and a working folder that was left anyhow."""

import json
import os
import stat

import pytest
from json_lines import read_jsonl
from spacy.tokens import DocBin

from spacy_finegrained_ner.annotate import kinds, work


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": "lyon", "id": i}) + "\n" for i in range(5)))
    return path


def test_rows_that_were_set_aside_are_not_read_and_removed(annotate, tmp_path, source):
    bad = source.rename(tmp_path / "o.jsonl.bad")
    before = bad.read_bytes()
    code, said = annotate(bad, "--from", "jsonl", "--output", tmp_path / "o.jsonl")
    assert code == 1
    assert "o.jsonl.bad is one of the files to read" in said
    assert bad.read_bytes() == before


def test_a_link_stays_and_what_is_behind_it_is_replaced(annotate, tmp_path, source):
    (tmp_path / "other").mkdir()
    target, link = tmp_path / "other" / "o.jsonl", tmp_path / "o.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    assert annotate(source, "--output", link)[0] == 0
    assert link.is_symlink()
    assert len(read_jsonl(target)) == 5


def test_a_pipe_is_not_replaced(annotate, tmp_path, source):
    pipe = tmp_path / "o.jsonl"
    os.mkfifo(pipe)
    code, said = annotate(source, "--output", pipe)
    assert code == 1
    assert "is a device or a pipe, expected a file" in said
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_killed_while_the_working_folder_is_removed(annotate, tmp_path, source, monkeypatch):
    output = tmp_path / "o.jsonl"
    removed = []
    unlink = work.Path.unlink

    def killed(path, **settings):
        if path.parent.suffix == ".parts" and path.suffix in (".json", ".part"):
            if len(removed) == 3:
                raise KeyboardInterrupt
            removed.append(path)
        unlink(path, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(work.Path, "unlink", killed)
        assert annotate(source, "--output", output, "--block-rows", 1)[0] == 130
    assert len(removed) == 3
    assert annotate(source, "--output", output, "--block-rows", 1)[0] == 0
    assert [row["id"] for row in read_jsonl(output)] == list(range(5))
    assert not list(tmp_path.glob("*.parts"))


def test_a_damaged_manifest(annotate, tmp_path, source):
    folder = tmp_path / "o.jsonl.parts"
    folder.mkdir()
    (folder / work.MANIFEST).write_text("{")
    (folder / "000000000.json").write_text("{}")  # something was finished
    code, said = annotate(source, "--output", tmp_path / "o.jsonl")
    assert code == 1
    assert "is damaged. Give --restart" in said
    assert annotate(source, "--output", tmp_path / "o.jsonl", "--restart")[0] == 0


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {"a": 1}, ["{}", '{"a": 1}']),
        ([{}], None, ["[{}]", None]),
        ("\ud800", "b", ["\\ud800", "b"]),
        (2**60 + 1, 1.5, ["1152921504606846977", "1.5"]),
        (2, 1.5, [2.0, 1.5]),
    ],
)
def test_columns_that_parquet_does_not_take(annotate, tmp_path, first, second, kept):
    parquet = pytest.importorskip("pyarrow.parquet")
    path, output = tmp_path / "b.jsonl", tmp_path / "o.parquet"
    rows = [{"text": "lyon", "x": first}, {"text": "lyon", "x": second}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert annotate(path, "--output", output, "--block-rows", 1)[0] == 0
    assert parquet.read_table(output)["x"].to_pylist() == kept


@pytest.mark.parametrize("data", [b'"a"b,text\nx,y\n', b"text,id\ra,1\r"])
def test_a_header_that_is_none(annotate, tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    code, said = annotate(tmp_path / "a.csv", "--output", tmp_path / "o.jsonl")
    assert code == 1
    assert "a.csv: the header can't be read as CSV" in said


def test_lines_that_a_quote_has_swallowed_are_told(annotate, tmp_path):
    (tmp_path / "a.csv").write_text('text,id\na,1\n"b,2\nc,3\nd,4\n')
    assert annotate(tmp_path / "a.csv", "--output", tmp_path / "o.jsonl")[0] == 0
    (bad,) = read_jsonl(tmp_path / "o.jsonl.bad")
    assert "lines 3 to 5: a quote that is not closed?" in bad["reason"]


@pytest.mark.parametrize(("value", "kept"), [("\ud800", "\\ud800"), (2**80, str(2**80))])
def test_columns_that_msgpack_does_not_take(annotate, nlp, tmp_path, value, kept):
    path, output = tmp_path / "b.jsonl", tmp_path / "o.spacy"
    path.write_text(json.dumps({"text": "lyon", "x": value}))
    assert annotate(path, "--output", output)[0] == 0
    (doc,) = DocBin().from_disk(output).get_docs(nlp.vocab)
    assert doc.user_data["columns"] == {"x": kept}


def test_two_columns_of_texts():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([["a", "b"], ["c", "d"]], columns=["text", "text"])
    with pytest.raises(ValueError, match="two columns 'text'"):
        kinds.texts_of(frame, "text")
