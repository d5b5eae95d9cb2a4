"""The same again, broken numbers, and memory."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import spacy
from listening import make_listening
from pipelines import examples, make_nlp, train
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import load_config
from thinc.api import Adam, fix_random_seed
from thinc.compat import has_cupy_gpu

NAME = "finegrained_ner"
CONFIGS = Path(__file__).parents[2] / "configs"


def module(nlp):
    return nlp.get_pipe(NAME).model.get_ref("tagger").shims[0]._model


def make(kind: str, folder: Path):
    return make_listening(folder) if kind == "transformer" else make_nlp()


def learned(kind: str, folder: Path, seed: int) -> dict[str, np.ndarray]:
    nlp = make(kind, folder)
    fix_random_seed(seed)
    data = examples(nlp)
    nlp.initialize(lambda: data)
    sgd = Adam(0.01)
    for _ in range(3):
        nlp.update(data, sgd=sgd, drop=0.2)
    return {name: p.detach().numpy() for name, p in module(nlp).named_parameters()}


@pytest.mark.parametrize("kind", ["own tok2vec", "transformer"])
def test_the_same_seed_gives_the_same_model(kind, tmp_path):
    first, second, other = (
        learned(kind, tmp_path / str(i), seed) for i, seed in enumerate([0, 0, 1])
    )
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert not np.allclose(first["head.fine.emissions.weight"], other["head.fine.emissions.weight"])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("parameter", ["emissions.bias", "crf.transitions"])
def test_broken_weights_stop_the_training_and_name_the_batch(value, parameter):
    nlp = make_nlp()
    data = examples(nlp)
    train(nlp, data, 1)
    dict(module(nlp).named_parameters())[f"head.fine.{parameter}"].data.view(-1)[1] = value
    before = nlp.get_pipe(NAME).model.to_bytes()
    message = (
        r"loss of 'finegrained_ner' is not finite.* batch \['marie curie met.*'nothing to see here "
        r"'\]\. Load an earlier checkpoint; then train with a lower learning rate"
    )
    with pytest.raises(ValueError, match=message):
        nlp.update(data, sgd=Adam(0.01))
    assert nlp.get_pipe(NAME).model.to_bytes() == before, "no step was made"


def test_a_training_that_diverges_stops():
    nlp = make_nlp()
    data = examples(nlp, ["marie/B-Scientist met/O"] * 10)
    nlp.initialize(lambda: data)
    sgd = Adam(1e38, grad_clip=0.0)

    def go_on() -> None:
        for _ in range(20):
            nlp.update(data, sgd=sgd)

    with pytest.raises(ValueError, match=r"not finite.*at or before the batch .* and 2 more"):
        go_on()


def test_after_an_error_the_pipeline_goes_on(tmp_path):
    """A batch with a wrong label leaves nothing behind in the listener."""
    nlp = make_listening(tmp_path)
    data = examples(nlp)
    train(nlp, data, 40)
    expected = nlp(data[0].text).to_json()
    doc = nlp.make_doc("ibm hired pelé")
    with pytest.raises(ValueError, match="'PublicCorp' at token 0"):
        nlp.update([Example.from_dict(doc, {"entities": [(0, 3, "PublicCorp")]})])
    assert nlp(data[0].text).to_json() == expected
    assert nlp.update(data, sgd=Adam(0.0001))[NAME] < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["own tok2vec", "transformer"])
def test_memory_stays_flat_over_a_long_pipe(kind, tmp_path):
    """100,000 short texts. The transformer's vectors are held by the Docs, and go with them."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("reads the memory of the process where Linux has it")

    def resident() -> int:
        return int(statm.read_text().split()[1])

    nlp = make(kind, tmp_path)
    nlp.initialize(lambda: examples(nlp))
    texts = ("marie curie met pelé in lyon", "green tea", "nothing to see here ?", "")
    early = late = 0
    for i, _ in enumerate(nlp.pipe(texts[i % 4] for i in range(100_000))):
        if i == 10_000:
            early = resident()
        elif i > 10_000 and i % 1000 == 0:
            late = max(late, resident())
    assert late < 1.05 * early


def training_config(folder: Path, **training) -> Path:
    """A complete config on a tok2vec of its own, and its data."""
    nlp = make_nlp()
    DocBin(docs=[eg.reference for eg in examples(nlp)]).to_disk(folder / "data.spacy")
    config = load_config(CONFIGS / "tok2vec.cfg")
    config["paths"] |= {part: str(folder / "data.spacy") for part in ("train", "dev")}
    config["training"] |= training
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
    config.to_disk(folder / "config.cfg")
    return folder / "config.cfg"


def test_spacy_train_stops_where_the_loss_is_not_finite(tmp_path):
    """At a rate that breaks the weights; the model saved before that is as it was."""
    config = training_config(tmp_path, max_steps=50, eval_frequency=1000)
    rate = {"@schedules": "constant_then.v1", "rate": 0.001, "steps": 3}
    rate["schedule"] = {"@schedules": "constant.v1", "rate": 1e38}
    loaded = load_config(config)
    loaded["training"]["optimizer"]["learn_rate"] = rate
    loaded.to_disk(config)
    with pytest.raises(ValueError, match=r"not finite.* the batch \['.*Load an earlier checkpoint"):
        spacy_train(config, tmp_path / "out")
    assert len(spacy.load(tmp_path / "out" / "model-best")("marie curie")) == 2


@pytest.mark.skipif(has_cupy_gpu, reason="there is a GPU")
def test_a_gpu_that_is_not_there(tmp_path):
    """spaCy's own words, before anything of ours runs."""
    with pytest.raises(ValueError, match=r"Cannot use GPU|No GPU devices"):
        spacy_train(training_config(tmp_path, max_steps=2), tmp_path / "out", use_gpu=0)


@pytest.mark.slow
def test_killed_at_any_point_a_run_leaves_a_model_that_loads(tmp_path):
    """spaCy writes model-last first and then copies it to model-best: one of them is whole."""
    config = training_config(tmp_path, max_steps=10_000, eval_frequency=1)
    command = [sys.executable, "-m", "spacy", "train", str(config), "--output"]
    for attempt in range(6):
        out = tmp_path / str(attempt)
        process = subprocess.Popen([*command, str(out)], stdout=subprocess.DEVNULL)
        while not (out / "model-best" / "meta.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.5 + 0.0137 * attempt)  # most of the time goes into saving
        process.kill()
        process.wait()
        whole = []
        for name in ("model-last", "model-best"):
            try:
                nlp = spacy.load(out / name)
            except Exception:  # the one that was being written, broken in whatever way
                continue
            whole.append(name)
            assert [doc.text for doc in nlp.pipe(["marie curie"])] == ["marie curie"]
        assert whole, attempt
