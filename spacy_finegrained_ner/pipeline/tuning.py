"""A trained pipeline trained further: on corrected texts of its own types, or on new types that
its head grows for, while it teaches itself what it knew."""

import sys
import tempfile
import warnings
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from typing import IO, Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.entities import labels_of
from spacy_finegrained_ner.data.gold import LABELLED, label_only
from spacy_finegrained_ner.data.soft_targets import SOFT_TARGETS
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.growth import add_labels
from spacy_finegrained_ner.pipeline.teaching import taught, unknown_tokens

TUNING = """
[paths]
train = null
dev = null

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}
limit = 256

[training]
train_corpus = "corpora.train"
dev_corpus = "corpora.dev"
seed = ${system.seed}
gpu_allocator = ${system.gpu_allocator}
max_steps = 0
max_epochs = 0
patience = 0
eval_frequency = ${training.max_steps}
accumulate_gradient = 1
dropout = 0.1
frozen_components = []
annotating_components = []
before_update = null
before_to_disk = null

[training.batcher]
@batchers = "spacy-finegrained-ner.batch_by_length.v1"
size = 16

[training.optimizer]
@optimizers = "spacy-finegrained-ner.AdamW.v1"
beta1 = 0.9
beta2 = 0.999
eps = 0.00000001
weight_decay = 0.01
grad_clip = 1.0
lazy = true

[training.optimizer.learn_rate]
@schedules = "spacy-finegrained-ner.warmup_linear.v1"
rate = 0.0
warmup = 0.1
total_steps = ${training.max_steps}

[training.optimizer.groups]

[training.optimizer.groups.head]
pattern = "^head\\\\."
factor = 1.0

[training.logger]
@loggers = "spacy-finegrained-ner.logger.v1"
progress_bar = "eval"
"""
"""Of a training that goes on: its length and its rates are set for each."""

BATCH = 16
EPOCHS = 3
FEWEST_STEPS = 60
FEW = 1000
"""Texts beside which a pipeline forgets what is not in them."""
FEWEST_STEPS_GROWN = 200
"""With new types and texts to remember: fewer do not teach the new ones."""
RATE, FEW_RATE = 1e-4, 2e-5
"""Of the encoder, for new types: of few texts it is to learn little."""
GROWN_RATE = 1e-3
"""Of the head, for new types: its new weights are random, whatever the encoder is to learn."""
REMINDERS = 100
REMINDERS_EACH = 10
"""Texts to remember: at most so many, or so many for each of the gold. With all of a training's
data, tuning would be as long as that, and the gold a drop in it."""
GENTLE_RATE = 5e-5
CAREFUL_RATE = 5e-6
"""Of all, where there are no new types: with texts to remember, and without. Gold that a pipeline
gets wrong pulls it away from what it gets right, the more the less there is beside it."""
OF_ONE_TRAINING = {"performance", "labels", "pipeline", "components", "disabled", "vectors"}
"""Of a pipeline's meta.json, what is not true of the tuned one."""


def tune(
    nlp: Language,
    name: str,
    docs: Iterable[Doc],
    *,
    annotated: Iterable[str] | None = None,
    remember: Iterable[Doc] = (),
    taxonomy: Taxonomy | None = None,
    steps: int = 0,
    rate: float = 0.0,
    seed: int = 0,
    use_gpu: int = -1,
    stdout: IO[str] | None = None,
) -> Language:
    """A pipeline trained further. `nlp` itself is not changed.

    name: of the component. docs: gold. annotated: the labels that are annotated in them; None for
        all of the component's, or, where the docs have labels that it does not have, for those
        alone. Of other types the pipeline teaches itself: its probabilities, given what is
        annotated, are the soft targets there.
    remember: Docs whose annotation is not read, if they have any: what the pipeline finds in them
        it teaches itself, so that it learns the others without forgetting these. Those in `docs`
        are left out; of more than 100, and more than ten for each of `docs`, so many are drawn.
    taxonomy: of new labels, see `pipeline.growth`. steps: 0 for three epochs, and 60 at least, or
        200 with new labels and texts to remember.
    rate: of the encoder; 0 for 1e-4 with new labels, 2e-5 if there are fewer than 1,000 docs; or
        else 5e-5 with texts to remember and 5e-6 without. The head has the same, but 1e-3 at least
        with new labels.
    use_gpu: its number, -1 for the CPU, as for `spacy.training.loop.train`: call
        `spacy.require_gpu` before the pipeline is loaded.
    stdout: for the log, None for that of the process.
    Raises what `add_labels` and `taught` do, and a `UserError` for a component that is not trained
    step by step, for an annotated label that neither the docs nor the component have, and for a
    name that the component writes for several labels.
    """
    docs = [doc.copy() for doc in docs]  # of which more is said
    component: Any = nlp.get_pipe(name)
    if not component.is_trainable:
        raise UserError(
            f"'{name}' ({nlp.get_pipe_meta(name).factory}) is not trained step by step, and so not "
            "further. Train it anew, on all data."
        )
    for doc in docs:
        # Of what the pipeline has written, and somebody corrected
        component.names.set_fine_labels(doc, component.taxonomy)
    present = list(labels_of(docs))
    new = [label for label in present if component._tag_set.spelled(label) is None]
    reminders = drawn(remember, docs, seed)
    only = list(annotated) if annotated is not None else new
    known = {label.casefold() for label in (*component.labels, *present)}
    if unknown := [label for label in only if label.casefold() not in known]:
        raise UserError(
            f"{unknown} should be annotated in the data, but there they are not, and '{name}' does "
            f"not have them: it has {list(component.labels)}, the data {present}. Is it a typing "
            "error?"
        )
    for doc in docs if only else ():
        if LABELLED not in doc.spans:
            label_only(doc, only)
    partly = any(LABELLED in doc.spans or unknown_tokens(doc).any() for doc in docs)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        gold = docs
        if partly:
            gold = list(taught(nlp, docs, name=name, soft=True, calibrated=False))
        if reminders:
            gold = [*gold, *_remembered(nlp, name, reminders, bool(new))]
        DocBin(docs=gold, store_user_data=True).to_disk(place / "gold.spacy")
        _write_start(nlp, name, new, taxonomy, place / "start")
        config = _config(nlp, name, place)
        fewest = FEWEST_STEPS_GROWN if new and reminders else FEWEST_STEPS
        config["training"]["max_steps"] = steps or max(fewest, EPOCHS * ceil(len(gold) / BATCH))
        optimizer = config["training"]["optimizer"]
        usual = GENTLE_RATE if reminders else CAREFUL_RATE
        if new:
            usual = FEW_RATE if len(docs) < FEW else RATE
        optimizer["learn_rate"]["rate"] = rate = rate or usual
        optimizer["groups"]["head"]["factor"] = max(1.0, GROWN_RATE / rate) if new else 1.0
        config["system"]["seed"] = seed
        tuned = init_nlp(config, use_gpu=use_gpu)
        _take_over(nlp, tuned)
        train(tuned, None, use_gpu=use_gpu, stdout=stdout or sys.stdout)
        for key in ("train", "dev"):  # of this folder
            tuned.config["paths"][key] = None
        tuned.config["initialize"]["vectors"] = None
        tuned.meta["performance"] = {}  # on what it was trained on
    return tuned


