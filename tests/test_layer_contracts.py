"""Layers and encoders that break their contract: each is told by its name, before any training."""

from functools import partial

import numpy as np
import pytest
import spacy
import thinc.api
import torch
from pipelines import initialized
from torch import nn

from spacy_finegrained_ner import extend


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


def test_a_place_that_is_none():
    with pytest.raises(ValueError, match="place of a blending is 'sequnce', expected one of"):
        extend.Blending(partial(Narrow), "sequnce")
    with pytest.raises(ValueError, match="build of a blending is 7, expected a function"):
        extend.Blending(7, "sequence")
