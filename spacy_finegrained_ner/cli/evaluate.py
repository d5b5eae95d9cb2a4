"""The verb `evaluate`."""

import math
from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model, load
from spacy_finegrained_ner.errors import UserError


def evaluate(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Gold data, in any form.")],
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
    import srsly

    from spacy_finegrained_ner.cli.tables import print_scores
    from spacy_finegrained_ner.scoring.evaluation import score_pipeline, unmet

    bars = dict(map(_bar, at_least or []))
    report = score_pipeline(load(model, code, data), data, samples)
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output, report)
    print_scores(report, per_type=per_type)
    typer.echo(f"All scores are in {output}")
    if missed := unmet(report, bars):
        raise UserError("; ".join(missed))
    for name, bar in bars.items():
        messages.good(f"{name} is {report['gold_tokens'][name]:.3f}, at least {bar:.3f}")


def _bar(text: str) -> tuple[str, float]:
    """`ents_f=0.5` as a pair."""
    name, _, value = text.partition("=")
    try:
        bar = float(value)
    except ValueError:
        bar = math.nan
    if not math.isfinite(bar):  # nothing is below nan
        raise UserError(f"--at-least {text}: expected a score such as ents_f=0.5")
    return name, bar
