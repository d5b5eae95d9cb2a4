"""Other data, with labels and a taxonomy of its own, by nothing but the config."""

from pathlib import Path

import pytest
import spacy
from pipelines import HASH_EMBED, entities, sentence
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc

CONFIG = Path(__file__).parents[2] / "configs" / "default.cfg"
TAXONOMY = """
Hardware = ["Laptop", "Phone"]
Problem = ["Crash", "Error-Code"]
"""
TICKETS = (
    "my/O thinkpad/B-Laptop shows/O error/B-Error-Code 404/I-Error-Code",
    "the/O galaxy/B-Phone s9/I-Phone has/O a/O blue/B-Crash screen/I-Crash",
    "thinkpad/B-Laptop or/O galaxy/B-Phone s9/I-Phone ?/O",
    "blue/B-Crash screen/I-Crash on/O my/O thinkpad/B-Laptop",
    "nothing/O works/O here/O",
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """As configs/default.cfg, with an encoder that needs no pretrained weights."""
    folder = tmp_path_factory.mktemp("tickets")
    (folder / "taxonomy.toml").write_text(TAXONOMY)
    vocab = spacy.blank("en").vocab
    docs = [sentence_to_doc(vocab, sentence(text)) for text in TICKETS]
    DocBin(docs=docs).to_disk(folder / "data.spacy")
    config = load_config(CONFIG, interpolate=False)
    config["nlp"]["pipeline"] = ["finegrained_ner"]
    del config["components"]["transformer"]
    config["components"]["finegrained_ner"]["model"]["tok2vec"] = HASH_EMBED["tok2vec"]
    config["training"]["batcher"]["get_length"] = None  # it has no wordpieces either
    config.to_disk(folder / "config.cfg")
    overrides = {
        "paths.train": str(folder / "data.spacy"),
        "paths.dev": str(folder / "data.spacy"),
        "paths.taxonomy": str(folder / "taxonomy.toml"),
        "training.max_steps": 60,
        "training.eval_frequency": 30,
        "training.optimizer.learn_rate.rate": 0.005,
        "components.finegrained_ner.model.dropout": 0.0,
    }
    spacy_train(folder / "config.cfg", folder / "out", overrides=overrides)
    (folder / "taxonomy.toml").unlink()  # not needed after training
    return spacy.load(folder / "out" / "model-last")


def test_it_overfits(trained):
    assert trained.meta["performance"]["ents_macro_f"] == 1.0
    assert trained.meta["performance"]["ents_coarse_f"] == 1.0


def test_its_coarse_types_are_those_of_the_file(trained):
    assert entities(trained("the galaxy s9 shows error 404")) == [
        ("galaxy s9", "Phone", "Hardware"),
        ("error 404", "Error-Code", "Problem"),
    ]
    pipe = trained.get_pipe("finegrained_ner")
    assert pipe.taxonomy.coarse == ("Hardware", "Problem")
    # B and I of two coarse types, and O
    assert pipe.model.get_ref("tagger").get_dim("nA") == 5
