"""Parts that break their contract: each is told by its name, before anything is trained."""

from functools import partial

import numpy as np
import pytest
import spacy
import torch
from pipelines import HASH_EMBED, LINEAR, examples, initialized, make_nlp
from thinc.api import fix_random_seed

from spacy_finegrained_ner import extend
from spacy_finegrained_ner.training.callbacks import build_auxiliary_weight_v1
from spacy_finegrained_ner.training.optimizer import build_adamw_v1


def test_a_scorer_that_can_not_be_called():
    with pytest.raises(ValueError, match=r"scorer of 'finegrained_ner' .*takes \*\*kwargs"):
        initialized(scorer=lambda examples, taxonomy, read: {})


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


class WithoutTemperature(extend.Decoder):
    def posteriors(self, scores, lengths):
        return super().posteriors(scores, lengths)


class NoLogs(extend.Decoder):
    def posteriors(self, scores, lengths, temperature=1.0):
        found = super().posteriors(scores, lengths, temperature)
        found.begins += 3.0
        return found


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WithoutTemperature, "posteriors of the decoder WithoutTemperature fail on two texts"),
        (NoLogs, "posteriors of the decoder NoLogs give .*expected log probabilities"),
    ],
)
def test_posteriors_that_are_none_are_named(kind, message):
    with pytest.raises(ValueError, match=message):
        initialized(decoder=extend.Decoding(kind, transitions=True))


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
        ("blending", WrongDecoder, "blending of .* expected a block"),
        ("sequence", lambda width: None, "sequence of .* can't be pickled.*top level"),
        ("blending", extend.Blending(lambda width: None, "vectors"), "blending of .*pickled"),
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
