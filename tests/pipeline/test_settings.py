"""A setting of a wrong value is named, before anything is trained."""

import pytest
import spacy
from pipelines import HASH_EMBED, LINEAR
from thinc.api import ConfigValidationError

BILSTM = {"@layers": "spacy-finegrained-ner.BiLSTM.v1"}
BLENDINGS = ("concatenate", "average", "gated")

NLP = spacy.blank("en")


def blending(kind: str, **settings) -> dict:
    return {"blending": {"@layers": f"spacy-finegrained-ner.blend_{kind}.v1", **settings}}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.5}, "dropout"),
        ({"dropout": "much"}, "dropout"),
        ({"decoder": "softmax"}, "decoder"),
        ({"decoder": None}, "decoder"),
        ({"droput": 0.1}, "droput"),
        ({"sequence": BILSTM | {"width": 7}}, "width"),
        ({"sequence": BILSTM | {"width": 0}}, "width"),
        ({"sequence": BILSTM | {"layers": 0}}, "layers"),
        ({"sequence": BILSTM | {"layers": None}}, "layers"),
        ({"sequence": BILSTM | {"dropout": 1.0}}, "dropout"),
        ({"sequence": BILSTM | {"hidden": 7}}, "hidden"),
        *((blending(kind, window=0), "window") for kind in BLENDINGS),
        *((blending(kind, window="wide"), "window") for kind in BLENDINGS),
        *((blending(kind, place="crf"), "place") for kind in BLENDINGS),
        (blending("average", learned="perhaps"), "learned"),
    ],
)
def test_a_wrong_setting_of_the_model_is_named(settings, name):
    with pytest.raises((ValueError, ConfigValidationError), match=name):
        NLP.create_pipe("finegrained_ner", config={"model": HASH_EMBED | settings})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        (
            {"auxiliary_weight": 2.0},
            "auxiliary_weight of 'finegrained_ner' is 2.0, expected a number from 0 to 1",
        ),
        ({"auxiliary_weight": -0.1}, "auxiliary_weight of 'finegrained_ner' is -0.1"),
        ({"auxiliary_weight": "all"}, "auxiliary_weight"),
        ({"loss": {"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 0.0}}, "scale"),
        ({"loss": {"@losses": "spacy-finegrained-ner.additive.v1", "scale": -1.0}}, "scale"),
        ({"loss": None}, "loss"),
        ({"auxiliary": {"@misc": "spacy-finegrained-ner.POSTask.v1"}}, "POSTask"),
        ({"auxiliary": 3}, "auxiliary of 'finegrained_ner' is 3, expected .*CoarseTask.v1"),
        (
            {"auxiliary": {"@misc": "spacy-finegrained-ner.constant.v1", "weight": 0.1}},
            "auxiliary of .*partial",
        ),
    ],
)
def test_a_wrong_setting_of_the_component_is_named(settings, name):
    with pytest.raises((ValueError, ConfigValidationError), match=name):
        NLP.create_pipe("finegrained_ner", config={"model": LINEAR, **settings})
