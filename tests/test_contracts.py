"""Parts that break their contract: each is told by its name, before anything is trained."""

from functools import partial

import numpy as np
import pytest
import spacy
import thinc.api
import torch
from pipelines import HASH_EMBED, LINEAR, examples, make_nlp
from thinc.api import fix_random_seed
from torch import nn

from spacy_finegrained_ner import extend
from spacy_finegrained_ner.training.callbacks import build_auxiliary_weight_v1
from spacy_finegrained_ner.training.optimizer import build_adamw_v1


class Narrow(nn.Module):
    def __init__(self, width, **wrong):
        super().__init__()
        self.width_out = wrong.get("width_out", width)
        self.wrong = wrong

    def forward(self, vectors, lengths):
        if self.wrong.get("leaks"):
            return vectors + vectors.sum(dim=1, keepdim=True) + vectors.shape[1]
        if "gives" in self.wrong:
            return self.wrong["gives"]
        if self.wrong.get("half"):
            return vectors.half()
        if self.wrong.get("short"):
            return vectors[:, 1:]
        if self.wrong.get("numpy"):
            return vectors.numpy()
        if self.wrong.get("breaks"):
            return vectors @ torch.zeros(3, 3)
        return vectors


class OneArgument(nn.Module):
    width_out = 32

    def __init__(self, width):
        super().__init__()

    def forward(self, vectors):
        return vectors


class Packed(nn.Module):
    """Fails on an empty text."""

    width_out = 32

    def __init__(self, width):
        super().__init__()

    def forward(self, vectors, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, True, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(packed, True, total_length=vectors.shape[1])[0]


class OnlyInTraining(nn.Module):
    width_out = 32

    def __init__(self, width):
        super().__init__()

    def forward(self, vectors, lengths):
        return vectors @ torch.zeros(3, 3) if self.training else vectors


class NoWidth(nn.Module):
    def __init__(self, width):
        super().__init__()


def no_module(width):
    return 7


def takes_two(width, tags):
    return Narrow(width)


WRONG_LAYERS = {
    "width": (partial(Narrow, width_out=7), r"sequence makes a Narrow.*shape \(3, 3, 32\).*7\)"),
    "length": (partial(Narrow, short=True), r"sequence makes a Narrow.*\(3, 2, 32\)"),
    "type": (partial(Narrow, half=True), r"sequence makes a Narrow that gives torch.float16"),
    "no tensor": (partial(Narrow, numpy=True), r"sequence makes a Narrow that gives a ndarray"),
    "error": (partial(Narrow, breaks=True), r"sequence makes a Narrow that fails on vectors"),
    "padding": (partial(Narrow, leaks=True), r"sequence makes a Narrow.*padding leaks in"),
    "arity": (OneArgument, r"sequence makes a OneArgument that fails.*positional"),
    "no width": (NoWidth, r"sequence makes a NoWidth whose width_out is None"),
    "true": (partial(Narrow, width_out=True), r"width_out is True"),
    "no module": (no_module, r"sequence makes a int, expected a torch.nn.Module"),
    "arity of build": (takes_two, r"sequence can't be made: TypeError.*function of the width"),
}


@pytest.mark.parametrize("wrong", WRONG_LAYERS)
@pytest.mark.parametrize("setting", ["sequence", "vectors", "emissions"])
def test_a_layer_that_is_none_is_named(setting, wrong):
    build, message = WRONG_LAYERS[wrong]
    own = {"sequence": build}
    if setting != "sequence":
        own = {"blending": extend.Blending(build, setting)}
        message = message.replace("sequence", "blending")
        if setting == "emissions":
            message = message.replace("32", r"\d+")
    with pytest.raises((TypeError, ValueError), match=message):
        initialized(**own)


def initialized(auxiliary=None, loss=None, scorer=None, tok2vec=None, **own):
    """A pipeline whose model has these parts, not from a config."""
    from spacy_finegrained_ner.ml.architectures import build_tagger_v1
    from spacy_finegrained_ner.pipeline.finegrained_ner import FineGrainedNER

    nlp = spacy.blank("en")
    stock = {"tok2vec": HASH_EMBED["tok2vec"]}
    tok2vec = tok2vec or spacy.registry.resolve(stock)["tok2vec"]
    model = build_tagger_v1(tok2vec, **own)
    more = {"scorer": scorer} | ({} if loss is None else {"loss": loss})
    component = FineGrainedNER(nlp.vocab, model, auxiliary=auxiliary, auxiliary_weight=0.5, **more)
    component.initialize(lambda: examples(nlp))
    return component


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Packed, "sequence makes a Packed that fails.*greater than 0"),
        (OnlyInTraining, "A layer of the tagger fails in training.*mat1 and mat2"),
    ],
)
def test_a_layer_that_fails_on_an_empty_text_or_in_training_only(build, message):
    with pytest.raises(ValueError, match=message):
        initialized(sequence=build)


