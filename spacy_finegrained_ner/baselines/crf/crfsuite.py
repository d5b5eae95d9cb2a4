"""The one place that knows CRFsuite: training, and a trained model that can be saved."""

import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spacy_finegrained_ner.baselines.crf.features import Features
from spacy_finegrained_ner.settings import Count, CountOrZero, NotNegative, Switch

_HEADER = 48
"""Bytes that begin a model; its size is in the fifth to the eighth."""


@dataclass(frozen=True)
class TrainingSettings:
    """Of L-BFGS in CRFsuite.

    c1, c2: factors on the L1 and L2 norm of the weights, 0 or more. max_iterations: 1 or more.
    min_freq: features (with a tag) that are there fewer times are left out.
    all_possible_transitions: whether a pair of tags that never occurs has a weight too.
    report_every: iterations between two lines on the progress; 0 for no lines at all.
    """

    c1: NotNegative
    c2: NotNegative
    max_iterations: Count
    min_freq: NotNegative
    all_possible_transitions: Switch
    report_every: CountOrZero


class CrfModel:
    """A trained model.

    data: its bytes. digest: what they had when they were saved, if that is known. CRFsuite follows
    what it reads without a look, and takes the process with it where that is damaged.

    Raises a ValueError if they are not a whole model, or not the one that was saved.
    """

    def __init__(self, data: bytes, digest: str | None = None) -> None:
        size = int.from_bytes(data[4:8], "little")
        if data[:4] != b"lCRF" or len(data) < _HEADER or len(data) != size:
            raise ValueError(
                f"found {len(data)} bytes that are not a model of CRFsuite, or not all of it. "
                "Copy the pipeline again, or train it anew."
            )
        self.digest = hashlib.sha256(data).hexdigest()
        if digest not in (None, self.digest):
            raise ValueError(
                f"found {len(data)} bytes that are not those of the model that was saved (SHA-256 "
                f"{self.digest[:12]}..., expected {str(digest)[:12]}...). Copy the pipeline again, "
                "or train it anew."
            )
        self.data = data  # the tagger reads from it for as long as it lives
        self._tagger = require_pycrfsuite().Tagger()
        self._tagger.open_inmemory(data)

    # A tagger of CRFsuite can't be pickled.
    def __reduce__(self) -> tuple[type["CrfModel"], tuple[bytes]]:
        return CrfModel, (self.data,)

    def tag(self, sentence: Sequence[Features]) -> list[str]:
        """The best tags of a sentence by Viterbi; not always legal BIO."""
        return self._tagger.tag(sentence) if sentence else []


def require_pycrfsuite() -> Any:
    """The module `pycrfsuite`, or an ImportError that says how to get it."""
    try:
        import pycrfsuite
    except ImportError as error:
        raise ImportError(
            "The component crf_ner needs the package python-crfsuite, which can't be imported "
            f'({error}). Install it with: pip install "spacy-finegrained-ner[crf]"'
        ) from error
    return pycrfsuite


def say(owner: str, line: str) -> None:
    """A line on standard error."""
    print(f"{owner}: {line}", file=sys.stderr, flush=True)


def train_crf(
    sequences: Iterable[tuple[Sequence[Features], Sequence[str]]],
    settings: TrainingSettings,
    owner: str,
) -> tuple[CrfModel, dict[str, Any]]:
    """Train on features and tags of sentences, in one go.

    owner: the name of the component, for messages. The progress is reported on standard error, in
        lines of their own: it takes minutes, and may run where there is no terminal.
    RETURNS: the model, and what is known of the training: `weights` (how many; with c1 most of
        them are 0 in the end), `iterations`, `loss`.

    Raises a ValueError if there is nothing to learn from.
    """
    require_pycrfsuite()
    import pycrfsuite

    every = settings.report_every

    class Trainer(pycrfsuite.Trainer):
        """Reports a few lines, where the original prints many. An exception from here, such as
        that of Ctrl-C, ends the training."""

        features = 0

        def on_featgen_end(self, log: str) -> None:
            self.features = self.logparser.featgen_num_features
            if every:
                say(owner, f"{self.features:,} weights to learn")

        def on_iteration(self, log: str, info: dict[str, Any]) -> None:
            if every and (info["num"] == 1 or info["num"] % every == 0):
                say(
                    owner,
                    f"iteration {info['num']} of at most {settings.max_iterations}: loss "
                    f"{info['loss']:.1f}, {info['time']:.1f} s",
                )

        def on_prepare_error(self, log: str) -> None:
            raise ValueError(
                f"'{owner}' can't be trained: CRFsuite says {log.strip().splitlines()[-1]!r}. It "
                f"found {self.features} weights to learn; if that is 0, give more data, more "
                f"features or a lower min_freq than {settings.min_freq}."
            )

        def on_optimization_end(self, log: str) -> None:
            if every:
                say(owner, " ".join(log.split()))

        def _say_nothing(self, *_: Any) -> None:
            pass

        on_start = on_featgen_progress = on_prepared = on_end = _say_nothing

    trainer = Trainer(
        "lbfgs",
        {
            "c1": settings.c1,
            "c2": settings.c2,
            "max_iterations": settings.max_iterations,
            "feature.minfreq": settings.min_freq,
            "feature.possible_transitions": settings.all_possible_transitions,
        },
    )
    for sentence, tags in sequences:
        trainer.append(sentence, tags)
    # The trainer only writes files.
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        trainer.train(str(path))
        data = path.read_bytes()
    last = trainer.logparser.last_iteration
    known = {"weights": trainer.features, "iterations": last["num"], "loss": last["loss"]}
    return CrfModel(data), known
