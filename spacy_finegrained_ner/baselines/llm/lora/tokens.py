"""From chats to tensors: which tokens a model is shown, which of them it learns, in which order."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from torch import Tensor

from spacy_finegrained_ner.baselines.llm.chat import Chat
from spacy_finegrained_ner.errors import UserError

IGNORED = -100
"""In place of a token that is not learned; torch's `cross_entropy` has it as its default."""
_WINDOW = 16
"""Batches of texts among which those of about one length are put together."""


class Tokens(NamedTuple):
    """Of a chat. ids: of all of it. prompt: so many of them come before the answer."""

    ids: list[int]
    prompt: int

    @property
    def answer(self) -> int:
        """So many are learned."""
        return len(self.ids) - self.prompt


def tokens_of(tokenizer: Any, chats: Iterable[Chat]) -> list[Tokens]:
    """Of each chat, by the tokenizer's own template: the prompt exactly as a server has it, then
    the answer and what ends it.

    The two are tokenized apart, as a server knows only the prompt when it asks for the next token.
    Raises a `UserError` for a tokenizer that has no template, or one that does not take this chat.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template. Expected a model that "
            "was made to follow instructions; their names often end in -Instruct or -chat."
        )
    return [_tokens(tokenizer, chat) for chat in chats]


def _tokens(tokenizer: Any, chat: Chat) -> Tokens:
    turns = [turn.model_dump() for turn in chat.messages]
    try:
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        prompt = tokenizer.apply_chat_template(
            turns[:-1], tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        roles = [turn.role for turn in chat.messages]
        raise UserError(
            f"{tokenizer.name_or_path}: its chat template does not take a chat of {roles}: {error}"
        ) from None
    if not whole.startswith(prompt):
        raise UserError(
            f"{tokenizer.name_or_path}: its chat template writes the prompt otherwise once there "
            f"is an answer: {prompt[-80:]!r} is no beginning of {whole[-200:]!r}. Nothing can be "
            "learned from the answer alone; expected another model."
        )
    # Without the line break after the mark that ends the answer: no server waits for it
    answer = whole[len(prompt) :].rstrip()
    before, after = (
        tokenizer(part, add_special_tokens=False)["input_ids"] for part in (prompt, answer)
    )
    return Tokens([*before, *after], len(before))


def padded(texts: Sequence[Tokens], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """ids, mask (1 where there is a token), and what is to be learned, `IGNORED` where nothing is.
    *Shape:* (texts, tokens) each."""
    longest = max(len(text.ids) for text in texts)
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    learned = torch.full_like(ids, IGNORED)
    for row, text in enumerate(texts):
        found = torch.tensor(text.ids)
        ids[row, : len(found)] = found
        mask[row, : len(found)] = 1
        learned[row, text.prompt : len(found)] = found[text.prompt :]
    return ids.to(device), mask.to(device), learned.to(device)


def batch_at(step: int, lengths: tuple[int, ...], size: int, seed: int) -> list[int]:
    """The places of the texts of a step, counted from 0: a function of nothing but its arguments,
    so that a training that was stopped goes on with what it would have seen.

    Each epoch has all texts once, in another order; those of a batch are of about one length.
    """
    in_epoch = -(-len(lengths) // size)
    epoch, place = divmod(step, in_epoch)
    return _batches(epoch, lengths, size, seed)[place]


@lru_cache(maxsize=2)
def _batches(epoch: int, lengths: tuple[int, ...], size: int, seed: int) -> list[list[int]]:
    random = Random(f"{seed} {epoch}")
    order = list(range(len(lengths)))
    random.shuffle(order)
    wide = size * _WINDOW
    batches: list[list[int]] = []
    for start in range(0, len(order), wide):
        window = sorted(order[start : start + wide], key=lambda place: lengths[place])
        batches += (window[at : at + size] for at in range(0, len(window), size))
    random.shuffle(batches)
    return batches