def test_statistics_of_a_layer_are_as_before_the_trial():
    component = initialized(sequence=Normed)
    norm = component.model.get_ref("tagger").shims[0]._model.head["sequence"].norm
    assert (norm.running_mean == 0).all()
    assert norm.num_batches_tracked == 0


class Normed(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.width_out = nn.BatchNorm1d(width), width

    def forward(self, vectors, lengths):
        return self.norm(vectors.transpose(1, 2)).transpose(1, 2)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda docs: [np.zeros((min(len(d), 4), 16), "f") for d in docs], "a vector for each tok"),
        (lambda docs: [np.zeros((len(docs[0]), 16), "f")], "gives 1 arrays"),
        (lambda docs: [np.zeros((len(d), 16)) for d in docs], r"arrays of \['float64'\]"),
        (lambda docs: [np.zeros((len(d), 8), "f") for d in docs], r"expected float32 .*\(5, 16\)"),
        (lambda docs: [np.zeros(len(d), "f") for d in docs], r"of the shapes \[\(6,\)"),
    ],
)
def test_an_encoder_that_does_not_give_a_vector_for_each_token(give, message):
    model = thinc.api.Model(
        "own", lambda m, docs, is_train: (give(docs), lambda d: docs), dims={"nO": 16}
    )
    with pytest.raises((TypeError, ValueError), match=message):
        initialized(tok2vec=model)


def test_an_encoder_that_cuts_long_texts_is_told_when_it_does():
    def cut(m, docs, is_train):
        return [np.ones((min(len(d), 8), 16), "f") for d in docs], lambda gradient: docs

    component = initialized(tok2vec=thinc.api.Model("own", cut, dims={"nO": 16}))
    long = spacy.blank("en")(" ".join(["tea"] * 9))
    message = "tok2vec of 'finegrained_ner' gives 8 vectors .* of 9 tokens"
    with pytest.raises(ValueError, match=message):
        component.predict([long])
    with pytest.raises(ValueError, match=message):
        component.update([spacy.training.Example(long, long)])


def test_a_scorer_that_can_not_be_called():
    with pytest.raises(ValueError, match=r"scorer of 'finegrained_ner' .*takes \*\*kwargs"):
        initialized(scorer=lambda examples, taxonomy, read: {})


def test_a_place_that_is_none():
    with pytest.raises(ValueError, match="place of a blending is 'sequnce', expected one of"):
        extend.Blending(partial(Narrow), "sequnce")
    with pytest.raises(ValueError, match="build of a blending is 7, expected a function"):
        extend.Blending(7, "sequence")


class WrongDecoder(extend.Decoder):
    def __init__(self, tag_set, **wrong):
        super().__init__(tag_set)
        self.wrong = wrong

    def loss(self, *arguments):
        found = super().loss(*arguments)
        return self.wrong["loss"](*found) if "loss" in self.wrong else found

    def decode(self, *arguments):
        return self.wrong.get("entities", super().decode(*arguments))


def no_tuple(loss, gradient):
    return loss


def nan(loss, gradient):
    return float("nan"), gradient


def too_few(loss, gradient):
    return loss, gradient[:0]


