"""The settings of the exchangeable parts."""

import pytest
import torch
from thinc.api import Model

from spacy_finegrained_ner.ml.architectures import build_tagger_v1
from spacy_finegrained_ner.ml.blocks import (
    build_average_v1,
    build_bilstm_v1,
    build_concatenate_v1,
    build_gated_v1,
)
from spacy_finegrained_ner.nn.blending import Average, Concatenate, Gated


def tagger(**settings):
    return build_tagger_v1(Model("tok2vec", forward=lambda m, X, t: (X, lambda d: d)), **settings)


@pytest.mark.parametrize(
    ("build", "settings", "message"),
    [
        (tagger, {"dropout": -0.1}, "dropout of .*Tagger.v1 is -0.1"),
        (tagger, {"dropout": 1.0}, "dropout of .*Tagger.v1 is 1.0"),
        (tagger, {"decoder": "softmax"}, "decoder of .*Tagger.v1 is 'softmax', expected 'crf'"),
        (build_concatenate_v1, {"window": 0}, "window of .*blend_concatenate.v1 is 0"),
        (build_average_v1, {"window": -1}, "window of .*blend_average.v1 is -1"),
        (build_gated_v1, {"place": "crf"}, "place of .*blend_gated.v1 is 'crf'.*'emissions'"),
        (build_bilstm_v1, {"width": 5}, "width of .*BiLSTM.v1 is 5, expected an even"),
        (build_bilstm_v1, {"width": 0}, "width of .*BiLSTM.v1 is 0"),
        (build_bilstm_v1, {"layers": 0}, "layers of .*BiLSTM.v1 is 0"),
        (build_bilstm_v1, {"dropout": 1.0}, "dropout of .*BiLSTM.v1 is 1.0"),
        (build_bilstm_v1, {"dropout": -1.0}, "dropout of .*BiLSTM.v1 is -1.0"),
    ],
)
def test_a_setting_out_of_its_range_is_named(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize(("width", "expected"), [(None, 8), (6, 6), (2, 2)])
def test_the_width_of_the_bilstm_is_that_of_both_directions_together(width, expected):
    bilstm = build_bilstm_v1(width, layers=2, dropout=0.3)(8)
    assert bilstm.width_out == expected
    assert bilstm(torch.zeros(1, 2, 8), torch.tensor([2])).shape == (1, 2, expected)
    assert (len(bilstm.ahead), len(bilstm.back), bilstm.dropout.p) == (2, 2, 0.3)


@pytest.mark.parametrize(
    ("blending", "kind", "parameters"),
    [
        (build_concatenate_v1(3, "vectors"), Concatenate, 0),
        (build_average_v1(3, "vectors"), Average, 0),
        (build_average_v1(3, "vectors", learned=True), Average, 1),
        (build_gated_v1(3, "vectors"), Gated, 2),
    ],
)
def test_a_blending_is_built_as_it_is_set(blending, kind, parameters):
    module = blending.build(4)
    assert type(module) is kind
    assert (module.window, blending.place) == (3, "vectors")
    assert len(list(module.parameters())) == parameters
