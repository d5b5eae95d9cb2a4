"""The verbs, as a user types them."""

import re
import shutil
import subprocess
import sys

import pytest
import spacy
import srsly
from pipelines import SENTENCES, examples, make_nlp, sentence
from spacy.tokens import DocBin
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.cli.show import read_texts, render_page
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

GOOD = "The _ _ O\nlouvre _ _ B-Facility\n\nparis _ _ B-HumanSettlement\n"


def run(*arguments) -> tuple[int, str]:
    """Exit code, and what was printed, without line breaks and frames."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, re.sub(r"\s+", " ", result.output)


def write_spacy(path, texts=SENTENCES):
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in texts]).to_disk(path)
    return path


def test_the_verbs_import_what_they_need_when_they_run():
    """spaCy imports them with every command of its own."""
    code = (
        "import sys, spacy_finegrained_ner.cli.main;"
        "heavy = {'numpy', 'packaging', 'rich', 'spacy', 'srsly', 'thinc', 'torch'};"
        "assert not heavy & {*sys.modules}, heavy & {*sys.modules};"
        "ours = {name.split('.')[1] for name in sys.modules if 'finegrained_ner.' in name};"
        "assert ours == {'cli', 'errors', 'whole'}, ours"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_convert_writes_what_it_says(tmp_path):
    (tmp_path / "train.conll").write_text(GOOD)
    (tmp_path / "valid.conll").write_text("here _ _ -\n\nparis _ _ B-HumanSettlement\n")
    options = ["--taxonomy", "multiconer2", "--lower"]
    code, printed = run("convert", tmp_path, tmp_path / "out", *options)
    assert code == 0
    assert "ℹ Lower case: 1 of 5 tokens changed." in printed  # noqa: RUF001
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
        ("ents_f=0.99", 0, r"ents_f is 1\.000, at least 0\.990 $"),
        ("ents_f=1.01", 1, r"ents_f is 1\.000, expected at least 1\.010 $"),
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


def test_parts_of_ones_own_are_imported_first(model, tmp_path):
    shutil.copytree(model, tmp_path / "model")
    config = load_config(tmp_path / "model" / "config.cfg", interpolate=False)
    config["nlp"]["pipeline"].append("of_code")
    config["components"]["of_code"] = {"factory": "of_code"}
    config.to_disk(tmp_path / "model" / "config.cfg")
    (tmp_path / "parts.py").write_text(
        "from spacy import Language\nprint('imported')\n"
        "Language.component('of_code', func=lambda doc: doc)\n"
    )
    data = write_spacy(tmp_path / "data.spacy")
    (tmp_path / "a.txt").write_text("tea\n")
    out = ["--output", tmp_path / "out"]
    verbs = [["evaluate", data], ["show", tmp_path / "a.txt"], ["meta", "--train", data]]
    code, printed = run("show", tmp_path / "model", tmp_path / "a.txt", *out)
    assert (code, "'of_code'" in printed) == (1, True), printed
    for verb, *given in verbs:
        options = [*out, "--code", tmp_path / "parts.py"]
        code, printed = run(verb, tmp_path / "model", *given, *options)
        assert (code, printed.startswith("imported ")) == (0, True), printed
    code, printed = run("show", tmp_path / "model", tmp_path / "a.txt", *out, "--code", "no.py")
    assert (code, "No such file or directory: " in printed) == (1, True), printed


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
