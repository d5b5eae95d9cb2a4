import pickle
from types import SimpleNamespace

import pytest
import spacy
from spacy import registry
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from thinc.api import Config

from spacy_finegrained_ner.training.callbacks import build_auxiliary_weight_v1, build_chain_v1
from spacy_finegrained_ner.training.decay import build_linear_decay_v1, build_paper_decay_v1

NAME = "spacy-finegrained-ner.auxiliary_weight.v1"


class Weighted:
    """Stands in for the component: a weight, and nothing else that the callback needs."""

    def __init__(self) -> None:
        self.auxiliary_weight = 0.5

    def __call__(self, doc):
        return doc


@Language.factory("test_weighted")
def make_weighted(nlp, name):
    return Weighted()


def make_nlp(name: str = "finegrained_ner") -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("test_weighted", name=name)
    return nlp


def weights(callback, nlp: Language, steps: int, name: str = "finegrained_ner") -> list[float]:
    found = []
    for step in range(steps):
        callback(nlp, {"step": step, "epoch": 0})
        found.append(nlp.get_pipe(name).auxiliary_weight)
    return found


def test_the_weight_follows_the_schedule_and_stays_at_its_end():
    schedule = build_linear_decay_v1(start=1.0, residual=0.0, until=1.0)
    callback = build_auxiliary_weight_v1(schedule, total_steps=4)
    # spaCy makes one step more than max_steps.
    assert weights(callback, make_nlp(), 7) == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]


def test_any_schedule_gets_progress_from_0_to_1():
    seen = []
    callback = build_auxiliary_weight_v1(lambda p: seen.append(p) or 0.5, total_steps=2)
    seen.clear()  # it was tried
    weights(callback, make_nlp(), 5)
    assert seen == [0.0, 0.5, 1.0, 1.0, 1.0]


def test_the_component_may_have_another_name():
    nlp = make_nlp("first")
    nlp.add_pipe("test_weighted", name="second")
    callback = build_auxiliary_weight_v1(lambda progress: 0.125, 10, component="second")
    assert weights(callback, nlp, 1, "second") == [0.125]
    assert nlp.get_pipe("first").auxiliary_weight == 0.5


def test_a_reference_that_nobody_resolved_leaves_the_weight_alone():
    callback = build_auxiliary_weight_v1(lambda progress: 0.0, "${training.max_steps}")
    assert weights(callback, make_nlp(), 3) == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("total_steps", "message"),
    [
        (0, r"total_steps of .*auxiliary_weight\.v1 is 0, expected a whole number >= 1.*max_steps"),
        (-2, r"total_steps of .* is -2"),
        ("many", r"total_steps of .* is 'many', expected a whole number"),
    ],
)
def test_a_length_that_is_not_known(total_steps, message):
    with pytest.raises(ValueError, match=message):
        build_auxiliary_weight_v1(lambda progress: 0.0, total_steps)


def test_a_component_that_is_not_there():
    callback = build_auxiliary_weight_v1(lambda progress: 0.0, 10, component="ner")
    with pytest.raises(ValueError, match=r"'ner', which is not.*'sentencizer', 'finegrained_ner'"):
        callback(make_nlp(), {"step": 0, "epoch": 0})


@pytest.mark.parametrize("total_steps", [10, "${training.max_steps}"])
def test_a_component_without_a_weight(total_steps):
    callback = build_auxiliary_weight_v1(lambda progress: 0.0, total_steps, "sentencizer")
    with pytest.raises(ValueError, match=r"'sentencizer', a Sentencizer without an auxiliary_w"):
        callback(make_nlp(), {"step": 0, "epoch": 0})


@pytest.mark.parametrize("weight", [1.5, -0.1, float("nan")])
def test_a_schedule_that_leaves_the_range(weight):
    nlp = make_nlp()
    # Not at one of the points that are tried when it is made
    callback = build_auxiliary_weight_v1(lambda p: weight if 0.7 < p < 0.74 else 0.5, 100)
    with pytest.raises(ValueError, match=rf"gives {weight} at progress 0.72, expected .* 0 to 1"):
        callback(nlp, {"step": 72, "epoch": 0})
    assert nlp.get_pipe("finegrained_ner").auxiliary_weight == 0.5


def test_pickled():
    callback = build_chain_v1({"w": build_auxiliary_weight_v1(build_paper_decay_v1(), 16)})
    again = pickle.loads(pickle.dumps(callback))
    found = weights(again, make_nlp(), 16)
    assert found == weights(callback, make_nlp(), 16)
    assert found[3] == pytest.approx(0.75)


def test_a_chain_runs_all_by_the_alphabet_with_what_it_gets():
    calls = []

    def recorder(name: str):
        return lambda nlp, info: calls.append((name, nlp, info))

    nlp, info = SimpleNamespace(), {"step": 3, "epoch": 1}
    chain = build_chain_v1({"b": recorder("b"), "c": recorder("c"), "a": recorder("a")})
    assert chain(nlp, info) is None
    assert calls == [("a", nlp, info), ("b", nlp, info), ("c", nlp, info)]


ALONE = f"""
[training]
max_steps = 8

[training.before_update]
@callbacks = "{NAME}"
total_steps = ${{training.max_steps}}
component = "other"

[training.before_update.schedule]
@misc = "spacy-finegrained-ner.paper_decay.v1"
epochs = 8
"""

IN_A_CHAIN = f"""
[training]
max_steps = 8

[training.before_update]
@callbacks = "spacy-finegrained-ner.chain.v1"

[training.before_update.callbacks]

[training.before_update.callbacks.second]
@callbacks = "{NAME}"
total_steps = 100
component = "other"

[training.before_update.callbacks.second.schedule]
@misc = "spacy-finegrained-ner.constant.v1"
weight = 0.25

[training.before_update.callbacks.first]
@callbacks = "{NAME}"
total_steps = ${{training.max_steps}}
component = "finegrained_ner"

[training.before_update.callbacks.first.schedule]
@misc = "spacy-finegrained-ner.paper_decay.v1"
epochs = 8
"""


def before_update(text: str):
    """The callback, as `spacy train` resolves it: merged, interpolated and checked."""
    config = spacy.blank("en").config.merge(Config().from_str(text, interpolate=False))
    interpolated = config.interpolate()["training"]
    return registry.resolve(interpolated, schema=ConfigSchemaTraining)["before_update"]


def test_alone_from_a_config():
    nlp = make_nlp("other")
    assert weights(before_update(ALONE), nlp, 8, "other") == [1, 0.75, 0.5, 0.25, *[0.1] * 4]


def test_a_chain_from_a_config():
    nlp = make_nlp()
    nlp.add_pipe("test_weighted", name="other")
    assert weights(before_update(IN_A_CHAIN), nlp, 3) == [1, 0.75, 0.5]
    assert nlp.get_pipe("other").auxiliary_weight == 0.25


def test_a_chain_of_something_that_is_no_callback():
    text = ALONE.split("[training.before_update]")[0] + (
        '[training.before_update]\n@callbacks = "spacy-finegrained-ner.chain.v1"\n'
        "[training.before_update.callbacks]\nfirst = 3\n"
    )
    with pytest.raises(
        ValueError, match=r"callbacks.first of .*chain\.v1 is 3, expected a callback"
    ):
        before_update(text)
