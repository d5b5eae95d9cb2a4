import pytest
import torch
from enumeration import Case, random_case, random_gold
from torchcrf import CRF

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.nn.crf import expectations, expectations_of_each
from spacy_finegrained_ner.nn.crf_loss import crf_loss
from spacy_finegrained_ner.nn.viterbi import viterbi

LENGTHS = [3, 1, 2, 0, 3]


def loss_and_gradients(case: Case, tags):
    """Of emissions, transitions, starts and ends."""
    leaves = [x.clone().requires_grad_() for x in (case.emissions, *case.parameters)]
    loss = crf_loss(leaves[0], tags, case.lengths, *leaves[1:])
    return loss.detach(), torch.autograd.grad(loss, leaves)


def by_enumeration(case: Case, tags):
    leaves = [x.clone().requires_grad_() for x in (case.emissions, *case.parameters)]
    likelihood = Case(leaves[0], case.lengths, *leaves[1:]).log_likelihood(tags)
    loss = -likelihood / (tags != UNKNOWN).sum().clamp(min=1)
    return loss.detach(), torch.autograd.grad(loss, leaves)


@pytest.mark.parametrize("unknown", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("forbidden", [0.0, 0.4])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_loss_and_gradients_equal_those_over_all_paths(scale, forbidden, unknown):
    for seed in range(8):
        case = random_case(seed, LENGTHS, scale=scale, forbidden=forbidden)
        tags = random_gold(case, seed, unknown=unknown)
        ours, theirs = loss_and_gradients(case, tags), by_enumeration(case, tags)
        assert ours[0].isfinite()
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("forbidden", [0.0, 0.4])
@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_partition_marginals_and_transitions_equal_those_over_all_paths(scale, forbidden):
    for seed in range(8):
        case = random_case(seed, LENGTHS, scale=scale, forbidden=forbidden)
        found = expectations(case.emissions, case.lengths, *case.parameters)
        marginals = torch.zeros_like(case.emissions)
        transitions = torch.zeros_like(case.transitions)
        for row, n in enumerate(LENGTHS):
            if not n:
                assert found.log_partition[row] == 0.0
                continue
            scores = case.scores(row)
            assert found.log_partition[row].item() == pytest.approx(scores.logsumexp(dim=0).item())
            for path, share in zip(
                case.paths(row).tolist(), scores.softmax(dim=0).tolist(), strict=True
            ):
                for t, tag in enumerate(path):
                    marginals[row, t, tag] += share
                    if t:
                        transitions[path[t - 1], tag] += share
        torch.testing.assert_close(found.marginals, marginals, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(found.transitions, transitions, rtol=1e-9, atol=1e-10)


def long_case(
    scale: float = 1.0, lengths: tuple[int, ...] = (60, 1, 37, 60, 2), size: int = 9
) -> tuple[Case, torch.Tensor, CRF]:
    """And pytorch-crf with the same parameters, which knows no empty sequences."""
    case = random_case(0, list(lengths), tags=size, scale=scale)
    crf = CRF(size, batch_first=True).double()
    own = (crf.transitions, crf.start_transitions, crf.end_transitions)
    for parameter, values in zip(own, case.parameters, strict=True):
        parameter.data = values.clone()
    rng = torch.Generator().manual_seed(1)
    return case, torch.randint(size, case.emissions.shape[:2], generator=rng), crf


def inside(case: Case) -> torch.Tensor:
    return torch.arange(case.emissions.shape[1]) < case.lengths.unsqueeze(1)


@pytest.mark.parametrize(
    "settings",
    [
        {"scale": 1.0},
        {"scale": 20.0},
        {"scale": 200.0},
        # More than the transitions of all tokens that are counted at once
        {"scale": 200.0, "lengths": (700, 400), "size": 67},
    ],
)
def test_loss_and_gradients_of_long_sequences_equal_pytorch_crfs(settings):
    case, tags, crf = long_case(**settings)
    emissions = case.emissions.clone().requires_grad_()
    mask = inside(case)
    theirs = -crf(emissions, tags, mask=mask, reduction="sum") / mask.sum()
    leaves = (emissions, crf.transitions, crf.start_transitions, crf.end_transitions)
    expected = (theirs.detach(), torch.autograd.grad(theirs, leaves))
    found = loss_and_gradients(case, tags.masked_fill(~mask, UNKNOWN))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def test_decoding_of_long_sequences_equals_pytorch_crfs():
    case, _, crf = long_case()
    theirs = crf.decode(case.emissions, mask=inside(case))
    ours = viterbi(case.emissions, case.lengths, *case.parameters).tolist()
    assert [row[:n] for row, n in zip(ours, case.lengths.tolist(), strict=True)] == theirs


@pytest.mark.parametrize("unknown", [0.0, 0.5])
def test_gradients_equal_finite_differences_with_forbidden_scores(unknown):
    case = random_case(3, LENGTHS, tags=3, forbidden=0.3)
    tags = random_gold(case, 3, unknown=unknown)
    closed = [scores == -torch.inf for scores in case.parameters]
    assert any(mask.any() for mask in closed)

    def loss(emissions, *parameters):
        scores = [p.masked_fill(c, -torch.inf) for p, c in zip(parameters, closed, strict=True)]
        return crf_loss(emissions, tags, case.lengths, *scores)

    leaves = [x.masked_fill(x.isinf(), 0.5) for x in (case.emissions, *case.parameters)]
    assert torch.autograd.gradcheck(loss, [x.requires_grad_() for x in leaves])


@pytest.mark.parametrize("unknown", [0.0, 0.4])
@pytest.mark.parametrize("forbidden", [0.0, 0.3])
def test_what_is_in_the_padding_never_matters(forbidden, unknown):
    case = random_case(0, LENGTHS, forbidden=forbidden)
    tags = random_gold(case, 0, unknown=unknown)
    expected = loss_and_gradients(case, tags)
    for emission, tag in ((1e30, 1), (-1e30, 2)):
        case.emissions[~inside(case)] = emission
        found = loss_and_gradients(case, tags.masked_fill(~inside(case), tag))
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
        assert not found[1][0][~inside(case)].any()


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_the_loss_of_a_batch_is_that_of_its_sequences_by_known_tokens(unknown):
    case = random_case(5, LENGTHS, forbidden=0.3)
    tags = random_gold(case, 5, unknown=unknown)
    together, (d_emissions, *d_parameters) = loss_and_gradients(case, tags)
    all_known = (tags != UNKNOWN).sum()
    total, sums = 0.0, [torch.zeros_like(d) for d in d_parameters]
    for row, n in enumerate(LENGTHS):
        single = Case(case.emissions[row : row + 1, :n], case.lengths[[row]], *case.parameters)
        loss, gradients = loss_and_gradients(single, tags[row : row + 1, :n])
        share = (tags[row] != UNKNOWN).sum().clamp(min=1) / all_known
        total = total + loss * share
        torch.testing.assert_close(d_emissions[row, :n], gradients[0][0] * share)
        sums = [s + g * share for s, g in zip(sums, gradients[1:], strict=True)]
    torch.testing.assert_close(together, total)
    torch.testing.assert_close(d_parameters, sums)


def test_where_nothing_is_known_loss_and_gradients_are_zero():
    case = random_case(0, LENGTHS, scale=5.0, forbidden=0.3)
    loss, gradients = loss_and_gradients(case, random_gold(case, 0, unknown=1.0))
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert all(gradient.abs().max() < 1e-12 for gradient in gradients)


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("forbid", ["transition", "start", "end"])
def test_forbidden_gold_has_an_infinite_loss(forbid, unknown):
    case = random_case(0, [3, 3])
    tags = torch.tensor([[1, 2, 3], [0, 0, 0]])
    if unknown:
        tags[1, 1] = UNKNOWN
    if forbid == "transition":
        case.transitions[1, 2] = -torch.inf
    elif forbid == "start":
        case.starts[1] = -torch.inf
    else:
        case.ends[3] = -torch.inf
    loss = crf_loss(case.emissions, tags, case.lengths, *case.parameters)
    assert loss.item() == torch.inf


@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0, 10.0, 20.0, 200.0])
def test_float32_loses_nothing_that_matters_on_long_sequences(scale):
    case, tags, _ = long_case(scale)
    tags[2, ::3] = UNKNOWN
    tags = tags.masked_fill(~inside(case), UNKNOWN)
    loss, gradients = loss_and_gradients(case, tags)
    single = Case(case.emissions.float(), case.lengths, *(p.float() for p in case.parameters))
    loss_32, gradients_32 = loss_and_gradients(single, tags)
    assert loss_32.item() == pytest.approx(loss.item(), rel=1e-5)
    for ours, exact in zip(gradients_32, gradients, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize(("batch", "tokens"), [(0, 0), (0, 3), (2, 0), (2, 3)])
def test_sequences_without_tokens_have_no_loss(batch, tokens):
    case = random_case(0, [3], tags=3)
    case = Case(
        torch.ones(batch, tokens, 3, dtype=torch.float64),
        torch.zeros(batch, dtype=torch.long),
        *case.parameters,
    )
    loss, gradients = loss_and_gradients(case, torch.full((batch, tokens), UNKNOWN))
    assert loss.item() == 0.0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize(("scale", "forbidden"), [(1.0, 0.0), (1.0, 0.4), (200.0, 0.4)])
def test_expectations_of_each_are_those_of_a_batch_of_one(scale, forbidden):
    case = random_case(3, LENGTHS, scale=scale, forbidden=forbidden)
    each = expectations_of_each(case.emissions, case.lengths, *case.parameters)
    for row, n in enumerate(LENGTHS):
        one = expectations(case.emissions[row : row + 1, :n], case.lengths[[row]], *case.parameters)
        torch.testing.assert_close(each[row][0], one.marginals[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(each[row][1], one.transitions, rtol=1e-9, atol=1e-12)
        assert each[row][1].sum().item() == pytest.approx(max(0, n - 1))
    total = expectations(case.emissions, case.lengths, *case.parameters).transitions
    torch.testing.assert_close(sum(pairs for _, pairs in each), total)
    nothing = expectations_of_each(case.emissions[:, :0], case.lengths * 0, *case.parameters)
    assert [(m.shape, p.sum().item()) for m, p in nothing] == [((0, 4), 0.0)] * len(LENGTHS)
