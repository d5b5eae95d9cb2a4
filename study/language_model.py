"""`python -m study llm serve|run`: a small language model, measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from study.plan.language_model import ASKED, SENTENCES
from study.plan.stages import StudyError
from study.told import told

app = typer.Typer(help="A small language model beside small pipelines.", no_args_is_help=True)


@app.command("serve")
def serve_command(
    model: Annotated[Path, typer.Argument(help="A .gguf file.")],
    tuned: Annotated[
        Path | None, typer.Option(help="Folder of fine-tune-llm; none for the model as it is.")
    ] = None,
    port: Annotated[int, typer.Option(help="On this machine only.")] = 8911,
    threads: Annotated[int, typer.Option(min=1, help="Cores that it takes.")] = 2,
) -> None:
    """Serve a GGUF file with an OpenAI-compatible endpoint (pip install xllamacpp)."""
    with told():
        from study.runs.gguf import serve, write_adapter

        adapter = None
        if tuned is not None:
            adapter = tuned / "adapter.gguf"
            write_adapter(tuned / "adapter", model, adapter)
        serve(model, adapter, port, threads)


@app.command("run")
def run_command(
    arm: Annotated[str, typer.Argument(help=f"{' or '.join(ASKED)}.")],
    data: Annotated[Path, typer.Argument(help="Folder of `convert`: train, valid, dev.spacy.")],
    output: Annotated[Path, typer.Option(help="Folder of the records, a part in each.")],
    study: Annotated[
        Path, typer.Option(help="A study on this data: its arms are scored beside.")
    ] = Path("docs/study/small"),
    url: Annotated[str, typer.Option(help="Of the endpoint.")] = "http://127.0.0.1:8911/v1",
    model: Annotated[str, typer.Option(help="Its name there.")] = "model",
    template: Annotated[str, typer.Option(help="ner, short or a file.")] = "ner",
    examples: Annotated[int, typer.Option(min=0, help="In the prompt.")] = 10,
    tuned: Annotated[
        Path | None, typer.Option(help="Folder of fine-tune-llm, for what it cost.")
    ] = None,
    part: Annotated[str, typer.Option(help="valid, or dev to report.")] = "valid",
    sentences: Annotated[int, typer.Option(min=0, help="Of it; 0 for all.")] = SENTENCES,
    taxonomy: Annotated[str, typer.Option(help="A file, or multiconer2.")] = "multiconer2",
) -> None:
    """Ask a language model about some sentences, and score it. May be stopped and started again.

    `python -m study page OUTPUT --experiment llm` then writes the page.
    """
    command = ["python", "-m", "study", *sys.argv[1:]]
    with told():
        from study.runs.language_model import Asked, ask

        if arm not in ASKED:
            raise StudyError(f"There is no arm {arm!r}, expected one of {', '.join(ASKED)}.")
        asked = Asked(arm, url, model, template, examples, tuned, part, sentences)
        record = ask(data, study, output, asked, taxonomy, command)
        scores = record.sets[part].scores
        typer.echo(f"micro F1 {scores['ents_f']:.3f}, macro F1 {scores['ents_macro_f']:.3f}")
