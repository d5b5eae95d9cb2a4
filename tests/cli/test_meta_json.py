"""What meta.json has for spaCy and for hubs, and what `meta` is given wrong."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
import srsly
from cards import make, meta, with_config
from spacy.cli.package import package

from spacy_finegrained_ner.cli import fetch_encoder


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    return make(model, tmp_path_factory.mktemp("made"))


def test_losses_are_no_accuracies(made, tmp_path):
    shutil.copytree(made / "model", tmp_path / "model")
    shutil.copy(made / "train.spacy", tmp_path)
    about = srsly.read_json(tmp_path / "model" / "meta.json")
    losses = {"transformer_loss": 0.1, "finegrained_ner_loss": 32.4}
    about["performance"] = {"ents_f": 0.5, "tag_acc": 0.75, **losses}
    srsly.write_json(tmp_path / "model" / "meta.json", about)
    assert meta(tmp_path)[3]["performance"] == {"ents_f": 0.5, "tag_acc": 0.75}
    found = meta(tmp_path, "--scores", made / "scores.json")[3]["performance"]
    assert found["ents_f"] == pytest.approx(10 / 11)
    assert found["tag_acc"] == 0.75
    assert found["ents_per_type"]["Drink"]["support"] == 36
    assert not {"bootstrap", "ents_gold", *losses} & found.keys()


@pytest.fixture
def packaged(made, tmp_path):
    """Folder of what `spacy package` puts into the wheel."""
    source = "Data | CC BY 4.0 | https://example.org/data"
    given = ["--scores", made / "scores.json", "--source", source, "--license", "Apache 2.0"]
    card = meta(made, *given, "--name", "tickets", "--version", "1.2")[2]
    package(made / "model", tmp_path, meta_path=made / "meta.json", create_sdist=False, silent=True)
    return tmp_path / "en_tickets-1.2", card


def test_the_package_has_card_and_meta(packaged):
    folder, card = packaged
    assert (folder / "README.md").read_text(encoding="utf-8") == card
    inner = folder / "en_tickets" / "en_tickets-1.2" / "README.md"
    assert inner.read_text(encoding="utf-8") == card
    assert not card.startswith("---")
    found = srsly.read_json(folder / "meta.json")
    assert [x for x in found["requirements"] if x.startswith("spacy-finegrained-ner>=")]
    source = {"name": "Data", "license": "CC BY 4.0", "url": "https://example.org/data"}
    assert found["sources"] == [source]


@pytest.mark.slow
def test_what_a_hub_makes_of_it(packaged, tmp_path):
    """Needs the package index. spacy-huggingface-hub asks for an old typer, so it is no extra."""
    folder, card = packaged
    hub = ["spacy-huggingface-hub==0.0.10", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", *hub], check=True)
    shutil.copy(folder / "meta.json", folder / "en_tickets" / "en_tickets-1.2")
    code = (
        f"import sys, json; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from importlib import import_module; from pathlib import Path; import yaml\n"
        "make = import_module('spacy_huggingface_hub.push')._create_model_card\n"
        f"front = make('en_tickets', Path({str(folder / 'en_tickets' / 'en_tickets-1.2')!r}))\n"
        "print(json.dumps(yaml.safe_load(front)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    front = json.loads(done.stdout.splitlines()[-1])
    assert (front["language"], front["license"]) == (["en"], "apache-2.0")
    (metrics,) = (result["metrics"] for result in front["model-index"][0]["results"])
    assert {x["type"]: round(x["value"], 3) for x in metrics} == {
        **{"precision": 0.909, "recall": 0.909, "f_score": 0.909}
    }
    written = (folder / "en_tickets" / "en_tickets-1.2" / "README.md").read_text(encoding="utf-8")
    assert written.startswith("---\ntags:")
    assert written.endswith(f"---\n{card}")


def test_the_encoder_is_a_source(made, tmp_path, monkeypatch):
    encoder = tmp_path / "my encoder"
    encoder.mkdir()
    (encoder / "model.safetensors").write_bytes(b"weights")
    with_config(made, tmp_path, paths__encoder=str(encoder))
    shutil.copy(made / "train.spacy", tmp_path)
    assert meta(tmp_path)[3]["sources"] == [{"name": "my encoder"}]
    (encoder / "README.md").write_text("---\ntags: [\n---\nlicense: mit\n")  # no front matter of it
    assert meta(tmp_path)[3]["sources"] == [{"name": "my encoder"}]
    (encoder / "README.md").write_text("---\ntags:\n- a\nlicense: cc-by-sa-4.0\n---\n# Encoder\n")
    _, _, card, found = meta(tmp_path, "--source", "Data")
    assert found["sources"] == [{"name": "Data"}, {"name": "my encoder", "license": "cc-by-sa-4.0"}]
    assert "- Data: license not given\n- my encoder: cc-by-sa-4.0\n" in card
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", digest)
    (default,) = meta(tmp_path)[3]["sources"]
    assert default["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    shutil.rmtree(encoder)
    assert meta(tmp_path)[3]["sources"] == [{"name": "my encoder"}]


def test_temperatures_without_a_report_and_a_report_without_temperatures(made, model, tmp_path):
    _, _, card, _ = meta(made)
    assert "Calibrated: temperatures path" in card
    assert "| fine |" not in card
    shutil.copytree(model, tmp_path / "model")  # not calibrated
    shutil.copy(made / "train.spacy", tmp_path)
    _, _, card, _ = meta(tmp_path, "--calibration", tmp_path / "no_such.json")
    assert "alibrat" not in card


KEYS = {key: {} for key in ("fitted_on", "reported_on", "before", "after")}


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("scores", None, "Expected .*x.json to be what `evaluate --output` wrote"),
        ("scores", [], "has not .*expected what `evaluate --output` wrote"),
        ("calibration", {"a": 1}, "has not .*expected what `calibrate --output` wrote"),
        (
            "calibration",
            {**KEYS, "temperatures": {"path": 9.0}},
            r"another pipeline or an earlier training: it has the temperatures {'path': 9.0}",
        ),
        (
            "scores",
            {"data": "", "gold_tokens": {}, "running_text": {}, "taxonomy": {"A": "B"}},
            "another pipeline or an earlier training: it has the types {'A': 'B'}",
        ),
        ("source", "a | b | c | d", "expected 'name | license | URL'"),
        ("source", " | MIT", "expected 'name | license | URL'"),
        ("source", "a | b | javascript:x", "expected 'name | license | URL'"),
    ],
)
def test_what_is_no_report_and_no_source(made, tmp_path, option, content, message):
    given = content
    if option != "source":
        given = tmp_path / "x.json"
        if content is not None:
            srsly.write_json(given, content)
    code, printed, _, _ = meta(made, f"--{option}", given)
    assert code == 1
    assert re.search(message.replace(" | ", r" \| "), printed), printed
