"""The model that is fine-tuned: from a folder, a hub or a GGUF file, with a LoRA beside layers."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from spacy_finegrained_ner.errors import UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device_of(name: str) -> torch.device:
    """By its name; "" for the GPU, or the CPU where there is none. Raises a `UserError`."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"{name}: there is no such device: {error}") from None
    return device


def load_model(name: str, dtype: str, device: torch.device) -> tuple[Any, Any]:
    """The model and its tokenizer.

    name: a folder, a name on the hub, or a .gguf file. Code that comes with a model is not run.
    dtype: of the weights, see `DTYPES`. Raises a `UserError` for what can't be loaded.
    """
    where, more = name, {}
    if name.endswith(".gguf"):
        if not Path(name).is_file():
            raise UserError(f"{name}: there is no such file.")
        where, more = str(Path(name).parent), {"gguf_file": Path(name).name}
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **more)
        model = AutoModelForCausalLM.from_pretrained(where, torch_dtype=DTYPES[dtype], **more)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise UserError(
            f"{name}: can't be loaded: {error}\nExpected the folder or the name of a causal "
            "language model of transformers, or a .gguf file of a kind that transformers reads."
        ) from None
    tokenizer.name_or_path = name
    return model.to(device), tokenizer


def add_lora(model: Any, rank: int, seed: int) -> PeftModel:
    """A LoRA beside each linear layer but the last; nothing else learns."""
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", r=rank, lora_alpha=2 * rank
    )
    return get_peft_model(model, config)


def learning(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    """What learns, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save(model: PeftModel, tokenizer: Any, folder: Path, merged: bool) -> None:
    """Into `folder`/adapter what was learned, and if `merged` into `folder`/merged the model with
    it, which needs no peft any more. The model is not to be used after that."""

    def write_adapter(where: Path) -> None:
        model.save_pretrained(str(where), save_embedding_layers=False)  # they have not learned

    def write_whole(where: Path) -> None:
        whole: Any = model.merge_and_unload()
        whole.save_pretrained(where)
        tokenizer.save_pretrained(where)

    _place(folder / "adapter", write_adapter)
    if merged:
        _place(folder / "merged", write_whole)


def _place(folder: Path, write: Callable[[Path], None]) -> None:
    """A folder that is there whole or not at all."""
    new = folder.with_name(f"{folder.name}.new")
    for old in (new, folder):
        shutil.rmtree(old, ignore_errors=True)
    write(new)
    os.replace(new, folder)