def drawn(remember: Iterable[Doc], docs: list[Doc], seed: int) -> list[Doc]:
    """Texts to remember, but those that there is gold for, of which a pipeline would remember what
    was wrong."""
    gold = {_letters(doc) for doc in docs}
    texts = [doc for doc in remember if doc.text.strip() and _letters(doc) not in gold]
    if len(texts) > (most := max(REMINDERS, REMINDERS_EACH * len(docs))):
        places = np.random.default_rng(seed).choice(len(texts), most, replace=False)
        texts = [texts[place] for place in places]
    return texts


def _letters(doc: Doc) -> str:
    """The same for a text and for its words in a file of tokens, which may be cut otherwise."""
    return "".join(doc.text.split())


def _remembered(nlp: Language, name: str, docs: list[Doc], new: bool) -> list[Doc]:
    """As the pipeline sees them: its probabilities; or its entities, where what is none of them may
    be one of the new labels, which its probabilities can't say."""
    component: Any = nlp.get_pipe(name)
    bare = [_bare(nlp, doc) for doc in docs]
    found = list(taught(nlp, bare, name=name, soft=True, calibrated=False))
    for doc in found if new else ():
        doc.user_data.pop(SOFT_TARGETS)
        label_only(doc, component.labels)
    return found


def _bare(nlp: Language, doc: Doc) -> Doc:
    """With the tokens that it has in training, where soft targets must be of the same."""
    return bare_copy(doc, nlp.vocab) if doc.has_unknown_spaces else nlp.make_doc(doc.text)


def _write_start(
    nlp: Language, name: str, new: list[str], taxonomy: Taxonomy | None, place: Path
) -> None:
    """The pipeline as it is, but for the labels that its component gets."""
    nlp.to_disk(place)
    if new:
        copy = spacy.load(place)
        add_labels(copy.get_pipe(name), new, taxonomy)
        copy.to_disk(place)


def _take_over(nlp: Language, tuned: Language) -> None:
    """What a pipeline is beside its components and its config: name and licence, what its tokenizer
    has been told, and the tables of its vocab."""
    own = {key: value for key, value in nlp.meta.items() if key not in OF_ONE_TRAINING}
    tuned.meta.update(own)
    source: Any = nlp.tokenizer
    target: Any = tuned.tokenizer
    if hasattr(source, "to_bytes"):
        target.from_bytes(source.to_bytes(exclude=["vocab"]), exclude=["vocab"])
    for name in nlp.vocab.lookups.tables:
        if name not in tuned.vocab.lookups:
            tuned.vocab.lookups.add_table(name, nlp.vocab.lookups.get_table(name))


def _config(nlp: Language, name: str, place: Path) -> Config:
    """Every component as it is in the folder, of which ours and what it listens to are trained."""
    config = nlp.config.copy()
    more = Config().from_str(TUNING, interpolate=False)
    start = str(place / "start")
    config["components"] = {pipe: {"source": start} for pipe in nlp.component_names}
    config["training"] = more["training"]
    config["corpora"] = more["corpora"]
    config["paths"] |= {"train": str(place / "gold.spacy"), "dev": str(place / "gold.spacy")}
    config["training"]["score_weights"] = nlp.config["training"]["score_weights"]
    for key in ("vectors", "init_tok2vec", "vocab_data", "lookups", "before_init", "after_init"):
        config["initialize"][key] = None
    if nlp.vocab.vectors.size:
        config["initialize"]["vectors"] = start
    config["initialize"]["components"] = {}
    heard = {pipe: getattr(each, "listening_components", []) for pipe, each in nlp.components}
    encoders = [pipe for pipe, listeners in heard.items() if name in listeners]
    for pipe in encoders:
        if others := [other for other in heard[pipe] if other != name]:
            warnings.warn(
                f"{others} listen to '{pipe}' as '{name}' does, and it is trained: what they find "
                f"will change. To keep it, give '{name}' an encoder of its own before: "
                f"nlp.replace_listeners('{pipe}', '{name}', ['model.tok2vec']).",
                stacklevel=3,
            )
    config["training"]["frozen_components"] = [
        pipe
        for pipe, each in nlp.components
        if pipe not in (name, *encoders) and getattr(each, "is_trainable", False)
    ]
    return config
