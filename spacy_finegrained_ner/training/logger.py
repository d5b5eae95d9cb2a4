"""The training log: a table with a column for each task of a component, and a JSONL file."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from spacy.errors import Errors
from spacy.language import Language
from spacy.util import logger as spacy_logger
from tqdm import tqdm

from spacy_finegrained_ner.contracts import sees_losses
from spacy_finegrained_ner.training.collapse import Watch
from spacy_finegrained_ner.training.scores import shown_scores, without_a_weight

Info = dict[str, Any]
"""What spaCy knows after a step; see `spacy.training.loop.train_while_improving`."""

LogStep = Callable[[Info | None], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]

NO_PERCENTAGES = ("speed", "_predicted", "_gold")
"""Ends of the names of such scores."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    group: what stands over it, and over its neighbors of the same group. title: its lines.
    width: in characters. value: from the record of a row (see `make_record`) to a cell.
    """

    group: str
    title: tuple[str, ...]
    width: int
    value: Callable[[dict[str, Any]], str]


def has_auxiliary(pipe: Any) -> bool:
    """Whether the component trains on an auxiliary task, with a weight."""
    return (
        hasattr(pipe, "auxiliary_weight")
        and getattr(pipe, "auxiliary", None) is not None
        and not getattr(pipe, "auxiliary_is_off", False)
    )


def idle_tasks(nlp: Language) -> list[str]:
    """The losses that were not computed in the step just done, since their task had no weight (the
    fine one in the first epoch of the paper's schedule)."""
    idle = []
    for name, pipe in _pipes(nlp):
        if has_auxiliary(pipe):
            if sees_losses(pipe.combination):
                continue  # it has computed both
            factors = pipe.combination(pipe.auxiliary_weight)
            for task, factor in zip(("fine", "auxiliary"), factors, strict=True):
                if not factor:
                    idle.append(f"{name}_{task}")
    return idle


def make_record(nlp: Language, info: Info, steps: int, idle: Counter[str]) -> dict[str, Any]:
    """What is known at an evaluation, as it goes to the file.

    losses: of everything that components report, the mean over the `steps` since the last
        evaluation, without the `idle` steps in which the loss was not computed.
    auxiliary_weights: w of the step just done, by component. scores: as the scorers give them.
    """
    return {
        "epoch": info["epoch"],
        "step": info["step"],
        "seconds": info.get("seconds"),  # not in the table: a loop of one's own may not have it
        "losses": {
            name: float(loss) / max(steps - idle[name], 1) for name, loss in info["losses"].items()
        },
        "auxiliary_weights": {
            name: pipe.auxiliary_weight for name, pipe in _pipes(nlp) if has_auxiliary(pipe)
        },
        "scores": info["other_scores"],
        "score": info["score"],
    }


def for_other_loggers(record: dict[str, Any]) -> dict[str, float]:
    """What they do not find in spaCy's info: w, and losses that can be compared between rows. Flat,
    as the loggers of spacy-loggers that only measure something have it: those behind them in a
    `spacy.ChainLogger.v1` take what their `log_custom_stats` match."""
    return {
        **{f"mean_loss.{name}": loss for name, loss in record["losses"].items()},
        **{f"auxiliary_weight.{name}": w for name, w in record["auxiliary_weights"].items()},
    }


def make_columns(nlp: Language) -> list[Column]:
    """The columns for the components that are trained, and for scores."""
    columns = [
        Column("", ("E",), 3, lambda record: str(record["epoch"])),
        Column("", ("#",), 6, lambda record: str(record["step"])),
    ]
    for name, pipe in _pipes(nlp):
        if not getattr(pipe, "is_trainable", False):
            continue
        columns.append(Column(name, ("loss",), 6, _loss(name)))
        if has_auxiliary(pipe):
            columns.append(Column(name, ("fine",), 6, _loss(f"{name}_fine")))
            columns.append(Column(name, ("aux",), 6, _loss(f"{name}_auxiliary")))
            columns.append(Column(name, ("w",), 4, _weight(name)))
    for name in shown_scores(nlp):
        group, *title = name.split("_") if "_" in name else ("", name)
        columns.append(Column(group, tuple(title), 6, _score(name)))
    columns.append(Column("", ("score",), 6, lambda record: f"{record['score']:.2f}"))
    return _widened(columns)


def header(columns: list[Column]) -> list[str]:
    """The lines above the rows: the groups, the titles from the bottom up, and a rule."""
    groups = []
    for name, members in groupby(columns, key=lambda column: column.group):
        span = " ".join("-" * column.width for column in members)
        framed = f" {name} " if len(name) + 2 <= len(span) else name
        groups.append(framed.center(len(span), "-") if name else " " * len(span))
    height = max(len(column.title) for column in columns)
    titles = [("",) * (height - len(column.title)) + column.title for column in columns]
    return [
        " ".join(groups),
        *(row(columns, list(line)) for line in zip(*titles, strict=True)),
        row(columns, ["-" * column.width for column in columns]),
    ]


def row(columns: list[Column], cells: list[str]) -> str:
    """The cells in their columns, to the right."""
    return " ".join(cell.rjust(column.width) for column, cell in zip(columns, cells, strict=True))


def build_logger_v1(
    progress_bar: str | None = None,
    console_output: bool = True,
    output_file: str | Path | None = None,
) -> Logger:
    """Registered as `spacy-finegrained-ner.logger.v1` (loggers).

    A row for each evaluation, as `spacy.ConsoleLogger.v3` has it. Losses are means per step since
    the row above (spaCy's loggers print the sum, and the first row is one step alone), so that
    rows can be compared. Where a component has an auxiliary task, its combined `loss` is followed
    by that of the `fine` and of the auxiliary (`aux`) task (mean per token, over the steps in which
    it has a weight, "-" if there are none), and by w, the weight of the latter in the last step.
    Scores are percentages, but for `score`, the weighted one, `speed` and counts. With
    [training] accumulate_gradient, losses are sums over the parts of a step.

    Other loggers get the means and w, too, where they come behind this one in a chain: in the info
    of the step, as `mean_loss.<name>` and `auxiliary_weight.<component>`.

    A model that has fallen to O for every token is told once, with the settings to change: by
    spaCy's logger, and under the row (see `training.collapse.EmptyEvaluations`). It is told, too,
    where none of the scores is reported that [training.score_weights] has a weight for.

    progress_bar: "train" (to the end), "eval" (to the next row) or null; under the table.
    console_output: print the table.
    output_file: for JSON Lines, a record for each row (see `make_record`; scores are 0 to 1). A
        file that exists is kept, with a warning, and nothing is written.

    Raises a ValueError for another progress bar, and (spaCy's E916) in the first row for a score of
    [training.score_weights] that is no number.
    """
    if progress_bar not in (None, "train", "eval"):
        raise ValueError(
            f"progress_bar of spacy-finegrained-ner.logger.v1 is {progress_bar!r}, "
            "expected 'train', 'eval' or null."
        )

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        def write(line: str) -> None:
            print(line, file=stdout, flush=True)

        columns = make_columns(nlp)
        file: IO | None = None
        if output_file is not None:
            path = Path(output_file)
            if path.exists():
                write(f"Not saving the log: {path} exists already.")
            else:
                write(f"Saving the log to {path}")
                path.parent.mkdir(parents=True, exist_ok=True)
                # A line is written at once: a run that is killed leaves its log.
                file = path.open("w", encoding="utf-8", buffering=1)
        if console_output:
            for line in header(columns):
                write(line.rstrip())
        bar: tqdm | None = None
        steps, idle, first = 0, Counter[str](), True
        watch = Watch(nlp)

        def log_step(info: Info | None) -> None:
            nonlocal bar, steps, idle, first
            steps += 1
            idle.update(idle_tasks(nlp))
            if info is None:  # a step without an evaluation
                if bar is not None:
                    bar.update(1)
                return
            record = make_record(nlp, info, steps, idle)
            info |= for_other_loggers(record)
            told = watch.look(nlp, record, idle)
            steps, idle = 0, Counter()
            if file is not None:
                file.write(json.dumps(record, default=float) + "\n")
            if bar is not None:
                bar.close()
            if first:
                told += without_a_weight(nlp, record["scores"])
            first = False
            for line in told:
                spacy_logger.warning("%s", line)
            if console_output:
                write(row(columns, [column.value(record) for column in columns]))
                for line in told:
                    write(line)
                bar = _bar(nlp, progress_bar, info, stderr)

        def finalize() -> None:
            if bar is not None:
                bar.close()
            if file is not None:
                file.close()

        return log_step, finalize

    return setup


def _pipes(nlp: Language) -> list[tuple[str, Any]]:
    return nlp.pipeline  # Any: mypy knows no attributes of a component


def _loss(name: str) -> Callable[[dict[str, Any]], str]:
    def value(record: dict[str, Any]) -> str:
        loss = record["losses"].get(name)
        if loss is None:  # not computed since the last row
            return "-"
        return f"{loss:.3f}" if abs(loss) < 100.0 else f"{loss:.0f}"

    return value


def _weight(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda record: f"{record['auxiliary_weights'][name]:.2f}"


def _score(name: str) -> Callable[[dict[str, Any]], str]:
    def value(record: dict[str, Any]) -> str:
        score = record["scores"].get(name)
        if score is None:
            return "-"
        try:
            score = float(score)
        except TypeError:
            raise ValueError(Errors.E916.format(name=name, score_type=type(score))) from None
        return f"{score:.0f}" if name.endswith(NO_PERCENTAGES) else f"{100.0 * score:.2f}"

    return value


def _widened(columns: list[Column]) -> list[Column]:
    """As wide as their titles, and the first of each group as wide as the group's name needs."""
    wide = []
    for name, members in groupby(columns, key=lambda column: column.group):
        group = [(c, max(c.width, *map(len, c.title))) for c in members]
        missing = len(name) - sum(width + 1 for _, width in group) + 1
        for position, (column, width) in enumerate(group):
            extra = max(missing, 0) if position == 0 else 0
            wide.append(Column(name, column.title, width + extra, column.value))
    return wide


def _bar(nlp: Language, kind: str | None, info: Info, stderr: IO) -> tqdm | None:
    if kind is None:
        return None
    whole = kind == "train"
    return tqdm(
        total=nlp.config.interpolate()["training"]["max_steps" if whole else "eval_frequency"],
        desc=f"Last Eval Epoch: {info['epoch']}" if whole else f"Epoch {info['epoch'] + 1}",
        initial=info["step"] if whole else 0,
        disable=None,  # shown in a terminal only
        leave=False,
        file=stderr,
    )
