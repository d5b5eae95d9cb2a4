"""Two components on one encoder, one writes a span group: both are trained, and both reported."""

import io
import json
import logging
from pathlib import Path

import pytest
import spacy
from encoders import tiny_bert
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = ("fine_a", "fine_b")


@pytest.fixture(autouse=True)
def spacy_log_reaches_caplog(monkeypatch):
    monkeypatch.setattr(logging.getLogger("spacy"), "propagate", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]).to_disk(
        folder / "data.spacy"
    )
    tiny_bert(folder / "encoder")
    return folder


def run(folder: Path, path: Path, names=NAMES, **score_weights):
    """The default config, with as many components, of which the first writes a span group."""
    config = load_config(CONFIGS / "default.cfg")
    component = config["components"].pop("finegrained_ner")
    taxonomy = config["initialize"]["components"].pop("finegrained_ner")
    callback = config["training"]["before_update"]
    for name in names:
        config["components"][name] = dict(component)
        config["initialize"]["components"][name] = dict(taxonomy)
    config["components"][names[0]] |= {"annotate": "spans", "spans_key": "a"}
    config["nlp"]["pipeline"] = ["transformer", *names]
    config["paths"]["taxonomy"] = "multiconer2"
    config["training"] |= {
        "max_steps": 2,
        "eval_frequency": 1,
        "before_update": {
            "@callbacks": "spacy-finegrained-ner.chain.v1",
            "callbacks": {name: dict(callback, component=name) for name in names},
        },
    }
    config["training"]["score_weights"] |= score_weights
    config["training"]["logger"]["output_file"] = str(path / "log.jsonl")
    data = str(folder / "data.spacy")
    config["paths"] |= {"train": data, "dev": data, "encoder": str(folder / "encoder")}
    stdout = io.StringIO()
    (path / "out").mkdir()
    nlp, _ = train(init_nlp(config), path / "out", stdout=stdout, stderr=io.StringIO())
    records = [json.loads(line) for line in (path / "log.jsonl").open(encoding="utf-8")]
    return nlp, records, stdout.getvalue()


def told(caplog) -> list[str]:
    return [m for m in caplog.messages if "no component reports" in m]


def test_both_are_reported_and_the_weights_say_which_chooses(folder, tmp_path, caplog):
    weights = {"ents_macro_f": 0.0, "spans_a_macro_f": 1.0, "spans_a_predicted": 0.0}
    nlp, records, table = run(folder, tmp_path, **weights)
    for record in records:
        assert {f"{name}_fine" for name in NAMES} <= {*record["losses"]} or record["step"] == 0
        assert {"ents_macro_f", "spans_a_macro_f", "spans_a_per_type"} <= {*record["scores"]}
        assert record["score"] == record["scores"]["spans_a_macro_f"]
    # A count is no percentage, under this name either
    rows = [line.split() for line in table.splitlines()]
    (last,) = [row for row in rows if row[:2] == ["2", "2"]]
    assert last[-2] == str(records[-1]["scores"]["spans_a_predicted"])
    assert nlp.meta["performance"].keys() >= {"ents_f", "spans_a_macro_f"}
    assert told(caplog) == []
    doc = spacy.load(tmp_path / "out" / "model-last")("marie curie")
    assert "a" in doc.spans


def test_what_has_no_weight_is_in_the_table_all_the_same(folder, tmp_path, caplog):
    _, records, table = run(folder, tmp_path)
    assert "spans" in table
    assert {record["score"] for record in records} == {
        record["scores"]["ents_macro_f"] for record in records
    }
    assert told(caplog) == []


def test_where_nothing_is_reported_that_has_a_weight_it_is_told_once(folder, tmp_path, caplog):
    _, records, table = run(folder, tmp_path, names=("fine_a",))
    (message,) = told(caplog)
    assert "has weights for ['ents_macro_f'], and no component reports" in message
    assert "Set spans_a_macro_f = 1 in [training.score_weights]" in message
    assert table.count(message) == 1
    assert {record["score"] for record in records} == {0.0}
