"""The way to a complete config: written, or the component put into a stock one."""

import re
from pathlib import Path

import pytest
import spacy
from encoders import tiny_bert
from pipelines import SENTENCES, sentence
from spacy.cli.init_config import fill_config, init_config
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import load_config
from test_commands import run

from spacy_finegrained_ner.cli.configs import FROZEN, shipped
from spacy_finegrained_ner.data.corpus import sentence_to_doc

CONFIGS = Path(__file__).parents[2] / "configs"
SEQUENCE = "components.finegrained_ner.model.sequence"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("data") / "data.spacy"
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]).to_disk(path)
    return str(path)


def test_these_are_the_configs_to_begin_with():
    assert {*shipped(), FROZEN} == {path.stem for path in CONFIGS.glob("*.cfg")}
    code, printed = run("init-config", "--help")
    assert code == 0
    assert all(name in printed for name in shipped())


def test_a_complete_config_is_written_with_its_comments(tmp_path):
    out = tmp_path / "new" / "my.cfg"
    options = "--lang de --encoder my/bert --taxonomy multiconer2 --width 64"
    code, printed = run("init-config", out, *options.split())
    assert (code, "Labels are those of multiconer2" in printed) == (0, True), printed
    assert "# Bounds the norm of the gradient" in out.read_text()
    written = load_config(out, interpolate=False)
    expected = load_config(CONFIGS / "default.cfg", interpolate=False)
    expected["nlp"]["lang"] = "de"
    expected["paths"] |= {"encoder": "my/bert", "taxonomy": "multiconer2"}
    expected["components"]["finegrained_ner"]["model"]["sequence"] = {
        "@layers": "spacy-finegrained-ner.BiLSTM.v1",
        "width": 64,
        "layers": 1,
        "dropout": 0.0,
    }
    assert written == expected
    before, after = fill_config(tmp_path / "filled.cfg", out, silent=True)
    assert before == after
    code, printed = run("init-config", out)
    assert (code, "is there already" in printed) == (1, True)
    assert run("init-config", out, "--base", "tok2vec", "--force")[0] == 0
    assert load_config(out)["nlp"]["pipeline"] == ["tok2vec", "finegrained_ner"]


def test_the_head_of_a_base_can_be_made_narrow(tmp_path):
    assert run("init-config", tmp_path / "0.cfg", "--base", "paper", "--width", 0)[0] == 0
    expected = load_config(CONFIGS / "paper.cfg", interpolate=False)
    expected["components"]["finegrained_ner"]["model"]["sequence"] = None
    expected["paths"]["taxonomy"] = None
    assert load_config(tmp_path / "0.cfg", interpolate=False) == expected


@pytest.mark.parametrize("base", ["roberta", "deberta", "crf"])
def test_the_other_bases(tmp_path, base):
    assert run("init-config", tmp_path / "my.cfg", "--base", base, "--lang", "fr")[0] == 0
    expected = load_config(CONFIGS / f"{base}.cfg", interpolate=False)
    expected["nlp"]["lang"] = "fr"
    assert load_config(tmp_path / "my.cfg", interpolate=False) == expected


def stock(path: Path, gpu: bool, encoder: str | None = None) -> Path:
    config = init_config(lang="en", pipeline=["ner"], optimize="efficiency", gpu=gpu)
    if encoder is not None:
        config["components"]["transformer"]["model"]["name"] = encoder
        config["training"]["optimizer"]["learn_rate"] |= {"initial_rate": 0.002, "warmup_steps": 5}
    config.to_disk(path)
    return path


def trained(config: Path, data: str, folder: Path, steps: int):
    overrides = {
        "paths.train": data,
        "paths.dev": data,
        "training.max_steps": steps,
        "training.eval_frequency": steps // 2,
    }
    spacy_train(config, folder / "out", overrides=overrides)
    return spacy.load(folder / "out" / "model-best")


def test_in_place_of_the_ner_of_a_stock_config_with_tok2vec(data, tmp_path):
    theirs = stock(tmp_path / "theirs.cfg", gpu=False)
    new = tmp_path / "new.cfg"
    code, printed = run("init-config", new, "--into", theirs, "--taxonomy", "multiconer2")
    assert code == 0, printed
    assert '-pipeline = ["tok2vec", "ner"] +pipeline = ["tok2vec", "finegrained_ner"]' in printed
    before, after = fill_config(tmp_path / "filled.cfg", new, silent=True)
    assert before == after
    config = load_config(new, interpolate=False)
    assert set(config["components"]) == {"finegrained_ner", "tok2vec"}
    assert config["training"]["optimizer"]["@optimizers"] == "Adam.v1"
    nlp = trained(new, data, tmp_path, 40)
    assert nlp.meta["performance"]["ents_macro_f"] > 0.9
    assert nlp.meta["performance"]["ents_coarse_f"] > 0.9


