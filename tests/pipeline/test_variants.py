"""Every combination of head, blending and place trains, predicts, and survives the disk."""

import numpy as np
import pytest
import spacy
from pipelines import HASH_EMBED, SENTENCES, examples, make_nlp
from thinc.api import Adam, fix_random_seed

BILSTM = {"@layers": "spacy-finegrained-ner.BiLSTM.v1", "width": 8, "layers": 1, "dropout": 0.0}
KINDS = {
    "concatenate": {"@layers": "spacy-finegrained-ner.blend_concatenate.v1", "window": 1},
    "average": {"@layers": "spacy-finegrained-ner.blend_average.v1", "window": 2, "learned": False},
    "learned": {"@layers": "spacy-finegrained-ner.blend_average.v1", "window": 1, "learned": True},
    "gated": {"@layers": "spacy-finegrained-ner.blend_gated.v1", "window": 1},
}
BLENDINGS = {"none": None} | {
    f"{kind}-{place}": {**config, "place": place}
    for kind, config in KINDS.items()
    for place in ("vectors", "sequence", "emissions")
}


TEXTS = [text.replace("/", " ") for text in SENTENCES]


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


def model(decoder: str, sequence: str, blending: str) -> dict:
    return HASH_EMBED | {
        "decoder": decoder,
        "sequence": BILSTM if sequence == "bilstm" else None,
        "blending": BLENDINGS[blending],
    }


def learn(pipe, data) -> list[float]:
    """RETURNS: the losses of a few steps."""
    fix_random_seed(0)
    pipe.initialize(lambda: data)
    sgd = Adam(0.03)
    return [pipe.update(data, sgd=sgd)[pipe.name] for _ in range(4)]


def same_predictions(pipe, again, docs):
    (ours,), (theirs,) = (p.model.predict(docs) for p in (pipe, again))
    assert len(ours.tasks) == len(theirs.tasks) == 1
    for one, other in zip(ours.tasks[0], theirs.tasks[0], strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(pipe.predict(docs), again.predict(docs), strict=True):
        assert one == other


@pytest.mark.parametrize("blending", BLENDINGS)
@pytest.mark.parametrize("sequence", ["bilstm", "none"])
@pytest.mark.parametrize("decoder", ["crf", "linear"])
def test_trains_predicts_and_is_the_same_from_disk(decoder, sequence, blending, nlp, tmp_path):
    config = {"model": model(decoder, sequence, blending)}
    pipe, again = (nlp.create_pipe("finegrained_ner", config=config) for _ in range(2))
    losses = learn(pipe, examples(nlp))
    assert losses[-1] < 0.9 * losses[0]
    pipe.to_disk(tmp_path / "pipe")
    again.from_disk(tmp_path / "pipe")
    same_predictions(pipe, again, [nlp.make_doc(text) for text in TEXTS])


@pytest.mark.parametrize(
    ("decoder", "sequence", "blending"),
    [
        ("crf", "bilstm", "learned-emissions"),
        ("crf", "none", "gated-vectors"),
        ("linear", "bilstm", "concatenate-sequence"),
        ("linear", "none", "none"),
    ],
)
def test_spacy_load_finds_the_parts_in_the_config(decoder, sequence, blending, tmp_path):
    nlp = make_nlp(model=model(decoder, sequence, blending))
    pipe = nlp.get_pipe("finegrained_ner")
    learn(pipe, examples(nlp))
    nlp.to_disk(tmp_path / "model")
    again = spacy.load(tmp_path / "model")
    docs = [again.make_doc(text) for text in TEXTS]
    same_predictions(pipe, again.get_pipe("finegrained_ner"), docs)
    block = again.config["components"]["finegrained_ner"]["model"]
    assert {key: block[key] for key in ("decoder", "sequence", "blending")} == {
        "decoder": decoder,
        "sequence": BILSTM if sequence == "bilstm" else None,
        "blending": BLENDINGS[blending],
    }