def other_shape(loss, gradient):
    return loss, (gradient[0][:1],)


WRONG_DECODERS = {
    "no tuple": ({"loss": no_tuple}, r"loss of the decoder WrongDecoder gives .*tuple of the loss"),
    "nan": ({"loss": nan}, r"loss of the decoder WrongDecoder gives \(nan"),
    "too few": ({"loss": too_few}, r"as gradient, expected a tuple of arrays of the shapes"),
    "other shape": ({"loss": other_shape}, r"as gradient, expected a tuple of arrays"),
    "no list": ({"entities": None}, r"decoder WrongDecoder gives None for two texts"),
    "too few texts": ({"entities": [[]]}, r"gives \[\[\]\] for two texts"),
    "foreign label": ({"entities": [[(0, 1, "X")], []]}, r"one of the labels \['Athlete'"),
    "beyond": ({"entities": [[], [(0, 2, "Athlete")]]}, r"for each a list of entities"),
    "empty": ({"entities": [[(1, 1, "Athlete")], []]}, r"for each a list of entities"),
}


class IgnoresDivisor(extend.Decoder):
    def loss(self, scores, lengths, gold, weight=1.0, divisor=0):
        return super().loss(scores, lengths, gold, weight)


def test_a_decoder_that_ignores_the_divisor():
    with pytest.raises(ValueError, match="another gradient with weight 2 and divisor 8"):
        initialized(decoder=extend.Decoding(IgnoresDivisor))


@pytest.mark.parametrize("wrong", WRONG_DECODERS)
def test_a_decoder_that_is_none_is_named(wrong):
    settings, message = WRONG_DECODERS[wrong]
    decoding = extend.Decoding(partial(WrongDecoder, **settings))
    with pytest.raises((TypeError, ValueError), match=message):
        initialized(decoder=decoding)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("decoder", "softmax", "decoder of .* is 'softmax', expected 'crf', 'linear' or a block"),
        ("decoder", WrongDecoder, "expected 'crf', 'linear' or a block whose function gives a Dec"),
        ("sequence", 7, "sequence of .* is 7, expected a block"),
        ("blending", Narrow, "blending of .* expected a block"),
        ("sequence", lambda width: Narrow(width), "sequence of .* can't be pickled.*top level"),
        ("blending", extend.Blending(lambda w: Narrow(w), "vectors"), "blending of .*pickled"),
        ("decoder", extend.Decoding(lambda tags: extend.Decoder(tags)), "decoder of .*pickled"),
    ],
)
def test_a_block_of_another_kind(setting, value, message):
    with pytest.raises(ValueError, match=message):
        initialized(**{setting: value})


class Task:
    def __init__(self, tags=None, gold=None):
        self.tags, self.found = tags or extend.TagSet(("A",)), gold

    def tag_set(self, fine, taxonomy):
        return self.tags

    def gold(self, examples, fine_gold, fine, taxonomy):
        return [self.found(len(eg.predicted)) for eg in examples]


def too_short(length):
    return extend.Gold.of_tags(np.zeros(length - 1, int), 3)


def out_of_range(length):
    return extend.Gold.of_tags(np.full(length, 3), 3)


def no_gold(length):
    return np.zeros(length, int)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task(tags=3), "tag_set of auxiliary of 'finegrained_ner' gives 3, expected a TagSet"),
        (Task(gold=too_short), r"The auxiliary task: The gold of a Doc has the shape \(5, 3\)"),
        (Task(gold=out_of_range), "The auxiliary task: The gold has tag ids from 3 to 3"),
        (Task(gold=no_gold), "The gold of the auxiliary task is .*expected a list with a Gold"),
        ("coarse", "auxiliary of .* is 'coarse', expected an auxiliary task"),
    ],
)
def test_an_auxiliary_task_that_is_none_is_named_before_it_trains(task, message):
    with pytest.raises((TypeError, ValueError), match=message):
        initialized(auxiliary=task)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda: 0.5, r"can't be called with 0.0.*function of the progress"),
        (lambda progress: None, "gives None at progress 0.0, expected a weight"),
        (lambda progress: 2.0, "gives 2.0 at progress 0.0"),
    ],
)
def test_a_schedule_that_is_none(schedule, message):
    with pytest.raises((TypeError, ValueError), match=message):
        build_auxiliary_weight_v1(schedule, 10)


