"""One pipeline, many threads: prediction changes nothing. And processes that are forked from one
that has only loaded, only learned, or served."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import spacy
import torch
from encoders import tiny_bert
from pipelines import HASH_EMBED, SENTENCES, examples, make_nlp, train

from spacy_finegrained_ner.ml.encoder import NAME
from spacy_finegrained_ner.ml.forks import one_thread_in_forks

SPANS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 16, "stride": 12}
TEXTS = [text.replace("/", " ").lower() for text in SENTENCES] + ["green tea " * 20, "", "lyon ?"]


@pytest.fixture(scope="module")
def listening(tmp_path_factory):
    """With dropout everywhere, and weights that let it show."""
    folder = tmp_path_factory.mktemp("threads")
    nlp = spacy.blank("en")
    encoder = {"@architectures": NAME, "name": str(tiny_bert(folder / "encoder"))}
    encoder |= {"get_spans": SPANS, "layers": 2, "combine": "concatenate"}
    nlp.add_pipe("transformer", config={"model": encoder})
    nlp.add_pipe("finegrained_ner", config={"model": {"dropout": 0.5}})
    data = examples(nlp)
    nlp.initialize(lambda: data)
    return nlp


def replaced(nlp):
    again = pickle.loads(pickle.dumps(nlp))
    again.replace_listeners("transformer", "finegrained_ner", ["model.tok2vec"])
    again.remove_pipe("transformer")
    return again


def scores(nlp, text: str) -> np.ndarray:
    """Emissions, in which any difference shows."""
    doc = nlp.make_doc(text)
    for name, pipe in nlp.pipeline:
        if name != "finegrained_ner" and len(doc):
            doc = pipe(doc)
    (emissions,) = nlp.get_pipe("finegrained_ner").model.predict([doc])
    return emissions.tasks[0][0]


@pytest.mark.parametrize("place", ["listener", "its own encoder"])
def test_threads_see_what_one_sees(listening, place):
    nlp = listening if place == "listener" else replaced(listening)
    torch.set_num_threads(1)
    texts = [text for text in TEXTS if text] * 12
    alone = [scores(nlp, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: scores(nlp, text), texts))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_the_first_calls_of_all_may_come_from_threads(listening, tmp_path):
    """What is made at the first call (decoders, tag sets, warnings said once) is made by many."""
    listening.to_disk(tmp_path / "model")
    expected = [doc.to_json()["ents"] for doc in spacy.load(tmp_path / "model").pipe(TEXTS)]
    nlp = spacy.load(tmp_path / "model")
    start = Barrier(8)

    def annotate(_):
        start.wait()
        return [nlp(text).to_json()["ents"] for text in TEXTS]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(annotate, range(8))) == [expected] * 8


def test_the_traditional_crf_in_threads():
    pytest.importorskip("pycrfsuite")
    nlp = spacy.blank("en")
    nlp.add_pipe("crf_ner")
    data = examples(nlp)
    nlp.initialize(lambda: data)
    alone = [[ent.label_ for ent in nlp(text).ents] for text in TEXTS * 12]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda text: [ent.label_ for ent in nlp(text).ents], TEXTS * 12)
        assert list(together) == alone
    assert any(alone)


def test_cut_tokens_are_counted_by_all_threads_and_told_once(tmp_path):
    nlp = spacy.blank("en")
    encoder = {"@architectures": NAME, "name": str(tiny_bert(tmp_path / "encoder", max_length=16))}
    encoder |= {"get_spans": {**SPANS, "window": 128, "stride": 96}}
    nlp.add_pipe("transformer", config={"model": {**encoder, "layers": 1, "combine": "average"}})
    nlp.add_pipe("finegrained_ner")
    nlp.initialize(lambda: examples(nlp))
    pipe, text = nlp.get_pipe("finegrained_ner"), "tea " * 30
    with pytest.warns(UserWarning, match="beyond the longest input"):
        nlp(text)
    once = pipe.cut_tokens
    assert once > 0
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(nlp, [text] * 40))
    assert pipe.cut_tokens == 41 * once


FORK = """
import os, sys
import torch
torch.set_num_threads(2)
import spacy
from spacy.training import Example
nlp = spacy.load(sys.argv[1])
text = "serena williams drinks green tea"
if sys.argv[2] == "updated":
    nlp.update([Example.from_dict(nlp.make_doc(text), {"entities": [(23, 32, "Drink")]})])
if sys.argv[2] == "served":
    pid = os.fork()
    if not pid:
        nlp(text)
        os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
else:
    print(len(list(nlp.pipe([text] * 20, n_process=2, batch_size=8))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked there")
@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("loaded", "20"),
        pytest.param("updated", "20", marks=pytest.mark.slow),
        pytest.param("served", "7", marks=pytest.mark.slow),
    ],
)
def test_a_fork_may_be_the_first_thing_that_happens(listening, tmp_path, before, said):
    """Loading starts torch's threads, and a fork has none of them."""
    replaced(listening).to_disk(tmp_path / "model")
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "model"), before]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() == [said]


QUIET = """
import os, sys, spacy
nlp = spacy.load(sys.argv[1])
list(nlp.pipe(["lyon", "green tea"] * 4))
found = [len(doc) for doc in nlp.pipe(["green tea"] * 8, n_process=2, batch_size=2)]
print(len(found), os.environ.get("TOKENIZERS_PARALLELISM"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("given", [None, "true"])
def test_forked_workers_say_nothing_of_tokenizers(listening, tmp_path, given):
    """And what the user has set stays, but in them, which it would make wait forever."""
    replaced(listening).to_disk(tmp_path / "model")
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    if given is not None:
        environment["TOKENIZERS_PARALLELISM"] = given
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", QUIET, str(tmp_path / "model")],
        **{"capture_output": True, "text": True, "timeout": 120, "check": True},
        env=environment,
    )
    assert found.stdout.split() == ["8", str(given)]
    assert "tokenizers" not in found.stderr


def test_the_guard_of_forks_comes_with_the_component():
    one_thread_in_forks.cache_clear()
    make_nlp()
    assert one_thread_in_forks.cache_info().currsize == 1


def test_after_an_update_prediction_is_as_quiet_as_before():
    nlp = make_nlp(model=HASH_EMBED | {"dropout": 0.5})
    data = examples(nlp)
    train(nlp, data, 2)
    first, second = (scores(nlp, TEXTS[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
