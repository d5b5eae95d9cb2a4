"""The model card of a package, and what meta.json has for spaCy and for hubs."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
import srsly
from markdown_it import MarkdownIt
from pipelines import LINEAR, SENTENCES, examples, make_nlp, train
from spacy.cli.package import package
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import load_config
from test_commands import run, write_spacy
from thinc.api import Adam

from spacy_finegrained_ner.cli import fetch_encoder
from spacy_finegrained_ner.cli.card import render_card
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

WRONG = "pelé/B-Drink met/O marie/B-Scientist curie/I-Scientist"
"""Pelé is found as an athlete."""


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """A trained pipeline with what evaluate and calibrate write."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(model, folder / "model")
    write_spacy(folder / "train.spacy")
    valid = write_spacy(folder / "valid.spacy", [*SENTENCES, WRONG] * 5)
    pipeline = folder / "model"
    steps = (
        ("calibrate", pipeline, valid, "--output", folder / "calibration.json"),
        ("evaluate", pipeline, valid, "--output", folder / "scores.json", "--bootstrap", 50),
    )
    for step in steps:
        code, printed = run(*step)
        assert code == 0, printed
    return folder


def meta(folder, *more, model="model", train="train.spacy"):
    """Of the `folder`: code, printed, card, meta.json."""
    output = folder / "meta.json"
    output.unlink(missing_ok=True)
    code, printed = run(
        *("meta", folder / model, "--train", folder / train, "--output", output), *more
    )
    card = folder / model / "README.md"
    if code:
        return code, printed, None, None
    return code, printed, card.read_text(encoding="utf-8"), srsly.read_json(output)


def with_config(folder, target, **sections):
    """A copy of the model with other values in its config, as `training__seed=1`."""
    shutil.copytree(folder / "model", target / "model")
    config = load_config(target / "model" / "config.cfg", interpolate=False)
    for path, value in sections.items():
        section, key = path.rsplit("__", 1)
        at = config
        for part in section.split("__"):
            at = at.setdefault(part, {})
        at[key] = value
    config.to_disk(target / "model" / "config.cfg")


def row(card: str, title: str) -> list[str]:
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_card_says_what_the_reports_say(made):
    code, printed, card, _ = meta(
        made,
        *("--name", "tickets", "--version", "1.2", "--scores", made / "scores.json"),
        *("--calibration", made / "calibration.json", "--author", "A. N. Other"),
    )
    assert code == 0, printed
    assert "README.md: the model card" in printed
    assert 'spacy.load("en_tickets")' in card
    assert "pip install --find-links path/to/wheels en_tickets" in card
    assert "`en_tickets-1.2-py3-none-any.whl`" in card
    assert f"spacy {spacy.__version__}, " in card
    assert "- **Person**: Athlete, Scientist\n- **Product**: Drink\n" in card
    assert "had no example in training, and are never found: Facility, OtherLOC," in card
    assert "Author: A. N. Other." in card
    report = srsly.read_json(made / "scores.json")
    drawn = report["gold_tokens"]["bootstrap"]
    low, high = (f"{100 * x:.1f}" for x in drawn["intervals"]["ents_f"])
    # 5 times 11 entities, 1 of them wrong
    assert row(card, "fine types, micro") == ["90.9", "90.9", f"90.9 ({low} to {high})", "90.9"]
    assert float(low) < 90.9 < float(high)
    low, high = (f"{100 * x:.1f}" for x in drawn["per_type"]["Drink"])
    assert row(card, "Drink") == ["100.0", "66.7", f"80.0 ({low} to {high})", "15"]
    assert "On 30 texts with 55 entities (valid.spacy)." in card
    fitted = srsly.read_json(made / "calibration.json")
    path, label = (f"{fitted['temperatures'][key]:.3f}" for key in ("path", "label"))
    assert f"temperatures path {path}, label {label}." in card
    side = [fitted[side]["fine"] for side in ("before", "after")]
    low, high = side[1]["interval"]
    numbers = (side[0]["ece"], side[1]["ece"], side[1]["floor"])
    before, after, floor = (f"{number:.3f}" for number in numbers)
    assert row(card, "fine") == [before, after, f"{low:.3f} to {high:.3f}", floor]
    assert "measured on the same texts, so too favorable" in card
    assert str(made) not in card  # folders of whoever made it


def test_a_card_of_an_earlier_run_is_replaced(made):
    given = ["--scores", made / "scores.json"]
    first = meta(made, *given)
    (made / "model" / "README.md").write_text("stale\n" * 1000)
    assert meta(made, *given) == first


