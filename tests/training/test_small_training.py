"""The parts of a training run together, as a config names them."""

import io
import json

from pipelines import SENTENCES, make_nlp, sentence
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_finegrained_ner.data.corpus import sentence_to_doc

CONFIG = """
[paths]
data = null
log = null

[corpora]
[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.data}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.data}

[training]
max_steps = 8
eval_frequency = 4
max_epochs = 0

[training.batcher]
@batchers = "spacy-finegrained-ner.batch_by_length.v1"
size = 3
buffer = 6

[training.optimizer]
@optimizers = "Adam.v1"
learn_rate = 0.01

[training.logger]
@loggers = "spacy-finegrained-ner.logger.v1"
progress_bar = "eval"
output_file = ${paths.log}

[training.before_update]
@callbacks = "spacy-finegrained-ner.chain.v1"

[training.before_update.callbacks]

[training.before_update.callbacks.auxiliary_weight]
@callbacks = "spacy-finegrained-ner.auxiliary_weight.v1"
total_steps = ${training.max_steps}

[training.before_update.callbacks.auxiliary_weight.schedule]
@misc = "spacy-finegrained-ner.linear_decay.v1"
start = 1.0
residual = 0.0
until = 1.0
"""


def test_a_small_training_with_batcher_callbacks_and_logger(tmp_path):
    nlp = make_nlp(loss={"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.5})
    docs = [sentence_to_doc(nlp.vocab, sentence(text)) for text in SENTENCES]
    DocBin(docs=docs).to_disk(tmp_path / "data.spacy")
    config = nlp.config.merge(Config().from_str(CONFIG, interpolate=False))
    config["paths"] |= {"data": str(tmp_path / "data.spacy"), "log": str(tmp_path / "log.jsonl")}
    stdout = io.StringIO()
    train(init_nlp(config), stdout=stdout, stderr=io.StringIO())

    lines = stdout.getvalue().splitlines()
    assert "Length: 8 steps are 4.0 epochs of 5 texts: 2 steps an epoch, 2.5 texts a batch" in lines
    rows = [line.split() for line in lines[-3:]]
    assert [row[:2] for row in rows] == [["0", "0"], ["2", "4"], ["4", "8"]]
    assert [row[5] for row in rows] == ["1.00", "0.50", "0.00"]
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").open(encoding="utf-8")]
    assert [record["auxiliary_weights"] for record in records] == [
        {"finegrained_ner": 1.0},
        {"finegrained_ner": 0.5},
        {"finegrained_ner": 0.0},
    ]
    assert [record["learn_rate"] for record in records] == [0.01] * 3
    assert [record.get("recipe", {}).get("epochs") for record in records] == [4.0, None, None]
    assert "finegrained_ner_fine" not in records[0]["losses"], "w is 1"
    for record in records[1:]:
        for task in ("fine", "auxiliary"):
            # Of the size of one step: per token, and not the sum of four.
            assert 0 < record["losses"][f"finegrained_ner_{task}"] < 4
    assert records[-1]["losses"]["finegrained_ner"] < records[1]["losses"]["finegrained_ner"]
    assert records[-1]["scores"]["ents_per_type"]