def test_beside_the_ner_of_a_stock_config_with_a_transformer(data, tmp_path):
    encoder = str(tiny_bert(tmp_path / "encoder"))
    theirs = stock(tmp_path / "theirs.cfg", gpu=True, encoder=encoder)
    new = tmp_path / "new.cfg"
    code, printed = run("init-config", new, "--into", theirs, "--beside", "--width", 16)
    assert code == 0, printed
    config = load_config(new, interpolate=False)
    assert config["nlp"]["pipeline"] == ["transformer", "ner", "finegrained_ner"]
    head = config["components"]["finegrained_ner"]["model"]
    assert head["tok2vec"]["@architectures"] == "spacy-finegrained-ner.TransformerListener.v1"
    assert head["sequence"]["width"] == 16
    weights = config["training"]["score_weights"]
    assert {name: w for name, w in weights.items() if w} == {
        "ents_f": 0.5,
        "spans_finegrained_ner_macro_f": 0.5,
    }
    optimizer = config["training"]["optimizer"]
    assert optimizer["weight_decay"] == 0.01  # the L2 of theirs
    assert optimizer["groups"] == {"head": {"pattern": r"^head\.", "factor": 10.0}}
    nlp = trained(new, data, tmp_path, 40)
    doc = nlp("serena williams drinks green tea in lyon")
    found = [(span.text, span.label_) for span in doc.spans["finegrained_ner"]]
    assert ("green tea", "Drink") in found
    assert nlp.meta["performance"]["spans_finegrained_ner_macro_f"] > 0.5


def test_what_is_sourced_stays_sourced(data, tmp_path):
    config = load_config(stock(tmp_path / "theirs.cfg", gpu=False))
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    docs = [eg.reference for eg in spacy.training.Corpus(data)(nlp)]
    nlp.initialize(lambda: [spacy.training.Example(doc.copy(), doc) for doc in docs])
    nlp.to_disk(tmp_path / "model")
    source = {"source": str(tmp_path / "model")}
    config["components"] = {"tok2vec": source, "ner": source}
    config["training"]["frozen_components"] = ["ner", "tok2vec"]
    config.to_disk(tmp_path / "theirs.cfg")
    for beside in (["--beside"], []):
        new = tmp_path / f"{len(beside)}.cfg"
        code, printed = run("init-config", new, "--into", tmp_path / "theirs.cfg", *beside)
        assert code == 0, printed
        written = load_config(new, interpolate=False)
        names = ["ner", "tok2vec"] if beside else ["tok2vec"]
        assert written["training"]["frozen_components"] == names
        assert all(written["components"][name] == source for name in names)
        listener = written["components"]["finegrained_ner"]["model"]["tok2vec"]
        assert listener["@architectures"] == "spacy.Tok2VecListener.v1"
        assert listener["width"] == 96  # no variable that leads to a block which is not there


@pytest.fixture(scope="module")
def theirs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    for file, name in (
        ("ner", "ner"),
        ("ours", "finegrained_ner"),
        ("rules", "entity_ruler"),
        ("alone", "tok2vec"),
    ):
        nlp = spacy.blank("en")
        nlp.add_pipe(name)
        nlp.config.to_disk(folder / f"{file}.cfg")
    return folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--base small", r"no config 'small' to begin with, expected \['crf', 'deberta'"),
        ("--lang deu", "'deu' is no language of spaCy: expected 'de'"),
        ("--base tok2vec --encoder x", "'tok2vec' has no encoder"),
        ("--base crf --width 8", "'crf' has no head with a width"),
        ("--width 7", "BiLSTM of width 7: expected an even number"),
        ("--beside", "--beside goes with --into"),
        ("--into {f}/ner.cfg --encoder x", "--encoder can't be given with --into"),
        ("--into {f}/ner.cfg --lang de", "--lang can't be given with --into"),
        ("--into {f}/none.cfg", r"none\.cfg: can't be read as a config"),
        ("--into {f}/ours.cfg", r"a finegrained_ner is there already"),
        ("--into {f}/rules.cfg", r"\['entity_ruler'\] has no transformer and no tok2vec"),
        ("--into {f}/alone.cfg", r"no component listens to 'tok2vec' yet"),
    ],
)
def test_what_can_not_be_written_is_told(theirs, tmp_path, options, message):
    out = tmp_path / "out.cfg"
    code, printed = run("init-config", out, *options.format(f=theirs).split())
    assert (code, out.exists()) == (1, False)
    assert re.search(message, printed), printed


def test_what_spacy_init_config_writes_fails_with_the_verbs_name(data, tmp_path):
    config = init_config(lang="en", pipeline=["finegrained_ner"])
    config.to_disk(tmp_path / "config.cfg")
    overrides = {"paths.train": data, "paths.dev": data}
    with pytest.raises(ValueError, match="python -m spacy_finegrained_ner init-config"):
        spacy_train(tmp_path / "config.cfg", overrides=overrides)
