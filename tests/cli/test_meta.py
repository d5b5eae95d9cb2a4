"""The model card of a package, and what meta.json has for spaCy and for hubs."""

import re
import shutil
from pathlib import Path

import pytest
import spacy
import srsly
from cards import make, meta, row, with_config
from markdown_it import MarkdownIt
from pipelines import LINEAR, examples, make_nlp, train
from spacy.tokens import Doc, Span
from spacy.training import Example
from test_commands import write_spacy
from thinc.api import Adam

from spacy_finegrained_ner.cli.card import render_card
from spacy_finegrained_ner.labels.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    return make(model, tmp_path_factory.mktemp("made"))


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
    # 12 times 11 entities, 1 of them wrong
    assert row(card, "fine types, micro") == ["90.9", "90.9", f"90.9 ({low} to {high})", "90.9"]
    assert float(low) < 90.9 < float(high)
    low, high = (f"{100 * x:.1f}" for x in drawn["per_type"]["Drink"])
    assert row(card, "Drink") == ["100.0", "66.7", f"80.0 ({low} to {high})", "36"]
    assert "On 72 texts with 132 entities (valid.spacy)." in card
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
