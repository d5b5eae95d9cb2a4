"""What is frozen does not change, gets no gradient and ends the backward pass; the rest trains."""

from pathlib import Path

import encoders
import pytest
import spacy
import torch
from encoders import TEXTS, examples
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train

from spacy_finegrained_ner.training.callbacks import build_chain_v1
from spacy_finegrained_ner.training.freezing import build_freeze_v1, frozen_parts
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

DEPTH = 3  # of the tiny encoders
CLASSES = ("bert", "roberta", "xlm_roberta", "deberta")
STOCK = {"@architectures": "spacy-transformers.TransformerModel.v3"}
LAYERS = {
    "@architectures": "spacy-finegrained-ner.TransformerLayers.v1",
    "layers": 2,
    "combine": "concatenate",
}


CASES = {f"{name}-stock": (name, STOCK) for name in CLASSES}
CASES |= {f"{name}-layers": (name, LAYERS) for name in ("bert", "deberta")}
every_encoder = pytest.mark.parametrize(("name", "architecture"), CASES.values(), ids=CASES.keys())


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    return {
        name: getattr(encoders, f"tiny_{name}")(folder / name, layers=DEPTH) for name in CLASSES
    }


def make_nlp(folder, architecture=STOCK):
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}
    return encoders.make_nlp({**architecture, "name": str(folder), "get_spans": spans})


def transformer(nlp):
    return nlp.get_pipe("transformer").model.transformer


def weights(nlp):
    return {name: p.detach().clone() for name, p in transformer(nlp).named_parameters()}


def changed(nlp, before) -> set[str]:
    return {
        name
        for name, p in transformer(nlp).named_parameters()
        if not torch.equal(p.detach(), before[name])
    }


