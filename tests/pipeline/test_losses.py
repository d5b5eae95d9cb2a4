"""What an update learns from, and what it leaves alone."""

import numpy as np
import pytest
import torch
from enumeration import Case
from pipelines import LINEAR, examples, make_nlp
from thinc.api import fix_random_seed

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.ml.decoder import Decoder
from spacy_finegrained_ner.pipeline.losses import not_finite
from spacy_finegrained_ner.training.optimizer import build_adamw_v1

CRF = LINEAR | {"decoder": "crf"}
INTERPOLATED = {"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.5}
ADDITIVE = {"@losses": "spacy-finegrained-ner.additive.v1", "scale": 0.5}
PARTIAL = (
    "pelé/B-Athlete in/O lyon/-",
    "marie/- curie/I-Scientist drinks/O green/B-Drink tea/-",
    "nobody/- knows/-",
)
NAME = "finegrained_ner"


def initialized(texts=PARTIAL, **config):
    fix_random_seed(0)
    nlp = make_nlp(**config)
    data = examples(nlp, texts)
    nlp.initialize(lambda: data)
    return nlp, data


@pytest.mark.parametrize(("texts", "more"), [(8, ""), (9, " and 1 more"), (17, " and 9 more")])
def test_what_is_said_of_a_loss_that_is_not_finite_names_eight_texts(texts, more):
    said = not_finite("x", examples(make_nlp(), ["one/O"] * texts))
    assert said.count("'one") == 8
    assert f"]{more}. Load an earlier" in said


def scores(nlp, data):
    pipe = nlp.get_pipe(NAME)
    (batch,) = pipe.model.begin_update([example.predicted for example in data])[0]
    return pipe, batch


def tasks(pipe, data) -> list[tuple[TagSet, list]]:
    """Tags and gold of the fine and of the coarse task."""
    fine = TagSet(pipe.labels)
    gold = [gold_of(example, fine) for example in data]
    coarse = pipe.auxiliary.tag_set(fine, pipe.taxonomy)
    return [(fine, gold), (coarse, pipe.auxiliary.gold(data, gold, fine, pipe.taxonomy))]


@pytest.mark.parametrize("model", [LINEAR, CRF])
@pytest.mark.parametrize(
    ("loss", "w", "on_fine", "on_auxiliary"),
    [(INTERPOLATED, 0.1, 0.9, 0.15), (INTERPOLATED, 0.6, 0.4, 0.9), (ADDITIVE, 0.6, 1.0, 0.3)],
)
def test_combined_loss_and_gradient_equal_the_formula(loss, w, on_fine, on_auxiliary, model):
    nlp, data = initialized(model=model, loss=loss, auxiliary_weight=w)
    pipe, emissions = scores(nlp, data)
    (fine, d_fine), (auxiliary, d_auxiliary) = (
        Decoder(tags).loss(task, emissions.lengths, gold)
        for task, (tags, gold) in zip(emissions.tasks, tasks(pipe, data), strict=True)
    )
    total, (gradient,) = pipe.get_loss(data, [emissions])
    assert total == pytest.approx(on_fine * fine + on_auxiliary * auxiliary, rel=1e-5)
    for part, whole, factor in (
        (gradient.tasks[0], d_fine, on_fine),
        (gradient.tasks[1], d_auxiliary, on_auxiliary),
    ):
        assert len(part) == (1 if model is LINEAR else 4)
        for ours, theirs in zip(part, whole, strict=True):
            np.testing.assert_allclose(ours, factor * theirs, rtol=1e-4, atol=1e-7)
    losses = nlp.update(data, losses={NAME: 10.0, f"{NAME}_fine": 20.0})
    assert losses == pytest.approx(
        {NAME: 10 + total, f"{NAME}_fine": 20 + fine, f"{NAME}_auxiliary": auxiliary}, rel=1e-5
    )


def parameters(nlp) -> dict[str, torch.Tensor]:
    module = nlp.get_pipe(NAME).model.get_ref("tagger").shims[0]._model
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("w", "idle", "busy"), [(0.0, "auxiliary", "fine"), (1.0, "fine", "auxiliary")]
)
def test_a_task_of_weight_0_is_left_alone_decay_and_momentum_included(w, idle, busy, full):
    """full: with all layers, by the default config."""
    model = {} if full else {"model": CRF}
    nlp, data = initialized(auxiliary_weight=w, loss=INTERPOLATED, **model)
    sgd = build_adamw_v1(0.01, weight_decay=0.5)
    nlp.get_pipe(NAME).auxiliary_weight = 0.5
    before = parameters(nlp)
    nlp.update(data, sgd=sgd)
    both = parameters(nlp)
    assert not any(torch.equal(both[name], before[name]) for name in both)
    nlp.get_pipe(NAME).auxiliary_weight = w
    for _ in range(2):
        losses = nlp.update(data, sgd=sgd)
        assert set(losses) == {NAME, f"{NAME}_{busy}"}
    after = parameters(nlp)
    for name in both:
        moved = not torch.equal(after[name], both[name])
        assert moved == (not name.startswith(f"head.{idle}.")), name


