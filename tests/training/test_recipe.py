"""What a training is made of is told before it begins; how long an epoch is, once it is known."""

from collections import Counter

import pytest
import spacy
from pipelines import SENTENCES, make_nlp, sentence
from spacy.tokens import Doc, DocBin
from thinc.api import Config

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.training.rates import LearnRates
from spacy_finegrained_ner.training.recipe import Epochs, length_told, make_recipe, told, with_steps

CONFIG = """
[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = "unknown"
limit = 0

[training]
train_corpus = "corpora.train"
max_steps = 1200
max_epochs = 0

[training.batcher]
@batchers = "spacy-finegrained-ner.batch_by_length.v1"
size = 3
buffer = 8
max_padded = 0

[training.optimizer]
@optimizers = "spacy-finegrained-ner.AdamW.v1"
weight_decay = 0.01

[training.optimizer.learn_rate]
@schedules = "spacy-finegrained-ner.warmup_linear.v1"
rate = 0.5
warmup = 0.1
total_steps = ${training.max_steps}

[training.optimizer.groups]

[training.optimizer.groups.head]
pattern = "^head"
factor = 10.0

[training.optimizer.groups.crf]
pattern = "transitions|start|end"
schedule = 0.25
weight_decay = 0.0

[training.before_update]
@callbacks = "spacy-finegrained-ner.chain.v1"

[training.before_update.callbacks]

[training.before_update.callbacks.w]
@callbacks = "spacy-finegrained-ner.auxiliary_weight.v1"
component = "finegrained_ner"
total_steps = ${training.max_steps}

[training.before_update.callbacks.w.schedule]
@misc = "spacy-finegrained-ner.linear_decay.v1"
residual = 0.2
"""


@pytest.fixture(scope="module")
def nlp():
    nlp = make_nlp(loss={"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.5})
    docs = [sentence_to_doc(nlp.vocab, sentence(text)) for text in SENTENCES]
    nlp.initialize(lambda: [spacy.training.Example(doc.copy(), doc) for doc in docs])
    return nlp


@pytest.fixture
def corpus(tmp_path):
    vocab = spacy.blank("en").vocab
    texts = [Doc(vocab, words=["a"] * (1 + i % 3)) for i in range(20)]
    DocBin(docs=[*texts, Doc(vocab)]).to_disk(
        tmp_path / "a.spacy"
    )  # an empty one is not trained on
    return tmp_path


def recipe(nlp, **overrides):
    config = nlp.config.merge(Config().from_str(CONFIG, overrides=overrides, interpolate=False))
    interpolated = Config(config).interpolate()
    return make_recipe(nlp, interpolated, LearnRates(interpolated["training"]["optimizer"]))


def sizes(nlp) -> Counter[str]:
    """Of the parameters, by the group that they belong to."""
    found: Counter[str] = Counter()
    for node in nlp.get_pipe("finegrained_ner").model.walk():
        found["(others)"] += sum(node.get_param(name).size for name in node.param_names)
        for shim in node.shims:
            for name, parameter in shim._model.named_parameters():
                crf = any(word in name for word in ("transitions", "start", "end"))
                head = "head" if name.startswith("head") else "(others)"
                found["crf" if crf else head] += parameter.numel()
    return found


def test_a_recipe_line_by_line(nlp, corpus):
    size = sizes(nlp)
    assert min(size.values()) > 0
    made = recipe(nlp, **{"corpora.train.path": str(corpus)})
    rate = "warmup_linear.v1(rate = 0.5, warmup = 0.1, total_steps = 1200)"
    # 8, 8 and 4 texts in batches of up to 3
    assert list(told(made)) == [
        f"Parameters: finegrained_ner {size.total():,}",
        f"Optimizer, crf: {size['crf']:,} parameters, rate 0.25, weight decay 0.0",
        f"Optimizer, head: {size['head']:,} parameters, rate 10 x {rate}, weight decay 0.01",
        f"Optimizer, (others): {size['(others)']:,} parameters, rate {rate}, weight decay 0.01",
        "Length: 1,200 steps are 150.0 epochs of 20 texts: 8 steps an epoch, 2.5 texts a batch",
        "Loss of finegrained_ner: interpolated.v1(scale = 1.5); "
        "w: 1 to 0.2, linear_decay.v1(residual = 0.2)",
    ]


@pytest.mark.parametrize(
    ("overrides", "texts", "steps"),
    [
        ({"corpora.train.limit": 5}, 5, 2),
        ({"training.batcher.buffer": 64, "training.batcher.size": 64}, 20, 1),
        ({"training.batcher.max_padded": 9}, 20, None),
        ({"corpora.train.@readers": "some.Corpus.v1"}, None, None),
    ],
)
def test_texts_and_batches_are_told_where_they_are_known(nlp, corpus, overrides, texts, steps):
    made = recipe(nlp, **{"corpora.train.path": str(corpus), **overrides})
    assert (made["texts"], made["steps_per_epoch"]) == (texts, steps)
    assert made["epochs"] == (None if steps is None else 1200 / steps)
    assert ("the run will tell" in length_told(made)) == (steps is None)


def test_a_run_with_an_open_end_has_no_number_of_epochs():
    made = with_steps({"max_steps": 0, "max_epochs": 0, "texts": 20}, 8)
    assert (made["batch"], made["epochs"], made["steps"], made["ends_at"]) == (2.5, *[None] * 3)
    assert length_told(made).startswith("Length: an open end;")


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "ends", "said"),
    [
        (
            1200,
            5,
            (40, 5, "max_epochs"),
            "40 steps are 5.0 epochs of 20 texts (max_epochs ends it)",
        ),
        (0, 5, (40, 5, "max_epochs"), "40 steps are 5.0 epochs of 20 texts (max_epochs ends it)"),
        (20, 5, (20, 2.5, "max_steps"), "20 steps are 2.5 epochs of 20 texts: "),
        (1200, -1, (1200, 150, "max_steps"), "1,200 steps are 150.0 epochs of 20 texts: "),
    ],
)
def test_a_run_ends_at_whichever_comes_first(max_steps, max_epochs, ends, said):
    made = with_steps({"max_steps": max_steps, "max_epochs": max_epochs, "texts": 20}, 8)
    assert (made["steps"], made["epochs"], made["ends_at"]) == ends
    assert length_told(made).startswith(f"Length: {said}")


