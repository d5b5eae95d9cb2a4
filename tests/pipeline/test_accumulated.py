"""[training] accumulate_gradient: the parts of a step have the gradient of the whole batch."""

import warnings
from itertools import accumulate, pairwise

import numpy as np
import pytest
from pipelines import HASH_EMBED, LINEAR, SENTENCES, examples, make_nlp
from spacy.language import Language
from spacy.training import Example
from thinc.api import SGD, fix_random_seed

from spacy_finegrained_ner.data.gold import label_only

NAME = "finegrained_ner"
CRF = LINEAR | {"decoder": "crf"}
ADDITIVE = {"@losses": "spacy-finegrained-ner.additive.v1", "scale": 1.0}
INTERPOLATED = {"@losses": "spacy-finegrained-ner.interpolated.v1", "scale": 1.0}
COARSE = {"@misc": "spacy-finegrained-ner.CoarseTask.v1"}
POS = {"@misc": "spacy-finegrained-ner.PosTask.v1"}

TEXTS = (
    "marie/- curie/- drinks/O green/B-Drink tea/-",
    *(" ".join(SENTENCES[first:]) for first in (0, 1)),  # long
    "pelé/B-Athlete in/- lyon/-",
    "tea/B-Drink",
    "is/O there/- serena/B-Athlete williams/I-Athlete ?/O",
)
PARTS = {"one and all others": (1, 5), "long and short": (3, 3), "three": (1, 2, 3)}
KINDS = {
    "coarse, additive": {"auxiliary": COARSE, "loss": ADDITIVE, "auxiliary_weight": 0.3},
    "coarse, interpolated": {"auxiliary": COARSE, "loss": INTERPOLATED, "auxiliary_weight": 0.3},
    "pos, additive": {"auxiliary": POS, "loss": ADDITIVE, "auxiliary_weight": 0.3},
    "pos, interpolated": {"auxiliary": POS, "loss": INTERPOLATED, "auxiliary_weight": 0.7},
    "pos alone": {"auxiliary": POS, "loss": INTERPOLATED, "auxiliary_weight": 1.0},
    "no auxiliary task": {"auxiliary": None},
}


def initialized(**config) -> tuple[Language, list[Example]]:
    """Some texts are annotated in part; types, too; and parts of speech, elsewhere."""
    fix_random_seed(0)
    nlp = make_nlp(**config)
    data = examples(nlp, TEXTS)
    for token in (token for example in data[1:] for token in example.reference):
        if token.i % 3 != 1:
            token.pos_ = "NOUN" if len(token) > 4 else "X"
    label_only(data[5].reference, ["Athlete"])
    nlp.initialize(lambda: data)
    return nlp, data


def update(nlp: Language, data: list[Example], *parts: int, **kwargs) -> dict[str, float]:
    losses: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "spacy-finegrained-ner.PosTask.v1 finds no part")
        for size in parts:
            nlp.update(data[:size], sgd=False, losses=losses, **kwargs)
            data = data[size:]
    return losses


