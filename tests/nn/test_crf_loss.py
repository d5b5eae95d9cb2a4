"""The loss under sets of allowed tags and under a teacher's expectations, against all paths."""

from dataclasses import replace

import pytest
import torch
from enumeration import Case, random_case, random_gold
from torch import Tensor

from spacy_finegrained_ner.nn.crf import Expectations, expectations
from spacy_finegrained_ner.nn.crf_loss import crf_cross_entropy, within

LENGTHS = [[3, 1, 2], [2, 0, 3], [1], [4, 4]]
SETTINGS = [{}, {"forbidden": 0.4}, {"scale": 30.0}]


def leaves(case: Case) -> list[Tensor]:
    return [x.clone().requires_grad_() for x in (case.emissions, *case.parameters)]


def with_leaves(case: Case, some: list[Tensor]) -> Case:
    return replace(case, emissions=some[0], transitions=some[1], starts=some[2], ends=some[3])


def found(case: Case, gold: Tensor | Expectations):
    some = leaves(case)
    loss = crf_cross_entropy(some[0], gold, case.lengths, *some[1:])
    return loss.detach(), torch.autograd.grad(loss, some, allow_unused=True)


def same(ours, theirs) -> None:
    """Loss and gradients: what has none there (transitions of one token) has zeros here."""
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-6)
    for mine, other in zip(ours[1], theirs[1], strict=True):
        expected = torch.zeros_like(mine) if other is None else other
        torch.testing.assert_close(mine, expected, rtol=1e-6, atol=1e-6)


def random_sets(case: Case, seed: int) -> Tensor:
    """Sets with an allowed path for each sequence in them, some with all tags."""
    rng = torch.Generator().manual_seed(seed)
    path = random_gold(case, seed).clamp(min=0)
    sets = torch.rand(case.emissions.shape, generator=rng) < 0.4
    sets |= torch.rand(case.emissions.shape[:2], generator=rng).unsqueeze(2) < 0.2
    return sets.scatter(2, path.unsqueeze(2), True)


def by_all_paths_in_sets(case: Case, sets: Tensor):
    some = leaves(case)
    mine = with_leaves(case, some)
    total = some[0].new_zeros(())
    for row, n in enumerate(case.lengths.tolist()):
        if n:
            paths, scores = mine.paths(row), mine.scores(row)
            legal = scores > -torch.inf
            inside = sets[row, torch.arange(n), paths].all(dim=1)
            total = total + scores[legal].logsumexp(0) - scores[legal & inside].logsumexp(0)
    return total.detach(), torch.autograd.grad(total, some, allow_unused=True)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_sets_of_allowed_tags_equal_the_sum_over_their_paths(seed, lengths, settings):
    case = random_case(seed, lengths, **settings)
    sets = random_sets(case, seed)
    same(found(case, sets), by_all_paths_in_sets(case, sets))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_sets_of_one_tag_or_of_all_are_tags_and_unknown(lengths):
    case = random_case(0, lengths)
    tags = random_gold(case, 0, unknown=0.4)
    agrees = tags.unsqueeze(2) == torch.arange(case.emissions.shape[2])
    sets = torch.where((tags == -1).unsqueeze(2), True, agrees)
    same(found(case, sets), found(case, tags))


def distribution(case: Case, seed: int) -> list[Tensor]:
    """A teacher: for each sequence any distribution over its allowed paths."""
    rng = torch.Generator().manual_seed(seed)
    rows = []
    for row, n in enumerate(case.lengths.tolist()):
        paths = case.paths(row) if n else torch.zeros((0, 0))
        q = torch.rand(len(paths), generator=rng, dtype=torch.float64)
        if n:
            q = torch.where(case.scores(row) > -torch.inf, q, 0.0)
        rows.append(q / q.sum() if n else q)
    return rows


def expected_by(case: Case, q: list[Tensor]) -> Expectations:
    """Marginals and expected transitions of a distribution over paths, counted."""
    marginals, pairs = torch.zeros_like(case.emissions), torch.zeros_like(case.transitions)
    for row, n in enumerate(case.lengths.tolist()):
        for path, p in zip(case.paths(row) if n else (), q[row], strict=True):
            for t, tag in enumerate(path.tolist()):
                marginals[row, t, tag] += p
            for a, b in zip(path.tolist(), path.tolist()[1:], strict=False):
                pairs[a, b] += p
    return Expectations(torch.zeros(()), marginals, pairs)


