from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_finegrained_ner.labels.bio import TagSet, illegal_bio
from spacy_finegrained_ner.ml.decoder import LinearDecoder
from spacy_finegrained_ner.nn.viterbi import viterbi

BIO = TagSet(("X", "Y"))
LINEAR = LinearDecoder(BIO)


def score(path, emissions, transitions, starts):
    """Of one path through one sequence, in plain floats."""
    total = starts[path[0]]
    for step, tag in enumerate(path):
        total += emissions[step][tag]
        if step:
            total += transitions[path[step - 1]][tag]
    return total


def enumerate_best(emissions, transitions, starts):
    """Score and tags of the best of all paths; the paths are few and all are looked at."""
    emissions, transitions, starts = (x.tolist() for x in (emissions, transitions, starts))
    paths = product(range(len(starts)), repeat=len(emissions))
    return max((score(p, emissions, transitions, starts), p) for p in paths)


def one(emissions, transitions, starts):
    lengths = torch.tensor([len(emissions)])
    return tuple(viterbi(emissions.unsqueeze(0), lengths, transitions, starts)[0].tolist())


def random_case(seed, *, tokens, tags, scale, forbidden):
    """Scores without ties. Tag 0 may stand anywhere, so that there is an allowed path."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return scale * torch.randn(*shape, generator=rng, dtype=torch.float64)

    transitions, starts = draw(tags, tags), draw(tags)
    transitions[torch.rand(tags, tags, generator=rng) < forbidden] = -torch.inf
    starts[torch.rand(tags, generator=rng) < forbidden] = -torch.inf
    transitions[:, 0] = draw(tags)
    starts[0] = 0.0
    return draw(tokens, tags), transitions, starts


@pytest.mark.parametrize("forbidden", [0.0, 0.5])
@pytest.mark.parametrize("scale", [1.0, 200.0])
@pytest.mark.parametrize("tokens", [1, 2, 3, 5])
def test_equals_the_best_of_all_paths(tokens, scale, forbidden):
    for seed in range(20):
        case = random_case(seed, tokens=tokens, tags=4, scale=scale, forbidden=forbidden)
        best, path = enumerate_best(*case)
        assert best > -torch.inf
        assert one(*case) == path


@given(st.lists(st.tuples(*[st.sampled_from([-200.0, 0.0, 200.0])] * 5), min_size=1, max_size=3))
def test_among_ties_it_takes_one_of_the_best(rows):
    emissions = torch.tensor(rows)
    best, _ = enumerate_best(emissions, LINEAR.transitions, LINEAR.starts)
    path = one(emissions, LINEAR.transitions, LINEAR.starts)
    assert score(path, rows, LINEAR.transitions.tolist(), LINEAR.starts.tolist()) == best


def test_a_constraint_beats_any_emission():
    emissions = torch.zeros(3, 2)
    emissions[:, 1] = 1e30
    transitions = torch.tensor([[0.0, 0.0], [0.0, -torch.inf]])  # never 1 after 1
    assert one(emissions, transitions, torch.zeros(2)) == (1, 0, 1)
    assert one(emissions, transitions, torch.tensor([0.0, -torch.inf])) in [(0, 1, 0), (0, 0, 1)]


def test_the_past_counts_and_not_only_the_best_tag_so_far():
    emissions = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    transitions = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])  # 1 is never reached from 0
    assert one(emissions, transitions, torch.zeros(2)) == (1, 1, 1)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 10_000))
def test_batch_equals_singles_whatever_is_in_the_padding(lengths, seed):
    tokens = max(lengths) + seed % 2
    cases = [
        random_case(seed + i, tokens=tokens, tags=3, scale=10.0, forbidden=0.3)[0]
        for i in range(len(lengths))
    ]
    _, transitions, starts = random_case(seed, tokens=1, tags=3, scale=10.0, forbidden=0.3)
    emissions = torch.stack(cases)
    for row, length in zip(emissions, lengths, strict=True):
        row[length:, 1] = 1e6
    paths = viterbi(emissions, torch.tensor(lengths), transitions, starts).tolist()
    for row, case, length in zip(paths, cases, lengths, strict=True):
        expected = enumerate_best(case[:length], transitions, starts)[1] if length else ()
        assert tuple(row) == (*expected, *[0] * (tokens - length))


@pytest.mark.parametrize(("batch", "tokens"), [(0, 0), (0, 3), (2, 0)])
def test_nothing_to_decode(batch, tokens):
    paths = viterbi(
        torch.zeros(batch, tokens, 5),
        torch.zeros(batch, dtype=torch.long),
        LINEAR.transitions,
        LINEAR.starts,
    )
    assert paths.tolist() == [[]] * batch if not tokens else paths.tolist() == []


def legal(emissions):
    return illegal_bio([BIO.tags[tag] for tag in one(emissions, LINEAR.transitions, LINEAR.starts)])


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 20), st.sampled_from([0.01, 1.0, 200.0, 1e30]))
def test_a_linear_head_never_gives_illegal_bio(seed, tokens, scale):
    rng = torch.Generator().manual_seed(seed)
    emissions = scale * torch.randn(tokens, len(BIO), generator=rng)
    emissions[:, 2::2] += scale * (seed % 3)  # I- is tempting
    assert legal(emissions) is None


@pytest.mark.parametrize("high", [3e38, -3e38])
def test_not_even_where_the_sum_of_finite_scores_overflows(high):
    """The decoder lets everything finite through, and promises legal tags "whatever the
    emissions"."""
    for favoured in product(range(len(BIO)), repeat=3):
        emissions = torch.zeros(3, len(BIO))
        emissions[torch.arange(3), list(favoured)] = high
        emissions[:, 2] = high
        assert legal(emissions) is None, favoured
