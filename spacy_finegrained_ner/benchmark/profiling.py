"""Where the time of a train step and of nlp.pipe goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from spacy_transformers import data_classes

from spacy_finegrained_ner.benchmark.pipelines import Pipeline, our_config
from spacy_finegrained_ner.benchmark.sentences import Sample
from spacy_finegrained_ner.benchmark.speed import Say, machine, spread
from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.ml import encoder, encoder_batches
from spacy_finegrained_ner.ml.decoder import Decoder
from spacy_finegrained_ner.ml.shim import ModuleShim
from spacy_finegrained_ner.nn import bilstm, blending, tagger_module
from spacy_finegrained_ner.pipeline import learning

TOKENIZE, ALIGN, POOL = "tokenizing", "alignment", "pooling"
ENCODER, ENCODER_BACK = "encoder, forward", "encoder, backward"
BILSTM, BLENDING, LINEAR = "BiLSTM, forward", "blending, forward", "linear layers, dropout"
HEAD_BACK, PADDING = "head, backward", "lists to padded tensors"
FINE, COARSE, VITERBI = "CRF loss, fine", "CRF loss, coarse", "Viterbi"
GOLD, OPTIMIZER, ANNOTATE = "gold tags", "optimizer", "annotation"
REST = "spaCy's own, and the rest"


class Clock:
    """Seconds by part. A part's time is its own: that of parts inside of it is not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._parts = [REST]
        self._since = time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._switch()
        self._parts.append(name)
        try:
            yield
        finally:
            self._switch()
            self._parts.pop()

    def reset(self) -> None:
        self.seconds.clear()
        self._since = time.perf_counter()

    def stop(self) -> dict[str, float]:
        self._switch()
        return dict(self.seconds)

    def _switch(self) -> None:
        now = time.perf_counter()
        self.seconds[self._parts[-1]] += now - self._since
        self._since = now

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.part(name):
                return function(*args, **kwargs)

        return run


def profile(sample: Sample, rounds: int, say: Say) -> dict[str, Any]:
    """Seconds by part: of training on the sample once, and of annotating it.

    The median over the rounds, after a warm-up. The clocks themselves cost below one percent.
    """
    pipeline = Pipeline(our_config(sample), sample)
    clock = Clock()
    report: dict[str, Any] = {"machine": machine(), "rounds": rounds, "words": sample.words}
    with _watched(clock, pipeline):
        for name in ("training", "prediction"):
            found = []
            for turn in range(-1, rounds):
                say(f"profile of {name}, round {turn + 1} of {rounds}")
                if name == "prediction":
                    pipeline.prepare()
                clock.reset()
                if name == "training":
                    pipeline.train(turn, 8 if turn < 0 else 1)
                else:
                    pipeline.annotate()
                if turn >= 0:
                    found.append(clock.stop())
            parts = {part for seconds in found for part in seconds}
            report[name] = {p: spread([s.get(p, 0.0) for s in found]) for p in parts}
            total = sum(row["median"] for row in report[name].values())
            for row in report[name].values():
                row["share"] = row["median"] / total
    return report


@contextmanager
def _watched(clock: Clock, pipeline: Pipeline) -> Iterator[None]:
    """Clocks around the functions that do the work, where they are looked up when called."""
    component: Any = pipeline.nlp.get_pipe("finegrained_ner")
    head = component.model.get_ref("tagger").shims[0]
    batch, shim = data_classes.FullTransformerBatch, ModuleShim
    targets: list[tuple[Any, str, str]] = [
        (encoder, "tokenize", TOKENIZE),
        (encoder_batches, "get_alignment_via_offset_mapping", ALIGN),
        (encoder_batches, "truncate_oversize_splits", ALIGN),
        (encoder_batches.EncoderBatch, "split_by_doc", ALIGN),
        (batch, "unsplit_by_doc", ALIGN),
        (bilstm.BiLSTM, "forward", BILSTM),
        (blending.Concatenate, "forward", BLENDING),
        (tagger_module.TaggerModule, "forward", LINEAR),
        (shim, "finish_update", OPTIMIZER),
        (learning, "gold_of", GOLD),
        (Annotation, "write", ANNOTATE),
        (Decoder, "decode", VITERBI),
    ]
    layers = {"tagger": PADDING, "trfs2arrays": POOL}
    with ExitStack() as stack:
        for owner, name, part in targets:
            function = getattr(owner, name)
            stack.enter_context(patch.object(owner, name, clock.timed(part, function)))
        for node in component.model.walk():
            if node.name in layers:
                part = layers[node.name]
                timed = _with_backprop(clock, part, part, node._func)
                stack.enter_context(patch.object(node, "_func", timed))
        original = shim.begin_update

        def begin_update(self: ModuleShim, inputs: Any) -> Any:
            forward, backward = (LINEAR, HEAD_BACK) if self is head else (ENCODER, ENCODER_BACK)
            return _with_backprop(clock, forward, backward, original)(self, inputs)

        stack.enter_context(patch.object(shim, "begin_update", begin_update))
        predict = shim.predict

        def timed_predict(self: ModuleShim, inputs: Any) -> Any:
            with clock.part(LINEAR if self is head else ENCODER):
                return predict(self, inputs)

        stack.enter_context(patch.object(shim, "predict", timed_predict))
        loss = Decoder.loss

        def timed_loss(self: Decoder, *args: Any, **kwargs: Any) -> Any:
            fine = self.tag_set == component._tag_set
            with clock.part(FINE if fine else COARSE):
                return loss(self, *args, **kwargs)

        stack.enter_context(patch.object(Decoder, "loss", timed_loss))
        yield


def _with_backprop(
    clock: Clock, forward: str, backward: str, function: Callable[..., tuple[Any, Any]]
) -> Callable[..., tuple[Any, Any]]:
    def run(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with clock.part(forward):
            output, backprop = function(*args, **kwargs)
        return output, clock.timed(backward, backprop)

    return run