@pytest.mark.parametrize(
    ("train", "dev", "said"),
    [
        ("train.spacy", None, "Whether this part selected the model is not known."),
        ("train.spacy", "valid.spacy", "This part selected the model"),
        ("train.spacy", "other.spacy", r"selected by another part \(other.spacy\)"),
        ("valid.spacy", "other.spacy", "It was trained on these texts: the scores say nothing"),
    ],
)
def test_the_part_of_the_scores(made, tmp_path, train, dev, said):
    path = dev and str(made / dev)
    with_config(made, tmp_path, paths__dev=path, corpora__dev__path="${paths.dev}")
    shutil.copy(made / "train.spacy", tmp_path)
    (tmp_path / "valid.spacy").symlink_to(made / "valid.spacy")
    _, _, card, _ = meta(tmp_path, "--scores", made / "scores.json", train=train)
    assert re.search(said, card), card


FLAT = Taxonomy({x: x for x in ("Scientist", "Athlete", "Drink", "HumanSettlement")})
SURE = r"Scientist Person [01]\.\d+"
CONFIGS = {
    "plain": ({}, SURE),
    "spans": ({"annotate": "spans", "spans_key": "fine"}, r"Scientist [01]\.\d+"),
    "not sure": ({"confidence": False}, "Scientist Person"),
    "named": (
        {"extensions": {"coarse_label": "a", "confidence": "p"}},
        r"Scientist Person [01]\.\d+",
    ),
    "flat": ({}, r"Scientist [01]\.\d+"),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_lines_of_the_card_run(kind, tmp_path, monkeypatch, capsys):
    config, expected = CONFIGS[kind]
    nlp = make_nlp(model=LINEAR, **config)
    data = examples(nlp)
    train(nlp, data, 1)
    if kind == "flat":
        nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=FLAT)
    sgd = Adam(0.01)
    for _ in range(40):
        nlp.update(data, sgd=sgd)
    nlp.to_disk(tmp_path / "model")
    write_spacy(tmp_path / "train.spacy")
    _, printed, card, _ = meta(tmp_path)
    assert card, printed
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.S)
    monkeypatch.setattr(spacy, "load", lambda name: nlp)
    exec(code.replace("A text of yours.", "pelé wrote to marie curie"), {})
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(f"marie curie {expected}", line), line
    assert ("probability" in card) == (kind != "not sure")
    assert ("oarse" in card) == (kind != "flat")
    assert ("attrs" in card) == (kind == "spans")
    assert not re.search("## (Scores|Probabilities)|calibrat", card)
    assert "no scores here" in card


def test_a_component_without_probabilities(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("crf_ner")
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(tmp_path / "model")
    write_spacy(tmp_path / "train.spacy")
    _, printed, card, _ = meta(tmp_path)
    assert card, printed
    assert "print(ent.text, ent.label_, ent._.coarse_label)\n" in card
    assert "probability" not in card


def test_labels_are_text():
    odd = ("a|b", "<img src=x>", '"q" & `c`', "_e_ *f* [g](h)", "back\\slash")
    nlp = make_nlp(model=LINEAR)
    docs = [Doc(nlp.vocab, words=["w"] * 2) for _ in odd]
    for doc, label in zip(docs, odd, strict=True):
        doc.set_ents([Span(doc, 0, 1, label)])
    coarse = Taxonomy({label: f"of {label}" for label in odd})
    data = [Example(Doc(nlp.vocab, words=["w"] * 2), doc) for doc in docs]
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=coarse)
    types = {label: {"p": 1.0, "r": 1.0, "f": 0.5, "support": 2} for label in odd}
    side = {"ents_per_type": types}
    report = {"sentences": 2, "entities": 1, "unreachable": 0, "data": "<b>.spacy"}
    about = {"lang": "en", "name": "x", "version": "1", "description": "<script>"}
    about["sources"] = [{"name": "[a] <b>", "license": "*c*"}]
    card = render_card(
        *(nlp, about),
        train=Path("train.spacy"),
        texts=2,
        scores=report | {"gold_tokens": side, "running_text": side},
    )
    html = MarkdownIt("commonmark").enable("table").render(card)
    assert not re.findall(r"<(?:img|script|b|a)\b", html)
    assert html.count("<em>") == 2  # of the captions
    text = re.sub(r"<[^>]+>", "", html)
    for label in odd:
        escaped = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        escaped = escaped.replace('"', "&quot;")
        assert re.search(rf"<td>{re.escape(escaped)}</td>\n<td [^>]+>100.0</td>", html), label
        assert f"of {escaped}: {escaped}\n" in text


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
    assert found["ents_per_type"]["Drink"]["support"] == 15
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


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("scores", None, "Expected .*x.json to be what `evaluate --output` wrote"),
        ("scores", [], "has not .*expected what `evaluate --output` wrote"),
        ("calibration", {"a": 1}, "has not .*expected what `calibrate --output` wrote"),
        (
            "calibration",
            {"before": {}, "after": {}, "temperatures": {"path": 9.0}},
            r"another pipeline or an earlier training: it has the temperatures {'path': 9.0}",
        ),
        (
            "scores",
            {"gold_tokens": {}, "running_text": {}, "taxonomy": {"A": "B"}},
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
