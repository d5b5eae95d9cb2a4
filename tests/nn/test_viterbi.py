from itertools import product

import pytest
import torch
from enumeration import Case, random_case
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_finegrained_ner.labels.bio import TagSet, illegal_bio
from spacy_finegrained_ner.nn.viterbi import viterbi

BIO = TagSet(("X", "Y"))


def free(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.float64)


def linear(emissions) -> Case:
    """One sequence of emissions alone, under the rules of BIO."""
    return Case(
        emissions.unsqueeze(0),
        torch.tensor([len(emissions)]),
        torch.zeros(5, 5).masked_fill(~torch.from_numpy(BIO.legal_transitions), -torch.inf),
        torch.zeros(5).masked_fill(~torch.from_numpy(BIO.legal_starts), -torch.inf),
        torch.zeros(5),
    )


def decode(case: Case) -> list[list[int]]:
    return viterbi(case.emissions, case.lengths, *case.parameters).tolist()


def one(emissions, transitions, starts, ends) -> tuple[int, ...]:
    case = Case(emissions.unsqueeze(0), torch.tensor([len(emissions)]), transitions, starts, ends)
    return tuple(decode(case)[0])


@pytest.mark.parametrize("forbidden", [0.0, 0.4])
@pytest.mark.parametrize("scale", [1.0, 200.0])
@pytest.mark.parametrize("tokens", [1, 2, 3, 5])
def test_equals_the_best_of_all_paths(tokens, scale, forbidden):
    for seed in range(10):
        case = random_case(seed, [tokens], scale=scale, forbidden=forbidden)
        assert tuple(decode(case)[0]) == case.best(0)


@given(st.lists(st.tuples(*[st.sampled_from([-200.0, 0.0, 200.0])] * 5), min_size=1, max_size=3))
def test_among_ties_it_takes_one_of_the_best(rows):
    case = linear(torch.tensor(rows))
    scores = {
        tuple(path): score
        for path, score in zip(case.paths(0).tolist(), case.scores(0).tolist(), strict=True)
    }
    assert scores[tuple(decode(case)[0])] == max(scores.values())


def test_a_constraint_beats_any_emission():
    emissions = free(3, 2)
    emissions[:, 1] = 1e30
    transitions = torch.tensor([[0.0, 0.0], [0.0, -torch.inf]]).double()  # never 1 after 1
    not_1 = torch.tensor([0.0, -torch.inf]).double()
    assert one(emissions, transitions, free(2), free(2)) == (1, 0, 1)
    assert one(emissions, transitions, not_1, not_1) == (0, 1, 0)


def test_the_past_counts_and_not_only_the_best_tag_so_far():
    emissions = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 5.0]]).double()
    transitions = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]).double()  # no 1 after 0
    assert one(emissions, transitions, free(2), free(2)) == (1, 1, 1)


def test_ends_count_at_the_last_token_of_each_sequence_and_nowhere_else():
    ends = torch.tensor([0.0, 10.0]).double()
    starts = torch.tensor([3.0, 0.0]).double()
    case = Case(free(3, 4, 2), torch.tensor([4, 2, 1]), free(2, 2), starts, ends)
    case.emissions[:, 1:, 0] = 1.0
    assert decode(case) == [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]]


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 10_000))
def test_batch_equals_singles_whatever_is_in_the_padding(lengths, seed):
    case = random_case(seed, [*lengths, max(lengths) + seed % 2], tags=3, scale=10, forbidden=0.3)
    tokens = case.emissions.shape[1]
    for row, length in zip(case.emissions, case.lengths, strict=True):
        row[length:, 1] = 1e6
    for i, path in enumerate(decode(case)):
        expected = case.best(i)
        assert tuple(path) == (*expected, *[0] * (tokens - len(expected)))


@pytest.mark.parametrize(("batch", "tokens"), [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_decode(batch, tokens):
    case = linear(free(1, 5))
    paths = viterbi(free(batch, tokens, 5), torch.zeros(batch, dtype=torch.long), *case.parameters)
    assert paths.shape == (batch, tokens)


def illegal(emissions):
    return illegal_bio([BIO.tags[tag] for tag in decode(linear(emissions))[0]])


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([0.01, 1.0, 200.0, 1e30]))
def test_emissions_alone_never_give_illegal_bio(seed, tokens, scale):
    rng = torch.Generator().manual_seed(seed)
    emissions = scale * torch.randn(tokens, len(BIO), generator=rng)
    emissions[:, 2::2] += scale * (seed % 3)  # I- is tempting
    assert illegal(emissions) is None


@pytest.mark.parametrize("high", [3e38, -3e38])
def test_not_even_where_the_sum_of_finite_scores_overflows(high):
    """The decoder lets everything finite through, and promises legal tags "whatever the
    emissions"."""
    for favoured in product(range(len(BIO)), repeat=3):
        emissions = torch.zeros(3, len(BIO))
        emissions[torch.arange(3), list(favoured)] = high
        emissions[:, 2] = high
        assert illegal(emissions) is None, favoured
