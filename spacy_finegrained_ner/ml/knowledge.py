"""Names as evidence, as thinc sees it: Docs >> tok2vec >> vectors that the names in them moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any, cast

import numpy as np
import srsly
import torch
from spacy.tokens import Doc
from thinc.api import ArgsKwargs, Model, get_width, torch2xp, xp2torch
from thinc.types import Floats2d

from spacy_finegrained_ner.knowledge.common import Counts, Gold
from spacy_finegrained_ner.knowledge.evidence import BUCKETS, Evidence, Vocabulary, evidence
from spacy_finegrained_ner.knowledge.found import Bools, Found, Noise
from spacy_finegrained_ner.knowledge.live import LiveNames, State
from spacy_finegrained_ner.ml.shim import ModuleShim, Precision
from spacy_finegrained_ner.nn.knowledge import NameAttention

_TOKENS = 8192
"""Of the Docs whose names are taken together in prediction, unless one has more."""

_COLUMNS = [column.name for column in fields(Evidence) if column.name != "tokens"]

Seen = list[tuple[State, Found, int]]
"""What was found in Docs, one chunk of them after the other; and of how many Docs it is."""

_GOLD: ContextVar[Sequence[Gold] | None] = ContextVar("gold", default=None)
_SEEN: ContextVar[Seen | None] = ContextVar("seen", default=None)


@contextmanager
def gold_is(gold: Sequence[Gold]) -> Iterator[None]:
    """Within it, a pass in training knows the gold of its Docs: to leave each out of its counts."""
    token = _GOLD.set(gold)
    try:
        yield
    finally:
        _GOLD.reset(token)


@contextmanager
def seen_in_prediction() -> Iterator[Seen]:
    """What is found within it, so that nobody has to search again."""
    seen: Seen = []
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


@dataclass
class Knowledge:
    """The block `[model.knowledge]`, and what is at work of it.

    path, inside: of the file, and whether it is saved with the component. hidden: width of the
    vectors of names. noise: in training. common: see `knowledge.common.Counts`.

    names, vocabulary: None before `initialize` or loading. counts: None where nothing was counted
    since, as in a component that was loaded.
    """

    path: str | None
    inside: bool
    hidden: int
    noise: Noise
    common: float
    names: LiveNames | None = None
    vocabulary: Vocabulary | None = None
    counts: Counts | None = None
    rng: np.random.Generator | None = None

    def find(self, docs: Sequence[Doc], is_train: bool) -> tuple[State, Found, Bools | None]:
        """What a pass is told: the names, and of each whether its topics are seen."""
        if self.names is None:
            raise ValueError("The names are not loaded. Initialize the component, or load it.")
        now = self.names.now
        gold = _GOLD.get()
        # Counts of the names of another file would be those of other names
        counts = self.counts if self.counts and self.counts.file is now.file else None
        if not is_train or gold is None or counts is None:
            found = self.names.find(docs, now)
        else:
            found = self.names.find(docs, now, training=True)
            found = found.only(counts.names(found, gold))
        if not is_train:
            return now, found, None
        lengths = [len(doc) for doc in docs]
        found, topics_seen = self.noise.apply(found, lengths, len(now.file), self.random)
        return now, found, topics_seen

    @property
    def random(self) -> np.random.Generator:
        """Of the noise."""
        if self.rng is None:  # spaCy seeds numpy by [training] seed
            self.rng = np.random.default_rng(np.random.randint(2**31))
        return self.rng


def with_knowledge(
    tok2vec: Model[list[Doc], list[Floats2d]], knowledge: Knowledge, precision: Precision
) -> Model[list[Doc], list[Floats2d]]:
    """A layer around the encoder. Its torch module is built by `initialize`, when the vocabulary of
    `knowledge` is known, or by `from_bytes`."""
    return Model(
        "knowledge",
        _forward,
        init=_init,
        layers=[tok2vec],
        shims=[
            ModuleShim(
                None,
                serialize_model=_serialize,
                deserialize_model=_deserialize,
                precision=precision,
            )
        ],
        # Not saved with the model: the component saves what there is to save
        attrs={"knowledge": knowledge},
    )


def knowledge_of(model: Model[Any, Any]) -> Knowledge | None:
    """The names that a model knows, if it knows any."""
    node = model.maybe_get_ref("knowledge")
    return None if node is None else node.attrs["knowledge"]


def _init(model: Model[Any, Any], X: Any = None, Y: Any = None) -> None:
    tok2vec = model.layers[0]
    tok2vec.initialize(X=X)
    knowledge: Knowledge = model.attrs["knowledge"]
    if knowledge.vocabulary is None:
        raise ValueError("The names are not there before the model: initialize the component.")
    width = max(map(get_width, tok2vec.predict(X))) if X else tok2vec.get_dim("nO")
    module = NameAttention(
        width=width,
        hidden=knowledge.hidden,
        types=len(knowledge.vocabulary.types),
        topics=len(knowledge.vocabulary.topics),
        buckets=BUCKETS,
    )
    cast(ModuleShim, model.shims[0]).hold(module)


def _serialize(module: NameAttention | None) -> bytes:
    if module is None:
        return srsly.msgpack_dumps({"sizes": None, "state": b""})
    state = BytesIO()
    torch.save(module.state_dict(), state)
    return srsly.msgpack_dumps({"sizes": module.sizes, "state": state.getvalue()})


def _deserialize(_: Any, data: bytes, device: torch.device) -> NameAttention | None:
    message = srsly.msgpack_loads(data)
    if message["sizes"] is None:
        return None
    module = NameAttention(**message["sizes"])
    state = torch.load(BytesIO(message["state"]), map_location=device, weights_only=True)
    module.load_state_dict(state)
    return module.to(device).eval()


def _forward(
    model: Model[list[Doc], list[Floats2d]], docs: list[Doc], is_train: bool
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], list[Doc]]]:
    X, backprop_tok2vec = model.layers[0](docs, is_train)
    if [len(x) for x in X] != [len(doc) for doc in docs]:
        return X, backprop_tok2vec  # which the component tells
    if is_train:
        return _train(model, docs, X, backprop_tok2vec)
    moved: list[Floats2d] = []
    for chunk in _chunks([len(x) for x in X]):
        moved += _predict(model, docs[chunk], X[chunk])
    return moved, backprop_tok2vec


def _chunks(lengths: Sequence[int]) -> Iterator[slice]:
    start = tokens = 0
    for i, length in enumerate(lengths):
        if tokens and tokens + length > _TOKENS:
            yield slice(start, i)
            start, tokens = i, 0
        tokens += length
    yield slice(start, len(lengths))


def _predict(
    model: Model[Any, Any], docs: Sequence[Doc], X: Sequence[Floats2d]
) -> Sequence[Floats2d]:
    shim, knowledge = cast(ModuleShim, model.shims[0]), model.attrs["knowledge"]
    now, found, _ = knowledge.find(docs, False)
    seen = _SEEN.get()
    if seen is not None:
        seen.append((now, found, len(docs)))
    lengths = [len(doc) for doc in docs]
    told = evidence(found, now.parts, knowledge.vocabulary, lengths)
    flat = _flat(model, X)
    arrays = _tensors(told, shim.device)
    moved = torch2xp(shim.predict(ArgsKwargs(args=(flat, *arrays), kwargs={})))
    return _split(moved, X)


def _train(
    model: Model[Any, Any],
    docs: Sequence[Doc],
    X: list[Floats2d],
    backprop_tok2vec: Callable[[list[Floats2d]], list[Doc]],
) -> tuple[list[Floats2d], Callable[[list[Floats2d]], list[Doc]]]:
    shim, knowledge = cast(ModuleShim, model.shims[0]), model.attrs["knowledge"]
    now, found, topics_seen = knowledge.find(docs, True)
    lengths = [len(doc) for doc in docs]
    told = evidence(found, now.parts, knowledge.vocabulary, lengths, topics_seen)
    flat = _flat(model, X).requires_grad_()
    arrays = _tensors(told, shim.device)
    blurred = torch.from_numpy(knowledge.noise.blurred(lengths, knowledge.random))
    blurred = blurred.to(shim.device, non_blocking=True)
    moved, backprop = shim.begin_update(ArgsKwargs(args=(flat, *arrays, blurred), kwargs={}))

    def backprop_to_docs(gradients: list[Floats2d]) -> list[Doc]:
        d_moved = _flat(model, gradients).to(moved.dtype)
        given = ArgsKwargs(args=([moved],), kwargs={"grad_tensors": [d_moved]})
        d_flat = torch2xp(backprop(given).args[0])
        return backprop_tok2vec(_split(d_flat, X))

    return _split(torch2xp(moved), X), backprop_to_docs


def _flat(model: Model[Any, Any], arrays: Sequence[Floats2d]) -> torch.Tensor:
    # An empty Doc may come as (0, 0), which does not stack with the others
    full = [array for array in arrays if len(array)]
    shim = cast(ModuleShim, model.shims[0])
    return xp2torch(model.ops.xp.concatenate(full), device=shim.device)


def _tensors(told: Evidence, device: torch.device) -> list[torch.Tensor]:
    columns = (torch.from_numpy(getattr(told, name)) for name in _COLUMNS)
    return [column.to(device, non_blocking=True) for column in columns]


def _split(flat: Any, like: Sequence[Floats2d]) -> list[Floats2d]:
    ends = np.cumsum([len(x) for x in like]).tolist()
    starts = [0, *ends[:-1]]
    return [
        flat[start:end] if end > start else x
        for start, end, x in zip(starts, ends, like, strict=True)
    ]
