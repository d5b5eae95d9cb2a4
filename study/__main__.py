"""`python -m study run|experiment|planted|page`, from the root of a clone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from study.language_model import app as language_model
from study.plan.stages import SIZES, STAGES, Size, StudyError
from study.told import told

app = typer.Typer(
    help="What each technique adds, measured: run the study, write its page.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


app.add_typer(language_model, name="llm")


@app.command("run")
def run_command(
    data: Annotated[
        Path, typer.Argument(help="Folder of `convert`: train, valid and, to report, dev.spacy.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the records; what is there is kept.")],
    encoder: Annotated[str, typer.Option(help="Folder or name of the encoder.")],
    size: Annotated[str, typer.Option(help="smoke, small or full.")] = "small",
    stages: Annotated[str, typer.Option(help="Which, with commas between.")] = ",".join(STAGES),
    base_encoder: Annotated[
        str, typer.Option(help="Folder or name of a larger encoder, for one run; none without.")
    ] = "",
    pos: Annotated[
        str, typer.Option(help="A pipeline with a tagger, such as en_core_web_sm; none without.")
    ] = "",
    work: Annotated[Path, typer.Option(help="Folder for prepared data.")] = Path("corpus/study"),
    taxonomy: Annotated[str, typer.Option(help="A file, or multiconer2.")] = "multiconer2",
    workers: Annotated[
        int, typer.Option(min=1, help="Runs at once; each has its share of the cores.")
    ] = 1,
) -> None:
    """Do the runs of the study that have no record yet. May be stopped and started again."""
    from study.runs.pipelines import Inputs
    from study.runs.runner import run_study

    command = ["python", "-m", "study", *sys.argv[1:]]
    inputs = Inputs(work, encoder, base_encoder or None, pos or None, taxonomy, command=command)
    with told():
        if size not in SIZES:
            raise StudyError(f"There is no size {size!r}, expected one of {', '.join(SIZES)}.")
        chosen = stages.split(",")
        run_study(data, output, SIZES[size], chosen, inputs, workers)


@app.command("experiment")
def experiment_command(
    name: Annotated[str, typer.Argument(help="Of study/plan/experiments.py, such as teaching.")],
    data: Annotated[
        Path, typer.Argument(help="Folder of `convert`: train, valid and, to report, dev.spacy.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the records; what is there is kept.")],
    encoder: Annotated[str, typer.Option(help="Folder or name of the encoder.")],
    smoke: Annotated[
        bool, typer.Option("--smoke/--full", help="On 150 sentences, in minutes.")
    ] = False,
    work: Annotated[Path, typer.Option(help="Folder for prepared data.")] = Path("corpus/study"),
    taxonomy: Annotated[str, typer.Option(help="A file, or multiconer2.")] = "multiconer2",
    knowledge: Annotated[
        str, typer.Option(help="A file of names, for the experiments that read them.")
    ] = "",
    texts: Annotated[
        str,
        typer.Option(
            help="A file of unlabelled texts, one on each line (behind its last tab), for the "
            "experiment that reads them."
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=1, help="Runs at once; each has its share of the cores.")
    ] = 1,
    arm: Annotated[
        list[str] | None, typer.Option(help="Only runs of this arm; may be given several times.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Only runs with this seed; may be given several times.")
    ] = None,
) -> None:
    """Do the runs of an experiment that have no record yet. May be stopped and started again."""
    from study.plan.experiments import EXPERIMENTS
    from study.runs.pipelines import Inputs
    from study.runs.runner import run_experiment

    command = ["python", "-m", "study", *sys.argv[1:]]
    given = {"knowledge": knowledge or None, "texts": texts or None}
    inputs = Inputs(work, encoder, taxonomy=taxonomy, command=command, **given)
    with told():
        if name not in EXPERIMENTS:
            raise StudyError(_no_experiment(name, EXPERIMENTS))
        found = EXPERIMENTS[name].smoke() if smoke else EXPERIMENTS[name]
        size = SIZES["smoke"] if smoke else Size()
        run_experiment(data, output, found, inputs, size, workers, arm or (), seed or ())


@app.command("planted")
def planted_command(
    train: Annotated[Path, typer.Argument(help="The training part, .spacy or .conll.")],
    output: Annotated[
        Path, typer.Option(help="Folder for what is found; folds that are there stay.")
    ],
    encoder: Annotated[str, typer.Option(help="Folder or name of the encoder.")],
    taxonomy: Annotated[str, typer.Option(help="A file, or multiconer2.")] = "multiconer2",
    count: Annotated[int, typer.Option(min=1, help="Wrong labels.")] = 500,
    folds: Annotated[int, typer.Option(min=2, help="Trainings.")] = 3,
    steps: Annotated[int, typer.Option(min=0, help="Of each; 0 for three epochs.")] = 0,
) -> None:
    """Plant wrong labels of the same coarse type, and count them among the 100 most suspicious that
    `doctor --cross-fit` finds."""
    from study.runs.planted import measure

    with told():
        for key, value in measure(train, output, encoder, taxonomy, count, folds, steps).items():
            typer.echo(f"{key}: {value}")


@app.command("page")
def page_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the records, with runs/*.json.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write to; none for that of the records.")
    ] = None,
    experiment: Annotated[
        str,
        typer.Option(
            help="Of an experiment: page.html and README.md, beside its records. Or checks: in the "
            "folder of that name, over the folders of the paper's checks."
        ),
    ] = "",
) -> None:
    """Write the page of a study: study.html, README.md, figures and analysis.json."""
    with told():
        from study.page import checks
        from study.page.experiment import write_experiment
        from study.page.page import write_page
        from study.plan.experiments import EXPERIMENTS
        from study.plan.language_model import LANGUAGE_MODEL

        pages = {**EXPERIMENTS, LANGUAGE_MODEL.name: LANGUAGE_MODEL}
        if experiment and experiment not in {*pages, checks.NAME}:
            raise StudyError(_no_experiment(experiment, [*pages, checks.NAME]))
        if experiment == checks.NAME:
            written = checks.write_checks(folder)
        elif experiment:
            written = write_experiment(pages[experiment], folder)
        else:
            written = write_page(folder, output)
        typer.echo(f"Wrote the page: {written}")


def _no_experiment(name: str, known: Iterable[str]) -> str:
    return f"There is no experiment {name!r}, expected one of {', '.join(known)}."


if __name__ == "__main__":
    app(prog_name="python -m study")
