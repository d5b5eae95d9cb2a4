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


def floor(probability: Floats, bins: int = BINS, samples: int = 200, seed: int = 0) -> float:
    """The calibration error that a perfectly calibrated model would show on a sample of this size
    by chance: the mean over samples in which each entity is right with its probability."""
    rng = np.random.default_rng(seed)
    draws = (rng.random(len(probability)) < probability for _ in range(samples))
    return float(np.mean([expected_calibration_error(probability, d, bins) for d in draws]))


def calibration_report(found: Judgements, samples: int = 200, seed: int = 0) -> dict[str, Any]:
    """For each of the LEVELS: the expected calibration error, its 95% interval (bootstrap over
    texts), its floor, and the reliability table; JSON can hold it."""
    rng = np.random.default_rng(seed)
    drawn = [found.drawn(rng) for _ in range(samples)]
    report: dict[str, Any] = {
        "entities": len(found.sentence),
        "others": found.others,
        "texts": len(found.gold),
    }
    for level, name in enumerate(LEVELS):
        p, right = found.probability[:, level], found.right[:, level]
        errors = [
            expected_calibration_error(d.probability[:, level], d.right[:, level])
            for d in drawn
            if len(d.sentence)
        ]
        report[name] = {
            "ece": expected_calibration_error(p, right),
            "interval": np.quantile(errors, [0.025, 0.975]).tolist() if errors else None,
            "floor": floor(p),
            "probability": float(p.mean()) if len(p) else None,
            "right": float(right.mean()) if len(p) else None,
            "reliability": reliability(p, right),
        }
    return report
