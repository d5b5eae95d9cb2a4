import pickle

import pytest

from spacy_finegrained_ner.training.combination import build_additive_v1, build_interpolated_v1


@pytest.mark.parametrize(
    ("build", "scale", "w", "factors"),
    [
        (build_interpolated_v1, 1.5, 0.0, (1.0, 0.0)),
        (build_interpolated_v1, 1.5, 0.25, (0.75, 0.375)),
        (build_interpolated_v1, 1.5, 1.0, (0.0, 1.5)),
        (build_interpolated_v1, 1.0, 0.5, (0.5, 0.5)),
        (build_additive_v1, 1.0, 0.0, (1.0, 0.0)),
        (build_additive_v1, 1.0, 0.25, (1.0, 0.25)),
        (build_additive_v1, 2.0, 1.0, (1.0, 2.0)),
    ],
)
def test_factors_on_the_fine_and_on_the_auxiliary_loss(build, scale, w, factors):
    assert build(scale)(w) == pytest.approx(factors)
    assert pickle.loads(pickle.dumps(build(scale)))(w) == build(scale)(w)


def test_the_papers_scale_is_the_default_of_the_papers_loss():
    assert build_interpolated_v1()(1.0) == (0.0, 1.5)
    assert build_additive_v1()(1.0) == (1.0, 1.0)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("build", "name"),
    [(build_interpolated_v1, "interpolated.v1"), (build_additive_v1, "additive.v1")],
)
def test_a_scale_out_of_range_is_named(build, name, scale):
    with pytest.raises(ValueError, match=rf"scale of .*{name} is {scale}.*auxiliary = null"):
        build(scale)
