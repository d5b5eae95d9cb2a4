"""The training: steps, each a function of what came before it, and checkpoints to go on from."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from inspect import signature
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch.nn import functional
from tqdm import tqdm

from spacy_finegrained_ner.baselines.llm.lora.model import learning
from spacy_finegrained_ner.baselines.llm.lora.tokens import IGNORED, Tokens, batch_at, padded
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.whole import in_place_of

CHECKPOINT = "checkpoint.pt"
SETTINGS = "settings.json"
LOG = "log.jsonl"
_WARMUP = 0.05
_CLIP = 1.0


@dataclass(frozen=True)
class Training:
    """steps: so many. batch: texts in each. at_once: of these in memory. rate: of AdamW, which
    rises over the first twentieth of the steps and falls towards 0. look_every: steps
    between two looks at the validation texts, if there are any; save_every: between checkpoints.
    """

    steps: int
    batch: int
    at_once: int
    rate: float
    seed: int
    look_every: int
    save_every: int

    def rate_at(self, step: int) -> float:
        """Of a step, counted from 0."""
        rise = max(1.0, _WARMUP * self.steps)
        return self.rate * min((step + 1) / rise, (self.steps - step) / self.steps)


@dataclass
class Progress:
    """steps: that are done. seconds: that they took. log: a row for each step."""

    steps: int = 0
    seconds: float = 0.0
    log: list[dict[str, float]] = field(default_factory=list)


def digest(path: Path) -> str:
    """Of what is in a file."""
    return sha256(path.read_bytes()).hexdigest()


def check_same(folder: Path, asked: Mapping[str, Any]) -> None:
    """See that what is asked for is what was asked for in this folder before, if there is something
    to go on from. Raises a `UserError` where it is something else, and for a folder of something
    else."""
    path = folder / SETTINGS
    if not path.exists():
        if folder.is_dir() and any(folder.iterdir()):
            raise UserError(f"{folder}: is not empty, and has no {SETTINGS}. Give a new folder.")
        return
    if not (folder / CHECKPOINT).exists():
        return
    before = json.loads(path.read_bytes())
    if changed := [key for key in {**before, **asked} if before.get(key) != asked.get(key)]:
        told = ", ".join(f"{x} was {before.get(x)!r}, now {asked.get(x)!r}" for x in changed)
        raise UserError(
            f"{folder}: a fine-tuning with other settings was begun there: {told}. Give the same "
            "settings to go on with it, or another folder."
        )


def begin(folder: Path, asked: Mapping[str, Any]) -> None:
    """Write down what is asked for, when all of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    with in_place_of(folder / SETTINGS) as new:
        new.write_text(json.dumps(asked, indent=2), encoding="utf-8")


def fine_tune(
    model: Any,
    texts: Sequence[Tokens],
    settings: Training,
    folder: Path,
    valid: Sequence[Tokens] = (),
    stepped: Callable[[int], None] = lambda step: None,
) -> Progress:
    """Train what learns in the model, from the checkpoint in the folder on, if there is one.

    stepped: called after each step, with their number.

    The weights, and the log, are those of a training that was not stopped. Raises a `UserError`
    where the loss is no number any more.
    """
    device = next(model.parameters()).device
    weights = list(learning(model).values())
    optimizer = torch.optim.AdamW(weights, lr=settings.rate, weight_decay=0.0)
    done = _load(folder, model, optimizer)
    lengths = tuple(len(text.ids) for text in texts)
    model.train()
    start = perf_counter() - done.seconds
    bar = tqdm(
        total=settings.steps,
        initial=done.steps,
        unit="step",
        desc="fine-tuning",
        mininterval=0.5 if sys.stderr.isatty() else 60.0,  # seconds
    )
    with bar:
        for step in range(done.steps, settings.steps):
            torch.manual_seed(settings.seed + step)  # of dropout, where a model has any
            places = batch_at(step, lengths, settings.batch, settings.seed)
            for group in optimizer.param_groups:
                group["lr"] = settings.rate_at(step)
            loss = _step(model, optimizer, [texts[place] for place in places], settings, device)
            row = {"step": step + 1, "loss": loss, "rate": settings.rate_at(step)}
            done.steps = step + 1
            last = done.steps == settings.steps
            if valid and (last or done.steps % settings.look_every == 0):
                row["valid_loss"] = mean_loss(model, valid, settings.at_once, device)
            done.log.append(row)
            done.seconds = perf_counter() - start
            bar.set_postfix({k: f"{v:.3f}" for k, v in row.items() if "loss" in k}, refresh=False)
            bar.update()
            if last or done.steps % settings.save_every == 0:
                _save(folder, model, optimizer, done)
            stepped(done.steps)
    _write_log(folder, done)  # it may have been stopped between the checkpoint and its log
    return done


