"""What spaCy users do with a pipeline: every way gives what a plain call gives."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from listening import make_listening
from pipelines import SENTENCES, entities, examples, make_nlp, train
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import Adam

NAME = "finegrained_ner"
TEXTS = [
    "marie curie met pelé in lyon",
    "",
    "serena williams drinks green tea",
    " \n ",
    "nothing to see here",
    "is there green tea in lyon ?",
]
Result = list[list[tuple[str, str, str]]]


@pytest.fixture(scope="module", params=["own_tok2vec", "transformer"])
def saved(request, tmp_path_factory) -> Path:
    """A trained pipeline on disk, with a component besides that has nothing to do with it."""
    folder = tmp_path_factory.mktemp(request.param)
    nlp = make_listening(folder / "encoder") if request.param == "transformer" else make_nlp()
    nlp.add_pipe("sentencizer")
    losses = train(nlp, examples(nlp), 60)
    assert losses[NAME] < 0.1
    nlp.to_disk(folder / "model")
    return folder / "model"


def plain(nlp: Language) -> Result:
    return [entities(nlp(text)) for text in TEXTS]


def as_tuples(nlp: Language, _: Path) -> Result:
    pairs = list(nlp.pipe([(text, i) for i, text in enumerate(TEXTS)], as_tuples=True))
    assert [context for _, context in pairs] == list(range(len(TEXTS)))
    return [entities(doc) for doc, _ in pairs]


def by_hand(nlp: Language, _: Path) -> Result:
    """Each component called on its own, on Docs."""
    docs = [nlp.make_doc(text) for text in TEXTS]
    for _, component in nlp.pipeline:
        docs = list(component.pipe(docs, batch_size=4))
    return [entities(doc) for doc in docs]


def disabled_and_enabled(nlp: Language, _: Path) -> Result:
    nlp.disable_pipe(NAME)
    assert all(not doc.ents for doc in nlp.pipe(TEXTS))
    nlp.enable_pipe(NAME)
    return plain(nlp)


def selected(nlp: Language, _: Path) -> Result:
    with nlp.select_pipes(disable=["sentencizer"]):
        return plain(nlp)


def renamed(nlp: Language, folder: Path) -> Result:
    nlp.rename_pipe(NAME, "fine")
    before = plain(nlp)
    nlp.to_disk(folder)
    again = spacy.load(folder)
    assert again.get_pipe("fine").labels == nlp.get_pipe("fine").labels
    assert plain(again) == before
    return before


def sourced(nlp: Language, _: Path) -> Result:
    other = spacy.blank("en")
    for name in nlp.pipe_names:
        other.add_pipe(name, source=nlp)
    return plain(other)


def sourced_with_its_own_encoder(nlp: Language, folder: Path) -> Result:
    """Into a pipeline without a transformer, and saved from there."""
    if "transformer" in nlp.pipe_names:
        nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
    other = spacy.blank("en")
    other.add_pipe(NAME, source=nlp, name="fine")
    other.to_disk(folder)
    return plain(spacy.load(folder))


def averaged(nlp: Language, _: Path) -> Result:
    sgd = nlp.resume_training()
    with nlp.use_params(sgd.averages or {}):
        inside = plain(nlp)
    assert plain(nlp) == inside
    return inside


def from_config(nlp: Language, _: Path) -> Result:
    return plain(type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes()))


def in_a_memory_zone(nlp: Language, _: Path) -> Result:
    """Twice: the strings of the first zone are gone in the second."""
    found = []
    for _ in range(2):
        with nlp.memory_zone():
            found.append(plain(nlp))
    assert found[0] == found[1] == plain(nlp)
    return found[0]


WAYS = {
    "pipe": lambda nlp, _: [entities(doc) for doc in nlp.pipe(TEXTS, batch_size=4)],
    "pipe of docs": lambda nlp, _: [entities(d) for d in nlp.pipe(map(nlp.make_doc, TEXTS))],
    "as_tuples": as_tuples,
    "two forked processes": lambda nlp, _: [
        entities(doc) for doc in nlp.pipe(TEXTS, n_process=2, batch_size=2)
    ],
    "by hand": by_hand,
    "a Doc twice": lambda nlp, _: [entities(nlp(nlp(text))) for text in TEXTS],
    "disabled and enabled": disabled_and_enabled,
    "select_pipes": selected,
    "rename_pipe": renamed,
    "sourced": sourced,
    "sourced with its own encoder": sourced_with_its_own_encoder,
    "use_params": averaged,
    "from_config": from_config,
    "from_disk": lambda nlp, folder: [nlp.to_disk(folder), plain(nlp.from_disk(folder))][1],
    "pickle": lambda nlp, _: plain(pickle.loads(pickle.dumps(nlp))),
    "memory_zone": in_a_memory_zone,
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_what_a_plain_call_gives(saved, tmp_path, way):
    expected = plain(spacy.load(saved))
    assert sum(map(len, expected)) >= 6
    assert WAYS[way](spacy.load(saved), tmp_path) == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"exclude": ["sentencizer"]},
        {"disable": ["sentencizer"]},
        {"enable": ["transformer", NAME]},
    ],
    ids=str,
)
def test_loaded_without_the_others(saved, settings):
    assert plain(spacy.load(saved, **settings)) == plain(spacy.load(saved))


@pytest.mark.slow
def test_spawned_processes(saved, monkeypatch):
    """They get the pipeline pickled (macOS and Windows always spawn)."""
    import multiprocessing

    nlp = spacy.load(saved)
    monkeypatch.setattr(spacy.language, "mp", multiprocessing.get_context("spawn"))
    docs = nlp.pipe(TEXTS, n_process=2, batch_size=3)
    assert [entities(doc) for doc in docs] == plain(nlp)


@pytest.mark.parametrize("way", ["disk", "bytes", "pickle"])
def test_saved_before_initialize(tmp_path, way):
    nlp = make_nlp()
    if way == "disk":
        nlp.to_disk(tmp_path)
        again = spacy.load(tmp_path)
    elif way == "bytes":
        again = make_nlp().from_bytes(nlp.to_bytes())
    else:
        again = pickle.loads(pickle.dumps(nlp))
    assert train(again, examples(again), 40)[NAME] < 0.1


def test_update_loops_by_hand_and_resumed_training(saved):
    nlp = spacy.load(saved)
    data = examples(nlp, [*SENTENCES, "pelé/B-Athlete drinks/O tea/B-Drink in/O lyon/O"])
    sgd = nlp.resume_training()
    sgd.learn_rate = 0.01
    losses = [nlp.update(data, sgd=sgd)[NAME] for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0]
    assert ("tea", "Drink", "Product") in entities(nlp("pelé drinks tea in lyon"))


def test_rehearse_is_refused_where_spacy_would_do_nothing(saved):
    nlp = spacy.load(saved)
    with pytest.raises(NotImplementedError, match=rf"no rehearse.*exclude=\['{NAME}'\]"):
        nlp.rehearse(examples(nlp))
    nlp.rehearse(examples(nlp), exclude=[NAME])


def test_a_transformer_shared_with_another_component(tmp_path):
    """Both learn from it at once, and both are the same from disk."""
    nlp = make_listening(tmp_path / "encoder")
    listener = nlp.get_pipe_config(NAME)["model"]["tok2vec"]
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    nlp.add_pipe("tagger", config={"model": tagger})
    data = examples(nlp)
    for example in data:
        for token in example.reference:
            token.tag_ = "LONG" if len(token) > 4 else "SHORT"
    train(nlp, data, 0)
    sgd = Adam(0.002)
    losses = [nlp.update(data, sgd=sgd) for _ in range(100)]
    assert losses[-1][NAME] < 0.1 * losses[0][NAME]
    assert losses[-1]["tagger"] < 0.1 * losses[0]["tagger"]
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    assert plain(again) == plain(nlp)
    assert [t.tag_ for t in again("marie met pelé")] == ["LONG", "SHORT", "SHORT"]


FORK = """
import sys, spacy, torch
from spacy.language import Language

@Language.component("busy")
def busy(doc):
    torch.ones(2_000_000).exp_()  # enough for torch to take its threads
    return doc

torch.set_num_threads(2)
nlp = spacy.load(sys.argv[1])
nlp.add_pipe("busy", first=True)
texts = ["marie curie met pelé in lyon"] * 6
alone = [[e.label_ for e in nlp(text).ents] for text in texts]
print(alone == [[e.label_ for e in doc.ents] for doc in nlp.pipe(texts, n_process=2, batch_size=2)])
print(torch.get_num_threads())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked there")
@pytest.mark.parametrize("saved", ["transformer"], indirect=True)
def test_forked_processes_after_torch_has_started_threads(saved):
    """They would wait forever for threads that a fork does not have."""
    command = [sys.executable, "-W", "ignore", "-c", FORK, str(saved)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.split() == ["True", "2"]


def test_a_doc_of_another_vocab(saved):
    nlp = spacy.load(saved)
    doc = Doc(spacy.blank("de").vocab, words=TEXTS[0].split())
    assert entities(nlp(doc)) == entities(nlp(TEXTS[0]))
