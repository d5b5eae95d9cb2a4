"""The table of a training log: its columns, and the lines that are printed."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from spacy.errors import Errors
from spacy.language import Language

from spacy_finegrained_ner.contracts import TrainsTasks
from spacy_finegrained_ner.training.scores import shown_scores

NO_PERCENTAGES = ("speed", "_predicted", "_gold")
"""Ends of the names of such scores."""


@dataclass(frozen=True)
class Column:
    """A column of the table.

    group: what stands over it, and over its neighbors of the same group. title: its lines.
    width: in characters. value: from the record of a row (see `logger.make_record`) to a cell.
    """

    group: str
    title: tuple[str, ...]
    width: int
    value: Callable[[dict[str, Any]], str]


def make_columns(nlp: Language) -> list[Column]:
    """The columns for the components that are trained, and for scores."""
    columns = [
        Column("", ("E",), 3, lambda record: str(record["epoch"])),
        Column("", ("#",), 6, lambda record: str(record["step"])),
    ]
    for name, pipe in nlp.pipeline:
        if not getattr(pipe, "is_trainable", False):
            continue
        columns.append(Column(name, ("loss",), 6, _loss(name)))
        if isinstance(pipe, TrainsTasks) and pipe.task_losses:
            columns.append(Column(name, ("fine",), 6, _loss(pipe.task_losses["fine"])))
            columns.append(Column(name, ("aux",), 6, _loss(pipe.task_losses["auxiliary"])))
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
