"""Traps in what a config says of learning: rates, groups, dropout, freezing, the auxiliary task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import exp
from operator import itemgetter
from typing import Any

from thinc.api import Model

from spacy_finegrained_ner.doctor.finding import Finding
from spacy_finegrained_ner.doctor.length import trained
from spacy_finegrained_ner.doctor.run import TRANSFORMERS, Run, blocks_in
from spacy_finegrained_ner.training.callbacks import AUXILIARY_WEIGHT
from spacy_finegrained_ner.training.groups import Group
from spacy_finegrained_ner.training.rates import LearnRates

SPACYS_DROPOUT = 0.1
"""What [training] dropout is where nobody has set it."""
OF_ENCODER, OF_OTHERS = (2e-6, 6e-4), (1e-5, 5e-2)
"""Usual highest rates, of a pretrained encoder and of what starts from random weights."""
LEAST_KEPT = 0.5
"""Of a weight that no gradient reaches, at the end of a run: decay forgets what it was given."""
GROUPS = r'[training.optimizer.groups.head] pattern = "^head\\." and factor = 10.0'


def check_learning(run: Run) -> Iterator[Finding]:
    yield from _auxiliary(run)
    if trained(run):
        yield from _rates(run)
        yield from _dropout(run)
    yield from _frozen(run)


def _auxiliary(run: Run) -> Iterator[Finding]:
    callbacks = [
        block
        for block in blocks_in(run.training.get("before_update") or {})
        if block.get("@callbacks") == AUXILIARY_WEIGHT
    ]
    named = [str(block.get("component", "finegrained_ner")) for block in callbacks]
    for name in named:
        if name not in run.nlp.pipe_names:
            what = f"{AUXILIARY_WEIGHT} has component = {name!r}, which is not in the pipeline."
            do = f"Expected one of {run.nlp.pipe_names}."
            yield Finding("config-error", "error", what, do)
        elif not run.config["components"][name].get("auxiliary"):
            what = f"{AUXILIARY_WEIGHT} sets the weight of {name!r}, which has no auxiliary task."
            do = "Take it out, or give the component an auxiliary task."
            yield Finding("no-auxiliary", "note", what, do)
    for name in run.heads:
        block = run.config["components"][name]
        if block.get("auxiliary") and name not in named:
            w = block["auxiliary_weight"]
            effect = "it is not learned at all" if not w else f"w is {w:g} from first to last"
            what = (
                f"{name!r} has an auxiliary task, and no before_update sets its weight: {effect}."
            )
            do = f"Have {AUXILIARY_WEIGHT} in [training.before_update], as configs/default.cfg has."
            yield Finding("fixed-weight", "warning", what, do)


def _rates(run: Run) -> Iterator[Finding]:
    optimizer = run.training["optimizer"]
    rates = LearnRates(optimizer)
    highest: dict[str | None, float] = {}
    total: dict[str | None, float] = defaultdict(float)
    steps = min(run.steps or 2000, 20_000)
    for step in range(steps):
        for name, rate in rates.at(step).items():
            highest[name] = max(highest.get(name, 0.0), rate)
            total[name] += rate
    if run.tunes_encoder and run.heads and len(set(highest.values())) == 1:
        what = f"Head and encoder have one learning rate, {highest[None]:.2g} at its highest."
        do = f"A new head needs ten times that: spacy-finegrained-ner.AdamW.v1 with {GROUPS}."
        yield Finding("one-rate", "warning", what, do)
    for group, rate in highest.items():
        of_encoder = group is None and run.tunes_encoder
        low, high = OF_ENCODER if of_encoder else OF_OTHERS
        if not low <= rate <= high:
            kind = "a pretrained encoder" if of_encoder else "such weights"
            what = (
                f"The highest rate of {_called(group)} is {rate:.2g}; for {kind}, {low:g} to "
                f"{high:g} is usual."
            )
            do = "Look at learn_rate of [training.optimizer], and at the factors of its groups."
            yield Finding("unusual-rate", "warning", what, do)
    decays = _decays(optimizer, rates.groups)
    lost, name = max(((decay * total[name], name) for name, decay in decays), key=itemgetter(0))
    if exp(-max(lost, 0.0)) < LEAST_KEPT:
        over = f"over {steps:,} steps" if steps == run.steps else f"over the first {steps:,} steps"
        what = (
            f"Weight decay takes the weights of {_called(name)} to {exp(-lost):.2g} of what they "
            f"were, {over}."
        )
        do = "0.01 is usual: weight_decay of [training.optimizer] (L2 of thinc's Adam)."
        yield Finding("heavy-decay", "warning", what, do)


def _decays(
    optimizer: Mapping[str, Any], groups: Sequence[Group]
) -> Iterator[tuple[str | None, float]]:
    """Of what is in no group, whose name is None, and of each group."""
    thincs = optimizer.get("L2", 0.0) if optimizer.get("L2_is_weight_decay") else 0.0
    shared = optimizer.get("weight_decay", thincs)
    if not isinstance(shared, int | float):  # a schedule of thinc's
        shared = 0.0
    yield None, shared
    for group in groups:
        yield group.name, shared if group.weight_decay is None else group.weight_decay


def _called(group: str | None) -> str:
    return "what is in no group" if group is None else f"the group {group!r}"


def check_groups(run: Run, names: Sequence[str]) -> Iterator[Finding]:
    """names: of the parameters that learn, as the optimizer is told them."""
    left = list(names)
    for group in LearnRates(run.training["optimizer"]).groups:
        found = [name for name in left if group.pattern.search(name)]
        left = [name for name in left if name not in found]
        if not found:
            what = (
                f"pattern = {group.pattern.pattern!r} of the group {group.name!r} matches no "
                + ("parameter that learns, or only such as an earlier group has.")
            )
            do = f"The names of parameters begin with {_beginnings(names)}."
            yield Finding("group-without-parameters", "warning", what, do)


def _beginnings(names: Sequence[str]) -> str:
    found = dict.fromkeys(".".join(name.split(".")[:2]) for name in names)
    return ", ".join([*found][:12])


def _dropout(run: Run) -> Iterator[Finding]:
    dropout = run.training["dropout"]
    if any(_reached(pipe) for name, pipe in run.nlp.pipeline if name in trained(run)):
        return
    of_heads = {name: _setting(run, name, "dropout") for name in run.heads}
    none = [name for name, value in of_heads.items() if value == 0.0]
    if dropout != SPACYS_DROPOUT or (dropout and none):
        more = f"; the dropout of {', '.join(map(repr, none))} is 0" if none else ""
        what = f"[training] dropout is {dropout}, and reaches no layer of this pipeline{more}."
        do = (
            "Set dropout in [components.finegrained_ner.model], and that of the encoder in "
            "transformer_config (hidden_dropout_prob)."
        )
        yield Finding("dropout-reaches-nothing", "warning", what, do)


def _reached(pipe: Any) -> bool:
    """Whether it has a thinc layer with dropout: those of torch have their own."""
    model = getattr(pipe, "model", None)
    return isinstance(model, Model) and any("dropout_rate" in x.attrs for x in model.walk())


def _setting(run: Run, name: str, key: str) -> Any:
    return run.config["components"][name].get("model", {}).get(key)


def _frozen(run: Run) -> Iterator[Finding]:
    training = run.training
    for name in run.heads:
        for block in blocks_in(run.config["components"].get(name, {})):
            if block.get("grad_factor") == 0:
                what = f"grad_factor of the listener of {name!r} is 0: the encoder learns nothing."
                do = "Set it to 1.0; or is only the head meant to be trained?"
                yield Finding("frozen-listener", "warning", what, do)
    if training["accumulate_gradient"] < 1:
        what = f"accumulate_gradient of [training] is {training['accumulate_gradient']}."
        yield Finding("config-error", "error", what, "Set it to 1, or to a larger whole number.")
    for name in run.frozen:
        if name not in run.nlp.pipe_names:
            what = f"{name!r} in frozen_components is not in the pipeline {run.nlp.pipe_names}."
            yield Finding("config-error", "error", what, "Correct the name.")
            continue
        factory = run.factory(name)
        if factory == "finegrained_ner":
            what = f"{name!r} is in frozen_components: it learns nothing."
            yield Finding("frozen-listener", "warning", what, "Take it out of them.")
        if factory not in (*TRANSFORMERS, "tok2vec") or not _heard(run, factory):
            continue
        if name not in run.sourced:
            what = (
                f"{name!r} is in frozen_components, and so is not initialized; others listen to it."
            )
            do = (
                "To train the head alone, have spacy-finegrained-ner.freeze.v1 in "
                "[training.before_update]; or take it from a trained pipeline (source = ...)."
            )
            yield Finding("frozen-listener", "error", what, do)
        elif name not in training["annotating_components"]:
            what = f"{name!r} is frozen, and others listen to it: they get nothing in training."
            do = f'Add it: annotating_components = ["{name}"].'
            yield Finding("frozen-listener", "error", what, do)


def _heard(run: Run, factory: str) -> bool:
    """Whether a component that learns has a listener to such a factory."""
    kind = "Tok2VecListener" if factory == "tok2vec" else "TransformerListener"
    blocks: list[Mapping[str, Any]] = [run.config["components"].get(x, {}) for x in trained(run)]
    return any(
        kind in str(block.get("@architectures", "")) for one in blocks for block in blocks_in(one)
    )
