"""Each form that is written, read by what its tool reads: the same entities, other columns kept."""

import datetime
import json

import pytest
import spacy
from json_lines import read_jsonl
from knowing import trained
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.extensions import register_extensions


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def rows(texts):
    return [{"id": i, "text": text, "meta": {"at": [i, None]}} for i, text in enumerate(texts)]


@pytest.fixture
def spans(nlp, texts):
    found = [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in nlp.pipe(texts)]
    assert sum(map(len, found)) > 100
    return found


def test_jsonl_has_all_columns_and_the_entities(annotate, tmp_path, rows, spans):
    code, said = annotate(write_rows(tmp_path / "a.jsonl", rows), "--output", tmp_path / "o.jsonl")
    assert code == 0
    assert f"100 texts, {sum(map(len, spans))} entities" in said
    found = read_jsonl(tmp_path / "o.jsonl")
    assert [{key: row[key] for key in ("id", "text", "meta")} for row in found] == rows
    keys = ("start", "end", "label")
    assert [[tuple(e[key] for key in keys) for e in row["entities"]] for row in found] == spans
    for row in found:
        for entity in row["entities"]:
            assert row["text"][entity["start"] : entity["end"]] == entity["text"]
            assert 0 < entity["confidence"] <= entity["coarse_confidence"] + 1e-9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "o.jsonl"]


def test_prodigy_and_doccano(annotate, tmp_path, rows, spans):
    for row in rows:
        row["body"] = row.pop("text")
    given = write_rows(tmp_path / "a.jsonl", rows)
    for form in ("prodigy", "doccano"):
        output = tmp_path / f"{form}.jsonl"
        words = ("--to", form, "--text-column", "body", "--output", output)
        assert annotate(given, *words)[0] == 0
    found = read_jsonl(tmp_path / "prodigy.jsonl")
    assert [row["text"] for row in found] == [row["body"] for row in rows]
    assert [{(s["start"], s["end"], s["label"]) for s in row["spans"]} for row in found] == [
        set(row) for row in spans
    ]
    assert set(found[5]) == {"id", "meta", "text", "spans"}
    found = read_jsonl(tmp_path / "doccano.jsonl")
    assert [[tuple(span) for span in row["label"]] for row in found] == spans
    assert set(found[5]) == {"id", "meta", "text", "label"}


def test_label_studio_gets_one_list_of_tasks(annotate, tmp_path, rows, spans):
    given = write_rows(tmp_path / "a.jsonl", rows)
    output = tmp_path / "o.json"
    words = ("--to", "label-studio", "--block-rows", 7, "--output", output)
    assert annotate(given, *words)[0] == 0
    found = json.loads(output.read_text(encoding="utf-8"))
    assert [task["data"] for task in found] == rows
    for task, wanted in zip(found, spans, strict=True):
        (prediction,) = task["predictions"]
        for result, (start, end, label) in zip(prediction["result"], wanted, strict=True):
            text = task["data"]["text"][start:end]
            assert result["value"] == {"start": start, "end": end, "text": text, "labels": [label]}
            assert 0 < result["score"] <= 1
            assert (result["from_name"], result["to_name"]) == ("label", "text")
            assert result["type"] == "labels"


def test_a_list_of_nothing_is_still_json(annotate, tmp_path):
    (tmp_path / "a.jsonl").write_text("\n")
    output = tmp_path / "o.json"
    assert annotate(tmp_path / "a.jsonl", "--to", "label-studio", "--output", output)[0] == 0
    assert json.loads(output.read_text()) == []


