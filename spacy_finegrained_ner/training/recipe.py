"""What a training is made of, told before it begins: sizes, rates, losses, epochs."""

from collections.abc import Iterator
from math import ceil, inf
from typing import Any

from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training.corpus import walk_corpus
from spacy.util import dot_to_object, registry
from thinc.api import Config, Model, PyTorchShim
from torch import nn

from spacy_finegrained_ner.contracts import TrainsTasks
from spacy_finegrained_ner.training.callbacks import AUXILIARY_WEIGHT
from spacy_finegrained_ner.training.rates import LearnRates

COUNTED = 64 * 2**20
"""Bytes up to which the texts of a corpus are counted, in a second or two: no Doc is made."""
OTHERS = "(others)"


def make_recipe(nlp: Language, config: Config, rates: LearnRates) -> dict[str, Any]:
    """What is known before the first step, as it goes into the first record of the log.

    config: of the pipeline, interpolated.
    parameters: of each component that is trained, those that learn; by name.
    groups: of the optimizer, by name; OTHERS are those that no group has.
    steps, epochs: of the whole run; ends_at: the setting that ends it, `max_steps` or `max_epochs`,
        whichever comes first.
    texts, batch, steps_per_epoch, and those three: None where only the run will tell. Of texts:
        another reader than `spacy.Corpus.v1`, or more than COUNTED. Of batches: their size depends
        on lengths; see `Epochs`.
    losses: of each component with an auxiliary task, the combination and w.
    """
    training = config["training"]
    pipes: list[tuple[str, Any]] = nlp.pipeline
    trained = {name: pipe for name, pipe in pipes if getattr(pipe, "is_trainable", False)}
    parameters = {name: _parameters(pipe) for name, pipe in trained.items()}
    optimizer = training.get("optimizer") or {}
    recipe = {
        "parameters": {name: _total(found) for name, found in parameters.items() if found},
        "optimizer": optimizer.get("@optimizers"),
        "groups": _groups(optimizer, rates, [p for found in parameters.values() for p in found]),
        "layer_decay": (optimizer.get("layer_decay") or {}).get("factor"),
        "max_steps": training["max_steps"],
        "max_epochs": training["max_epochs"],
        "texts": _count_texts(config),
        "losses": {
            name: _loss(name, pipe, config)
            for name, pipe in trained.items()
            if isinstance(pipe, TrainsTasks) and pipe.task_losses
        },
    }
    return with_steps(recipe, _steps_per_epoch(recipe["texts"], training.get("batcher") or {}))


def with_steps(recipe: dict[str, Any], steps: int | None) -> dict[str, Any]:
    """The same, with the number of steps in an epoch, and what follows from it."""
    bounds = []
    if steps and recipe["max_steps"]:
        bounds.append((recipe["max_steps"] / steps, "max_steps"))
    if steps and recipe["max_epochs"] > 0:  # -1 is an open end, too
        bounds.append((recipe["max_epochs"], "max_epochs"))
    epochs, ends_at = min(bounds, default=(None, None))
    return recipe | {
        "batch": recipe["texts"] / steps if steps and recipe["texts"] else None,
        "steps_per_epoch": steps,
        "steps": round(epochs * steps) if steps and epochs else None,
        "epochs": epochs,
        "ends_at": ends_at,
    }


def told(recipe: dict[str, Any]) -> Iterator[str]:
    """A recipe, line by line."""
    sizes = ", ".join(f"{name} {size:,}" for name, size in recipe["parameters"].items())
    if sizes:
        yield f"Parameters: {sizes}"
    for name, group in recipe["groups"].items():
        yield (
            f"Optimizer, {name}: {group['parameters']:,} parameters, rate {group['rate']}, "
            f"weight decay {group['weight_decay']}"
        )
    if recipe["layer_decay"] is not None:
        yield f"Optimizer: the rate times {recipe['layer_decay']} from each layer to the one below"
    yield length_told(recipe)
    for name, loss in recipe["losses"].items():
        yield f"Loss of {name}: {loss['combination']}; w: {loss['w']}"


def length_told(recipe: dict[str, Any]) -> str:
    """How many steps and epochs the run has, as far as it is known."""
    texts = "" if recipe["texts"] is None else f" of {recipe['texts']:,} texts"
    steps, epochs = recipe["max_steps"], recipe["max_epochs"]
    if recipe["epochs"] is None:
        bounds = [f"{steps:,} steps"] * (steps > 0) + [f"{epochs:,} epochs"] * (epochs > 0)
        length = ", or ".join(bounds) or "an open end"
        first = " if that is sooner" if len(bounds) == 2 else ""
        unknown = "epochs" if steps or epochs < 1 else "steps"
        return f"Length: {length}{first}; the run will tell how many {unknown}{texts} that are"
    batch = "" if recipe["batch"] is None else f", {recipe['batch']:.1f} texts a batch"
    early = " (max_epochs ends it)" if recipe["ends_at"] == "max_epochs" else ""
    return (
        f"Length: {recipe['steps']:,} steps are {recipe['epochs']:.1f} epochs{texts}{early}: "
        f"{recipe['steps_per_epoch']:,} steps an epoch{batch}"
    )


