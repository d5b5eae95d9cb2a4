"""The verb `annotate`: files of texts in, a file with their entities out."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model
from spacy_finegrained_ner.errors import UserError

if TYPE_CHECKING:
    from spacy_finegrained_ner.annotate.engines import Engine
    from spacy_finegrained_ner.annotate.work import Counts, Part, Work


def annotate(
    model: Model,
    inputs: Annotated[
        list[str],
        typer.Argument(help="Files of texts, patterns such as 'texts/*.jsonl', - for stdin."),
    ],
    output: Annotated[Path, typer.Option(help="File to write: .jsonl, .parquet or .spacy.")],
    read: Annotated[
        str | None,
        typer.Option("--from", help="jsonl, csv, tsv, text, parquet or spacy; else by the name."),
    ] = None,
    write: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="jsonl, prodigy, doccano, label-studio, parquet or spacy; else by the name.",
        ),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column or key of the texts.")] = "text",
    entities_column: Annotated[str, typer.Option(help="Where the entities go.")] = "entities",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that annotate; 0 for this one.")
    ] = 0,
    engine: Annotated[
        str, typer.Option(help="local, or ray: --workers actors of Ray Data, on a cluster.")
    ] = "local",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of torch, in each process; else all cores, shared.")
    ] = None,
    gpu_id: Annotated[int, typer.Option("--gpu-id", "-g", help="GPU, -1 for the CPU.")] = -1,
    block_rows: Annotated[
        int, typer.Option(min=1, help="What is done at a time, and lost where a run is stopped.")
    ] = 1000,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what an earlier run has finished.")
    ] = False,
    code: Code = None,
) -> None:
    """Annotate files of any size. A run that was stopped goes on where it was."""
    from spacy_finegrained_ner.annotate.annotator import Annotator
    from spacy_finegrained_ner.annotate.files import annotate_files, asks_a_server, windows
    from spacy_finegrained_ner.annotate.forms import make_form
    from spacy_finegrained_ner.annotate.inputs import Inputs

    found = Inputs(inputs, read, text_column, block_rows)
    form = make_form(write, output, text_column, entities_column)
    annotator = Annotator(
        model,
        text_column=text_column,
        entities_column=entities_column,
        gpu_id=gpu_id,
        threads=threads,
        code=code,
    )
    if (workers or engine != "local") and (owner := asks_a_server(model)):
        raise UserError(
            f"{model} asks a language model: each process would have a budget and a report of its "
            f"own. Leave out --workers and --engine; [components.{owner}.limits] parallel says how "
            "many requests are under way at a time."
        )
    _tell_windows(windows(model))
    progress = Progress(found.size)
    try:
        total = annotate_files(
            annotator,
            found,
            form,
            output,
            _engine(engine, workers),
            restart,
            progress.begin,
            progress.more,
        )
    except KeyboardInterrupt:
        messages.warn("Stopped. What is finished is kept: the same command goes on with it.")
        raise typer.Exit(130) from None
    finally:
        progress.close()
    _report(total, output, progress)


def _engine(name: str, workers: int) -> "Engine":
    from spacy_finegrained_ner.annotate.engines import in_process, in_workers

    if name == "ray":
        try:
            from spacy_finegrained_ner.annotate.on_ray import on_ray
        except ImportError as error:
            raise UserError(
                f"--engine ray needs Ray ({error}). Install it: "
                'python -m pip install "spacy-finegrained-ner[ray]"'
            ) from None
        return partial(on_ray, workers=workers or 1)
    if name != "local":
        raise UserError(f"--engine {name}: expected local or ray.")
    return partial(in_workers, workers=workers) if workers else in_process


def _tell_windows(block: "dict[str, Any] | None") -> None:
    if block is not None and {"window", "stride"} <= set(block):
        messages.info(
            f"Long texts are read in windows of {block['window']} tokens, each {block['stride']} "
            "after the one before."
        )


class Progress:
    """A bar of the input that is read, with texts per second and the time left, where its size is
    known; on a terminal only."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.texts = 0
        self.start = time.perf_counter()
        self._bar = None

    def begin(self, work: "Work") -> None:
        from tqdm import tqdm

        if work.finished:
            messages.info(f"{len(work.finished)} blocks of rows are finished by an earlier run.")
        known = bool(self.size)
        self._bar = tqdm(
            total=self.size if known else None,
            initial=work.position if known else 0,
            unit="B" if known else " texts",
            unit_scale=True,
            disable=None,
            leave=False,
        )
        self.start = time.perf_counter()

    def more(self, part: "Part") -> None:
        self.texts += part.counts.texts
        if self._bar is not None:
            done = max(0, part.position - self._bar.n) if self.size else part.counts.texts
            self._bar.set_postfix_str(f"{self.rate:,.0f} texts/s", refresh=False)
            self._bar.update(done)

    @property
    def rate(self) -> float:
        """Texts per second, the loading of the pipeline included."""
        return self.texts / (time.perf_counter() - self.start)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _report(total: "Counts", output: Path, progress: Progress) -> None:
    if total.cut:
        messages.warn(
            f"{total.cut:,} tokens are beyond the longest input of the encoder, and had no vector. "
            "A smaller window in [components.transformer.model.get_spans] reads them too."
        )
    if total.uncovered:
        messages.warn(
            f"{total.uncovered:,} tokens are in no span that the encoder reads, and had no vector."
        )
    if total.bad:
        messages.warn(f"{total.bad:,} of {total.rows:,} rows are set aside, with why: {output}.bad")
    messages.good(
        f"{total.texts:,} texts, {total.entities:,} entities: {output} ({progress.texts:,} of the "
        f"texts in this run, {progress.rate:,.0f}/s with the loading of the pipeline)"
    )