def test_parquet_keeps_types(annotate, tmp_path, texts, spans):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    day = datetime.date(2026, 1, 2)
    table = pa.table(
        {
            "n": pa.array(range(100), pa.int8()),
            "text": pa.array(texts, pa.large_string()),
            "day": [day] * 99 + [None],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    output = tmp_path / "o.parquet"
    assert annotate(tmp_path / "a.parquet", "--block-rows", 30, "--output", output)[0] == 0
    found = pq.read_table(output)
    assert found.drop_columns("entities").equals(table)
    keys = ("start", "end", "label")
    entities = found["entities"].to_pylist()
    assert [[tuple(e[key] for key in keys) for e in row] for row in entities] == spans
    # Into JSON: a date has no form of its own there
    assert annotate(tmp_path / "a.parquet", "--output", tmp_path / "o.jsonl")[0] == 0
    assert read_jsonl(tmp_path / "o.jsonl")[0]["day"] == "2026-01-02"


def test_parquet_of_json_whose_columns_change(annotate, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    rows = [{"n": 1}, {"n": 2.5, "more": [1]}, {"x": "y"}, {"x": {"z": 1}}, {"x": 3}]
    rows = [{"text": "pelé" if i == 0 else "", **row} for i, row in enumerate(rows)]
    given = write_rows(tmp_path / "a.jsonl", rows)
    for block_rows in (1, 2, 100):
        output = tmp_path / f"{block_rows}.parquet"
        assert annotate(given, "--block-rows", block_rows, "--output", output)[0] == 0
        found = pq.read_table(output)
        assert found["text"].to_pylist() == ["pelé", "", "", "", ""]
        assert found["n"].to_pylist() == [1, 2.5, None, None, None]
        assert found["more"].to_pylist() == [None, [1], None, None, None]
        assert found["x"].to_pylist() == [None, None, "y", '{"z": 1}', "3"]
        assert [len(row) for row in found["entities"].to_pylist()] == [1, 0, 0, 0, 0]


def test_parquet_of_lists_and_structs_whose_values_change(annotate, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    many = 2**53 + 1
    rows = [{"v": [many], "s": {"a": many}}, {"v": [0.5], "s": {"a": 0.5}}]
    given = write_rows(tmp_path / "a.jsonl", [{"text": "pelé", **row} for row in rows])
    output = tmp_path / "o.parquet"
    assert annotate(given, "--block-rows", 1, "--output", output)[0] == 0
    found = pq.read_table(output)
    assert [json.loads(x) for x in found["v"].to_pylist()] == [[many], [0.5]]
    assert [json.loads(x) for x in found["s"].to_pylist()] == [{"a": many}, {"a": 0.5}]


def test_what_is_no_number_within_a_map(annotate, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kind = pa.map_(pa.string(), pa.float64())
    columns = {"text": ["pelé"], "m": pa.array([[("a", float("nan")), ("b", 1.0)]], kind)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    output = tmp_path / "o.jsonl"
    assert annotate(tmp_path / "a.parquet", "--output", output)[0] == 0
    assert read_jsonl(output)[0]["m"] == [["a", None], ["b", 1.0]]


def test_a_docbin_has_docs_with_confidence_and_columns(annotate, tmp_path, nlp, rows, spans):
    given = write_rows(tmp_path / "a.jsonl", rows)
    output = tmp_path / "o.spacy"
    assert annotate(given, "--block-rows", 30, "--output", output)[0] == 0
    register_extensions()
    docs = list(DocBin().from_disk(output).get_docs(spacy.blank("en").vocab))
    assert [doc.text for doc in docs] == [row["text"] for row in rows]
    assert [[(e.start_char, e.end_char, e.label_) for e in doc.ents] for doc in docs] == spans
    for doc, same, row in zip(docs, nlp.pipe(row["text"] for row in rows), rows, strict=True):
        assert [e._.confidence for e in doc.ents] == pytest.approx(
            [e._.confidence for e in same.ents], abs=1e-5
        )
        assert doc.user_data["columns"]["id"] == row["id"]
    # And in again
    assert annotate(output, "--output", tmp_path / "again.jsonl")[0] == 0
    found = read_jsonl(tmp_path / "again.jsonl")
    assert [{key: row[key] for key in ("id", "text", "meta")} for row in found] == rows


def test_what_json_has_no_word_for(annotate, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "n": [NaN, Infinity, 1], "s": "\\ud800"}\n')
    assert annotate(tmp_path / "a.jsonl", "--output", tmp_path / "o.jsonl")[0] == 0

    def refuse(constant):
        raise AssertionError(constant)

    row = json.loads((tmp_path / "o.jsonl").read_text(), parse_constant=refuse)
    assert (row["n"], row["s"]) == ([None, None, 1], "\ud800")


@pytest.mark.parametrize(
    ("form", "key"),
    [("jsonl", "entities"), ("parquet", "entities"), ("prodigy", "spans"), ("doccano", "label")],
)
def test_a_column_is_not_written_over(annotate, tmp_path, form, key):
    given = write_rows(tmp_path / "a.jsonl", [{"text": "a"}, {"text": "b", key: 1}])
    code, said = annotate(given, "--to", form, "--output", tmp_path / "o.x")
    assert code == 1
    assert f"row 2: there is a column '{key}' already" in said
    if form == "jsonl":
        words = ("--entities-column", "found", "--output", tmp_path / "o.jsonl")
        assert annotate(given, *words)[0] == 0
        assert [set(row) for row in read_jsonl(tmp_path / "o.jsonl")] == [
            {"text", "found"},
            {"text", "found", key},
        ]


def test_a_form_that_is_not_known(annotate, tmp_path):
    given = write_rows(tmp_path / "a.jsonl", [{"text": "a"}])
    code, said = annotate(given, "--output", tmp_path / "o.x")
    assert code == 1
    assert "the name does not tell the form. Give --to: expected one of jsonl, prodigy" in said
    assert annotate(given, "--to", "xml", "--output", tmp_path / "o.x")[0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_evidence_is_in_parquet_and_null_where_no_names_are_known(model, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    trained(tmp_path / "names", 40).to_disk(tmp_path / "knowing")
    given = write_rows(tmp_path / "a.jsonl", [{"text": "marie curie in lyon"}])
    for folder in (model, tmp_path / "knowing"):
        for suffix in ("jsonl", "parquet"):
            call = ["annotate", folder, given, "--output", tmp_path / f"{folder.name}.{suffix}"]
            assert CliRunner().invoke(app, list(map(str, call))).exit_code == 0
        found = pq.read_table(tmp_path / f"{folder.name}.parquet")["entities"].to_pylist()[0]
        wanted = read_jsonl(tmp_path / f"{folder.name}.jsonl")[0]["entities"]
        assert [one.pop("evidence") for one in found] == [x.pop("evidence", None) for x in wanted]
        assert [one.keys() for one in found] == [one.keys() for one in wanted]
        assert found
