from functools import partial

import pytest
import torch

from spacy_finegrained_ner.nn.bilstm import BiLSTM
from spacy_finegrained_ner.nn.blending import Average, Concatenate, Gated
from spacy_finegrained_ner.nn.tagger_module import TaggerModule

BILSTM = partial(BiLSTM, hidden=3, layers=1, dropout=0.0)
BLENDINGS = {
    "concatenate": partial(Concatenate, window=1),
    "average": partial(Average, window=1, learned=True),
    "gated": partial(Gated, window=2),
}
PLACES = ("vectors", "sequence", "emissions")


def tagger(place: str = "sequence", *, seed: int = 0, **settings) -> TaggerModule:
    torch.manual_seed(seed)
    defaults = {
        "width": 4,
        "tags": [5, 3],
        "dropout": 0.0,
        "sequence": BILSTM,
        "blending": BLENDINGS["concatenate"],
        "crf": True,
    }
    return TaggerModule(place=place, **(defaults | settings))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([4, 1, 2])


def bare(**settings) -> TaggerModule:
    return tagger("", sequence=None, blending=None, crf=False, tags=[3], **settings)


def test_alone_a_linear_head_is_weights_times_vector_plus_bias():
    module = bare(dropout=0.5).eval()
    weight = module.state_dict()["head.fine.emissions.weight"].tolist()
    bias = module.state_dict()["head.fine.emissions.bias"].tolist()
    vectors, lengths = batch()
    ((emissions,),) = module(vectors, lengths)
    for doc in range(3):
        for token in range(4):
            vector = vectors[doc, token].tolist()
            by_hand = [
                sum(w * x for w, x in zip(row, vector, strict=True)) + b
                for row, b in zip(weight, bias, strict=True)
            ]
            assert emissions[doc, token].tolist() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.2, 0.9])
def test_dropout_zeroes_that_part_of_the_vectors_and_scales_up_the_rest(dropout):
    torch.manual_seed(0)
    module = TaggerModule(
        width=50, tags=[50], dropout=dropout, sequence=None, blending=None, place="", crf=False
    )
    identity = {"weight": torch.eye(50), "bias": torch.zeros(50)}
    module.load_state_dict({f"head.fine.emissions.{name}": x for name, x in identity.items()})
    vectors, lengths = torch.ones(20, 10, 50), torch.full((20,), 10)
    values, counts = module.train()(vectors, lengths)[0][0].unique(return_counts=True)
    kept = 1 / (1 - dropout)
    assert values.tolist() == pytest.approx([0.0, kept] if dropout else [1.0], rel=1e-4)
    if dropout:
        assert counts[0].item() / vectors.numel() == pytest.approx(dropout, abs=0.02)
    assert torch.equal(module.eval()(vectors, lengths)[0][0], vectors)


def visited(module: TaggerModule) -> list[str]:
    """The layers of the head in the order in which a batch comes by."""
    found: list[str] = []
    for name, layer in module.head.items():
        layer.register_forward_hook(lambda *_, name=name: found.append(name))
    module(*batch())
    return found


@pytest.mark.parametrize(
    ("place", "order"),
    [
        ("vectors", ["blended_vectors", "sequence", "dropout", "fine", "auxiliary"]),
        ("sequence", ["sequence", "dropout", "blended_sequence", "fine", "auxiliary"]),
        ("emissions", ["sequence", "dropout", "fine", "auxiliary"]),
    ],
)
def test_order_of_the_layers(place, order):
    assert visited(tagger(place)) == order


@pytest.mark.parametrize("sequence", [BILSTM, None])
@pytest.mark.parametrize("blending", BLENDINGS)
@pytest.mark.parametrize("place", PLACES)
def test_emissions_are_the_layers_one_after_another(place, blending, sequence):
    module = tagger(place, blending=BLENDINGS[blending], sequence=sequence)
    vectors, lengths = batch()
    found = module(vectors, lengths)
    head = module.head
    if place == "vectors":
        vectors = head["blended_vectors"](vectors, lengths)
    if sequence:
        vectors = head["sequence"](vectors, lengths)
    if place == "sequence":
        vectors = head["blended_sequence"](vectors, lengths)
    for task, scores in zip((head["fine"], head["auxiliary"]), found, strict=True):
        expected = task.emissions(vectors)
        if place == "emissions":
            expected = task.blending(expected, lengths)
        torch.testing.assert_close(scores[0], expected)


def test_each_task_blends_its_own_emissions():
    module = tagger("emissions", blending=BLENDINGS["average"])
    fine, auxiliary = module.head["fine"].blending, module.head["auxiliary"].blending
    assert fine.blending.logits is not auxiliary.blending.logits


def test_with_a_crf_its_parameters_come_out_as_they_are_named():
    module = tagger()
    for task, (_, transitions, starts, ends) in zip(
        ("fine", "auxiliary"), module(*batch()), strict=True
    ):
        state = module.state_dict()
        assert torch.equal(transitions, state[f"head.{task}.crf.transitions"])
        assert torch.equal(starts, state[f"head.{task}.crf.start_transitions"])
        assert torch.equal(ends, state[f"head.{task}.crf.end_transitions"])


@pytest.mark.parametrize("crf", [True, False])
def test_prediction_has_the_fine_task_only_and_training_both(crf):
    module = tagger(crf=crf)
    trained = module.train()(*batch())
    predicted = module.eval()(*batch())
    assert [scores[0].shape[2] for scores in trained] == [5, 3]
    assert [len(scores) for scores in trained] == [4 if crf else 1] * 2
    assert len(predicted) == 1
    for ours, theirs in zip(predicted[0], trained[0], strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("crf", [True, False])
@pytest.mark.parametrize("blending", BLENDINGS)
@pytest.mark.parametrize("place", PLACES)
def test_every_parameter_is_called_head_and_gets_a_gradient(place, blending, crf):
    module = tagger(place, blending=BLENDINGS[blending], crf=crf)
    sum(x.square().sum() for scores in module(*batch()) for x in scores).backward()
    for name, parameter in module.named_parameters():
        assert name.startswith("head.")
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("blending", BLENDINGS)
@pytest.mark.parametrize("place", PLACES)
def test_padded_equals_each_sentence_alone(place, blending):
    module = tagger(place, blending=BLENDINGS[blending]).eval()
    vectors, lengths = batch()
    for row, n in zip(vectors, lengths, strict=True):
        row[n:] = 1e6
    found = module(vectors, lengths)[0][0]
    for row, n in enumerate(lengths.tolist()):
        alone = module(vectors[row : row + 1, :n], lengths[row : row + 1])[0][0]
        torch.testing.assert_close(found[row, :n], alone[0])


def test_a_tagger_of_the_same_sizes_takes_the_weights_over():
    trained = tagger(seed=1).eval()
    assert trained.sizes == {"width": 4, "tags": [5, 3]}
    other = tagger(seed=2, **trained.sizes).eval()
    assert not torch.equal(other(*batch())[0][0], trained(*batch())[0][0])
    other.load_state_dict(trained.state_dict())
    for ours, theirs in zip(other(*batch())[0], trained(*batch())[0], strict=True):
        assert torch.equal(ours, theirs)