def test_what_a_config_gives_can_be_pickled():
    @spacy.registry.losses("my.lambda.v1")
    def build():
        return lambda w: (1.0, w)

    with pytest.raises(ValueError, match="loss of 'finegrained_ner' can't be pickled"):
        make_nlp(loss={"@losses": "my.lambda.v1"})


class Seeing:
    sees_losses = True

    def __call__(self, w):
        return 1.0, w


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda w: w, r"The combination of losses .* gives 0.5 for \(0.5,\)"),
        (lambda w: (1.0, -w), r"gives \(1.0, -0.5\)"),
        (lambda w: (1.0, float("nan")), r"expected a tuple of two numbers"),
        (lambda w, fine: (1.0, w), r"can't be called with \(0.5,\).*sees_losses"),
        (Seeing(), r"can't be called with \(0.5, 1.0, 1.0\)"),
    ],
)
def test_a_combination_that_is_none(loss, message):
    with pytest.raises((TypeError, ValueError), match=message):
        initialized(loss=loss)


def test_a_combination_that_sees_the_losses_weighs_their_gradients():
    """Against the sum of the two gradients by hand."""
    data = examples(spacy.blank("en"))
    runs = {}
    for name, loss in {
        "seen": type("Own", (), {"sees_losses": True, "__call__": lambda s, w, f, a: (f, w * a)})(),
        "fine": lambda w: (1.0, 0.0),
        "auxiliary": lambda w: (0.0, 1.0),
    }.items():
        fix_random_seed(0)
        nlp = make_nlp()
        component = nlp.get_pipe("finegrained_ner")
        nlp.initialize(lambda: data)
        component.combination, component.auxiliary_weight = loss, 0.5
        emissions, _ = component.model.begin_update([eg.predicted for eg in data])
        runs[name] = component.get_loss(data, emissions)
    fine, auxiliary = runs["fine"][0], runs["auxiliary"][0]
    total, (found,) = runs["seen"]
    assert total == pytest.approx(fine**2 + 0.5 * auxiliary**2)
    for task, factor in ((0, fine), (1, 0.5 * auxiliary)):
        (alone,) = runs[("fine", "auxiliary")[task]][1]
        for a, b in zip(found.tasks[task], alone.tasks[task], strict=True):
            np.testing.assert_allclose(a, factor * b, rtol=1e-5)


@pytest.mark.parametrize("model", [HASH_EMBED, LINEAR])
def test_the_trial_leaves_nothing_behind(model, monkeypatch):
    """Neither a gradient nor a random number: a training is the same without it."""

    def weights() -> bytes:
        nlp = make_nlp(model=model | {"dropout": 0.3})
        data = examples(nlp)
        fix_random_seed(0)
        nlp.initialize(lambda: data)
        sgd = build_adamw_v1(0.02)
        for _ in range(3):
            nlp.update(data, sgd=sgd)
        return nlp.get_pipe("finegrained_ner").model.to_bytes()

    with_trial = weights()
    monkeypatch.setattr(
        "spacy_finegrained_ner.pipeline.finegrained_ner.FineGrainedNER._try_out", lambda *_: None
    )
    assert weights() == with_trial


@pytest.mark.parametrize("wrong", [[[1, 1], [1, 0]], [True, True], [2, 1, 1]])
def test_a_mask_is_no_lengths(wrong):
    emissions = torch.zeros(2, 2, 3)
    potentials = torch.zeros(3, 3), torch.zeros(3), torch.zeros(3)
    for function in (extend.viterbi, extend.expectations):
        with pytest.raises(ValueError, match=r"lengths is .*expected whole numbers.*mask.sum\(1\)"):
            function(emissions, torch.tensor(wrong), *potentials)
