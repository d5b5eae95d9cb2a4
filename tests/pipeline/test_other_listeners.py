"""Listeners of other packages: those of spacy-curated-transformers, and of a kind of its own.

Like spaCy's they go on with zeros where nothing came.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import spacy
from encoders import tiny_bert
from listening import make_listening
from pipelines import HASH_EMBED, examples
from spacy.language import Language
from spacy.tokens import Doc
from spacy.tokens.underscore import Underscore
from test_retokenized import TEXT  # and its components
from thinc.api import Model, concatenate
from thinc.types import Ragged

NAME, WIDTH = "finegrained_ner", 8
NONE = r"'finegrained_ner' listens to a {kind} \('\*'\), but none has run on the text 'pelé in lyon"


class Foreign(Model):
    """A listener that has its vectors from a place of its own."""

    def __init__(self) -> None:
        super().__init__("foreign-listener", forward, dims={"nO": WIDTH}, attrs={"went_back": 0})
        self.upstream_name = "*"

    def receive(self, batch_id, outputs, backprop) -> None:
        """As the others have it."""


def curated() -> Model:
    """A listener as spacy-curated-transformers makes them: what marks it is in its attrs."""
    state = SimpleNamespace(batch_id=None, outputs=None, backprop=None)
    attrs = {"_TRANSFORMER_LISTENER": True, "_upstream_name": "*", "_state": state, "went_back": 0}
    return Model("last_transformer_layer_listener", forward, dims={"nO": WIDTH}, attrs=attrs)


def forward(model: Model, docs: list[Doc], is_train: bool):
    def backprop(gradients):
        model.attrs["went_back"] += 1
        return []

    if model.name == "foreign-listener":
        found = [doc.user_data.get("foreign") for doc in docs]
    else:
        found = [getattr(getattr(doc._, "trf_data", None), LAST, None) for doc in docs]
        found = [None if ragged is None else ragged.dataXd for ragged in found]
    zeros = [model.ops.alloc2f(len(doc), WIDTH) for doc in docs]
    return [
        zero if rows is None else rows for rows, zero in zip(found, zeros, strict=True)
    ], backprop


LAST = "last_hidden_layer_state"


def vectors_of(doc: Doc) -> np.ndarray:
    """Zeros for blanks, as the encoder of spacy-curated-transformers has them."""
    return np.array([[0.0 if t.is_space else 1.0 + t.i] * WIDTH for t in doc], "f")


@Language.component("foreign_encoder")
def foreign_encoder(doc):
    doc.user_data["foreign"] = vectors_of(doc)
    return doc


@Language.component("curated_encoder")
def curated_encoder(doc):
    if not Doc.has_extension("trf_data"):
        Doc.set_extension("trf_data", default=None)
    ragged = Ragged(vectors_of(doc), np.ones(len(doc), dtype="i"))
    doc._.trf_data = SimpleNamespace(**{LAST: ragged})
    return doc


BUILD = {
    "foreign": Foreign,
    "curated_transformer": curated,
    "both": lambda: concatenate(curated(), Foreign()),
}
spacy.registry.architectures("test_other_listeners.v1", func=lambda kind: BUILD[kind]())
KINDS = ["foreign", "curated_transformer"]


def make(kind: str) -> Language:
    """Initialized. Before the component there are the encoders of both kinds."""
    nlp = spacy.blank("en")
    nlp.add_pipe("foreign_encoder")
    nlp.add_pipe("curated_encoder", name="curated_transformer_encoder")
    listener = {"@architectures": "test_other_listeners.v1", "kind": kind}
    nlp.add_pipe(NAME, config={"model": {**HASH_EMBED, "tok2vec": listener}})
    nlp.initialize(lambda: examples(nlp))
    return nlp


def listeners(nlp: Language) -> list[Model]:
    nodes = nlp.get_pipe(NAME).model.walk()
    return [node for node in nodes if "went_back" in node.attrs]


@pytest.mark.parametrize("kind", KINDS)
def test_without_what_it_listens_to_it_is_told_not_fed_zeros(kind):
    nlp = make(kind)
    assert [len(doc) for doc in nlp.pipe(["pelé in lyon", "", " \n"])] == [3, 0, 1]
    nlp.disable_pipe(f"{kind}_encoder")
    message = NONE.format(kind=kind) + f"'.*Have an enabled {kind} before.*replace_listeners"
    with pytest.raises(ValueError, match=message):
        nlp("pelé in lyon")
    with pytest.raises(ValueError, match=message):
        list(nlp.pipe(["", "pelé in lyon"]))
    assert nlp("").text == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_blanks_may_have_zeros(kind):
    assert len(make(kind)(" \n ")) == 1


@pytest.mark.parametrize("missing", KINDS)
def test_of_two_listeners_each_is_looked_at(missing):
    nlp = make("both")
    assert len(nlp("pelé in lyon")) == 3
    nlp.disable_pipe(f"{missing}_encoder")
    with pytest.raises(ValueError, match=NONE.format(kind=missing)):
        nlp("pelé in lyon")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("component", "now"), [("split_ok", 8), ("merge_first_two", 6)])
def test_tokens_that_changed_are_told(kind, component, now):
    nlp = make(kind)
    nlp.add_pipe(component, before=NAME)
    message = rf"listens to a {kind}.*'ok serena.* it saw 7, and there are {now}.*merged or split"
    with pytest.raises(ValueError, match=message):
        nlp(TEXT)


def test_where_no_transformer_was_ever_made_there_is_no_attribute(monkeypatch):
    nlp = make("curated_transformer")
    nlp.disable_pipe("curated_transformer_encoder")
    monkeypatch.delitem(Underscore.doc_extensions, "trf_data", raising=False)
    with pytest.raises(ValueError, match=NONE.format(kind="curated_transformer")):
        nlp("pelé in lyon")


def test_vectors_that_another_kind_of_transformer_left_are_none(tmp_path):
    nlp = make_listening(tmp_path)
    nlp.initialize(lambda: examples(nlp))
    nlp.add_pipe("curated_encoder", before=NAME)
    with pytest.raises(ValueError, match=NONE.format(kind="transformer")):
        nlp("pelé in lyon")


def test_another_kind_of_transformer_in_between_is_told(tmp_path):
    nlp = make("curated_transformer")
    (listener,) = listeners(nlp)
    listener.attrs["_upstream_name"] = "curated_transformer_encoder"
    assert len(nlp("pelé in lyon")) == 3
    encoder = {
        "@architectures": "spacy-transformers.TransformerModel.v3",
        "name": str(tiny_bert(tmp_path)),
        "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
    }
    nlp.add_pipe("transformer", name="other", config={"model": encoder}, before=NAME)
    nlp.get_pipe("other").model.initialize()
    with pytest.raises(ValueError, match=r"'curated_transformer_encoder'.*'other' comes between"):
        nlp("pelé in lyon")


class Pipe:
    """What a listener gets is a function of its update."""

    def __init__(self, *listeners: Model) -> None:
        self.listeners = listeners

    def update(self):
        def backprop(gradients):
            return self

        return backprop


@pytest.mark.parametrize("others", [0, 1])
def test_of_a_batch_of_which_nothing_is_known_only_others_get_a_gradient(others):
    nlp = make("curated_transformer")
    (listener,) = listeners(nlp)
    state = listener.attrs["_state"]
    state.batch_id = state.outputs = 1
    state.backprop = Pipe(listener, *(curated() for _ in range(others))).update()
    nlp.update(examples(nlp, ["pelé/- in/- lyon/-"]))
    assert listener.attrs["went_back"] == others
    assert (state.batch_id is state.outputs is state.backprop is None) == (not others)


def test_where_nobody_can_tell_who_else_listens_the_gradient_goes_back():
    nlp = make("foreign")
    nlp.update(examples(nlp, ["pelé/- in/- lyon/-"]))
    assert listeners(nlp)[0].attrs["went_back"] == 1


@pytest.fixture(params=["LastTransformerLayerListener", "ScalarWeightingListener"])
def real(request, tmp_path) -> Language:
    """spacy-curated-transformers itself, which is not among the dependencies, on random weights."""
    pytest.importorskip("spacy_curated_transformers")
    prefix = "spacy-curated-transformers"
    model = {
        "@architectures": f"{prefix}.RobertaTransformer.v1",
        "piece_encoder": {"@architectures": f"{prefix}.CharEncoder.v1"},
        "with_spans": {"@architectures": f"{prefix}.WithStridedSpans.v1"},
        **{"vocab_size": 50, "hidden_width": 32, "intermediate_width": 64},
        **{"num_attention_heads": 2, "num_hidden_layers": 1, "max_position_embeddings": 130},
    }
    listener = {
        "@architectures": f"{prefix}.{request.param}.v1",
        "width": 32,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    if request.param == "ScalarWeightingListener":
        listener["weighting"] = {"@architectures": f"{prefix}.ScalarWeight.v1", "num_layers": 1}
    nlp = spacy.blank("en")
    settings = {"model": model, "all_layer_outputs": "weighting" in listener}
    nlp.add_pipe("curated_transformer", config=settings)
    nlp.add_pipe(NAME, config={"model": {**HASH_EMBED, "tok2vec": listener}})
    pieces = tmp_path / "pieces.txt"
    pieces.write_text("\n".join(["[CLS]", "[PAD]", "[SEP]", "[UNK]", *"abcdeghilmnoprstuvwy"]))
    loader = {"@model_loaders": f"{prefix}.CharEncoderLoader.v1", "path": str(pieces)}
    nlp.config["initialize"]["components"]["curated_transformer"] = {"piecer_loader": loader}
    nlp.initialize(lambda: examples(nlp))
    return nlp


def test_the_real_one_without_its_transformer_is_told(real):
    assert [len(doc) for doc in real.pipe(["pelé in lyon", "", " \n"])] == [3, 0, 1]
    with real.select_pipes(disable="curated_transformer"):
        for text in (real, lambda text: list(real.pipe(["", text]))):
            with pytest.raises(ValueError, match=NONE.format(kind="curated_transformer")):
                text("pelé in lyon")
    assert len(real("pelé in lyon")) == 3


def test_the_real_one_is_told_of_tokens_that_changed(real):
    real.add_pipe("merge_first_two", before=NAME)
    with pytest.raises(ValueError, match="it saw 7, and there are 6"):
        real(TEXT)


def test_the_real_one_with_the_encoder_of_its_own_needs_no_transformer(real):
    expected = real("pelé in lyon").to_json()
    real.replace_listeners("curated_transformer", NAME, ["model.tok2vec"])
    real.remove_pipe("curated_transformer")
    assert real("pelé in lyon").to_json() == expected


def test_the_real_one_lets_go_of_a_batch_of_which_nothing_is_known(real):
    nodes = real.get_pipe(NAME).model.walk()
    (state,) = (node.attrs["_state"] for node in nodes if "_state" in node.attrs)
    real.update(examples(real, ["pelé/- in/- lyon/-"]))
    assert state.batch_id is state.outputs is state.backprop is None