def test_the_bounds_are_those_of_the_config(nlp, corpus):
    made = recipe(nlp, **{"corpora.train.path": str(corpus), "training.max_epochs": 5})
    assert (made["steps"], made["ends_at"]) == (40, "max_epochs")


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "said"),
    [
        (40, 5, "40 steps, or 5 epochs if that is sooner; the run will tell how many epochs"),
        (0, 5, "5 epochs; the run will tell how many steps"),
        (40, 0, "40 steps; the run will tell how many epochs"),
    ],
)
def test_before_an_epoch_is_known_both_ends_are_told(max_steps, max_epochs, said):
    made = with_steps({"max_steps": max_steps, "max_epochs": max_epochs, "texts": None}, None)
    assert length_told(made) == f"Length: {said} that are"
    assert made["steps"] is made["epochs"] is made["ends_at"] is None


@pytest.mark.parametrize("steps", [1, 7, 100])
@pytest.mark.parametrize("every", [1, 10, 33])
def test_an_epoch_is_measured_by_the_evaluations(steps, every):
    epochs, found = Epochs(), None
    for step in range(0, 30 * steps + every, every):
        found = found or epochs.add(step, step // steps)
    assert found == pytest.approx(steps, rel=0.1)


def test_an_epoch_that_has_not_ended_has_no_length():
    epochs = Epochs()
    assert [epochs.add(step, 0) for step in range(0, 100, 10)] == [None] * 10


def test_the_rates_are_those_of_the_steps():
    settings = {
        "learn_rate": [0.1, 0.2],
        "groups": {
            "own": {
                "pattern": "a",
                "schedule": {"@schedules": "decaying.v1", "base_rate": 1.0, "decay": 1.0},
            },
            "times": {"pattern": "b", "factor": 3.0},
        },
    }
    rates = LearnRates(settings)
    assert [rates.at(step) for step in (0, 1, 3)] == [
        pytest.approx({None: 0.1, "own": 1.0, "times": 0.3}),
        pytest.approx({None: 0.2, "own": 0.5, "times": 0.6}),
        pytest.approx({None: 0.2, "own": 0.25, "times": 0.6}),  # the last of a list stays
    ]
