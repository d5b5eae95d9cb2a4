"""The posterior of a span against all paths, looked at one by one."""

import pytest
import torch
from enumeration import Case, random_case

from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.nn.crf_loss import within
from spacy_finegrained_ner.nn.posteriors import span_posteriors

LENGTHS = [4, 1, 2, 0, 4]
TAGS = TagSet(("A", "B"))
BEGIN, INSIDE = torch.tensor([1, 3]), torch.tensor([2, 4])


def bio_case(seed: int, scale: float, *, linear: bool = False, lengths=LENGTHS) -> Case:
    case = random_case(seed, lengths, tags=len(TAGS), scale=scale)
    if linear:
        for tensor in case.parameters:
            tensor.zero_()
    case.transitions[~torch.from_numpy(TAGS.legal_transitions)] = -torch.inf
    case.starts[~torch.from_numpy(TAGS.legal_starts)] = -torch.inf
    return case


def by_enumeration(case: Case) -> dict[tuple[int, int, int, str], float]:
    """(row, start, end, label): the share of the paths that have this entity."""
    total: dict[tuple[int, int, int, str], float] = {}
    for row, n in enumerate(case.lengths.tolist()):
        if not n:
            continue
        shares = case.scores(row).double().softmax(dim=0)
        for path, share in zip(case.paths(row).tolist(), shares.tolist(), strict=True):
            if share:
                for start, end, label in TAGS.decode(path):
                    key = row, start, end, label
                    total[key] = total.get(key, 0.0) + share
    return total


def found(case: Case):
    return span_posteriors(case.emissions, case.lengths, *case.parameters, BEGIN, INSIDE)


def all_spans(lengths) -> list[tuple[int, int, int]]:
    return [
        (row, start, end)
        for row, n in enumerate(lengths)
        for start in range(n)
        for end in range(start + 1, n + 1)
    ]


@pytest.mark.parametrize("scale", [1.0, 200.0])
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("allowed", [1.0, 0.6])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_posteriors_equal_those_over_all_paths(scale, linear, allowed, dtype, tolerance):
    for seed in range(6):
        case = bio_case(seed, scale, linear=linear)
        if allowed < 1.0:  # sets of allowed tags; O always is
            rng = torch.Generator().manual_seed(seed)
            sets = torch.rand(case.emissions.shape, generator=rng) < allowed
            sets[..., 0] = True
            case.emissions = within(case.emissions, sets)
        case = Case(case.emissions.to(dtype), case.lengths, *(x.to(dtype) for x in case.parameters))
        expected = by_enumeration(case)
        spans = torch.tensor(all_spans(LENGTHS))
        ours = found(case).of(*spans.T).exp()
        theirs = torch.tensor(
            [[expected.get((*span, x), 0.0) for x in TAGS.labels] for span in spans.tolist()],
            dtype=torch.float64,
        )
        torch.testing.assert_close(ours, theirs, rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("at_least", [0.4, 0.05, 1e-4])
def test_likely_are_all_spans_above_a_posterior(at_least):
    for seed in range(8):
        case = bio_case(seed, 2.0)
        expected = {k: p for k, p in by_enumeration(case).items() if p >= at_least}
        rows, starts, ends, labels, log = found(case).likely(at_least)
        ours = {
            (*span, TAGS.labels[label]): p
            for *span, label, p in zip(
                *(x.tolist() for x in (rows, starts, ends, labels, log.exp())), strict=True
            )
        }
        assert ours == pytest.approx(expected)


def test_of_a_long_text_whose_scores_are_far_apart_all_is_finite_and_adds_up():
    """An entity begins, or none does, at each token: what begins has some end."""
    case = bio_case(0, 200.0, lengths=[300, 40])
    posteriors = found(case)
    rows, starts, _ends, labels, log = posteriors.likely(1e-9)
    assert len(rows)
    assert log.isfinite().all()
    total = torch.zeros_like(posteriors.begins)
    total.index_put_((rows, starts, labels), log.exp(), accumulate=True)
    torch.testing.assert_close(total, posteriors.begins.exp(), rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("lengths", [[], [0, 0]])
def test_of_no_tokens_there_is_none(lengths):
    posteriors = found(bio_case(0, 1.0, lengths=lengths))
    assert posteriors.begins.shape == (len(lengths), 1, 2)
    assert [len(x) for x in posteriors.likely(0.1)] == [0] * 5
    none = torch.zeros(0, dtype=torch.long)
    assert posteriors.of(none, none, none).shape == (0, 2)
