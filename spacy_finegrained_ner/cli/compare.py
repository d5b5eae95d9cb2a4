"""The verb `compare`: pipelines side by side."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli.options import Code, load


def compare(
    data: Annotated[Path, typer.Argument(help="Gold data, in any form.")],
    models: Annotated[
        list[str], typer.Argument(help="Trained pipelines, packages or folders: a row each.")
    ],
    output: Annotated[Path | None, typer.Option(help="JSON file for the table.")] = None,
    samples: Annotated[
        int, typer.Option("--bootstrap", min=1, help="Samples for intervals.")
    ] = 1000,
    hourly: Annotated[
        float | None,
        typer.Option(min=0.0, help="Price of an hour of this machine, for what runs on it."),
    ] = None,
    code: Code = None,
) -> None:
    """F1, words per second and cost per million texts of several pipelines, such as a teacher and
    its student, on the same gold.

    Times are of this machine as it is now: compare within a table.
    """
    import srsly

    from spacy_finegrained_ner.cli.tables import print_comparison
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.errors import UserError
    from spacy_finegrained_ner.scoring.comparison import compared, is_ours
    from spacy_finegrained_ner.scoring.evaluation import component_of

    loaded = [load(model, code, data) for model in models]
    taxonomies = [component_of(nlp)[1].taxonomy if is_ours(nlp) else None for nlp in loaded]
    known = next((taxonomy for taxonomy in taxonomies if taxonomy is not None), None)
    if known is None:
        raise UserError(
            f"None of {', '.join(map(str, models))} has a component of this package, expected one "
            "at least: its types are those that count. For others there is spacy evaluate."
        )
    rows = []
    for nlp, own in zip(loaded, taxonomies, strict=True):
        taxonomy = own or known
        gold = read_gold(nlp, data, taxonomy)
        if not gold:
            raise UserError(f"{data}: the file holds no texts.")
        rows.append(compared(nlp, gold, taxonomy, samples, hourly))
    print_comparison(str(data), len(gold), rows)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, rows)
