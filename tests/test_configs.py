"""Each shipped config: complete, loads, trains a step, saves and loads. The large encoders are
tiny random models of their class here."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import spacy
from encoders import tiny_bert, tiny_deberta, tiny_roberta, tiny_xlm_roberta
from knowledge_names import names_file
from pipelines import SENTENCES, sentence
from spacy.cli.init_config import fill_config
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import load_config, load_model_from_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc

CONFIGS = Path(__file__).parents[1] / "configs"
ENCODER = {
    "default.cfg": tiny_bert,
    "paper.cfg": tiny_xlm_roberta,
    "roberta.cfg": tiny_roberta,
    "deberta.cfg": tiny_deberta,
    "tok2vec.cfg": None,
    "benchmark.cfg": tiny_bert,
    "knowledge.cfg": tiny_bert,
}
WITHOUT_GRADIENTS = ("crf.cfg", "llm.cfg")
"""Trained in tests/baselines."""


def test_these_are_all_configs():
    assert {path.name for path in CONFIGS.glob("*.cfg")} == {*ENCODER, *WITHOUT_GRADIENTS}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.spacy"
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]
    DocBin(docs=docs).to_disk(path)
    return path


@pytest.mark.parametrize("name", [*ENCODER, *WITHOUT_GRADIENTS])
def test_it_is_complete_and_round_trips(name, tmp_path):
    fill_config(tmp_path / "filled.cfg", CONFIGS / name, silent=True)
    assert load_config(tmp_path / "filled.cfg") == load_config(CONFIGS / name)


@pytest.mark.parametrize("name", ENCODER)
def test_it_trains_a_step_and_loads_with_equal_predictions(name, data, tmp_path):
    overrides = {
        "paths.train": str(data),
        "paths.dev": str(data),
        "paths.taxonomy": "multiconer2",
        "training.max_steps": 2,
        "training.eval_frequency": 1,
        "training.logger.console_output": False,
    }
    make = ENCODER[name]
    if make is not None:
        overrides["paths.encoder"] = str(make(tmp_path / "encoder", layers=3))
    if name == "knowledge.cfg":
        names_file(tmp_path / "names")
        overrides["paths.knowledge"] = str(tmp_path / "names")
    spacy_train(CONFIGS / name, tmp_path / "out", overrides=overrides)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    pipe = nlp.get_pipe("finegrained_ner")
    module = pipe.model.get_ref("tagger").shims[0]._model
    names = {n for n, _ in module.named_parameters()}
    assert {"head.fine.crf.transitions", "head.auxiliary.emissions.weight"} <= names
    assert any(n.startswith("head.sequence.") for n in names) == (
        name in ("paper.cfg", "benchmark.cfg")
    )
    nlp.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    other = again.get_pipe("finegrained_ner").model
    for text in ("marie curie met pelé in lyon", "is there green tea ?"):
        for a, b in zip(
            pipe.model.predict([nlp(text)])[0].tasks[0],
            other.predict([again(text)])[0].tasks[0],
            strict=True,
        ):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_paper_cfg_is_the_papers():
    """The facts of the paper and its authors' code, one by one."""
    config = load_config(CONFIGS / "paper.cfg").interpolate()
    encoder = config["components"]["transformer"]["model"]
    assert (encoder["name"], encoder["layers"], encoder["combine"]) == (
        "xlm-roberta-large",
        3,
        "concatenate",
    )
    ner = config["components"]["finegrained_ner"]
    assert ner["model"]["sequence"]["width"] == 1024  # half of it each way
    assert ner["model"]["dropout"] == 0.2
    assert ner["model"]["decoder"] == "crf"
    blending = ner["model"]["blending"]
    assert blending["@layers"].endswith("concatenate.v1")
    assert (blending["window"], blending["place"]) == (1, "sequence")
    assert ner["loss"] == {"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.5}
    training = config["training"]
    schedule = training["before_update"]["schedule"]
    assert schedule["@misc"].endswith("paper_decay.v1")
    assert (schedule["epochs"], schedule["residual"]) == (16, 0.1)
    assert training["batcher"]["size"] == 16
    assert training["max_steps"] == 16 * 1048  # batches of an epoch
    assert config["initialize"]["before_init"]["evaluations"] == 16
    optimizer = training["optimizer"]
    assert optimizer["weight_decay"] == 0.01
    assert optimizer["learn_rate"]["rate"] == 1e-5
    assert optimizer["learn_rate"]["warmup"] == 0.01
    assert optimizer["groups"] == {"head": {"pattern": r"^head\.", "factor": 10.0}}


TOKENIZERS = {
    "de": (None, "Tokenizer"),
    "zh": (None, "ChineseTokenizer"),
    "ja": ("sudachipy", "JapaneseTokenizer"),
    "th": ("pythainlp", "ThaiTokenizer"),
}
"""Of a language: the package that its tokenizer needs, and its class."""


@pytest.mark.parametrize("lang", TOKENIZERS)
@pytest.mark.parametrize("name", ["default.cfg", "tok2vec.cfg", *WITHOUT_GRADIENTS])
def test_a_language_comes_with_its_tokenizer(name, lang, tmp_path):
    package, expected = TOKENIZERS[lang]
    config = load_config(CONFIGS / name, overrides={"nlp.lang": lang})
    if package and find_spec(package) is None:
        with pytest.raises(ImportError, match=rf"(?i){package}"):
            load_model_from_config(config)
        return
    nlp = load_model_from_config(config)
    assert nlp.lang == lang
    nlp.to_disk(tmp_path)
    for made in (nlp, spacy.load(tmp_path)):
        assert type(made.tokenizer).__name__ == expected
        text = made.make_doc("绿茶")
        assert len(text) == (2 if lang == "zh" else 1)


def test_a_chinese_pipeline_trains(data, tmp_path):
    overrides = {"paths.train": str(data), "paths.dev": str(data), "nlp.lang": "zh"}
    overrides |= {"training.max_steps": 2, "training.logger.console_output": False}
    spacy_train(CONFIGS / "tok2vec.cfg", tmp_path, overrides=overrides)
    nlp = spacy.load(tmp_path / "model-best")
    assert [token.text for token in nlp("绿茶")] == ["绿", "茶"]
