"""The default config, with a tiny encoder in place of the pretrained one."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from encoders import tiny_bert
from pipelines import SENTENCES, entities, examples, sentence
from spacy.cli import app as spacy_app
from spacy.cli.train import train as spacy_train
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.util import load_config
from typer.testing import CliRunner

from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc

CONFIG = Path(__file__).parents[2] / "configs" / "default.cfg"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with data, an encoder, and what 40 steps of the default config made of them."""
    folder = tmp_path_factory.mktemp("run")
    overrides = write_data(folder)
    spacy_train(CONFIG, folder / "first", overrides=overrides)
    return folder, overrides


def write_data(folder: Path) -> dict:
    vocab = spacy.blank("en").vocab
    DocBin(docs=[sentence_to_doc(vocab, sentence(text)) for text in SENTENCES]).to_disk(
        folder / "data.spacy"
    )
    return {
        "paths.train": str(folder / "data.spacy"),
        "paths.dev": str(folder / "data.spacy"),
        "paths.encoder": str(tiny_bert(folder / "encoder")),
        "paths.taxonomy": "multiconer2",
        "training.max_steps": 40,
        "training.eval_frequency": 20,
        "training.optimizer.learn_rate.rate": 0.01,
        "components.finegrained_ner.model.dropout": 0.0,
    }


def test_it_learns_and_loads(run):
    nlp = spacy.load(run[0] / "first" / "model-best")
    assert nlp.meta["performance"]["ents_macro_f"] > 0.9
    assert set(nlp.meta["performance"]["ents_coarse_per_type"]) == {"Person", "Product", "Location"}
    assert ("green tea", "Drink", "Product") in entities(nlp("serena williams drinks green tea"))


def test_the_encoder_folder_is_not_needed_after_training(run, tmp_path):
    overrides = write_data(tmp_path)
    spacy_train(CONFIG, tmp_path / "out", overrides={**overrides, "training.max_steps": 1})
    before = spacy.load(tmp_path / "out" / "model-last")("marie curie")._.trf_data
    for file in (tmp_path / "encoder").iterdir():
        file.unlink()
    after = spacy.load(tmp_path / "out" / "model-last")("marie curie")._.trf_data
    np.testing.assert_array_equal(
        before.model_output.last_hidden_state, after.model_output.last_hidden_state
    )


def test_conll_files_train_as_they_are(run, tmp_path):
    (tmp_path / "train.conll").write_text(
        "\n\n".join(text.replace(" ", "\n").replace("/", " ") for text in SENTENCES) + "\n"
    )
    config = CONFIG.read_text()
    for part in ("train", "dev"):
        before = config.index(f"[corpora.{part}]")
        after = config.index("[", before + 1)
        reader = '@readers = "spacy-finegrained-ner.ConllCorpus.v1"\nlimit = 0'
        block = f"[corpora.{part}]\n{reader}\npath = ${{paths.{part}}}\n\n"
        config = config[:before] + block + config[after:]
    (tmp_path / "conll.cfg").write_text(config)
    paths = {f"paths.{part}": str(tmp_path / "train.conll") for part in ("train", "dev")}
    spacy_train(tmp_path / "conll.cfg", tmp_path / "out", overrides={**run[1], **paths})
    ours, theirs = (spacy.load(x / "model-last") for x in (tmp_path / "out", run[0] / "first"))
    assert ours.meta["performance"] == theirs.meta["performance"]


def test_same_seed_same_model_and_scores(run):
    folder, overrides = run
    spacy_train(CONFIG, folder / "second", overrides=overrides)
    spacy_train(CONFIG, folder / "third", overrides={**overrides, "system.seed": 1})
    first, second, third = (
        spacy.load(folder / x / "model-last") for x in ("first", "second", "third")
    )
    assert first.meta["performance"] == second.meta["performance"]

    def emissions(nlp):
        doc = next(nlp.pipe(["marie curie met pelé in lyon"]))
        return nlp.get_pipe("finegrained_ner").model.predict([doc])[0].tasks[0][0]

    np.testing.assert_array_equal(emissions(first), emissions(second))
    assert not np.allclose(emissions(first), emissions(third))


def test_the_config_is_complete():
    """As `spacy debug config` and `debug data` want it: filling adds and changes nothing."""
    config = load_config(CONFIG, interpolate=False)
    filled = spacy.util.load_model_from_config(config.copy(), auto_fill=True).config
    assert dict(filled) == dict(config)


@pytest.mark.parametrize("command", ["config", "data"])
def test_spacys_own_checks_pass(run, tmp_path, command):
    """`debug data` wants a hundred texts at least."""
    vocab = spacy.blank("en").vocab
    sentences = list(read_conll(EMBEDDED / "train.conll"))
    for part, some in (("train", sentences[:300]), ("dev", sentences[300:400])):
        docs = [sentence_to_doc(vocab, sentence) for sentence in some]
        DocBin(docs=docs).to_disk(tmp_path / f"{part}.spacy")
    paths = {
        "encoder": run[1]["paths.encoder"],
        "train": str(tmp_path / "train.spacy"),
        "dev": str(tmp_path / "dev.spacy"),
    }
    arguments = [word for name, path in paths.items() for word in (f"--paths.{name}", path)]
    result = CliRunner().invoke(spacy_app, ["debug", command, str(CONFIG), *arguments])
    assert result.exit_code == 0, result.output


def test_an_uninitialized_pipeline_can_be_saved_and_is_still_trainable(run, tmp_path):
    nlp = init_nlp(load_config(CONFIG, overrides=run[1], interpolate=False))
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    sgd = again.resume_training()
    losses = [again.update(examples(again), sgd=sgd)["finegrained_ner"] for _ in range(10)]
    assert losses[-1] < losses[0]


def test_tokens_and_docs_without_wordpieces(run):
    nlp = spacy.load(run[0] / "first" / "model-best")
    texts = ["", "\u200d", "marie \ufe0f curie", "\x07", " \n ", "marie curie"]
    docs = list(nlp.pipe(texts))
    assert [doc.text for doc in docs] == texts
    assert [entities(doc) for doc in docs] == [entities(nlp(text)) for text in texts]


def test_a_long_text_gets_a_tag_for_every_token(run):
    nlp = spacy.load(run[0] / "first" / "model-best")
    doc = nlp("marie curie met pelé in lyon . " * 100)
    assert len(doc) == 700
    assert all(token.ent_iob != 0 for token in doc)
    # Far apart, and cut into strided windows in between: found again and again.
    assert sum(ent.label_ == "Scientist" for ent in doc.ents) > 80


def test_replace_listeners_predicts_the_same(run, tmp_path):
    nlp = spacy.load(run[0] / "first" / "model-best")
    expected = [entities(nlp(text)) for text in ("marie curie met pelé in lyon", "green tea")]
    nlp.replace_listeners("transformer", "finegrained_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path / "model")
    for pipeline in (nlp, spacy.load(tmp_path / "model")):
        assert [
            entities(pipeline(text)) for text in ("marie curie met pelé in lyon", "green tea")
        ] == expected


def test_two_processes_predict_the_same(run):
    nlp = spacy.load(run[0] / "first" / "model-best")
    texts = ["marie curie met pelé in lyon", "green tea in lyon", ""] * 4
    expected = [entities(doc) for doc in nlp.pipe(texts)]
    assert [entities(doc) for doc in nlp.pipe(texts, n_process=2, batch_size=3)] == expected
