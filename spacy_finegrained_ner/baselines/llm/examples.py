"""Which gold texts a prompt shows: the same for all, or those nearest to the text."""

import json
from collections.abc import Iterable, Sequence
from itertools import islice
from random import Random
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import srsly
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

from spacy_finegrained_ner.baselines.llm.prompt import FewShot, few_shot, shown
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.settings import Count, CountOrZero, Whole, checked

_AT_ONCE = 256


@runtime_checkable
class Examples(Protocol):
    """What `[components.finegrained_llm.examples]` gives the component. It is saved with it."""

    def draw(self, gold: Sequence[Doc], taxonomy: Taxonomy) -> None:
        """When initialized. gold: annotated texts, of which some have no entities, or none."""
        ...

    def of(self, docs: Sequence[Doc]) -> list[Sequence[FewShot]]:
        """The examples for each text, the nearest to the end of the prompt last."""
        ...

    def to_bytes(self) -> bytes: ...

    def from_bytes(self, data: bytes) -> "Examples": ...


class FixedExamples:
    """The same for each text: drawn by seed, so that all types occur if that is possible."""

    def __init__(self, number: int, seed: int) -> None:
        self.number, self.seed = number, seed
        self.drawn: list[FewShot] = []

    def draw(self, gold: Sequence[Doc], taxonomy: Taxonomy) -> None:
        pool = [few_shot(doc, taxonomy) for doc in gold]
        self.drawn = stratified(pool, self.number, self.seed)

    def of(self, docs: Sequence[Doc]) -> list[Sequence[FewShot]]:
        # The text itself would be no example, but the answer
        return [[shot for shot in self.drawn if shot.text != shown(doc)] for doc in docs]

    def to_bytes(self) -> bytes:
        return _to_json(self.drawn)

    def from_bytes(self, data: bytes) -> "FixedExamples":
        self.drawn = _from_json(data)
        return self


class NearestExamples:
    """For each text those whose mean vectors have the smallest angle with its own."""

    def __init__(self, encoder: Model[list[Doc], list[Floats2d]], number: int) -> None:
        self.encoder, self.number = encoder, number
        self.pool: list[FewShot] = []
        self._vectors: npt.NDArray[np.float32] = np.zeros((0, 0), dtype="float32")

    def draw(self, gold: Sequence[Doc], taxonomy: Taxonomy) -> None:
        gold = [doc for doc in gold if doc.ents]
        self.encoder.initialize(X=gold[:10] or None)
        self.pool = [few_shot(doc, taxonomy) for doc in gold]
        self._vectors = self._means(gold)

    def of(self, docs: Sequence[Doc]) -> list[Sequence[FewShot]]:
        if not self.pool or not docs:
            return [()] * len(docs)
        near = self._means(docs) @ self._vectors.T  # (docs, pool)
        found: list[Sequence[FewShot]] = []
        for doc, row in zip(docs, near, strict=True):
            order = (self.pool[i] for i in np.argsort(-row, kind="stable").tolist())
            best = islice((shot for shot in order if shot.text != shown(doc)), self.number)
            found.append([*best][::-1])
        return found

    def to_bytes(self) -> bytes:
        vectors = {"shape": self._vectors.shape, "data": self._vectors.tobytes()}
        encoder = self.encoder.to_bytes() if self.pool else b""
        data: bytes = srsly.msgpack_dumps(
            {"pool": _to_json(self.pool), "vectors": vectors, "encoder": encoder}
        )
        return data

    def from_bytes(self, data: bytes) -> "NearestExamples":
        found: dict[str, Any] = srsly.msgpack_loads(data)
        self.pool = _from_json(found["pool"])
        vectors = np.frombuffer(found["vectors"]["data"], dtype="float32")
        self._vectors = vectors.reshape(found["vectors"]["shape"])
        if self.pool:
            self.encoder.from_bytes(found["encoder"])
        return self

    def _means(self, docs: Sequence[Doc]) -> npt.NDArray[np.float32]:
        """*Shape:* (docs, width), each of length 1; zeros for a Doc without tokens."""
        rows: list[npt.NDArray[Any]] = []
        for at in range(0, len(docs), _AT_ONCE):
            for vectors in self.encoder.predict(list(docs[at : at + _AT_ONCE])):
                array = self.encoder.ops.to_numpy(vectors)
                mean = array.mean(axis=0) if len(array) else np.zeros(array.shape[1])
                rows.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return np.array(rows, dtype="float32").reshape(len(docs), -1 if rows else 0)


def stratified(pool: Sequence[FewShot], number: int, seed: int) -> list[FewShot]:
    """Texts with entities, one after the other: the one with most types that those before it
    lack, in an order by seed; once all types are there, from the start."""
    order = [shot for shot in pool if shot.mentions]
    Random(seed).shuffle(order)
    types = [frozenset(label for _, label in shot.mentions) for shot in order]
    drawn: list[int] = []
    seen: set[str] = set()
    every = frozenset().union(*types)
    while len(drawn) < min(number, len(order)):
        best = max(
            (i for i in range(len(order)) if i not in drawn), key=lambda i: len(types[i] - seen)
        )
        drawn.append(best)
        seen |= types[best]
        if seen == every:
            seen = set()
    return [order[i] for i in drawn]


@checked("spacy-finegrained-ner.FixedExamples.v1")
def build_fixed_examples_v1(number: CountOrZero = 10, seed: Whole = 0) -> Examples:
    """Registered as `spacy-finegrained-ner.FixedExamples.v1` (misc): `FixedExamples`.

    number: of texts in each prompt; 0 for none. seed: of the draw.
    """
    return FixedExamples(number, seed)


@checked("spacy-finegrained-ner.NearestExamples.v1")
def build_nearest_examples_v1(
    encoder: Model[list[Doc], list[Floats2d]], number: Count = 10
) -> Examples:
    """Registered as `spacy-finegrained-ner.NearestExamples.v1` (misc): `NearestExamples`.

    encoder: from Docs to vectors of their tokens, such as
        `spacy-finegrained-ner.Tok2VecTransformerLayers.v1`. It is saved with the pipeline, and so
        are the texts to choose from. number: of texts in each prompt.
    """
    return NearestExamples(encoder, number)


def _to_json(shots: Iterable[FewShot]) -> bytes:
    found = [[shot.text, shot.mentions] for shot in shots]
    return json.dumps(found, ensure_ascii=False, indent=0).encode()


def _from_json(data: bytes) -> list[FewShot]:
    found = json.loads(data)
    return [FewShot(text, tuple((a, b) for a, b in mentions)) for text, mentions in found]
