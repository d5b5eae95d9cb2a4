"""The training log: a table with a column for each task of a component, and a JSONL file."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from spacy.language import Language
from spacy.util import logger as spacy_logger
from thinc.api import Config
from tqdm import tqdm

from spacy_finegrained_ner.contracts import TrainsTasks, factors_of, sees_losses
from spacy_finegrained_ner.settings import checked
from spacy_finegrained_ner.training.collapse import Watch
from spacy_finegrained_ner.training.rates import LearnRates
from spacy_finegrained_ner.training.recipe import Epochs, length_told, make_recipe, told, with_steps
from spacy_finegrained_ner.training.scores import without_a_weight
from spacy_finegrained_ner.training.table import header, make_columns, row

Info = dict[str, Any]
"""What spaCy knows after a step; see `spacy.training.loop.train_while_improving`."""

LogStep = Callable[[Info | None], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


def idle_tasks(nlp: Language) -> list[str]:
    """The losses that were not computed in the step just done, since their task had no weight (the
    fine one in the first epoch of the paper's schedule)."""
    idle = []
    for pipe in _with_tasks(nlp).values():
        if sees_losses(pipe.combination):
            continue  # it has computed both
        factors = factors_of(pipe.combination, pipe.auxiliary_weight)
        for task, factor in zip(("fine", "auxiliary"), factors, strict=True):
            if not factor:
                idle.append(pipe.task_losses[task])
    return idle


def make_record(
    nlp: Language, info: Info, steps: int, idle: Counter[str], rates: LearnRates
) -> dict[str, Any]:
    """What is known at an evaluation, as it goes to the file.

    losses: of everything that components report, the mean over the `steps` since the last
        evaluation, without the `idle` steps in which the loss was not computed.
    auxiliary_weights: w of the step just done, by component. learn_rate: of that step, the one
        that all share; group_rates: those of the optimizer's groups, by name.
    scores: as the scorers give them.
    """
    by_group = rates.at(info["step"])
    return {
        "epoch": info["epoch"],
        "step": info["step"],
        "seconds": info.get("seconds"),  # not in the table: a loop of one's own may not have it
        "losses": {
            name: float(loss) / max(steps - idle[name], 1) for name, loss in info["losses"].items()
        },
        "auxiliary_weights": {
            name: pipe.auxiliary_weight for name, pipe in _with_tasks(nlp).items()
        },
        "learn_rate": by_group.pop(None),
        "group_rates": by_group,
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


@checked("spacy-finegrained-ner.logger.v1")
def build_logger_v1(
    progress_bar: Annotated[Literal["train", "eval"], "'train' or 'eval'"] | None = None,
    console_output: bool = True,
    output_file: str | Path | None = None,
) -> Logger:
    """Registered as `spacy-finegrained-ner.logger.v1` (loggers).

    Before the table, what the training is made of (see `recipe.make_recipe`): parameters, rate and
    weight decay of each group, epochs, losses; where the batches depend on lengths, the epochs as
    soon as the run has told them. Then a row for each evaluation, as `spacy.ConsoleLogger.v3` has
    it. Losses are means per step since the row above (spaCy's loggers print the sum, and the first
    row is one step alone), so that rows can be compared. Where a component has an auxiliary task,
    its combined `loss` is followed by that of the `fine` and of the auxiliary (`aux`) task (mean
    per token, over the steps in which it has a weight, "-" if there are none), and by w, the weight
    of the latter in the last step. Scores are percentages, but for `score`, the weighted one,
    `speed` and counts. With [training] accumulate_gradient, losses are sums over the parts of a
    step.

    Other loggers get the means and w, too, where they come behind this one in a chain: in the info
    of the step, as `mean_loss.<name>` and `auxiliary_weight.<component>`.

    A model that has fallen to O for every token is told once, with the settings to change: by
    spaCy's logger, and under the row (see `training.collapse.EmptyEvaluations`). It is told, too,
    where none of the scores is reported that [training.score_weights] has a weight for.

    progress_bar: "train" (to the end), "eval" (to the next row) or null; under the table.
    console_output: print the table.
    output_file: for JSON Lines, a record for each row (see `make_record`; scores are 0 to 1), with
        the recipe in the first one. A file that exists is kept, with a warning, and nothing is
        written.

    Raises a ValueError for another progress bar, and (spaCy's E916) in the first row for a score of
    [training.score_weights] that is no number.
    """

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        def write(line: str) -> None:
            print(line, file=stdout, flush=True)

        config = Config(nlp.config).interpolate()
        rates = LearnRates(config["training"].get("optimizer") or {})
        recipe, epochs = make_recipe(nlp, config, rates), Epochs()
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
            for line in [*told(recipe), "", *header(columns)]:
                write(line.rstrip())
        bar: tqdm | None = None
        steps, idle, first = 0, Counter[str](), True
        watch = Watch(nlp, config, rates)

        def log_step(info: Info | None) -> None:
            nonlocal bar, steps, idle, first, recipe
            steps += 1
            idle.update(idle_tasks(nlp))
            if info is None:  # a step without an evaluation
                if bar is not None:
                    bar.update(1)
                return
            record = make_record(nlp, info, steps, idle, rates)
            info |= for_other_loggers(record)
            length = None
            if recipe["steps_per_epoch"] is None:
                found = epochs.add(info["step"], info["epoch"])
                if found is not None:
                    recipe = with_steps(recipe, found)
                    length = length_told(recipe)
            if first or length:
                record["recipe"] = recipe
            warned = watch.look(nlp, record, idle)
            steps, idle = 0, Counter()
            if file is not None:
                file.write(json.dumps(record, default=float) + "\n")
            if bar is not None:
                bar.close()
            if first:
                warned += without_a_weight(nlp, record["scores"])
            first = False
            for line in warned:
                spacy_logger.warning("%s", line)
            if console_output:
                write(row(columns, [column.value(record) for column in columns]))
                for line in [*warned, *([length] if length else [])]:
                    write(line)
                bar = _bar(nlp, progress_bar, info, stderr)

        def finalize() -> None:
            if bar is not None:
                bar.close()
            if file is not None:
                file.close()

        return log_step, finalize

    return setup


def _with_tasks(nlp: Language) -> dict[str, TrainsTasks]:
    """The components that have an auxiliary task, by name."""
    pipes: list[tuple[str, Any]] = nlp.pipeline
    return {
        name: pipe for name, pipe in pipes if isinstance(pipe, TrainsTasks) and pipe.task_losses
    }


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
