"""What probabilities are worth: of those of 0.8, are eight in ten right?"""

from __future__ import annotations

from typing import Any

import numpy as np

from spacy_finegrained_ner.scoring.judgements import LEVELS, Bools, Floats, Judgements

BINS = 10


def reliability(probability: Floats, right: Bools, bins: int = BINS) -> list[dict[str, float]]:
    """Entities in bins of equal mass, from the least probable on: how many, the mean probability,
    and the share that is right. Fewer bins where there are fewer entities."""
    order = np.argsort(probability, kind="stable")
    return [
        {
            "entities": len(rows),
            "probability": float(probability[rows].mean()),
            "right": float(right[rows].mean()),
        }
        for rows in np.array_split(order, bins)
        if len(rows)
    ]


def expected_calibration_error(probability: Floats, right: Bools, bins: int = BINS) -> float:
    """The mean distance of probability and share that is right over bins of equal mass (Nguyen and
    O'Connor 2015; Guo et al. 2017 with bins of equal width); nan without entities."""
    if not len(probability):
        return float("nan")
    table = reliability(probability, right, bins)
    far = sum(row["entities"] * abs(row["probability"] - row["right"]) for row in table)
    return far / len(probability)


def chance_errors(
    probability: Floats, bins: int = BINS, samples: int = 400, seed: int = 0
) -> Floats:
    """The calibration errors that a perfectly calibrated model would show on a sample of this size
    by chance: in each draw every entity is right with its probability. *Shape:* (samples,)."""
    rng = np.random.default_rng(seed)
    ordered = np.sort(probability)
    right = rng.random((samples, len(ordered))) < ordered
    parts = np.array_split(np.arange(len(ordered)), bins)
    far = [np.abs(right[:, part].sum(axis=1) - ordered[part].sum()) for part in parts]
    errors: Floats = np.sum(far, axis=0) / len(ordered)
    return errors


def calibration_report(found: Judgements, samples: int = 400, seed: int = 0) -> dict[str, Any]:
    """For each of the LEVELS, as JSON can hold it: the expected calibration error (`ece`) with its
    95% interval, the mean (`floor`) and the 0.975 quantile (`by_chance`) of what a perfectly
    calibrated model would show, and the reliability table. None where there are no entities.

    The interval is that of a bootstrap over texts, moved to where the error was measured: a sample
    of a sample has the noise twice, which an error of absolute values adds up.
    """
    rng = np.random.default_rng(seed)
    drawn = [one for one in (found.drawn(rng) for _ in range(samples)) if len(one.sentence)]
    report: dict[str, Any] = {
        "entities": len(found.sentence),
        "others": found.others,
        "texts": len(found.gold),
    }
    for level, name in enumerate(LEVELS):
        p, right = found.probability[:, level], found.right[:, level]
        none = dict.fromkeys(("ece", "interval", "floor", "by_chance", "probability", "right"))
        report[name] = {**none, "reliability": reliability(p, right)}
        if not len(p) or not drawn:
            continue
        error = expected_calibration_error(p, right)
        errors = np.array(
            [expected_calibration_error(d.probability[:, level], d.right[:, level]) for d in drawn]
        )
        interval = np.quantile(errors, [0.025, 0.975]) - (errors.mean() - error)
        chance = chance_errors(p)
        report[name] |= {
            "ece": error,
            "interval": np.clip(interval, 0.0, 1.0).tolist(),
            "floor": float(chance.mean()),
            "by_chance": float(np.quantile(chance, 0.975)),
            "probability": float(p.mean()),
            "right": float(right.mean()),
        }
    return report
