"""A factor varies only where it can make a difference: with numbers."""

from itertools import product

import pytest
import torch
from torch.testing import assert_close

from spacy_finegrained_ner.ml.blocks import build_average_v1, build_concatenate_v1, build_gated_v1
from spacy_finegrained_ner.nn.bilstm import BiLSTM
from spacy_finegrained_ner.nn.tagger_module import TaggerModule
from study.plan.factors import FACTORS, PLAIN

PLACE = next(factor for factor in FACTORS if factor.name == "place")
HEADS = next(factor for factor in FACTORS if factor.name == "head").levels
BLENDING = {
    "concatenate": build_concatenate_v1,
    "average": build_average_v1,
    "learned": lambda window, place: build_average_v1(window, place, learned=True),
    "gated": build_gated_v1,
}
# Each with one of the two windows, in turn
CASES = [
    (*case, 1 + number % 2)
    for number, case in enumerate(product(BLENDING, ("none", "coarse"), HEADS))
]


def tagger(blending: str, auxiliary: str, head: str, window: int, place: str) -> TaggerModule:
    made = BLENDING[blending](window, place)
    return TaggerModule(
        width=6,
        tags=[5] if auxiliary == "none" else [5, 3],
        dropout=0.0,
        sequence=(lambda width: BiLSTM(width, 4, 1, 0.0)) if head.startswith("bilstm") else None,
        blending=made.build,
        place=made.place,
        crf=head.endswith("crf"),
    )


def trained(*arguments) -> list[torch.Tensor]:
    """What all tasks say after a few steps from the same weights, on the same texts."""
    torch.manual_seed(0)
    module = tagger(*arguments).train()
    for name, parameter in sorted(module.named_parameters()):
        if "logits" not in name and "projection" not in name and "gate" not in name:
            # By the name's end: the same in both places, wherever the random numbers went
            torch.manual_seed(len(name))
            parameter.data.normal_(std=0.5)
    torch.manual_seed(1)
    vectors, lengths = torch.randn(3, 7, 6), torch.tensor([7, 4, 1])
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    inside = torch.arange(7) < lengths[:, None]
    for step in range(4):
        found = module(vectors, lengths)
        if step < 3:
            # Any loss of emissions and transitions will do; the auxiliary task weighs less
            loss = sum(
                weight * (scores[0][inside].sin().sum() + sum(x.cos().sum() for x in scores[1:]))
                for weight, scores in zip((1.0, 0.3), found, strict=False)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [scores[0][inside].detach() for scores in found]


@pytest.mark.parametrize(("blending", "auxiliary", "head", "window"), CASES)
def test_the_place_of_blending_varies_where_it_makes_a_difference(
    blending, auxiliary, head, window
):
    """A linear layer commutes with an average, before and after training, for all heads."""
    if blending in ("concatenate", "gated"):
        shapes = [
            sorted(p.shape for p in tagger(blending, auxiliary, head, window, place).parameters())
            for place in PLACE.levels
        ]
        differs = shapes[0] != shapes[1]
    else:
        before, behind = (trained(blending, auxiliary, head, window, x) for x in PLACE.levels)
        pairs = list(zip(before, behind, strict=True))
        differs = any(not torch.allclose(a, b, atol=1e-4) for a, b in pairs)
        if not differs:
            for a, b in pairs:
                assert_close(a, b, atol=1e-5, rtol=1e-4)
    levels = PLAIN | {"blending": blending, "auxiliary": auxiliary, "head": head}
    assert PLACE.matters(levels) == differs
    assert not PLACE.matters(levels | {"blending": "none"})
