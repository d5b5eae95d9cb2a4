"""A batch of which nothing is known: nothing moves or decays, in head and encoder."""

import copy
import pickle

import pytest
import spacy
import torch
from encoders import tiny_bert
from pipelines import LINEAR, examples, make_nlp
from spacy.language import Language
from spacy.training import Example
from spacy.util import load_model_from_config
from thinc.api import fix_random_seed

from spacy_finegrained_ner.data.gold import label_only
from spacy_finegrained_ner.ml.encoder import NAME as LAYERS
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

NAME = "finegrained_ner"
UNKNOWN = ["pelé/- in/- lyon/-", "nobody/- knows/-"]


def with_encoder(folder, other: bool = False) -> Language:
    """other: another component listens, too."""
    nlp = spacy.blank("en")
    spans = {"@span_getters": "spacy-transformers.doc_spans.v1"}
    encoder = {
        "@architectures": LAYERS, "name": str(tiny_bert(folder)), "get_spans": spans,
        "layers": 1, "combine": "concatenate",
    }  # fmt: skip
    nlp.add_pipe("transformer", config={"model": encoder})
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_mean.v1"},
        "grad_factor": 1.0,
    }
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    if other:
        nlp.add_pipe("tagger", config={"model": tagger})
    nlp.add_pipe(NAME, config={"model": {"dropout": 0.0, "blending": None}})
    return nlp


def parameters(nlp: Language) -> dict[str, torch.Tensor]:
    """Of all torch modules and thinc layers of the pipeline."""
    found = {}
    for name, pipe in nlp.pipeline:
        for i, node in enumerate(pipe.model.walk()):
            for param in node.param_names:
                if node.has_param(param):
                    found[f"{name} {i} {param}"] = torch.from_numpy(node.get_param(param).copy())
            for shim in node.shims:
                for param, value in shim._model.named_parameters():
                    found[f"{name} {i} {param}"] = value.detach().clone()
    return found


def moved(nlp: Language, data: list[Example], optimizer, parts: int = 1) -> set[str]:
    """The names of the parameters that a step on the data changes."""
    before = parameters(nlp)
    size = -(-len(data) // parts)
    for part in range(parts):
        nlp.update(data[part * size :][:size], sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    optimizer.step_schedules()
    return {name for name, value in parameters(nlp).items() if not torch.equal(value, before[name])}


def begun(nlp: Language, **settings):
    """After two steps of learning, so that there are moments."""
    fix_random_seed(0)
    data = examples(nlp)
    if "tagger" in nlp.pipe_names:
        for example in data:
            for token in example.reference:
                token.tag_ = "ABC"[len(token) % 3]
    nlp.initialize(lambda: data)
    optimizer = build_adamw_v1(1e-2, weight_decay=0.1, **settings)
    for _ in range(2):
        assert moved(nlp, data, optimizer)
    return data, optimizer


@pytest.mark.parametrize("kind", ["own_tok2vec", "linear", "transformer", "own_encoder"])
def test_nothing_moves(kind, tmp_path):
    if kind == "own_tok2vec":
        nlp = make_nlp()
    elif kind == "linear":
        nlp = make_nlp(model=LINEAR)
    else:
        nlp = with_encoder(tmp_path)
    if kind == "own_encoder":
        data = examples(nlp)
        nlp.initialize(lambda: data)
        nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    data, optimizer = begun(nlp)
    unknown = examples(nlp, UNKNOWN)
    losses = nlp.update(unknown, sgd=False)
    for node in nlp.get_pipe(NAME).model.walk():
        if node.name == "transformer-listener":  # does not hold on to what nobody learns from
            assert node._outputs is node._backprop is None
    assert losses[NAME] == losses[f"{NAME}_fine"] == losses[f"{NAME}_auxiliary"] == 0.0
    nlp.get_pipe(NAME).finish_update(optimizer)
    for texts in (unknown, examples(nlp, ["pelé/-"]), [nlp_example(nlp, "")]):
        assert moved(nlp, texts, optimizer) == set()
    # Two parts of a step, of which something is known of one
    assert moved(nlp, [*data[:1], *unknown[:1]], optimizer, parts=2)
    assert moved(nlp, [*unknown[:1], *data[:1]], optimizer, parts=2)
    assert moved(nlp, unknown, optimizer, parts=2) == set()


def nlp_example(nlp: Language, text: str) -> Example:
    return Example(nlp.make_doc(text), nlp.make_doc(text))


def test_what_is_known_of_one_task_alone_moves_that_head_alone():
    """That no Athlete is there says nothing of persons."""
    nlp = make_nlp(auxiliary_weight=0.5)
    _, optimizer = begun(nlp)
    (example,) = examples(nlp, ["tea/O"])
    label_only(example.reference, ["Drink", "HumanSettlement"])
    assert {name.split(".")[1] for name in moved(nlp, [example], optimizer) if "head" in name} >= {
        "fine", "auxiliary"
    }  # fmt: skip
    # Each coarse type may still be right, but not each fine one
    label_only(example.reference, ["Athlete"])
    found = {name.split(".")[1] for name in moved(nlp, [example], optimizer) if "head" in name}
    assert "fine" in found
    assert "auxiliary" not in found


@pytest.mark.parametrize("way", ["sourced", "copied", "pickled"])
def test_nothing_moves_in_a_pipeline_that_was_put_together_or_copied(way, tmp_path):
    nlp = with_encoder(tmp_path / "encoder")
    data, optimizer = begun(nlp)
    if way == "sourced":
        nlp.to_disk(tmp_path / "model")
        config = nlp.config.copy()
        source = {"source": str(tmp_path / "model")}
        config["components"] = {name: dict(source) for name in nlp.pipe_names}
        nlp = load_model_from_config(config, auto_fill=True)
    else:
        nlp = copy.deepcopy(nlp) if way == "copied" else pickle.loads(pickle.dumps(nlp))
    data = examples(nlp)
    assert moved(nlp, data, optimizer)
    assert moved(nlp, examples(nlp, UNKNOWN), optimizer) == set()


def test_others_that_listen_to_the_encoder_still_learn(tmp_path):
    nlp = with_encoder(tmp_path, other=True)
    assert nlp.pipe_names[-1] == NAME  # the last one passes on the gradients of all
    data, optimizer = begun(nlp)
    for example in data:
        example.reference.set_ents([], default="missing")
    found = moved(nlp, data, optimizer)
    assert {name.split()[0] for name in found} == {"transformer", "tagger"}
    assert not any("head" in name for name in found)