def run(nlp, freeze, steps, first=0, sgd=None):
    """Steps as `spacy train` takes them. RETURNS: the loss of the last one.

    `nlp.update(sgd=sgd)` would use the gradient of the encoder one step late.
    """
    sgd = build_adamw_v1(0.01, weight_decay=0.1) if sgd is None else sgd
    for step in range(first, first + steps):
        freeze(nlp, {"step": step, "epoch": 0})
        losses = nlp.update(examples(nlp), sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(sgd)
    return losses["tagger"]


def part(name: str) -> int:
    """0 for what is outside of the layers, else the number of the layer, from 1."""
    words = name.split(".")
    return int(words[words.index("layer") + 1]) + 1 if "layer" in words else 0


def trainable(nlp) -> set[str]:
    """All but the pooler, whose output nobody uses."""
    return {name for name in weights(nlp) if not name.startswith("pooler")}


@every_encoder
@pytest.mark.parametrize("layers", [-1, 0, 2, DEPTH, None], ids=str)
def test_what_is_frozen_stays_bit_equal_and_the_rest_trains(folders, name, layers, architecture):
    """Without a callback (-1) everything changes, or the others would prove nothing."""
    nlp = make_nlp(folders[name], architecture)
    before = weights(nlp)
    run(nlp, (lambda nlp, info: None) if layers == -1 else build_freeze_v1(layers=layers), 2)
    free = {x for x in trainable(nlp) if layers is not None and part(x) > layers}
    assert changed(nlp, before) == free
    for x, parameter in transformer(nlp).named_parameters():
        assert parameter.grad is None or x in free


@pytest.mark.parametrize("architecture", [STOCK, LAYERS], ids=["stock", "layers"])
def test_a_frozen_encoder_trains_the_head(folders, architecture):
    nlp = make_nlp(folders["bert"], architecture)
    freeze, sgd = build_freeze_v1(), build_adamw_v1(0.01, weight_decay=0.1)
    first = run(nlp, freeze, 1, sgd=sgd)
    assert run(nlp, freeze, 20, first=1, sgd=sgd) < 0.7 * first


@pytest.mark.parametrize(
    ("layers", "reached"), [(0, [1, 2, 3]), (1, [2, 3]), (2, [3]), (3, []), (None, [])]
)
def test_the_backward_pass_ends_above_what_is_frozen(folders, layers, reached):
    """Counted in the outputs of the layers: None needs a gradient, and none comes there."""
    nlp = make_nlp(folders["bert"])
    needed, came = [], []

    def watch(number):
        def hook(module, inputs, output):
            if torch.is_grad_enabled():
                (hidden, *_) = output
                if hidden.requires_grad:
                    needed.append(number)
                    hidden.register_hook(lambda gradient: came.append(number))

        return hook

    for number, layer in enumerate(transformer(nlp).encoder.layer, start=1):
        layer.register_forward_hook(watch(number))
    run(nlp, build_freeze_v1(layers=layers), 1)
    assert (needed, sorted(came)) == (reached, reached)


def test_predictions_need_no_gradient(folders):
    nlp = make_nlp(folders["bert"])
    build_freeze_v1()(nlp, {"step": 0, "epoch": 0})
    model, docs = nlp.get_pipe("transformer").model, [nlp.make_doc(TEXTS[0])]
    assert not model.predict(docs).model_output.last_hidden_state.requires_grad
    assert model.begin_update(docs)[0].model_output.last_hidden_state.requires_grad


def test_what_had_a_gradient_before_gets_no_decay(folders):
    """thinc leaves a gradient of zeros behind after a step, which would still decay the weights."""
    nlp = make_nlp(folders["bert"])
    sgd = build_adamw_v1(0.01, weight_decay=0.1)
    run(nlp, lambda nlp, info: None, 2, sgd=sgd)
    assert transformer(nlp).embeddings.word_embeddings.weight.grad is not None
    before = weights(nlp)
    run(nlp, build_freeze_v1(), 2, sgd=sgd)
    assert changed(nlp, before) == set()


@pytest.mark.parametrize(
    ("at_first", "expected"),
    [
        (4, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0, 0]),
        (1, [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
        (3, [3, 3, 3, 2, 2, 2, 1, 1, 0, 0, 0]),
    ],
)
def test_the_parts_become_free_evenly(at_first, expected):
    assert [frozen_parts(at_first, step / 8) for step in range(11)] == expected


@pytest.mark.parametrize(
    ("name", "settings", "frozen"),
    [
        # Four parts in half of 16 steps: another one every two steps
        ("deberta", {"until": 0.5, "total_steps": 16}, [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]),
        # The upper two of three layers train from the start
        ("bert", {"layers": 1, "until": 1.0, "total_steps": 4}, [2, 2, 1, 1, 0]),
        # Nobody knows how long it is
        ("bert", {"until": 0.01, "total_steps": "${training.max_steps}"}, [4, 4]),
    ],
)
def test_the_layers_become_free_from_top_to_bottom(folders, name, settings, frozen):
    nlp = make_nlp(folders[name])
    freeze = build_freeze_v1(**settings)
    sgd = build_adamw_v1(0.01, weight_decay=0.1)
    run(
        nlp, lambda nlp, info: None, 1, sgd=sgd
    )  # the head is 0 at first: no gradient gets below it
    for step, count in enumerate(frozen):
        before = weights(nlp)
        run(nlp, freeze, 1, first=step, sgd=sgd)
        assert changed(nlp, before) == {x for x in trainable(nlp) if part(x) >= count}, step


def test_two_callbacks_on_one_encoder_are_refused(folders):
    """Each would free what the other has frozen; in another run, they may follow each other."""
    nlp = make_nlp(folders["bert"])
    for layers in (0, 2):
        freeze = build_freeze_v1(layers=layers)
        for step in range(2):
            freeze(nlp, {"step": step, "epoch": 0})
    chain = build_chain_v1({"a": build_freeze_v1(layers=0), "b": build_freeze_v1(layers=2)})
    chain(nlp, {"step": 0, "epoch": 0})
    with pytest.raises(ValueError, match=r"Two callbacks .*freeze\.v1 act .* 'transformer'"):
        chain(nlp, {"step": 1, "epoch": 0})


def test_one_callback_freezes_one_pipeline_after_the_other(folders):
    """As where `nlp.from_bytes` puts another encoder into the pipe during training."""
    freeze = build_freeze_v1()
    for nlp in (make_nlp(folders["bert"]), make_nlp(folders["roberta"])):
        freeze(nlp, {"step": 0, "epoch": 0})
        assert not any(p.requires_grad for p in transformer(nlp).parameters())


@pytest.mark.parametrize(
    ("settings", "free"),
    [
        ({"layers": 1}, [{2, 3}, {2, 3}]),
        ({"until": 0.5, "total_steps": 4}, [set(), {0, 1, 2, 3}]),
        ({}, [set(), set()]),
    ],
)
@pytest.mark.parametrize("copied", [False, True], ids=["same", "copied"])
def test_a_second_run_frees_what_its_own_setting_says(folders, settings, free, copied):
    """In one process, on what the first has frozen as a whole; or on a copy of that."""
    nlp = make_nlp(folders["bert"], LAYERS)
    transformer(nlp).embeddings.position_embeddings.weight.requires_grad_(False)  # never trained
    build_freeze_v1()(nlp, {"step": 0, "epoch": 0})
    component = "transformer"
    if copied:
        component = "tagger"
        nlp.replace_listeners("transformer", component, ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    nodes = nlp.get_pipe(component).model.walk()
    encoder = next(node.transformer for node in nodes if hasattr(node, "transformer"))
    freeze = build_freeze_v1(component=component, **settings)
    for step, expected in zip((0, 2), free, strict=True):
        freeze(nlp, {"step": step, "epoch": 0})
        trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
        assert {part(name) for name in trained} == expected
        assert "embeddings.position_embeddings.weight" not in trained
    assert len(encoder._forward_hooks) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": -1}, "layers of .*freeze.v1 is -1, expected a whole number >= 0 or null"),
        (
            {"until": 0.0, "total_steps": 9},
            r"until of .* is 0.0, expected a number > 0, at most 1 or null",
        ),
        ({"until": 1.1, "total_steps": 9}, r"until of .* is 1.1, expected"),
        ({"until": 0.5}, "total_steps of .* is 0, expected at least 1 .*max_steps"),
        ({"total_steps": "many"}, "total_steps of .* is 'many', expected a whole number"),
        ({"layers": 4}, "layers of .* is 4, expected null or at most 3: the BertModel has"),
        (
            {"component": "trf"},
            r"component of .* is 'trf', expected one of \['transformer', 'tagger'\]",
        ),
        ({"component": "tagger"}, "component of .* is 'tagger', which holds no transformer"),
    ],
)
def test_settings_out_of_range_or_that_do_not_fit_the_pipeline(folders, settings, message):
    with pytest.raises(ValueError, match=message):
        build_freeze_v1(**settings)(make_nlp(folders["bert"]), {"step": 0, "epoch": 0})


def test_layers_that_can_not_be_told_apart(folders):
    """As in ALBERT, whose layers share their weights."""
    nlp = make_nlp(folders["bert"])
    transformer(nlp).config.num_hidden_layers = 12
    with pytest.raises(ValueError, match="finds no list of 12 layers in a BertModel"):
        build_freeze_v1(layers=1)(nlp, {"step": 0, "epoch": 0})
    build_freeze_v1()(nlp, {"step": 0, "epoch": 0})
    assert not any(p.requires_grad for p in transformer(nlp).parameters())


@pytest.mark.parametrize(
    ("architecture", "layers", "until", "expected"),
    [(STOCK, 2, None, {3}), (LAYERS, None, 1.0, {0, 1, 2, 3})],
    ids=["stock", "layers"],
)
def test_spacy_train(folders, tmp_path: Path, architecture, layers, until, expected):
    """The loop itself, which saves the pipeline at steps 0, 4, 8 and at the end. It loads free."""
    nlp = make_nlp(folders["bert"], architecture)
    DocBin(docs=[example.reference for example in examples(nlp)]).to_disk(tmp_path / "data.spacy")
    config = nlp.config.copy()
    for corpus in config["corpora"].values():
        corpus["path"] = str(tmp_path / "data.spacy")
    optimizer = {"@optimizers": "spacy-finegrained-ner.AdamW.v1", "learn_rate": 0.01}
    config["training"] |= {"max_steps": 10, "eval_frequency": 4, "optimizer": optimizer}
    config["training"]["before_update"] = {
        "@callbacks": "spacy-finegrained-ner.freeze.v1",
        "component": "transformer",
        "layers": layers,
        "until": until,
        "total_steps": "${training.max_steps}",
    }
    nlp = init_nlp(config)
    before = weights(nlp)
    (tmp_path / "out").mkdir()
    train(nlp, tmp_path / "out")
    for checkpoint in ("model-best", "model-last"):
        loaded = spacy.load(tmp_path / "out" / checkpoint)
        assert all(p.requires_grad for p in transformer(loaded).parameters())
    assert {part(x) for x in changed(loaded, before)} == expected
