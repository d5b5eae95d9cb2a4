"""What a user can do wrong at the command line: a message, no traceback, and exit code 1."""

import re

import pytest
import spacy
from pipelines import LINEAR, examples, make_nlp
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app

GOOD = "paris B-HumanSettlement\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models and data, good and bad."""
    folder = tmp_path_factory.mktemp("bad")
    nlp = make_nlp(model=LINEAR)
    nlp.initialize(lambda: examples(nlp))
    nlp.to_disk(folder / "model")
    spacy.blank("en").to_disk(folder / "no_component")
    make_nlp(model=LINEAR).to_disk(folder / "untrained")
    nlp.to_disk(folder / "broken")
    (folder / "broken" / "config.cfg").write_text("[nlp]\nlang = en\n")
    nlp.to_disk(folder / "foreign")
    config = (folder / "foreign" / "config.cfg").read_text()
    (folder / "foreign" / "config.cfg").write_text(config.replace("Tagger.v1", "Tagger.v9"))
    (folder / "empty").mkdir()
    for name, content in (
        ("train.conll", GOOD.encode()),
        ("valid.conll", GOOD.encode()),
        ("dragon.conll", b"smaug B-Dragon\n"),
        ("garbage.spacy", b"garbage"),
        ("latin1.txt", "caf\xe9".encode("latin-1")),
        ("texts.txt", b"tea in lyon"),
        ("types.toml", b"A = 3"),
        ("file", b""),
    ):
        (folder / name).write_bytes(content)
    for name, text in (("dragons", "smaug B-Dragon\n"), ("illegal", "green O\ntea I-Food\n")):
        (folder / name).mkdir()
        (folder / name / "train.conll").write_text(text)
    DocBin().to_disk(folder / "nothing.spacy")
    DocBin(docs=[nlp.make_doc("a b")]).to_disk(folder / "good.spacy")
    return folder


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("convert {f} {f}/file/out", r"Not a directory: '.*file/out'"),
        ("convert {f} {f}/file", r"File exists: '.*file'"),
        ("convert {f}/missing {f}/out", r"missing: found no train.conll and no en_train.conll"),
        ("convert {f}/train.conll {f}/out", r"train.conll: expected at least two different sent"),
        ("convert {f}/dragon.conll {f}/out --tag-column 3", "there is no column '3', expected a"),
        ("convert {f}/dragon.conll {f}/out --scheme IOB9", "'IOB9' is no scheme of tags, expected"),
        ("convert {f}/dragon.conll {f}/out --encoding latin99", "'latin99' is no encoding"),
        ("convert {f} {f}/out --lang xx9", r"'xx9' is no language of spaCy: .*xx9"),
        ("convert {f} {f}/out --lang punctuation", "'punctuation' is no language of spaCy"),
        ("convert {f} {f}/out --taxonomy {f}/none.toml", "none.toml: there is no such taxonomy"),
        ("convert {f} {f}/out --taxonomy {f}/types.toml", "A = 3 is not a list of names"),
        (
            "convert {f}/dragons {f}/out --taxonomy multiconer2",
            "train.conll:1: The label 'Dragon' is",
        ),
        ("convert {f}/illegal {f}/out --scheme IOB2", "train.conll:2: 'I-Food' follows 'O'"),
        (
            "check-name xx9 name 1.0",
            "'xx9' is no language of spaCy: .*Expected a code such as 'en'",
        ),
        ("check-name deu name 1.0", "'deu' is no language of spaCy: expected 'de', its own code"),
        ("fetch-encoder {f}/file/encoder", r"(Not a directory|File exists): '.*file"),
        ("evaluate no_such {f}/train.conll --output {f}/o", r"no_such: \[E050\].*Expected an inst"),
        ("evaluate {f}/model {f}/none.spacy --output {f}/o", "none.spacy: there is no such file"),
        ("evaluate {f}/model {f}/none.conll --output {f}/o", "none.conll: there is no such file"),
        ("evaluate {f}/empty {f}/train.conll --output {f}/o", r"empty: \[E053\].*Expected an inst"),
        ("evaluate {f}/broken {f}/train.conll --output {f}/o", r"broken: .*Expected an installed"),
        ("evaluate {f}/foreign {f}/train.conll --output {f}/o", r"foreign: .*Tagger\.v9.*Expected"),
        ("evaluate {f}/untrained {f}/train.conll --output {f}/o", r"E109.*finegrained_ner"),
        ("evaluate {f}/no_component {f}/train.conll --output {f}/o", r"\[\] has no component 'fin"),
        (
            "evaluate {f}/model {f}/garbage.spacy --output {f}/o",
            "garbage.spacy: can't be read as a",
        ),
        ("evaluate {f}/model {f}/nothing.spacy --output {f}/o", "nothing.spacy: .* no texts"),
        ("evaluate {f}/model {f}/empty --output {f}/o", "empty: the folder has no data in it"),
        ("evaluate {f}/model {f}/train.conll --output {f}/file/o", "(exists|directory): '.*file"),
        (
            "evaluate {f}/model {f}/dragon.conll --output {f}/o",
            "dragon.conll:1: The label 'Dragon' is not in the taxonomy",
        ),
        ("evaluate {f}/model {f}/train.conll --output {f}/empty", "Is a directory: '.*empty'"),
        (
            "meta {f}/empty --train {f}/good.spacy --output {f}/o",
            "empty: .*Expected the folder of a",
        ),
        ("meta {f}/model --train {f}/none.spacy --output {f}/o", "none.spacy: there is no such fi"),
        ("meta {f}/model --train {f}/garbage.spacy --output {f}/o", "can't be read as a .spacy"),
        (
            "show no_such_model {f}/texts.txt --output {f}/o",
            "no_such_model: .*Expected an installed",
        ),
        ("show {f}/no_component {f}/texts.txt --output {f}/o", r"\[\] has no component 'finegr"),
        ("show {f}/model {f}/none.txt --output {f}/o", "none.txt: there is no such file"),
        # Before the pipeline is looked for
        ("report {f}/none {f}/no.spacy --output {f}/o", "no.spacy: there is no such file"),
        ("show {f}/model {f}/none.conll --output {f}/o", "none.conll: there is no such file"),
        ("show {f}/model {f}/latin1.txt --output {f}/o", "latin1.txt: .*utf-8.*text in UTF-8"),
        ("show {f}/model {f}/texts.txt --output {f}/empty", "Is a directory: '.*empty'"),
    ],
)
def test_a_mistake_is_told(folder, command, message):
    result = CliRunner().invoke(app, [part.format(f=folder) for part in command.split()])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    printed = " ".join(result.output.split())
    assert printed.startswith("✘ ")
    assert re.search(message, printed), printed
    assert "Traceback" not in printed
