"""The verb `report`: one page of what a pipeline finds on gold data."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, HeldOut, Model, load


def report(
    model: Model,
    data: HeldOut,
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
    train: Annotated[
        Path | None,
        typer.Option(help="What it was trained on, in any form; for seen and unseen entities."),
    ] = None,
    samples: Annotated[
        int, typer.Option("--bootstrap", min=1, help="Samples for the intervals of F1.")
    ] = 1000,
    code: Code = None,
) -> None:
    """Write a page of what a trained pipeline finds on gold data: scores with intervals, types,
    errors by kind, how far confidence can be trusted, and all texts.
    """
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.pipeline.calibration import annotated
    from spacy_finegrained_ner.report.outcomes import read_training
    from spacy_finegrained_ner.report.page import Subject, render
    from spacy_finegrained_ner.scoring.evaluation import component_of, model_name

    nlp = load(model, code, data, train)
    component_name, component = component_of(nlp)
    taxonomy = component.taxonomy
    gold = read_gold(nlp, data, taxonomy)
    seen = None if train is None else read_gold(nlp, train, taxonomy)
    training = None if seen is None else read_training(seen, taxonomy)
    subject = Subject(model_name(nlp), data.name, nlp.meta["lang"])
    with component.fine_labels():  # of which all probabilities are
        found = annotated(nlp, component_name, gold)
        page = render(subject, found, taxonomy, component.read, training, samples)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8")
    messages.good(f"The report on {len(gold):,} texts: {output}")
