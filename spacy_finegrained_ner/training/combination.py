"""How the losses of the fine and the auxiliary task add up, as functions of the weight w."""

from functools import partial
from typing import Annotated

from pydantic import Field

from spacy_finegrained_ner.contracts import Combination
from spacy_finegrained_ner.settings import checked

Scale = Annotated[
    float, Field(gt=0.0), "a number > 0. To have no auxiliary task, set auxiliary = null"
]


def interpolated(w: float, scale: float) -> tuple[float, float]:
    """(1 - w) * fine + w * scale * auxiliary."""
    return 1.0 - w, w * scale


def additive(w: float, scale: float) -> tuple[float, float]:
    """fine + w * scale * auxiliary."""
    return 1.0, w * scale


@checked("spacy-finegrained-ner.interpolated.v1")
def build_interpolated_v1(scale: Scale = 1.5) -> Combination:
    """Registered as `spacy-finegrained-ner.interpolated.v1` (losses): the paper's,
    (1 - w) * fine + w * scale * auxiliary. With w = 1 the fine task learns nothing.

    scale: 1.5 in the authors' code, since the coarse loss is about 60% of the fine one.
    """
    return partial(interpolated, scale=scale)


@checked("spacy-finegrained-ner.additive.v1")
def build_additive_v1(scale: Scale = 1.0) -> Combination:
    """Registered as `spacy-finegrained-ner.additive.v1` (losses):
    fine + w * scale * auxiliary. The fine task always learns at full weight."""
    return partial(additive, scale=scale)