def cross_entropy(case: Case, q: list[Tensor]):
    """Minus the sum over all paths of q log p."""
    some = leaves(case)
    mine = with_leaves(case, some)
    total = some[0].new_zeros(())
    for row, n in enumerate(case.lengths.tolist()):
        if n:
            scores = mine.scores(row)
            legal = scores > -torch.inf
            total = total - (q[row][legal] * scores[legal].log_softmax(0)).sum()
    return total.detach(), torch.autograd.grad(total, some, allow_unused=True)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_a_teachers_expectations_equal_the_cross_entropy_over_all_paths(lengths, settings):
    case = random_case(1, lengths, **settings)
    q = distribution(case, 2)
    same(found(case, expected_by(case, q)), cross_entropy(case, q))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_expectations_of_one_path_give_the_gradient_of_its_tags(lengths):
    case = random_case(3, lengths, forbidden=0.3)
    tags = random_gold(case, 4)
    one = torch.where(
        (tags == -1).unsqueeze(2), False, tags.unsqueeze(2) == torch.arange(len(case.starts))
    )
    hard = expectations(
        within(case.emissions, one | (tags == -1).unsqueeze(2)), case.lengths, *case.parameters
    )
    same(found(case, hard), found(case, tags))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_a_teacher_in_the_sets_that_the_gold_allows(lengths):
    """A tag that the teacher does not know is neutral to it: its scores there are 0."""
    case = random_case(5, lengths)
    sets = random_sets(case, 6)
    teacher = random_case(7, lengths)
    for scores in (teacher.emissions, teacher.transitions, teacher.starts, teacher.ends):
        scores[..., -1] = 0.0
    teacher.transitions[-1] = 0.0
    q = []
    for row, n in enumerate(lengths):
        scores = teacher.scores(row) if n else torch.zeros(0)
        inside = sets[row, torch.arange(n), teacher.paths(row)].all(dim=1) if n else scores > 0
        q.append(torch.where(inside, scores, -torch.inf).softmax(0))
    told = expectations(within(teacher.emissions, sets), case.lengths, *teacher.parameters)
    same(found(case, told), cross_entropy(case, q))


def test_without_expected_transitions_only_the_emissions_learn():
    case = random_case(8, [3, 2], forbidden=0.3)
    told = expected_by(case, distribution(case, 9))
    loss, gradients = found(case, replace(told, transitions=None))
    free = expectations(case.emissions, case.lengths, *case.parameters)
    torch.testing.assert_close(gradients[0], free.marginals - told.marginals)
    assert gradients[1:] == (None, None, None)
    expected = free.log_partition.sum() - (told.marginals * case.emissions).sum()
    torch.testing.assert_close(loss, expected)


def test_what_is_forbidden_and_never_expected_is_no_nan_and_what_is_expected_is_infinite():
    case = random_case(10, [3], forbidden=0.0)
    case.transitions[1, 2] = case.starts[1] = -torch.inf
    told = expected_by(case, distribution(case, 11))
    assert told.transitions[1, 2] == 0
    loss, gradients = found(case, told)
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)
    told.transitions[1, 2] = 0.1
    assert found(case, told)[0] == torch.inf


@pytest.mark.parametrize("sets", [[[], [0, 1]], [[0, 1], []]])
def test_where_nothing_is_allowed_the_loss_is_infinite(sets):
    case = random_case(12, [2])
    allowed = torch.tensor([[[tag in some for tag in range(4)] for some in sets]])
    assert found(case, allowed)[0] == torch.inf


def test_gradients_equal_finite_differences():
    case = random_case(13, [3, 2])
    sets, told = random_sets(case, 14), expected_by(case, distribution(case, 15))
    for gold in (sets, told):
        assert torch.autograd.gradcheck(
            lambda emissions, *scores, gold=gold: crf_cross_entropy(
                emissions, gold, case.lengths, *scores
            ),
            leaves(case),
        )