def test_with_weight_0_from_the_start_the_random_weights_stay():
    nlp, data = initialized(auxiliary_weight=0.0)
    before = parameters(nlp)
    nlp.update(data, sgd=build_adamw_v1(0.01, weight_decay=0.5))
    after = parameters(nlp)
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if name.startswith("head.auxiliary.")} != set()


def test_linear_emissions_of_tokens_whose_gold_is_not_known_get_no_gradient():
    nlp, data = initialized(model=LINEAR)
    pipe, emissions = scores(nlp, data)
    _, (gradient,) = pipe.get_loss(data, [emissions])
    for (d_emissions,), (_, gold) in zip(gradient.tasks, tasks(pipe, data), strict=True):
        for row, one in zip(d_emissions, gold, strict=True):
            learned = row[: len(one)].any(axis=1)
            np.testing.assert_array_equal(learned, one.tags != UNKNOWN)


def test_the_crf_sums_over_all_legal_tags_of_tokens_whose_gold_is_not_known():
    nlp, data = initialized(model=CRF)
    pipe, emissions = scores(nlp, data)
    for name, task, (tag_set, gold) in zip(
        ("fine", "auxiliary"), emissions.tasks, tasks(pipe, data), strict=True
    ):
        # Two docs of 3 and 2 tokens: their paths are few.
        few = [0, 2]
        first, transitions, starts, ends = (torch.from_numpy(x).double() for x in task)
        case = Case(
            first[few],
            torch.tensor([emissions.lengths[i] for i in few]),
            transitions.masked_fill(~torch.from_numpy(tag_set.legal_transitions), -torch.inf),
            starts.masked_fill(~torch.from_numpy(tag_set.legal_starts), -torch.inf),
            ends,
        )
        padded = torch.full(case.emissions.shape[:2], -1)
        for row, i in zip(padded, few, strict=True):
            row[: len(gold[i])] = torch.from_numpy(gold[i].tags)
        known = sum(tag != UNKNOWN for i in few for tag in gold[i].tags)
        assert known == 2
        loss = pipe.update([data[i] for i in few])[f"{NAME}_{name}"]  # takes no step
        assert loss == pytest.approx(-case.log_likelihood(padded).item() / known, rel=1e-4)


@pytest.mark.parametrize("model", [LINEAR, CRF])
def test_what_is_not_annotated_is_not_learned_as_o(model):
    """`lyon` is an entity in one text and not annotated in many."""
    texts = ("in/O lyon/B-HumanSettlement", *["in/O lyon/-"] * 9, "pelé/B-Athlete drinks/O tea/O")
    nlp, data = initialized(texts, model=model)
    sgd = build_adamw_v1(0.02)
    for _ in range(40):
        nlp.update(data, sgd=sgd)
    assert [(ent.text, ent.label_) for ent in nlp("in lyon").ents] == [("lyon", "HumanSettlement")]