def _step(
    model: Any,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Tokens],
    settings: Training,
    device: torch.device,
) -> float:
    """RETURNS: the mean loss of the tokens of the answers."""
    answers = sum(text.answer for text in batch)
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for part in _parts(batch, settings.at_once):
        loss = answer_loss(model, part, device) / answers
        loss.backward()
        total += float(loss.detach())
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(weights, _CLIP)
    if not bool(torch.isfinite(norm)):
        raise UserError(
            f"The loss is {total}, and its gradient is not finite: expected numbers. Take a lower "
            "--rate, or --dtype float32; the checkpoint is of before that."
        )
    optimizer.step()
    return total


def answer_loss(model: Any, texts: Sequence[Tokens], device: torch.device) -> torch.Tensor:
    """Summed over the tokens of the answers, each predicted from what is before it."""
    ids, mask, learned = padded(texts, device)
    # Scores before the first answer are not wanted, and they are of all words
    late = int(ids.shape[1]) - min(text.prompt for text in texts) + 1
    more = {"logits_to_keep": late} if _keeps_late_scores(model) else {}
    scores = model(input_ids=ids, attention_mask=mask, use_cache=False, **more).logits
    wanted = learned[:, -scores.shape[1] :][:, 1:]  # (texts, tokens)
    known = wanted != IGNORED
    found = scores[:, :-1][known].float()  # (tokens of answers, words)
    return functional.cross_entropy(found, wanted[known], reduction="sum")


def _keeps_late_scores(model: Any) -> bool:
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in signature(whole.forward).parameters


def mean_loss(model: Any, texts: Sequence[Tokens], at_once: int, device: torch.device) -> float:
    """Of the tokens of the answers, without learning."""
    model.eval()
    with torch.no_grad():
        ordered = sorted(texts, key=lambda text: len(text.ids))
        losses = (float(answer_loss(model, part, device)) for part in _parts(ordered, at_once))
        total = sum(losses)
    model.train()
    return total / sum(text.answer for text in texts)


def _parts(texts: Sequence[Tokens], size: int) -> Iterator[Sequence[Tokens]]:
    return (texts[at : at + size] for at in range(0, len(texts), size))


def _save(folder: Path, model: Any, optimizer: torch.optim.Optimizer, done: Progress) -> None:
    state = {
        "weights": {name: weight.detach().cpu() for name, weight in learning(model).items()},
        "optimizer": optimizer.state_dict(),
        **vars(done),
    }
    with in_place_of(folder / CHECKPOINT) as new:
        torch.save(state, new)
    _write_log(folder, done)


def _write_log(folder: Path, done: Progress) -> None:
    with in_place_of(folder / LOG) as new:
        new.write_text("".join(f"{json.dumps(row)}\n" for row in done.log), encoding="utf-8")


def _load(folder: Path, model: Any, optimizer: torch.optim.Optimizer) -> Progress:
    path = folder / CHECKPOINT
    if not path.exists():
        return Progress()
    state = torch.load(path, map_location="cpu", weights_only=True)
    with torch.no_grad():
        for name, weight in learning(model).items():
            weight.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(state["steps"], state["seconds"], state["log"])
