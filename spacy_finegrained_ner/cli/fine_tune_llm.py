"""The verb `fine-tune-llm`: a small open language model learns from chats."""

import json
from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages


def fine_tune_llm(
    model: Annotated[
        str,
        typer.Argument(help="An instruct model: a folder, a name on the hub, or a .gguf file."),
    ],
    chats: Annotated[Path, typer.Argument(help="train.jsonl of export-chat.")],
    output: Annotated[Path, typer.Argument(help="Folder to write to; what is there goes on.")],
    valid: Annotated[
        Path | None, typer.Option(help="valid.jsonl, to look at the loss on; none without.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of training.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Texts in a step.")] = 8,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Of these in memory at once; none for all.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 2e-4,
    rank: Annotated[int, typer.Option(min=1, help="Of the LoRA.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of texts, and the LoRA.")] = 0,
    max_tokens: Annotated[
        int, typer.Option(min=1, help="Longer texts, answer and all, are left out.")
    ] = 1024,
    look_every: Annotated[int, typer.Option(min=1, help="Steps between looks at valid.")] = 200,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 20,
    dtype: Annotated[str, typer.Option(help="Of the weights: float32 or bfloat16.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, ...; the GPU if there is one.")] = "",
    merged: Annotated[
        bool, typer.Option("--merged/--adapter", help="Write the whole model too, to be served.")
    ] = True,
) -> None:
    """Fine-tune a language model by LoRA: on the answers alone, not on the prompts.

    Stopped and started again with the same arguments it goes on from the last checkpoint, to the
    result that it would have had. What was learned is in OUTPUT/adapter, the model with it in
    OUTPUT/merged.
    """

    from spacy_finegrained_ner.baselines.llm.chat import read_chats
    from spacy_finegrained_ner.errors import UserError

    try:
        from spacy_finegrained_ner.baselines.llm.lora import model as models
        from spacy_finegrained_ner.baselines.llm.lora import training
    except ModuleNotFoundError as error:
        if error.name != "peft":
            raise
        raise UserError('It needs peft: pip install "spacy-finegrained-ner[lora]"') from None
    from spacy_finegrained_ner.baselines.llm.lora.tokens import tokens_of

    if dtype not in models.DTYPES:
        raise UserError(f"--dtype is {dtype!r}, expected one of {', '.join(models.DTYPES)}.")
    place = models.device_of(device)
    files = {"chats": chats, "valid": valid}
    found = {name: read_chats(path) if path else [] for name, path in files.items()}
    settings = training.Training(steps, batch, at_once or batch, rate, seed, look_every, save_every)
    asked = {
        "model": model,
        **{name: training.digest(path) if path else None for name, path in files.items()},
        **{"steps": steps, "batch": batch, "rate": rate, "seed": seed, "rank": rank},
        **{"max_tokens": max_tokens, "dtype": dtype, "look_every": look_every},
    }
    training.check_same(output, asked)
    network, tokenizer = models.load_model(model, dtype, place)
    texts = {}
    for name, some in found.items():
        every = tokens_of(tokenizer, some)
        texts[name] = [text for text in every if len(text.ids) <= max_tokens]
        if long := len(every) - len(texts[name]):
            messages.warn(
                f"{files[name]}: {long:,} of {len(every):,} texts left out: more than "
                f"{max_tokens:,} tokens"
            )
        if some and not texts[name]:
            raise UserError(f"{files[name]}: no text has {max_tokens:,} tokens or fewer.")
    tuned = models.add_lora(network, rank, seed)
    learning = sum(weight.numel() for weight in models.learning(tuned).values())
    learned = sum(text.answer for text in texts["chats"])
    tokens = sum(len(text.ids) for text in texts["chats"])
    messages.info(
        f"{len(texts['chats']):,} texts, {tokens:,} tokens, {learned:,} of them learned; "
        f"{learning:,} weights learn, on {place} in {dtype}"
    )
    training.begin(output, asked)
    done = training.fine_tune(tuned, texts["chats"], settings, output, texts["valid"])
    models.save(tuned, tokenizer, output, merged)
    losses = {key: value for key, value in done.log[-1].items() if "loss" in key}
    result = {"steps": done.steps, "seconds": round(done.seconds, 1), **losses}
    (output / "result.json").write_text(f"{json.dumps(result, indent=2)}\n", encoding="utf-8")
    messages.good(
        f"{done.steps:,} steps in {done.seconds:,.0f} s, "
        + ", ".join(f"{key} {value:.3f}" for key, value in losses.items())
        + f": {output / 'adapter'}"
        + (f", {output / 'merged'}" if merged else "")
    )
