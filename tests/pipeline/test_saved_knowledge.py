"""Names are saved with the component, or beside it; and come back in each way that spaCy has."""

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import spacy
from knowing import facts, knowing, trained
from knowledge_names import NAMES, names_file
from pipelines import examples, make_nlp

from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.pipeline.growth import add_labels

TEXT = "marie curie met pelé in lyon"
TEXTS = [TEXT, "", "kestrel 4 is there green tea ?"]


@pytest.fixture(scope="module")
def nlp(tmp_path_factory):
    """With names that were added and removed."""
    nlp = trained(tmp_path_factory.mktemp("names") / "names")
    names = nlp.get_pipe("finegrained_ner").knowledge
    names.add("Kestrel 4", "laptop", ["Drink"])
    names.remove("Pelé")
    return nlp


def told(nlp) -> list:
    return [facts(doc) for doc in nlp.pipe(TEXTS)]


def known(nlp):
    return nlp.get_pipe("finegrained_ner").knowledge


@pytest.mark.parametrize("way", ["disk", "bytes", "pickle", "source"])
def test_saved_and_loaded_it_knows_the_same(nlp, tmp_path, way):
    if way == "disk":
        nlp.to_disk(tmp_path / "model")
        again = spacy.load(tmp_path / "model")
        assert known(again).file.path == tmp_path / "model/finegrained_ner/knowledge/names"
    elif way == "bytes":
        again = knowing(known(nlp).file.path).from_bytes(nlp.to_bytes())
        assert known(again).file.path is None
    elif way == "pickle":
        data = pickle.dumps(nlp.get_pipe("finegrained_ner"))
        assert known(nlp).file.to_bytes() not in data  # by its path
        again = pickle.loads(pickle.dumps(nlp))
    else:
        nlp.to_disk(tmp_path / "model")
        again = spacy.blank("en")
        again.add_pipe("finegrained_ner", source=spacy.load(tmp_path / "model"))
    assert told(again) == told(nlp)
    assert known(again).changes() == known(nlp).changes()
    # As long as there is no file, a pickle has all of it
    if way == "bytes":
        assert told(pickle.loads(pickle.dumps(again))) == told(nlp)


def test_two_processes_know_it(nlp):
    piped = list(nlp.pipe(TEXTS * 2, n_process=2, batch_size=2))
    assert [facts(doc) for doc in piped] == told(nlp) * 2


def test_inside_it_needs_nothing_else(nlp, tmp_path):
    names_file(tmp_path / "names")
    own = trained(tmp_path / "names", 5)
    own.to_disk(tmp_path / "model")
    before = told(own)
    (tmp_path / "names").unlink()
    moved = tmp_path / "moved"
    (tmp_path / "model").rename(moved)
    again = spacy.load(moved)
    assert told(again) == before
    again.to_disk(moved)  # onto itself
    assert told(spacy.load(moved)) == before
    again.to_disk(tmp_path / "third")
    assert told(spacy.load(tmp_path / "third")) == before


def test_outside_it_is_read_from_its_path(tmp_path):
    names_file(tmp_path / "names")
    own = trained(tmp_path / "names", 5, inside=False)
    known(own).add("Kestrel 4", "laptop", ["Drink"])
    own.to_disk(tmp_path / "model")
    assert not (tmp_path / "model/finegrained_ner/knowledge/names").exists()
    assert known(own).file.to_bytes() not in own.to_bytes()
    assert told(spacy.load(tmp_path / "model")) == told(own)
    assert told(knowing(tmp_path / "names", inside=False).from_bytes(own.to_bytes())) == told(own)

    (tmp_path / "names").rename(tmp_path / "elsewhere")
    with pytest.raises(
        ValueError, match=r"reads names from .*names, which is not there.*spacy\.load"
    ):
        spacy.load(tmp_path / "model")
    block = {"model": {"knowledge": {"path": str(tmp_path / "elsewhere")}}}
    again = spacy.load(tmp_path / "model", config={"components": {"finegrained_ner": block}})
    assert told(again) == told(own)
    # Other names, without retraining
    names_file(tmp_path / "elsewhere", [*NAMES, ("met", "player", ["web"])])
    again = spacy.load(tmp_path / "model", config={"components": {"finegrained_ner": block}})
    assert len(known(again).file) == len(known(own).file) + 1