def step(nlp: Language) -> dict[str, np.ndarray]:
    """Ends a step that moves nothing. RETURNS: the gradient that it had, of head and tok2vec."""
    model = nlp.get_pipe(NAME).model
    found = [p.grad for p in model.get_ref("tagger").shims[0]._model.parameters()]
    head = [p.detach().numpy().copy() for p in found if p is not None]
    nodes = list(model.get_ref("tok2vec").walk())
    grads = [n.get_grad(g).copy() for n in nodes for g in n.param_names if n.has_grad(g)]
    nlp.get_pipe(NAME).finish_update(SGD(0.0))
    parts = {"head": head, "tok2vec": grads}
    return {
        name: np.concatenate([np.zeros(0), *map(np.ravel, grads)]) for name, grads in parts.items()
    }


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def known(nlp: Language, data: list[Example]) -> int:
    """What a batch on its own is divided by."""
    update(nlp, data, len(data))
    divisor = nlp.get_pipe(NAME)._divisor
    step(nlp)
    return divisor


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_parts_has_the_direction_of_the_whole_batch(kind, parts):
    """And the length of it times what is known of all by what is known of the first part."""
    nlp, data = initialized(model=CRF, **KINDS[kind])
    update(nlp, data, len(data))
    whole = step(nlp)
    bounds = [0, *accumulate(parts)]
    each = [known(nlp, data[start:end]) for start, end in pairwise(bounds)]
    ratio = known(nlp, data) / next(filter(None, each))  # of the first text's POS nothing is known
    update(nlp, data, *parts)
    found = step(nlp)
    for name, gradient in found.items():
        assert np.linalg.norm(gradient) > 0
        assert cosine(gradient, whole[name]) > 0.9999, name
        np.testing.assert_allclose(gradient, ratio * whole[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("sequence", [{"@layers": "spacy-finegrained-ner.BiLSTM.v1"}, None])
def test_it_has_with_all_layers_too(sequence):
    nlp, data = initialized(model=HASH_EMBED | {"sequence": sequence}, **KINDS["coarse, additive"])
    gradients = []
    for parts in ((len(data),), (1, 2, 3)):
        update(nlp, data, *parts)
        gradients.append(step(nlp))
    for name in gradients[0]:
        assert cosine(gradients[0][name], gradients[1][name]) > 0.9999


def test_the_losses_of_the_parts_are_by_token_of_the_first_part():
    nlp, data = initialized(model=CRF, **KINDS["pos, additive"])
    whole = update(nlp, data[:5], 5)
    step(nlp)
    parts = update(nlp, data[:5], 2, 3)
    # Known in any task: 2 tokens of the first text, all 27 of the second
    ratio = (2 + 27 + 21 + 2 + 1) / (2 + 27)
    assert parts == pytest.approx({name: ratio * loss for name, loss in whole.items()}, rel=1e-4)


@pytest.mark.parametrize("parts", [(1, 5), (3, 3)])
def test_the_next_step_has_a_divisor_of_its_own(parts):
    gradients = []
    for before in ((), parts):
        nlp, data = initialized(model=CRF)
        if before:
            update(nlp, data, *before)
            step(nlp)
        update(nlp, data[2:3], 1)
        gradients.append(step(nlp))
    for name, gradient in gradients[0].items():
        np.testing.assert_allclose(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_part_of_which_nothing_is_known_does_not_count(place):
    """Neither by its own number of tokens, nor by 0."""
    nlp, data = initialized(model=CRF)
    unknown = examples(nlp, ["nobody/- knows/-"])
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    update(nlp, data, 2, 4)
    expected = step(nlp)
    parts: list[list[Example]] = [data[:2], data[2:]]
    parts[place:place] = [unknown, [empty], [*unknown, empty]]
    losses: dict[str, float] = {}
    for part in parts:
        nlp.update(part, sgd=False, losses=losses)
    found = step(nlp)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-6)


def test_an_optimizer_that_is_given_to_update_ends_the_step():
    losses = []
    for before in (None, 3):
        nlp, data = initialized(model=CRF)
        if before:
            nlp.update(data[:before], sgd=SGD(0.0))
        losses.append(nlp.update(data[4:5], sgd=SGD(0.0)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_the_drop_of_an_update_reaches_the_layers_of_the_tok2vec_and_ends_with_it():
    nlp, data = initialized(model=CRF)

    def loss(drop: float) -> float:
        found = update(nlp, data, len(data), drop=drop)[NAME]
        step(nlp)
        return found

    plain = loss(0.0)
    fix_random_seed(0)
    dropped = [loss(0.5) for _ in range(3)]
    assert all(abs(other - plain) > 0.01 * plain for other in dropped)
    assert len(set(dropped)) == 3
    assert loss(0.0) == pytest.approx(plain, rel=1e-5)
    doc = nlp.make_doc("marie curie in lyon")
    loss(0.5)
    one, other = (nlp.get_pipe(NAME).model.predict([doc])[0].tasks[0][0] for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_an_update_that_fails_leaves_no_divisor(monkeypatch):
    nlp = make_nlp(model=HASH_EMBED)
    data = examples(nlp)
    nlp.initialize(lambda: data)
    pipe = nlp.get_pipe("finegrained_ner")
    begin = pipe.model.begin_update

    def broken(docs):
        def backprop(gradients):
            raise RuntimeError("out of memory")

        return begin(docs)[0], backprop

    with monkeypatch.context() as patched:
        patched.setattr(type(pipe.model), "begin_update", lambda model, docs: broken(docs))
        with pytest.raises(RuntimeError, match="out of memory"):
            nlp.update(data[:1], sgd=False)
    assert (pipe._divisor, pipe._nothing_known) == (0, None)
