"""Labels without a taxonomy: each is its own coarse type."""

import logging
from pathlib import Path

import pytest
import spacy
from pipelines import HASH_EMBED, entities, examples, make_nlp, sentence
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.util import load_config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.labels.readers import FlatLabels
from spacy_finegrained_ner.labels.taxonomy import TaxonomyError

CONFIG = Path(__file__).parents[2] / "configs" / "default.cfg"
TICKETS = (
    "my/O thinkpad/B-Laptop shows/O error/B-Error-Code 404/I-Error-Code",
    "the/O galaxy/B-Phone s9/I-Phone has/O a/O blue/B-Crash screen/I-Crash",
    "thinkpad/B-Laptop or/O galaxy/B-Phone s9/I-Phone ?/O",
    "nothing/O works/O here/O",
)
FAMOUS = ("pelé/B-Athlete drinks/O tea/B-Drink",)
TYPO = ("pelé/B-Athlete drinks/O tea/B-Drink with/O madonna/B-Artisst",)


@pytest.fixture
def spacys_log(caplog, monkeypatch):
    """What spaCy's logger gets, as `spacy train` sets it."""
    logger = logging.getLogger("spacy")
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO, "spacy")
    return caplog


def data(folder: Path, texts) -> str:
    vocab = spacy.blank("en").vocab
    path = folder / f"{len(texts)}.spacy"
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in texts]).to_disk(path)
    return str(path)


def test_they_are_trained_end_to_end(tmp_path, spacys_log, capsys):
    """As configs/default.cfg says, but for the encoder; and the dev set has a type of its own."""
    config = load_config(CONFIG, interpolate=False)
    config["nlp"]["pipeline"] = ["finegrained_ner"]
    del config["components"]["transformer"]
    config["components"]["finegrained_ner"]["model"]["tok2vec"] = HASH_EMBED["tok2vec"]
    config["training"]["batcher"]["get_length"] = None
    config.to_disk(tmp_path / "config.cfg")
    overrides = {
        "paths.train": data(tmp_path, TICKETS),
        "paths.dev": data(tmp_path, (*TICKETS, "a/O kindle/B-Tablet")),
        "training.max_steps": 60,
        "training.eval_frequency": 30,
        "training.optimizer.learn_rate.rate": 0.005,
        "components.finegrained_ner.model.dropout": 0.0,
    }
    spacy_train(tmp_path / "config.cfg", tmp_path / "out", overrides=overrides)
    told = [record.message for record in spacys_log.records if "flat" in record.message]
    assert len(told) == 1
    assert "the coarse auxiliary task is off" in told[0]
    nlp = spacy.load(tmp_path / "out" / "model-best")
    scores = nlp.meta["performance"]
    assert scores["ents_per_type"]["Laptop"]["f"] == 1.0
    assert scores["ents_per_type"]["Tablet"] == {"p": 0.0, "r": 0.0, "f": 0.0, "support": 1}
    assert scores["ents_mention_f"] > 0.8
    evaluated = nlp.evaluate(examples(nlp, TICKETS))
    assert not any(name.startswith("ents_coarse") for name in evaluated)
    assert " w " not in capsys.readouterr().out  # no columns of an auxiliary task
    pipe = nlp.get_pipe("finegrained_ner")
    assert pipe.model.get_ref("tagger").get_dim("nA") == 0
    assert pipe.taxonomy.flat
    assert entities(nlp("my galaxy s9")) == [("galaxy s9", "Phone", "Phone")]
    # It goes on training, as it was: one loss, and no auxiliary one
    losses = nlp.update(examples(nlp, TICKETS), sgd=nlp.resume_training())
    assert list(losses) == ["finegrained_ner"]


def test_they_are_flat_though_the_auxiliary_task_is_none():
    nlp = make_nlp(auxiliary=None)
    data = examples(nlp, TICKETS)
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, nlp=nlp, taxonomy=FlatLabels())
    assert nlp.get_pipe("finegrained_ner").taxonomy.coarse == (
        *("Crash", "Error-Code", "Laptop", "Phone"),
    )


def test_other_auxiliary_tasks_stay():
    nlp = make_nlp(auxiliary={"@misc": "spacy-finegrained-ner.MentionTask.v1"})
    nlp.initialize(lambda: examples(nlp, TICKETS))
    pipe = nlp.get_pipe("finegrained_ner")
    assert (pipe.auxiliary_is_off, pipe.model.get_ref("tagger").get_dim("nA")) == (False, 3)


def test_in_a_script_the_packaged_taxonomy_is_taken_if_it_knows_all(spacys_log):
    nlp = make_nlp()
    nlp.initialize(lambda: examples(nlp, FAMOUS))
    assert nlp.get_pipe("finegrained_ner").taxonomy.coarse_label("Drink") == "Product"
    assert not [r for r in spacys_log.records if r.levelno >= logging.WARNING]


def test_in_a_script_labels_are_flat_if_it_knows_none(spacys_log):
    nlp = make_nlp(auxiliary=None)
    nlp.initialize(lambda: examples(nlp, TICKETS))
    assert nlp.get_pipe("finegrained_ner").taxonomy.flat
    (told,) = [r.message for r in spacys_log.records if r.levelno == logging.WARNING]
    assert "no taxonomy is given, and the packaged one (multiconer2.toml) has none" in told


def test_in_a_script_a_typo_does_not_turn_them_flat():
    nlp = make_nlp()
    with pytest.raises(TaxonomyError) as error:
        nlp.initialize(lambda: examples(nlp, TYPO))
    message = str(error.value)
    assert "has 2 of 3 labels, but not ['Artisst']" in message
    assert "taxonomy file of your own" in message
    assert "path = null for flat labels" in message


def test_flat_labels_that_are_mostly_the_packaged_ones_are_told(spacys_log):
    nlp = make_nlp()
    data = examples(nlp, TYPO)
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, nlp=nlp, taxonomy=FlatLabels())
    (told,) = [r.message for r in spacys_log.records if r.levelno == logging.WARNING]
    assert "2 of 3 labels are those of the packaged one, but not ['Artisst']" in told


def test_coarse_scores_that_are_asked_for_and_not_there_are_told(spacys_log):
    nlp = make_nlp()
    nlp.config["training"]["score_weights"] = {"ents_coarse_f": 1.0, "ents_f": 0.0}
    nlp.initialize(lambda: examples(nlp, TICKETS))
    assert any("score_weights] has ['ents_coarse_f']" in told for told in spacys_log.messages)
