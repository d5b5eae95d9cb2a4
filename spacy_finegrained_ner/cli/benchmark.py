"""The verb `benchmark`: speed, profile, growth, names, annotate, serve."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_finegrained_ner.cli.options import Model

app = typer.Typer(
    help="Measure the speed, against spaCy's own ner and plain PyTorch.", no_args_is_help=True
)

Sentences = Annotated[Path, typer.Argument(help="Sentences with entities, in any form.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="Config of the pipeline to measure.")]
Encoder = Annotated[str, typer.Option("--encoder", help="Folder or name of the encoder.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder for .json and .md files.")]
Count = Annotated[int, typer.Option("--sentences", min=0, help="How many to draw; 0 for all.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measurements; the median counts.")]


@app.command("speed")
def run_speed(
    data: Sentences,
    config: ConfigFile,
    encoder: Encoder,
    output: Folder,
    sentences: Count = 1024,
    rounds: Rounds = 5,
) -> None:
    """Words per second, memory and load time against spaCy's ner, plain PyTorch and the encoder."""
    from spacy_finegrained_ner.benchmark.report import speed_markdown
    from spacy_finegrained_ner.benchmark.sentences import draw
    from spacy_finegrained_ner.benchmark.speed import speed

    found = speed(draw(data, sentences, config, encoder), rounds, _say)
    _write(output / "speed", {"data": str(data), **found}, speed_markdown)


@app.command("profile")
def run_profile(
    data: Sentences,
    config: ConfigFile,
    encoder: Encoder,
    output: Folder,
    sentences: Count = 512,
    rounds: Rounds = 5,
) -> None:
    """Where the time of a train step and of nlp.pipe goes."""
    from spacy_finegrained_ner.benchmark.profiling import profile
    from spacy_finegrained_ner.benchmark.report import profile_markdown
    from spacy_finegrained_ner.benchmark.sentences import draw

    found = profile(draw(data, sentences, config, encoder), rounds, _say)
    _write(output / "profile", {"data": str(data), **found}, profile_markdown)


@app.command("growth")
def run_growth(output: Folder, rounds: Rounds = 5) -> None:
    """Time and memory of the CRF by length, batch and number of tags, against pytorch-crf."""
    from spacy_finegrained_ner.benchmark.growth import growth
    from spacy_finegrained_ner.benchmark.report import growth_markdown, growth_plot

    found = growth(rounds, _say)
    output.mkdir(parents=True, exist_ok=True)
    growth_plot(found, output / "growth.svg")
    _write(output / "growth", found, growth_markdown)


@app.command("names")
def run_names(
    data: Sentences,
    config: ConfigFile,
    encoder: Encoder,
    names: Annotated[Path, typer.Option("--names", help="A file of names.")],
    output: Folder,
    sentences: Count = 1024,
    rounds: Rounds = 5,
) -> None:
    """Time, loading and memory of names as evidence, against the same pipeline without."""
    from spacy_finegrained_ner.benchmark.names import names_cost, names_markdown
    from spacy_finegrained_ner.benchmark.sentences import draw

    found = names_cost(draw(data, sentences, config, encoder), names, rounds, _say)
    _write(output / "names", {"data": str(data), **found}, names_markdown)


@app.command("annotate")
def run_annotate(
    model: Model,
    data: Sentences,
    output: Folder,
    texts: Annotated[int, typer.Option(min=100, help="How many to annotate.")] = 20_000,
    long: Annotated[int, typer.Option(min=0, help="For the memory; 0 to leave it out.")] = 100_000,
    workers: Annotated[int, typer.Option(min=1)] = 2,
    rounds: Rounds = 3,
    ray: Annotated[bool, typer.Option("--ray", help="Ray Data, too.")] = False,
) -> None:
    """Texts per second of annotate, by its engines, against nlp.pipe; and its memory."""
    from spacy_finegrained_ner.benchmark.annotating import annotating
    from spacy_finegrained_ner.benchmark.report import annotating_markdown

    found = annotating(model, data, texts, long, workers, rounds, ray, _say)
    _write(output / "annotate", {"data": str(data), **found}, annotating_markdown)


@app.command("serve")
def run_serve(
    model: Model,
    data: Sentences,
    output: Folder,
    clients: Annotated[int, typer.Option(min=2)] = 50,
    seconds: Annotated[float, typer.Option(min=1.0)] = 60.0,
) -> None:
    """The service, asked by one client and by many at once."""
    from spacy_finegrained_ner.benchmark.report import serving_markdown
    from spacy_finegrained_ner.benchmark.serving import serving

    found = serving(model, data, clients, seconds, _say)
    _write(output / "serve", {"data": str(data), **found}, serving_markdown)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _write(path: Path, found: dict[str, Any], markdown: Callable[[dict[str, Any]], str]) -> None:
    import srsly
    from rich.console import Console
    from rich.markdown import Markdown

    path.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(path.with_suffix(".json"), found)
    text = markdown(found)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    Console().print(Markdown(text))
    typer.echo(f"All figures are in {path}.json and {path}.md")