def test_from_inside_to_outside(nlp, tmp_path):
    """A folder that was saved with names, and then without, holds none."""
    names_file(tmp_path / "names")
    for inside in (True, False):
        trained(tmp_path / "names", 1, inside=inside).to_disk(tmp_path / "model")
    assert os.listdir(tmp_path / "model/finegrained_ner/knowledge") == ["state"]


def test_a_damaged_file_is_told(nlp, tmp_path):
    nlp.to_disk(tmp_path / "model")
    path = tmp_path / "model/finegrained_ner/knowledge/names"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="it was cut or is damaged"):
        spacy.load(tmp_path / "model")
    path.unlink()
    shutil.rmtree(known(nlp).file.path.parent / "x", ignore_errors=True)
    block = {"model": {"knowledge": {"path": None}}}
    with pytest.raises(ValueError, match="reads names from no file at all, which is not there"):
        spacy.load(tmp_path / "model", config={"components": {"finegrained_ner": block}})


def test_before_it_is_initialized_it_is_saved_too(tmp_path):
    own = knowing(tmp_path / "names")
    own.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    knowing(tmp_path / "names").from_bytes(own.to_bytes())
    again.initialize(lambda: examples(again))
    assert known(again).file.path == tmp_path / "names"


def test_left_out_on_purpose(nlp, tmp_path):
    pipe = nlp.get_pipe("finegrained_ner")
    pipe.to_disk(tmp_path / "pipe", exclude=["knowledge", "vocab"])
    assert sorted(os.listdir(tmp_path / "pipe")) == ["cfg", "model"]
    pipe.to_disk(tmp_path / "with", exclude=["vocab"])
    again = knowing(known(nlp).file.path).get_pipe("finegrained_ner")
    again.from_disk(tmp_path / "with", exclude=["vocab", "knowledge"])
    with pytest.raises(ValueError, match="there is no knowledge"):
        again.knowledge  # noqa: B018


def test_what_knows_no_names_is_saved_as_before(tmp_path):
    own = make_nlp()
    own.initialize(lambda: examples(own))
    own.to_disk(tmp_path / "model")
    assert sorted(os.listdir(tmp_path / "model/finegrained_ner")) == ["cfg", "model"]
    assert [node.name for node in own.get_pipe("finegrained_ner").model.layers][1:] == ["tagger"]
    pipe = own.get_pipe("finegrained_ner")
    pipe.from_bytes(pipe.to_bytes())


def test_threads_see_names_that_are_added(nlp, tmp_path):
    """Eight threads predict while a ninth adds and removes: what each entity is told is as it was
    at one moment, and after `add` everybody knows."""
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    names = known(again)
    possible = []
    for change in (lambda: None, lambda: names.add("Pelé", "film")):
        change()
        possible.append(facts(again(TEXT)))
    names.remove("Pelé")

    def read(_):
        return facts(again(TEXT))

    def write(i):
        names.add("Pelé", "film") if i % 2 else names.remove("Pelé")

    with ThreadPoolExecutor(9) as pool:
        seen = [pool.submit(write if i % 5 == 0 else read, i) for i in range(200)]
        results = [one.result() for one in seen]
    assert all(result in possible for result in results if result is not None)
    names.add("Pelé", "film")
    assert facts(again(TEXT)) == possible[1]


def test_a_head_with_names_takes_no_more_labels(tmp_path):
    """What it reads of names are the types that it was trained with."""
    names_file(tmp_path / "names", [*NAMES, ("met", "VisualWork", ["web"])])
    nlp = trained(tmp_path / "names", 5)
    pipe = nlp.get_pipe("finegrained_ner")
    before, labels = told(nlp), pipe.labels
    with pytest.raises(ValueError, match=r"reads names .*Train anew with all types"):
        add_labels(pipe, ["VisualWork"], read_taxonomy())
    assert pipe.labels == labels
    assert told(nlp) == before
    add_labels(pipe, labels, read_taxonomy())  # none of them is new
    assert told(nlp) == before
