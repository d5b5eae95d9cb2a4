"""The verb `back-off`: how sure a label has to be."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Folder, HeldOut, load_folder
from spacy_finegrained_ner.whole import in_place_of


def back_off(
    model: Folder,
    data: HeldOut,
    precision: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Of the labels that are given, to be right.")
    ] = 0.8,
    credit: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of a right coarse type; a fine label has 1.")
    ] = 0.5,
    check: Annotated[
        Path | None, typer.Option(help="Other gold data, to report on; none for the same.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the report.")] = None,
    code: Code = None,
) -> None:
    """Tune on held-out data how sure the fine label, or else the coarse type, of an entity has to
    be, for the highest credit at a precision; and store both thresholds in the pipeline's config.
    """
    import srsly
    from thinc.api import Config

    from spacy_finegrained_ner.cli.tables import print_back_off
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.pipeline.calibration import judged
    from spacy_finegrained_ner.scoring.back_off import best_thresholds, compare
    from spacy_finegrained_ner.scoring.evaluation import component_of

    nlp = load_folder(model, code, data, check)
    name, component = component_of(nlp)
    tuned = judged(nlp, name, read_gold(nlp, data, component.taxonomy))
    two_levels = not component.taxonomy.flat
    best = best_thresholds(tuned, precision, credit, coarse=two_levels)
    other = tuned
    if check is not None:
        other = judged(nlp, name, read_gold(nlp, check, component.taxonomy))
    report = {
        "tuned_on": str(data),
        "reported_on": str(check or data),
        "precision": precision,
        "credit": credit,
        "ways": compare(tuned, other, precision, credit, coarse=two_levels),
    }
    path = model / "config.cfg"
    config = Config().from_disk(path, interpolate=False)
    block = config["components"][name].setdefault("back_off", {"spans_key": None})
    block |= {"fine": best.fine, "coarse": best.coarse}
    with in_place_of(path) as new:
        config.to_disk(new, interpolate=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, report)
    print_back_off(report)
    messages.good(
        f"Stored in {path}: [components.{name}.back_off] fine = {best.fine:.4f}, "
        f"coarse = {best.coarse:.4f} (1.01: never)"
    )
    if block["spans_key"] is None:
        messages.info("Set spans_key there too, to have this view as a span group.")
