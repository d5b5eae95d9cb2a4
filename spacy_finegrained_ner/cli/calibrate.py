"""The verb `calibrate`: probabilities that are worth what they say."""

from pathlib import Path
from typing import Annotated, Any

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Folder, HeldOut, load_folder
from spacy_finegrained_ner.whole import in_place_of


def calibrate(
    model: Folder,
    data: HeldOut,
    check: Annotated[
        Path | None, typer.Option(help="Other gold data, to report on; none for the same.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="JSON file for the report.")] = None,
    code: Code = None,
) -> None:
    """Fit the temperatures of a trained pipeline on held-out data, and store them in it.

    Where it knows no probabilities, or finds too few entities there, a warning says so, and the
    pipeline stays as it is.
    """
    import srsly

    from spacy_finegrained_ner.cli.tables import print_calibration
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.labels.confidence import BACK_OFF
    from spacy_finegrained_ner.pipeline.calibration import (
        NothingToCalibrate,
        fit_temperatures,
        judged,
    )
    from spacy_finegrained_ner.scoring.calibration import calibration_report
    from spacy_finegrained_ner.scoring.evaluation import component_of

    nlp = load_folder(model, code, data, check)
    name, component = component_of(nlp)
    gold = read_gold(nlp, data, component.taxonomy)
    other = gold if check is None else read_gold(nlp, check, component.taxonomy)
    report: dict[str, Any] = {"fitted_on": str(data), "reported_on": str(check or data)}
    try:
        found = fit_temperatures(nlp, name, gold)
    except NothingToCalibrate as error:
        messages.warn(f"Not calibrated: {error}")
        return
    for side, temperatures in (("before", {}), ("after", found)):
        component.temperatures = temperatures
        report[side] = calibration_report(judged(nlp, name, other))
    report["temperatures"] = found
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, report)
    print_calibration(report)
    with in_place_of(model / name / "cfg") as new:
        srsly.write_json(new, component.cfg)
    if (block := nlp.config["components"][name]["back_off"]) != {
        **BACK_OFF,
        "spans_key": block["spans_key"],
    }:
        messages.warn(
            "The thresholds in back_off were for the probabilities of before: tune them again."
        )
    values = ", ".join(f"{key} {value:.3f}" for key, value in found.items())
    messages.good(f"The temperatures of '{name}' ({values}) are stored in {model}")