class Epochs:
    """How many steps an epoch has, out of the evaluations of a run: a logger sees no other steps'
    epochs, and batches by length are not as many in each."""

    def __init__(self) -> None:
        self._low, self._high = 0.0, inf

    def add(self, step: int, epoch: int) -> int | None:
        """About how many, once that is known to a tenth. step, epoch: from 0 on."""
        self._low = max(self._low, step / (epoch + 1))
        self._high = min(self._high, step / epoch if epoch else inf)
        if self._high - self._low > 0.1 * self._high or self._high == inf:
            return None
        return round((self._low + self._high) / 2)


def _parameters(pipe: Any) -> list[tuple[str, int]]:
    """Name, as an optimizer is told it, and size of those that learn."""
    model = getattr(pipe, "model", None)
    found: dict[Any, tuple[str, int]] = {}  # by identity: weights may be shared
    for node in model.walk() if isinstance(model, Model) else ():
        for name in node.param_names:
            if node.has_param(name):
                found[node.id, name] = name, node.get_param(name).size
        for shim in node.shims:
            module = shim._model if isinstance(shim, PyTorchShim) else None
            if isinstance(module, nn.Module):
                for name, p in module.named_parameters():
                    if p.requires_grad:
                        found[id(p)] = name, p.numel()
    return list(found.values())


def _total(parameters: list[tuple[str, int]]) -> int:
    return sum(size for _, size in parameters)


def _groups(
    optimizer: dict[str, Any], rates: LearnRates, parameters: list[tuple[str, int]]
) -> dict[str, dict[str, Any]]:
    """Of each group: the number of parameters, the rate and the weight decay."""
    left = list(parameters)
    shared = written(optimizer.get("learn_rate"))
    decay = optimizer.get("weight_decay", optimizer.get("L2"))
    groups = {}
    for group in rates.groups:
        own = (optimizer["groups"][group.name]).get("schedule")
        some = [p for p in left if group.pattern.search(p[0])]
        left = [p for p in left if not group.pattern.search(p[0])]
        groups[group.name] = {
            "parameters": _total(some),
            "rate": f"{group.factor:g} x {shared}" if own is None else written(own),
            "weight_decay": decay if group.weight_decay is None else group.weight_decay,
        }
    others = {"parameters": _total(left), "rate": shared, "weight_decay": decay}
    return groups | ({OTHERS: others} if optimizer else {})


def written(value: Any) -> str:
    """A setting, or the name and the settings of a block, on one line."""
    if not isinstance(value, dict):
        return str(value)
    name = next((str(v) for key, v in value.items() if key.startswith("@")), "")
    settings = (f"{k} = {written(v)}" for k, v in value.items() if not k.startswith("@"))
    return f"{name.removeprefix('spacy-finegrained-ner.')}({', '.join(settings)})"


def _count_texts(config: Config) -> int | None:
    name = config["training"].get("train_corpus")
    corpus = dot_to_object(config, name) if name else {}
    changing = ("max_length", "gold_preproc", "augmenter")
    plain = corpus.get("@readers") == "spacy.Corpus.v1" and corpus.get("path")
    if not plain or any(corpus.get(key) for key in changing):
        return None
    files = walk_corpus(corpus["path"], ".spacy")
    if sum(file.stat().st_size for file in files) > COUNTED:
        return None
    bins = [DocBin().from_disk(file) for file in files]
    texts = sum(len(tokens) > 0 for one in bins for tokens in one.tokens)
    return min(texts, corpus.get("limit") or texts)


def _steps_per_epoch(texts: int | None, batcher: dict[str, Any]) -> int | None:
    size, buffer = batcher.get("size"), batcher.get("buffer") or texts
    ours = batcher.get("@batchers") == "spacy-finegrained-ner.batch_by_length.v1"
    by_number = ours and not batcher.get("max_padded")
    by_number |= batcher.get("@batchers") == "spacy.batch_by_sequence.v1"
    if not (texts and buffer and by_number and isinstance(size, int)):
        return None
    whole, rest = divmod(texts, buffer)
    return whole * ceil(buffer / size) + ceil(rest / size)


def _loss(name: str, pipe: TrainsTasks, config: Config) -> dict[str, str]:
    """The combination, and w from the first step to the last."""
    w = f"{pipe.auxiliary_weight:g}"
    for block in _blocks(config["training"].get("before_update") or {}):
        if block.get("@callbacks") == AUXILIARY_WEIGHT and block.get("component") == name:
            schedule = registry.resolve({"schedule": block["schedule"]})["schedule"]
            w = f"{schedule(0.0):g} to {schedule(1.0):g}, {written(block['schedule'])}"
    return {"combination": written(config.get("components", {}).get(name, {}).get("loss")), "w": w}


def _blocks(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield block
    for value in block.values():
        if isinstance(value, dict):
            yield from _blocks(value)
